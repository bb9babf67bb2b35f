#include "base/bytes.h"

#include <doctest/doctest.h>

using wh::Reader;
using wh::Writer;

TEST_CASE("a reader gives back what a writer wrote") {
  std::string out;
  Writer w(out);
  w.u8(7);
  w.u16(0xabcd);
  w.u32(0xdeadbeef);
  w.u64(0x0123456789abcdefULL);
  w.boolean(true);
  w.bytes("hello");
  Reader r(out);
  CHECK(r.u8() == 7);
  CHECK(r.u16() == 0xabcd);
  CHECK(r.u32() == 0xdeadbeef);
  CHECK(r.u64() == 0x0123456789abcdefULL);
  CHECK(r.boolean());
  CHECK(r.bytes() == "hello");
  CHECK(r.complete());
}

TEST_CASE("a read past the end fails for good and returns zero") {
  Reader r("\x01\x02");
  CHECK(r.u32() == 0);
  CHECK_FALSE(r.ok());
  CHECK(r.u8() == 0);
  CHECK_FALSE(r.complete());
}

TEST_CASE("a boolean is 0 or 1") {
  Reader r("\x02");
  r.boolean();
  CHECK_FALSE(r.ok());
}

TEST_CASE("HAZARDS G2: a count larger than what is left fails before anything is allocated") {
  std::string out;
  Writer(out).u32(0xffffffff);
  Reader r(out);
  CHECK(r.count(8) == 0);
  CHECK_FALSE(r.ok());
}

TEST_CASE("a length prefix larger than what is left fails") {
  std::string out;
  Writer(out).u32(0xffffffff);
  out += "abc";
  Reader r(out);
  CHECK(r.bytes().empty());
  CHECK_FALSE(r.ok());
}
