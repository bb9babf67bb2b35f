// HTTPS as its clients see it: what is negotiated and who is accepted. The openssl command makes the certificates.
#include <csignal>

#include <doctest/doctest.h>

#include "authority.h"
#include "harness.h"

namespace wh::testing {
namespace {

// NAME.pem and NAME-key.pem, signed by CA's, or by itself.
void make_certificate(const TempDir& dir, const std::string& name, const std::string& ca = "") {
  const std::string key =
      "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name + " -keyout " + name + "-key.pem";
  const std::string command = ca.empty() ? "openssl req -x509 -days 30 " + key + " -out " + name + ".pem"
                                         : "openssl req -new " + key + " -out " + name +
                                               ".csr && openssl x509 -req -days 30 -in " + name + ".csr -CA " + ca +
                                               ".pem -CAkey " + ca + "-key.pem -CAcreateserial -out " + name + ".pem";
  REQUIRE(sh(dir, command).status == 0);
}

Server tls_server(const TempDir& dir, const std::vector<std::string>& more = {}) {
  make_certificate(dir, "server");
  Server server(dir, "only");
  server.tls_port = server.port;
  server.more = {"--tls-cert-file", "server.pem", "--tls-key-file", "server-key.pem"};
  server.more.insert(server.more.end(), more.begin(), more.end());
  return server;
}

}  // namespace

TEST_CASE("HAZARDS J3, J4: TLS 1.2 with ECDHE and AEAD, nothing older, nothing weaker, no renegotiation") {
  const TempDir dir;
  Server server = tls_server(dir);
  server.start_ready();
  const auto connect = [&](const std::string& options, const std::string& input = "") {
    return sh(dir, "printf '" + input + "' | openssl s_client -connect 127.0.0.1:" + std::to_string(server.tls_port) +
                       " " + options + " 2>&1");
  };
  const Output good = connect("-tls1_2");
  CHECK(good.status == 0);
  CHECK(good.out.find("Cipher is ECDHE-ECDSA-") != std::string::npos);
  for (const char* cipher : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"}) {
    CAPTURE(cipher);
    CHECK(connect(std::string("-tls1_2 -cipher ") + cipher).status == 0);
  }
  for (const char* refused : {"-tls1 -cipher ALL:@SECLEVEL=0", "-tls1_1 -cipher ALL:@SECLEVEL=0",
                              "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256",
                              "-tls1_2 -cipher AES128-GCM-SHA256", "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256"}) {
    CAPTURE(refused);
    CHECK(connect(refused).status != 0);
  }
  // mbedTLS 2.28 has no TLS 1.3; with 3.6 it is what both sides like best.
  const bool has_1_3 = server.info("tls_library").find("TLS 2.28") == std::string::npos;
  CHECK((connect("-tls1_3").status == 0) == has_1_3);
  CHECK((connect("").out.find(", TLSv1.3, Cipher is TLS_") != std::string::npos) == has_1_3);
  // openssl asks for renegotiation when a line is "R".
  const Output renegotiation = connect("-tls1_2", "R\\n");
  CHECK(renegotiation.out.find("verify return:1\nverify return:1") == std::string::npos);
  CHECK(server.ready());
  // Plain HTTP on the TLS port is told so, in plain, and gets nothing else.
  const Answer plain = curl(dir, "http://127.0.0.1:" + std::to_string(server.tls_port) + "/healthz");
  CHECK(plain.status == 400);
  CHECK(plain.body.find("https://") != std::string::npos);
  CHECK(server.ready());
}

TEST_CASE("HAZARDS J8: tls-auth-clients yes lets in clients of that authority, and nobody else") {
  const TempDir dir;
  make_certificate(dir, "ca");
  make_certificate(dir, "client", "ca");
  make_certificate(dir, "stranger");
  Server server = tls_server(dir, {"--tls-auth-clients", "yes", "--tls-ca-cert-file", "ca.pem"});
  server.start();
  const std::string url = "-k --max-time 10 " + server.url("/get?key=a");
  CHECK(eventually([&] { return curl(dir, "--cert client.pem --key client-key.pem " + url).status == 404; }));
  CHECK(curl(dir, url).exit != 0);
  CHECK(curl(dir, "--cert stranger.pem --key stranger-key.pem " + url).exit != 0);
  CHECK(curl(dir, "--cert client.pem --key client-key.pem " + url).status == 404);
}

TEST_CASE(
    "a redirect that leads to a host which the certificate does not carry: a warning, at the start and after SIGHUP") {
  const TempDir dir;
  const Authority authority(dir);
  authority.issue("by_name", "DNS:localhost,DNS:*.example.com");
  authority.issue("by_address", "DNS:localhost,IP:127.0.0.1,IP:::1");
  constexpr const char* kWarning = "which a redirect to this node names";
  const auto start = [&](Server& server, const std::string& file, const std::vector<std::string>& more = {}) {
    server.tls_port = server.port;
    REQUIRE(sh(dir, "cp " + file + ".pem used.pem && cp " + file + "-key.pem used-key.pem").status == 0);
    server.more = {"--tls-cert-file", "used.pem", "--tls-key-file", "used-key.pem"};
    server.more.insert(server.more.end(), more.begin(), more.end());
    server.start_ready();
  };
  SUBCASE("an address") {
    Server server(dir, "node");
    start(server, "by_name");
    CHECK(server.log().find("used.pem does not carry 127.0.0.1, " + std::string(kWarning)) != std::string::npos);
    CHECK(server.log().find("set announce-address to a name that it carries") != std::string::npos);
    CHECK(server.log().find("it carries localhost, *.example.com") != std::string::npos);
    // Mended by a reload, and broken by the next one.
    const auto reload = [&](const std::string& file) {
      const size_t before = count_of(server.log(), "certificates were read anew");
      REQUIRE(sh(dir, "cp " + file + ".pem used.pem && cp " + file + "-key.pem used-key.pem").status == 0);
      REQUIRE(server.signal(SIGHUP));
      REQUIRE(eventually([&] { return count_of(server.log(), "certificates were read anew") > before; }));
    };
    reload("by_address");
    CHECK(count_of(server.log(), kWarning) == 1);
    reload("by_name");
    CHECK(count_of(server.log(), kWarning) == 2);
  }
  SUBCASE("a wildcard") {
    Server server(dir, "node");
    server.bind = "*";
    start(server, "by_name", {"--protected-mode", "no"});
    CHECK(server.log().find("used.pem carries no IP address, and a redirect to this node") != std::string::npos);
  }
  SUBCASE("carried, or nobody is sent anywhere") {
    const std::vector<std::pair<std::string, std::vector<std::string>>> good{
        {"by_address", {}},
        {"by_address", {"--bind", "::1"}},
        {"by_address", {"--bind", "*", "--protected-mode", "no"}},
        {"by_name", {"--announce-address", "LocalHost."}},
        {"by_name", {"--announce-address", "a.example.com"}},
        {"by_name", {"--follower-writes", "forward"}}};
    for (size_t i = 0; i < good.size(); ++i) {
      CAPTURE(i);
      Server server(dir, "node" + std::to_string(i), i == 1 ? "::1" : "127.0.0.1");
      start(server, good[i].first, good[i].second);
      CHECK(server.log().find("a redirect to this node") == std::string::npos);
    }
    Server deep(dir, "deep");
    start(deep, "by_name", {"--announce-address", "a.b.example.com"});  // `*` is one label
    CHECK(deep.log().find("does not carry a.b.example.com") != std::string::npos);
  }
}

TEST_CASE("a certificate that cannot be used stops the start and names the file") {
  const TempDir dir;
  Server server = tls_server(dir);
  SUBCASE("it is absent") { REQUIRE(sh(dir, "rm server.pem").status == 0); }
  SUBCASE("it is no certificate") { dir.write("server.pem", "nonsense"); }
  SUBCASE("the key is another's") {
    make_certificate(dir, "other");
    REQUIRE(sh(dir, "cp other-key.pem server-key.pem").status == 0);
  }
  server.start();
  CHECK(server.wait() == 1);
  CHECK(server.log().find("server") != std::string::npos);
  CHECK(server.log().find(".pem") != std::string::npos);
}

}  // namespace wh::testing
