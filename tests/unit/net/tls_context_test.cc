#include "net/tls_context.h"

#include <fstream>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "tls_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {
std::string server_error(const TlsFiles& files, TlsClientAuth auth = TlsClientAuth::no) {
  const auto made = TlsContext::server(files, auth);
  return made.ok() ? "no error" : made.error();
}
}  // namespace

TEST_CASE("certificates and keys are read from PEM files; HAZARDS J7: days until the end are known") {
  const Certificates& certs = Certificates::get();
  const auto context = TlsContext::server(certs.files("server"), TlsClientAuth::yes);
  REQUIRE(context.ok());
  CHECK((*context)->notices().empty());
  CHECK((*context)->days_left() == 29);
  CHECK(tls_library_version().starts_with("mbed TLS 2.28"));
  CHECK(TlsContext::server(certs.files("server", ""), TlsClientAuth::no).ok());
  const auto client = TlsContext::client(certs.files(""));
  REQUIRE(client.ok());
  CHECK((*client)->days_left() == INT64_MAX);
  const auto expired = TlsContext::server(certs.files("expired"), TlsClientAuth::no);
  REQUIRE(expired.ok());
  CHECK((*expired)->days_left() < 0);
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
  files.key_pass = "secret";
  CHECK(server_error(files).find("openssl rsa -aes256 -traditional") != std::string::npos);
}

TEST_CASE("what is missing or wrong is named, with its file") {
  const Certificates& certs = Certificates::get();
  TlsFiles files;
  CHECK(server_error(files) == "TLS needs tls-cert-file and tls-key-file");
  CHECK(server_error(certs.files("server", ""), TlsClientAuth::optional) ==
        "certificates of clients cannot be verified without tls-ca-cert-file");
  CHECK(TlsContext::client(certs.files("client", "")).error() ==
        "the peer's certificate cannot be verified without tls-ca-cert-file");

  files = certs.files("server");
  files.key_file.clear();
  CHECK(TlsContext::client(files).error() == "tls-cert-file and tls-key-file go together: one of them is missing");

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

TEST_CASE("HAZARDS J9: a key that others may read, and one that is slow, are noticed and not refused") {
  const Certificates& certs = Certificates::get();
  const TlsFiles files = certs.files("server-rsa");
  chmod(files.key_file.c_str(), 0644);
  const auto open = TlsContext::server(files, TlsClientAuth::no);
  REQUIRE(open.ok());
  REQUIRE((*open)->notices().size() == 1);
  CHECK((*open)->notices()[0] == "tls-key-file " + files.key_file + " can be read by other users: chmod 600 it");
  chmod(files.key_file.c_str(), 0600);
  const auto closed = TlsContext::server(files, TlsClientAuth::no);
  REQUIRE(closed.ok());
  CHECK((*closed)->notices().empty());
  const auto large = TlsContext::server(certs.files("server-rsa3072"), TlsClientAuth::no);
  REQUIRE(large.ok());
  REQUIRE((*large)->notices().size() == 1);
  CHECK((*large)->notices()[0].find("is RSA with 3072 bits") != std::string::npos);
}
