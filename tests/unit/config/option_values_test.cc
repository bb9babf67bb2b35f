#include "config/option_values.h"

#include <string>

#include <doctest/doctest.h>

using namespace wh;
using namespace wh::config;

TEST_CASE("values: whole numbers") {
  CHECK(parse_unsigned("0") == 0U);
  CHECK(parse_unsigned("18446744073709551615") == UINT64_MAX);
  for (const char* bad : {"", " ", "-1", "+1", "01", "1 ", " 1", "1.0", "0x10", "1e3", "18446744073709551616", "9z",
                          "99999999999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_unsigned(bad).has_value());
  }
}

TEST_CASE("values: memory sizes have Redis's units (HAZARDS K7: overflow)") {
  struct Case {
    const char* text;
    uint64_t bytes;
  };
  for (const Case& c :
       {Case{"0", 0}, Case{"7", 7}, Case{"7b", 7}, Case{"1k", 1000}, Case{"1kb", 1024}, Case{"1KB", 1024},
        Case{"2m", 2000000}, Case{"2Mb", 2U << 20}, Case{"3g", 3000000000}, Case{"3gB", 3ULL << 30},
        Case{"18446744073709551615", UINT64_MAX}, Case{"17179869183gb", 17179869183ULL << 30}}) {
    CAPTURE(c.text);
    CHECK(parse_memory(c.text) == c.bytes);
  }
  for (const char* bad :
       {"", "kb", "-1", "1 kb", "1tb", "1kib", "1.5gb", "01kb", "17179869184gb", "1kbx", "18446744073709551616"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_memory(bad).has_value());
  }
  for (const uint64_t bytes :
       {uint64_t{0}, uint64_t{1}, uint64_t{1024}, uint64_t{1500}, uint64_t{256} << 20, uint64_t{5} << 40, UINT64_MAX}) {
    CHECK(parse_memory(format_memory(bytes)) == bytes);
  }
  CHECK(format_memory(uint64_t{256} << 20) == "256mb");
  CHECK(format_memory(uint64_t{5} << 40) == "5120gb");
  CHECK(format_memory(1500) == "1500");
}

TEST_CASE("values: host:port") {
  const auto v4 = parse_host_port("10.0.0.1:1112");
  REQUIRE(v4.has_value());
  CHECK(v4->host == "10.0.0.1");
  CHECK(v4->port == 1112);
  const auto v6 = parse_host_port("[::1]:1112");
  REQUIRE(v6.has_value());
  CHECK(v6->host == "::1");
  CHECK(v6->port == 1112);
  const auto name = parse_host_port("node-1.example.com:65535");
  REQUIRE(name.has_value());
  CHECK(name->host == "node-1.example.com");
  CHECK(parse_host_port("localhost:1").has_value());
  CHECK(parse_host_port("[fe80::1%eth0]:1112").has_value());
  for (const char* bad : {"",
                          ":",
                          "host",
                          "host:",
                          ":1112",
                          "host:0",
                          "host:65536",
                          "host:-1",
                          "host:1x",
                          "::1:1112",
                          "[::1]",
                          "[::1]1112",
                          "[host]:1112",
                          "[]:1",
                          "[:1",
                          "10.0.0.256:1",
                          "10.0.0:1",
                          "a b:1",
                          "http://a:1",
                          "a/b:1",
                          "-a:1",
                          "a..b:1",
                          "host:99999999999999999999",
                          "a\n:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_host_port(bad).has_value());
    CHECK_FALSE(check_join_address(bad).ok());
  }
  CHECK_FALSE(parse_host_port(std::string("a\0b:1", 5)).has_value());
  CHECK_FALSE(parse_host_port(std::string(300, 'a') + ":1").has_value());
}

TEST_CASE("values: bind addresses") {
  for (const char* good : {"127.0.0.1", "::1", "-::1", "*", "-*", "::*", "-::*", "::", "0.0.0.0", "fe80::1%eth0"}) {
    CAPTURE(good);
    CHECK(check_bind_address(good).ok());
  }
  for (const char* bad :
       {"", "-", "--::1", "localhost", "127.0.0.1:80", "[::1]", "1.2.3", "256.1.1.1", "**", "::1%", "%"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_bind_address(bad).ok());
  }
  CHECK_FALSE(check_bind_address(std::string("127.0.0.1\0x", 11)).ok());
}

TEST_CASE("values: interface, announced address, allowed host") {
  for (const char* good : {"eth0", "lo", "enp3s0.100", "wlan0:1"}) CHECK(check_interface_name(good).ok());
  for (const char* bad : {"", "a b", "eth/0", "sixteen-letters-", ".", "..", "é"})
    CHECK_FALSE(check_interface_name(bad).ok());

  for (const char* good : {"10.0.0.1", "::1", "node1", "a.b.example.com", "a.b."})
    CHECK(check_announce_address(good).ok());
  for (const char* bad :
       {"0.0.0.0", "::", "0:0::0", "*", "[::1]", "node1:80", "http://node1", "a b", "1.2.3.4.5", "a..b", "-a"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_announce_address(bad).ok());
  }
  for (const char* good : {"example.com", "wormhole", "10.0.0.1", "my_host"}) CHECK(check_allowed_host(good).ok());
  for (const char* bad : {"", "example.com:80", "*.example.com", "https://x", "a/b"})
    CHECK_FALSE(check_allowed_host(bad).ok());
}

TEST_CASE("values: node ids") {
  for (const char* good : {"n", "node1", "db1:1112", "узел-1", "日本", "a.b", "{weird}\"id\"", "..."}) {
    CAPTURE(good);
    CHECK(check_node_id(good).ok());
  }
  CHECK(check_node_id(std::string(128, 'n')).ok());
  CHECK_FALSE(check_node_id(std::string(129, 'n')).ok());
  for (const char* bad :
       {"", ".", "..", "a b", "a\tb", "a\nb", "a/b", "a\x7f", "\xff", "a\xc3", "\xc0\xaf", "a\xc2\xa0", "a\xe2\x80\x8b",
        "a\xe2\x80\xae"
        "b",
        "\xef\xbb\xbf"
        "a",
        "\xed\xa0\x80", "\xc2\x85"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_node_id(bad).ok());
  }
  CHECK_FALSE(check_node_id(std::string("a\0b", 3)).ok());
}

TEST_CASE("values: blanks") {
  CHECK(split_blanks("").empty());
  CHECK(split_blanks(" \t\r\n\v\f ").empty());
  CHECK(split_blanks(" a  b\tc ") == std::vector<std::string>{"a", "b", "c"});
  CHECK(trim_blanks("  a b \r\n") == "a b");
  CHECK(trim_blanks("   ").empty());
}
