// This process's side of TLS: what the files named by the `tls-*` directives held when they were last read, as one
// context for each use. SIGHUP reads them again, on a worker, all or nothing: an error is logged, and the old set stays
// in use. Connections keep the context they began with (HAZARDS J6). Warns before certificates expire (HAZARDS J7).
// Made by Server, used by the listeners, PeerAccess and INFO.
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

namespace wh::security {

class Certificates {
 public:
  static constexpr int64_t kWarnDays = 30;

  // Both arguments must outlive this object.
  Certificates(const config::Options& options, net::Loop& loop);

  // Called at the start, once node-id is known. Reads nothing, and succeeds, when no directive asks for TLS. An expired
  // or not yet valid certificate is only a warning: the clock may be wrong.
  Status load();
  // `host`: where redirects send HTTPS clients; empty: to the address that their connection came to. Warns, now and
  // after each reload, when the certificate does not carry it.
  void check_address(std::string host);
  // On SIGHUP. Takes several turns of the loop; logs the outcome.
  void reload();
  // Called at each sweep; warns once a day.
  void check_expiry(Millis now);

  // The contexts for accepting clients, for accepting members and for dialling members. Null where TLS is not used.
  [[nodiscard]] const std::shared_ptr<net::TlsContext>& clients() const { return set_.clients; }
  [[nodiscard]] const std::shared_ptr<net::TlsContext>& members_in() const { return set_.members_in; }
  [[nodiscard]] const std::shared_ptr<net::TlsContext>& members_out() const { return set_.members_out; }

  // For INFO. Null where TLS is not used.
  [[nodiscard]] const net::TlsMaterial* material() const { return set_.material.get(); }
  [[nodiscard]] uint64_t reloads() const { return reloads_; }
  [[nodiscard]] const std::string& reload_error() const { return reload_error_; }  // of the last reload; empty: none

 private:
  // Made from one reading of the files.
  struct Set {
    std::shared_ptr<const net::TlsMaterial> material;
    std::shared_ptr<net::TlsContext> clients;
    std::shared_ptr<net::TlsContext> members_in;
    std::shared_ptr<net::TlsContext> members_out;
  };
  // What read() needs, copied for the worker.
  struct Wanted {
    net::TlsFiles files;
    bool clients = false;
    net::TlsClientAuth auth = net::TlsClientAuth::no;
    bool cluster = false;
    std::string node_id;
    bool in_time = false;  // whether an expired or not yet valid certificate is refused
  };
  [[nodiscard]] Wanted wanted(bool in_time) const;
  static Result<Set> read(const Wanted& wanted);
  void reloaded(Result<Set> result);
  void warn_of_expiry() const;
  void warn_of_address() const;

  const config::Options& options_;
  net::Loop& loop_;
  Set set_;
  std::optional<std::string> https_host_;  // none: not known yet
  bool reloading_ = false;
  bool reload_again_ = false;  // another SIGHUP came during a reload
  uint64_t reloads_ = 0;
  std::string reload_error_;
  Millis expiry_checked_ = 0;
};

// Whole days until `ends`, below 0 once it has passed.
int64_t days_until(int64_t ends, int64_t now);

}  // namespace wh::security
