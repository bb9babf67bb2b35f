// Certificates for the TLS tests, made once with the openssl command in a directory that is removed at the end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "net/tls_context.h"
#include "net/tls_material.h"

namespace wh::net::test {

class Certificates {
 public:
  static const Certificates& get() {
    static const Certificates made;
    return made;
  }
  ~Certificates() { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  // "server" gives server.pem and server.key, trusting ca.pem.
  [[nodiscard]] TlsFiles files(const std::string& name, const std::string& ca = "ca") const {
    TlsFiles result;
    if (!name.empty()) {
      result.cert_file = path(name + ".pem");
      result.key_file = path(name + ".key");
    }
    if (!ca.empty()) result.ca_file = path(ca + ".pem");
    return result;
  }

 private:
  Certificates() {
    char name[] = "/tmp/wormhole-tls-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    directory_ = name;
    const std::string ec = "ec -pkeyopt ec_paramgen_curve:prime256v1";
    make("ca", ec, "-addext keyUsage=critical,keyCertSign", "");
    make("otherca", ec, "-addext keyUsage=critical,keyCertSign", "");
    const std::string leaf = "-addext basicConstraints=critical,CA:FALSE ";
    make("server", ec, leaf + "-addext subjectAltName=DNS:node-1,DNS:localhost", "ca");
    make("server-rsa", "rsa:2048", leaf + "-addext subjectAltName=DNS:node-1", "ca");
    make("server-rsa3072", "rsa:3072", leaf + "-addext subjectAltName=DNS:node-1", "ca");
    make("client", ec, leaf + "-addext subjectAltName=DNS:node-2", "ca");
    make("stranger", ec, leaf + "-addext subjectAltName=DNS:node-2", "otherca");
    make("wrong-usage", ec, leaf + "-addext extendedKeyUsage=serverAuth -addext subjectAltName=DNS:node-2", "ca");
    for (const char* node : {"n1", "n2", "n3"}) make(node, ec, leaf + "-addext subjectAltName=DNS:" + node, "ca");
    make("wildcard", ec, leaf + "-addext subjectAltName=DNS:*.example", "ca");
    make("nameless", ec, leaf, "ca");
    make("port", ec, leaf + "-addext subjectAltName=DNS:node-1:1112", "ca");
    make("no-signing", ec, leaf + "-addext keyUsage=keyAgreement -addext subjectAltName=DNS:node-2", "ca");
    make("client-only", ec, leaf + "-addext extendedKeyUsage=clientAuth -addext subjectAltName=DNS:node-2", "ca");
    make("constrained", ec, "-addext 'nameConstraints=critical,permitted;DNS:.example.com'", "");
    // Only `openssl ca` makes certificates that have expired already.
    std::ofstream(path("ca.conf")) << "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
                                      "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n[ext]\n"
                                      "basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:node-2\n";
    std::ofstream(path("index")).flush();
    std::ofstream(path("serial")) << "1000\n";
    run("openssl req -new -newkey " + ec + " -nodes -subj /CN=expired -keyout expired.key -out expired.csr");
    run("openssl ca -batch -notext -config ca.conf -extensions ext -cert ca.pem -keyfile ca.key "
        "-startdate 20200101000000Z -enddate 20200201000000Z -in expired.csr -out expired.pem");
    chmod(path("expired.key").c_str(), 0600);
    run("openssl ec -aes256 -in server.key -out encrypted.key -passout pass:secret");
    run("openssl pkcs8 -topk8 -v2 aes-256-cbc -in server.key -out pkcs8.key -passout pass:secret");
    std::filesystem::copy_file(path("server.pem"), path("pkcs8.pem"));
    chmod(path("pkcs8.key").c_str(), 0600);
    std::filesystem::copy_file(path("server.pem"), path("encrypted.pem"));
    chmod(path("encrypted.key").c_str(), 0600);
  }
  void make(const std::string& name, const std::string& key, const std::string& extensions, const std::string& ca) {
    run("openssl req -x509 -newkey " + key + " -nodes -sha256 -days 30 -subj /CN=" + name + " -keyout " + name +
        ".key -out " + name + ".pem " + extensions + (ca.empty() ? "" : " -CA " + ca + ".pem -CAkey " + ca + ".key"));
    chmod(path(name + ".key").c_str(), 0600);
  }
  void run(const std::string& command) {
    const std::string all = "cd " + directory_ + " && " + command + " >log 2>&1";
    REQUIRE_MESSAGE(std::system(all.c_str()) == 0, command);
  }
  std::string directory_;
};

}  // namespace wh::net::test
