// What people are shown: texts that harm no terminal, sizes, times.
#include "cli/output.h"

#include <string>

#include <doctest/doctest.h>

namespace wh::cli {
namespace {

TEST_CASE("text is shown without what a terminal would obey") {
  CHECK(shown("plain, with blanks") == "plain, with blanks");
  CHECK(shown("gr\xc3\xbc\xc3\x9f \xe6\x97\xa5") == "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5");
  CHECK(shown("a\x1b[31mb\r\nc\t") == "a\\x1b[31mb\\x0d\\x0ac\\x09");
  CHECK(shown(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(shown("\x7f") == "\\x7f");
  CHECK(shown("\xff\xfe") == "\\xff\\xfe");
  CHECK(shown("\xc2\x9b"
              "31m") == "\\xc2\\x9b31m");  // CSI as one character of C1
  CHECK(shown("\xe2\x80\xae"
              "evil") == "\\xe2\\x80\\xaeevil");  // from right to left
  CHECK(shown("a\xe2\x80\x8b"
              "b") == "a\\xe2\\x80\\x8bb");           // of no width
  CHECK(shown("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(shown("\xef\xbb\xbfx") == "\\xef\\xbb\\xbfx");
}

TEST_CASE("long text is cut between characters") {
  CHECK(shown("abcdef", 3) == "abc...");
  CHECK(shown("abc", 3) == "abc");
  CHECK(shown("\xc3\xbc\xc3\xbc\xc3\xbc", 2) == "\xc3\xbc\xc3\xbc...");
  CHECK(shown("\x01\x02\x03", 2) == "\\x01\\x02...");
}

TEST_CASE("what harms a terminal") {
  CHECK(!harms_terminal("lines\nand\ttabs \xc3\xbc"));
  CHECK(harms_terminal("\x1b]0;title\x07"));
  CHECK(harms_terminal("\xc2\x9b"));
  CHECK(harms_terminal("\xff"));
  CHECK(harms_terminal("\r"));
}

TEST_CASE("a document stays JSON where what harms a terminal is taken out of it") {
  CHECK(json_escaped("{\"a\":\"\xc3\xbc\"}\n\t") == "{\"a\":\"\xc3\xbc\"}\n\t");
  CHECK(json_escaped("\"\x1b]0;title\x07\"") == "\"\\u001b]0;title\\u0007\"");
  CHECK(json_escaped("\xc2\x9b"
                     "31m") == "\\u009b31m");
  CHECK(json_escaped("\xe2\x80\xae") == "\\u202e");
  CHECK(json_escaped("\xf3\xa0\x80\xa1") == "\\udb40\\udc21");  // of the plane of tags
  CHECK(json_escaped("a\xff") == "a\\ufffd");
  CHECK(json_escaped("\r") == "\\u000d");
}

TEST_CASE("sizes for people") {
  CHECK(human_size(0) == "0 B");
  CHECK(human_size(1023) == "1023 B");
  CHECK(human_size(1024) == "1.0 KiB");
  CHECK(human_size(1536) == "1.5 KiB");
  CHECK(human_size(40'960) == "40 KiB");
  CHECK(human_size(1'048'575) == "1.0 MiB");
  CHECK(human_size(UINT64_MAX) == "16384 PiB");
}

TEST_CASE("durations for people") {
  CHECK(human_duration(0) == "0 ms");
  CHECK(human_duration(999) == "999 ms");
  CHECK(human_duration(1'999) == "1 s");
  CHECK(human_duration(60'000) == "1 min");
  CHECK(human_duration(200'000) == "3 min 20 s");
  CHECK(human_duration(7'500'000) == "2 h 5 min");
  CHECK(human_duration(86'400'000) == "1 d");
  CHECK(human_duration(360'000'000) == "4 d 4 h");
}

}  // namespace
}  // namespace wh::cli
