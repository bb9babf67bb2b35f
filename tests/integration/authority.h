// A certificate authority made with the openssl command in a test's directory: NAME.pem and NAME-key.pem.
#pragma once

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

class Authority {
 public:
  explicit Authority(const TempDir& dir, std::string name = "ca", int days = 365) : dir_(dir), name_(std::move(name)) {
    make(name_, "-addext keyUsage=critical,keyCertSign", days);
  }

  // A certificate for these subject alternative names, such as "DNS:node_1,IP:127.0.0.1".
  void issue(const std::string& file, const std::string& alt_names, int days = 90,
             const std::string& extensions = "") const {
    make(file,
         "-CA " + name_ + ".pem -CAkey " + name_ + "-key.pem -addext basicConstraints=critical,CA:FALSE " +
             "-addext subjectAltName=" + alt_names + " " + extensions,
         days);
  }
  // One that has expired. Only `openssl ca` makes these.
  void issue_expired(const std::string& file, const std::string& alt_names) const {
    dir_.write("ca.conf",
               "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
               "policy=p\n[p]\ncommonName=supplied\n[ext]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=" +
                   alt_names + "\n");
    dir_.write("index", "");
    dir_.write("serial", "1000\n");
    run("openssl req -new " + key(file) + " -out " + file + ".csr && openssl ca -batch -notext -config ca.conf " +
        "-extensions ext -cert " + name_ + ".pem -keyfile " + name_ + "-key.pem -startdate 20200101000000Z " +
        "-enddate 20200201000000Z -in " + file + ".csr -out " + file + ".pem");
  }

 private:
  static std::string key(const std::string& file) {
    return "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + file + " -keyout " + file +
           "-key.pem";
  }
  void make(const std::string& file, const std::string& options, int days) const {
    run("openssl req -x509 -sha256 -days " + std::to_string(days) + " " + key(file) + " -out " + file + ".pem " +
        options);
  }
  void run(const std::string& command) const {
    const Output output = sh(dir_, command);
    REQUIRE_MESSAGE(output.status == 0, output.err);
  }

  const TempDir& dir_;
  std::string name_;
};

}  // namespace wh::testing
