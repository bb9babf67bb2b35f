#include "net/tls_context.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "tls_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {
std::string server_error(const TlsFiles& files, TlsClientAuth auth = TlsClientAuth::no) {
  const auto material = TlsMaterial::read(files);
  if (!material) return material.error();
  const auto made = TlsContext::server(*material, auth);
  return made.ok() ? "no error" : made.error();
}

std::shared_ptr<const TlsMaterial> read(const TlsFiles& files) {
  auto made = TlsMaterial::read(files);
  REQUIRE_MESSAGE(made.ok(), made.error());
  return *made;
}

constexpr int64_t kDay = 24 * 60 * 60;
}  // namespace

TEST_CASE("certificates and keys are read from PEM files; HAZARDS J7: their end is known") {
  const Certificates& certs = Certificates::get();
  const int64_t now = seconds_since_1970();
  const auto material = read(certs.files("server"));
  CHECK(material->notices().empty());
  CHECK(material->cert_validity().begins <= now);
  CHECK(material->cert_validity().ends - now > 29 * kDay);
  CHECK(material->cert_validity().ends - now <= 30 * kDay);
  CHECK(material->cert_validity().whose == "CN=server");
  CHECK(material->ca_validity().whose == "CN=ca");
  CHECK(material->check_time(now).ok());
  CHECK(material->check_time(now + 31 * kDay).error().find("(CN=server) has expired on 20") != std::string::npos);
  CHECK(material->check_time(now - kDay).error().find("is not good before 20") != std::string::npos);
  CHECK(utc_text(0) == "1970-01-01 00:00:00 UTC");
  CHECK(utc_text(1'583'020'799) == "2020-02-29 23:59:59 UTC");
  CHECK(tls_library_version().find(tls_library_has_1_3() ? "TLS 3.6." : "TLS 2.28.") != std::string::npos);
  CHECK(TlsContext::server(material, TlsClientAuth::yes).ok());
  CHECK(TlsContext::server(read(certs.files("server", "")), TlsClientAuth::no).ok());
  const auto trust = read(certs.files(""));
  CHECK(TlsContext::client(trust).ok());
  CHECK(trust->cert_validity().ends == INT64_MAX);
  const auto expired = read(certs.files("expired"));
  CHECK(expired->cert_validity().ends == 1'580'515'200);  // 1 February 2020
  CHECK_FALSE(expired->check_time(now).ok());
}

TEST_CASE("HAZARDS J7: a chain ends with the first of its certificates, a file of authorities with the first of them") {
  const Certificates& certs = Certificates::get();
  TlsFiles files = certs.files("server");
  const auto join = [&](const std::string& name, const std::string& first, const std::string& second) {
    std::ofstream(certs.path(name)) << std::ifstream(certs.path(first)).rdbuf()
                                    << std::ifstream(certs.path(second)).rdbuf();
    return certs.path(name);
  };
  files.cert_file = join("chain.pem", "server.pem", "expired.pem");
  files.ca_file = join("authorities.pem", "ca.pem", "expired.pem");
  const auto material = read(files);
  CHECK(material->cert_validity().ends == 1'580'515'200);
  CHECK(material->ca_validity().ends == 1'580'515'200);
  CHECK(material->ca_validity().whose == "CN=expired");
}

TEST_CASE("HAZARDS G7: a member's certificate carries its name, is for servers and clients, and is the authority's") {
  const Certificates& certs = Certificates::get();
  const auto problem = [&](const std::string& name, const std::string& node_id, const std::string& ca = "ca") {
    const Status checked = read(certs.files(name, ca))->check_for_member(node_id);
    return checked.ok() ? std::string() : checked.error();
  };
  CHECK(problem("server", "node-1").empty());
  CHECK(problem("server", "NODE-1").empty());
  CHECK(problem("expired", "node-2").empty());  // its time is another question
  CHECK(problem("port", "node-1:1112").empty());
  CHECK(problem("server", "node-2").find("it carries node-1, localhost; make one with subjectAltName=DNS:node-2") !=
        std::string::npos);
  CHECK(problem("server", "server").find("does not carry") != std::string::npos);  // its common name
  CHECK(problem("wildcard", "node-1.example").find("it carries *.example") != std::string::npos);
  CHECK(problem("wildcard", "*.example").empty());
  CHECK(problem("nameless", "node-1").find("it carries none") != std::string::npos);
  CHECK(problem("wrong-usage", "node-2").find("extendedKeyUsage must be serverAuth,clientAuth") != std::string::npos);
  CHECK(problem("no-signing", "node-2").find("keyUsage must have digitalSignature") != std::string::npos);
  CHECK(problem("stranger", "node-2").find("does not come from the authority in tls-ca-cert-file") !=
        std::string::npos);
  CHECK(problem("stranger", "node-2", "otherca").empty());
}

TEST_CASE("an encrypted key needs its password") {
  const Certificates& certs = Certificates::get();
  TlsFiles files = certs.files("encrypted");
  CHECK(server_error(files).starts_with("could not read tls-key-file " + files.key_file + ": "));
  files.key_pass = "wrong";
  CHECK(server_error(files).starts_with("could not read tls-key-file " + files.key_file + ": "));
  files.key_pass = "secret";
  CHECK(server_error(files) == "no error");
  files = certs.files("pkcs8");  // AES in PKCS #8 is more than mbedTLS 2.28 can do
  files.key_pass = "wrong";
  CHECK(server_error(files).starts_with("could not read tls-key-file " + files.key_file + ": "));
  files.key_pass = "secret";
  if (tls_library_has_1_3())
    CHECK(server_error(files) == "no error");
  else
    CHECK(server_error(files).find("openssl rsa -aes256 -traditional") != std::string::npos);
}

TEST_CASE("what is missing or wrong is named, with its file") {
  const Certificates& certs = Certificates::get();
  TlsFiles files;
  CHECK(server_error(files) == "TLS needs tls-cert-file and tls-key-file");
  CHECK(server_error(certs.files("server", ""), TlsClientAuth::optional) ==
        "certificates of clients cannot be verified without tls-ca-cert-file");
  CHECK(TlsContext::client(read(certs.files("client", ""))).error() ==
        "the peer's certificate cannot be verified without tls-ca-cert-file");

  files = certs.files("server");
  files.key_file.clear();
  CHECK(server_error(files) == "tls-cert-file and tls-key-file go together: one of them is missing");

  files = certs.files("server");
  files.cert_file = certs.path("none.pem");
  CHECK(server_error(files).starts_with("could not read tls-cert-file " + files.cert_file + ": "));
  files = certs.files("server");
  files.key_file = certs.path("none.key");
  CHECK(server_error(files) == "could not read tls-key-file " + files.key_file + ": No such file or directory");
  files = certs.files("server", "none");
  CHECK(server_error(files).starts_with("could not read tls-ca-cert-file " + files.ca_file + ": "));

  files = certs.files("server");
  files.key_file = certs.path("client.key");
  CHECK(server_error(files) ==
        "tls-key-file " + files.key_file + " is not the key of tls-cert-file " + files.cert_file);

  const std::string garbage = certs.path("garbage.pem");
  std::ofstream(garbage) << "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n";
  files = certs.files("server");
  files.cert_file = garbage;
  CHECK(server_error(files).starts_with("could not read tls-cert-file " + garbage + ": "));
  std::ofstream(garbage, std::ios::trunc) << "";
  CHECK(server_error(files).starts_with("could not read tls-cert-file " + garbage + ": "));
  // A chain of which one certificate cannot be read is not taken for the rest of it.
  std::ofstream(garbage, std::ios::trunc) << std::ifstream(certs.path("server.pem")).rdbuf()
                                          << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  CHECK(server_error(files).starts_with("could not read tls-cert-file " + garbage + ": "));
}

TEST_CASE("a certificate of a file that cannot be read is named: its number, line and subject, and why") {
  const Certificates& certs = Certificates::get();
  const std::string bundle = certs.path("bundle.pem");
  const auto text = [&](const char* name) {
    std::stringstream out;
    out << std::ifstream(certs.path(name)).rdbuf();
    return out.str();
  };
  TlsFiles files = certs.files("server");
  files.ca_file = bundle;
  const std::string first = text("ca.pem");
  const auto lines = std::to_string(1 + std::count(first.begin(), first.end(), '\n'));
  const std::string start = "could not read tls-ca-cert-file " + bundle + ": certificate 2 of it, at line " + lines;
  const auto said = [&](const std::string& content) {
    std::ofstream(bundle, std::ios::trunc) << content;
    return server_error(files);
  };
  const std::string constrained = said(first + text("constrained.pem"));
  CHECK(constrained.starts_with(start + " (CN=constrained) cannot be read: it has a critical extension that "));
  CHECK(constrained.ends_with("does not know: 2.5.29.30 (nameConstraints)"));
  CHECK(said(first + "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n").starts_with(start));
  CHECK(said(first + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").starts_with(start));
  CHECK(said(first + "-----BEGIN CERTIFICATE-----\nAAAA\n" + first).starts_with(start + ", has no end"));
  CHECK(said("no certificate at all\n").find("it holds no certificate in PEM") != std::string::npos);
  CHECK(said("").find("it is empty") != std::string::npos);
  CHECK(said(std::string(5 << 20, ' ')).find("it has more than 4194304 bytes") != std::string::npos);
  // Text around the certificates, as `openssl x509 -text` and authorities' bundles have it.
  std::ofstream(bundle, std::ios::trunc) << "# Authority\n" << first << "\nAnother\n" << text("otherca.pem");
  CHECK(TlsContext::server(read(files), TlsClientAuth::yes).ok());
  // A FIFO would be waited for.
  const std::string fifo = certs.path("fifo.pem");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  files.ca_file = fifo;
  CHECK(server_error(files).find("it is no regular file") != std::string::npos);
}

TEST_CASE("a chain that is too long to be sent is refused, with the sizes; one that just fits is not") {
  const Certificates& certs = Certificates::get();
  const std::string chain = certs.path("chain.pem");
  std::stringstream other;
  other << std::ifstream(certs.path("server-rsa3072.pem")).rdbuf();
  TlsFiles files = certs.files("server");
  files.cert_file = chain;
  std::string error;
  size_t fitted = 0;
  for (size_t more = 0; more < 40 && error.empty(); ++more) {
    std::ofstream file(chain, std::ios::trunc);
    file << std::ifstream(certs.path("server.pem")).rdbuf();
    for (size_t i = 0; i < more; ++i) file << other.str();
    file.close();
    const auto material = TlsMaterial::read(files);
    if (material) ++fitted;
    if (!material) error = material.error();
  }
  CHECK(fitted > 10);  // 16 kB of certificates of a kilobyte
  CHECK(error.starts_with("tls-cert-file " + chain + " has " + std::to_string(fitted + 1) +
                          " certificates, which take "));
  CHECK(error.find(tls_library_has_1_3() ? "can send 16368" : "can send 16384") != std::string::npos);
}

TEST_CASE("a certificate that no client would accept from a server is refused") {
  const Certificates& certs = Certificates::get();
  const auto fits = [&](const char* name) { return read(certs.files(name))->check_for_server(); };
  CHECK(fits("server").ok());
  CHECK(fits("server-rsa").ok());
  CHECK(fits("wrong-usage").ok());  // for servers only
  REQUIRE_FALSE(fits("client-only").ok());
  CHECK(fits("client-only").error().find("extendedKeyUsage must have serverAuth") != std::string::npos);
  REQUIRE_FALSE(fits("no-signing").ok());
  CHECK(fits("no-signing").error().find("keyUsage must have digitalSignature") != std::string::npos);
}

TEST_CASE("HAZARDS J9: a key that others may read, and one that is slow, are noticed and not refused") {
  const Certificates& certs = Certificates::get();
  const TlsFiles files = certs.files("server-rsa");
  chmod(files.key_file.c_str(), 0644);
  const auto open = read(files);
  REQUIRE(open->notices().size() == 1);
  CHECK(open->notices()[0] == "tls-key-file " + files.key_file + " can be read by other users: chmod 600 it");
  chmod(files.key_file.c_str(), 0600);
  CHECK(read(files)->notices().empty());
  const auto large = read(certs.files("server-rsa3072"));
  REQUIRE(large->notices().size() == 1);
  CHECK(large->notices()[0].find("is RSA with 3072 bits") != std::string::npos);
}
