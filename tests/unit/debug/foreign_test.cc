#include "debug/foreign.h"

#include <doctest/doctest.h>

using namespace wh::debug;

TEST_CASE("HAZARDS I1: HTTP methods other than GET and header names are foreign first words") {
  for (const char* word :
       {"POST", "post",     "PoSt",  "PUT",      "HEAD",  "DELETE",          "OPTIONS", "CONNECT", "TRACE", "PATCH",
        "PRI",  "PROPFIND", "MKCOL", "M-SEARCH", "QUERY", "VERSION-CONTROL", "Host:",   "host:",   ":",     "a:b:"})
    CHECK_MESSAGE(!foreign_first_word(word).empty(), word);
}

TEST_CASE("the PROXY protocol is foreign: a proxy of TCP would make its clients this machine's") {
  CHECK(foreign_first_word("PROXY") == "a line begins like the PROXY protocol");
  CHECK(foreign_first_word("PROXYS").empty());
}

TEST_CASE("the port's own commands, and words that only resemble a method, are not foreign") {
  for (const char* word :
       {"PING",   "ECHO",    "QUIT",  "AUTH",   "HELP",     "COMMAND", "GET",    "get",    "SET",
        "DEL",    "EXISTS",  "MSET",  "DBSIZE", "RPUSH",    "LPOP",    "LINDEX", "LLEN",   "INFO",
        "CONFIG", "CLUSTER", "POSTS", "POS",    "\"POST\"", "a:b",     "",       "Host:x", "\"Host:\""})
    CHECK_MESSAGE(foreign_first_word(word).empty(), word);
}

TEST_CASE("HAZARDS I1: a line whose last word is HTTP/1.x is foreign, GET's too") {
  for (const char* line : {"GET / HTTP/1.1", "GET / HTTP/1.0\r", "GET /\tHTTP/1.1", "GET / http/1.1", "x HTTP/1.9",
                           "GET / HTTP/1.1  \r", "HTTP/1.1", "GET /' HTTP/1.1", "GET /\" HTTP/1.1"})
    CHECK_MESSAGE(!foreign_line(line).empty(), line);
  for (const char* line : {"SET k \"GET / HTTP/1.1\"", "SET k 'HTTP/1.1'", "SET HTTP/1.1 v", "SET k xHTTP/1.1",
                           "SET k HTTP/1.", "SET k HTTP/2.0", "SET k HTTP/1.1x", "", "  "})
    CHECK_MESSAGE(foreign_line(line).empty(), line);
}

TEST_CASE("HAZARDS I1, I4: TLS, bytes above 127 and telnet commands") {
  CHECK_FALSE(foreign_first_byte('\x16').empty());
  CHECK_FALSE(foreign_first_byte('\x80').empty());
  CHECK_FALSE(foreign_first_byte('\xff').empty());
  CHECK(foreign_first_byte('\x7f').empty());
  CHECK(foreign_first_byte('*').empty());
  CHECK_FALSE(foreign_line("SET k v\xff\xf4\xff\xfd\x06").empty());
  CHECK(foreign_line("SET k \xff").empty());
  CHECK(foreign_line("SET k caf\xc3\xa9").empty());
}
