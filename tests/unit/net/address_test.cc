#include "net/address.h"

#include <doctest/doctest.h>

using wh::net::Address;

TEST_CASE("an address is parsed from a number and shown as one") {
  const auto v4 = Address::parse("127.0.0.1", 80);
  REQUIRE(v4);
  CHECK(v4->host() == "127.0.0.1");
  CHECK(v4->text() == "127.0.0.1:80");
  CHECK(v4->with_port(81).text() == "127.0.0.1:81");
  CHECK_FALSE(v4->is_ipv6());
  const auto v6 = Address::parse("0:0::1", 80);
  REQUIRE(v6);
  CHECK(v6->host() == "::1");
  CHECK(v6->text() == "[::1]:80");
  CHECK(v6->is_ipv6());
  CHECK(*v4 == *Address::parse("127.0.0.1", 80));
  CHECK_FALSE(*v4 == v4->with_port(81));
  CHECK_FALSE(*v4 == *v6);
}

TEST_CASE("what is not a numeric address is none") {
  for (const std::string text :
       {"", "localhost", "127.0.0", "127.0.0.1:80", "[::1]", "127.0.0.256", " 127.0.0.1", ":", "1.2.3.4.5", "::g"})
    CHECK_FALSE(Address::parse(text, 1));
  CHECK_FALSE(Address::parse(std::string("127.0.0.1\0x", 11), 1));
}

TEST_CASE("loopback is all of 127.0.0.0/8, ::1 and what maps to the former") {
  for (const char* text : {"127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"})
    CHECK(Address::parse(text, 1)->is_loopback());
  for (const char* text : {"128.0.0.1", "10.0.0.1", "::2", "::", "0.0.0.0", "::ffff:10.0.0.1"})
    CHECK_FALSE(Address::parse(text, 1)->is_loopback());
  CHECK_FALSE(Address().is_loopback());
  CHECK(Address().host().empty());
}
