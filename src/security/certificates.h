// This process's side of TLS: what the files of the `tls-*` directives held when they were last read, as one context
// for each use. Reads them anew on SIGHUP, on a worker, and takes over all or nothing: what cannot be used is logged,
// and what was read before stays. Connections keep the context they began with (HAZARDS J6). Warns before certificates
// end (HAZARDS J7). Made by Server, asked by the listeners, PeerAccess and INFO.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/options.h"
#include "net/loop.h"
#include "net/tls_context.h"

namespace wh {

class Certificates {
 public:
  static constexpr int64_t kWarnDays = 30;

  // Both must outlive it.
  Certificates(const Options& options, net::Loop& loop);

  // At the start, once node-id is known. Nothing to read, and no error, where no directive asks for TLS. A certificate
  // that is out of its time is a warning only: the clock may be what is wrong.
  Status load();
  // Where clients of HTTPS are sent to, once it is known; empty: to the address that their connection came to. Warns,
  // now and after each reload, when the certificate does not carry that.
  void check_address(std::string host);
  // SIGHUP. Takes some turns of the loop; says in the log what came of it.
  void reload();
  // Each sweep; warns once a day.
  void check_expiry(Millis now);

  // Null where TLS is not spoken. For accepting clients; for accepting members; for dialling members.
  [[nodiscard]] const std::shared_ptr<net::TlsContext>& clients() const { return set_.clients; }
  [[nodiscard]] const std::shared_ptr<net::TlsContext>& members_in() const { return set_.members_in; }
  [[nodiscard]] const std::shared_ptr<net::TlsContext>& members_out() const { return set_.members_out; }

  // For INFO. Null where TLS is not spoken.
  [[nodiscard]] const net::TlsMaterial* material() const { return set_.material.get(); }
  [[nodiscard]] uint64_t reloads() const { return reloads_; }
  [[nodiscard]] const std::string& reload_error() const { return reload_error_; }  // of the last one; empty: none

 private:
  // Made from one reading of the files.
  struct Set {
    std::shared_ptr<const net::TlsMaterial> material;
    std::shared_ptr<net::TlsContext> clients;
    std::shared_ptr<net::TlsContext> members_in;
    std::shared_ptr<net::TlsContext> members_out;
  };
  // All that reading needs to know, copied for the worker.
  struct Wanted {
    net::TlsFiles files;
    bool https = false;
    net::TlsClientAuth auth = net::TlsClientAuth::no;
    bool cluster = false;
    std::string node_id;
    bool in_time = false;  // whether a certificate that is out of its time is refused
  };
  [[nodiscard]] Wanted wanted(bool in_time) const;
  static Result<Set> read(const Wanted& wanted);
  void reloaded(Result<Set> result);
  void warn_of_expiry() const;
  void warn_of_address() const;

  const Options& options_;
  net::Loop& loop_;
  Set set_;
  std::optional<std::string> https_host_;  // none: not told yet
  bool reloading_ = false;
  bool reload_again_ = false;  // another SIGHUP came meanwhile
  uint64_t reloads_ = 0;
  std::string reload_error_;
  Millis expiry_checked_ = 0;
};

// Whole days until `ends`, below 0 once it has passed.
int64_t days_until(int64_t ends, int64_t now);

}  // namespace wh
