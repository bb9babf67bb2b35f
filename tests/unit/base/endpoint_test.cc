#include "base/endpoint.h"

#include <doctest/doctest.h>

using namespace wh;

TEST_CASE("an endpoint is a host, a colon and a port; IPv6 in brackets") {
  CHECK(parse_endpoint("10.0.0.1:1112") == Endpoint{"10.0.0.1", 1112});
  CHECK(parse_endpoint("node1.example.com:65535") == Endpoint{"node1.example.com", 65535});
  CHECK(parse_endpoint("[2001:db8::1]:1") == Endpoint{"2001:db8::1", 1});
  CHECK(parse_endpoint("[fe80::1%eth0]:1112") == Endpoint{"fe80::1%eth0", 1112});
  for (const char* bad :
       {"",     ":",    ":1112",    "a",    "a:",     "a:0",   "a:65536",   "a:-1", "a:+1",   "a: 1",
        "a:1 ", "a:1x", "::1:1112", "[]:1", "[::1:1", "[::1]", "[::1]1112", "[:1",  "::1]:1", "a:b:1"})
    CHECK_MESSAGE(!parse_endpoint(bad), bad);
}

TEST_CASE("what is parsed and what is written are the same endpoint") {
  for (const char* text : {"10.0.0.1:1112", "[::1]:8080", "node1:1", "[fe80::1%eth0]:2"}) {
    const std::optional<Endpoint> endpoint = parse_endpoint(text);
    REQUIRE(endpoint);
    CHECK(endpoint_text(endpoint->host, endpoint->port) == text);
  }
  CHECK(endpoint_text("", 1112) == ":1112");
  CHECK(bracketed("::1") == "[::1]");
  CHECK(bracketed("[::1]") == "[::1]");
  CHECK(bracketed("10.0.0.1") == "10.0.0.1");
}

TEST_CASE("an endpoint's parts, and the same one at another host") {
  CHECK(host_part("[::1]:1112") == "[::1]");
  CHECK(port_part("[::1]:1112") == "1112");
  CHECK(host_part(":1112").empty());
  CHECK(host_part("name") == "name");
  CHECK(port_part("name") == "name");
  CHECK(with_host(":1112", "[::1]") == "[::1]:1112");
  CHECK(with_host("10.0.0.1:1112", "node1") == "node1:1112");
}

TEST_CASE("loopback, and addresses beside names") {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"})
    CHECK_MESSAGE(is_loopback_host(host), host);
  for (const char* host : {"", "10.0.0.1", "::", "[::2]", "localhost.example.com"})
    CHECK_MESSAGE(!is_loopback_host(host), host);
  for (const char* host : {"10.0.0.1", "[::1]", "2001:db8::1"}) CHECK_MESSAGE(is_literal_host(host), host);
  for (const char* host : {"node1", "10.example.com", "localhost"}) CHECK_MESSAGE(!is_literal_host(host), host);
}

TEST_CASE("two spellings of one endpoint have one key") {
  CHECK(endpoint_key("Node1.Example.com.:1112") == "node1.example.com:1112");
  CHECK(endpoint_key("[2001:DB8::1]:1112") == "[2001:db8::1]:1112");
  CHECK(endpoint_key("node1:1112") != endpoint_key("node1:1113"));
  CHECK(endpoint_key("Name") == "Name");
}
