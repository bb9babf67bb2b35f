#include "security/certificates.h"

#include <optional>
#include <utility>

#include "base/log.h"

namespace wh::security {
namespace {

constexpr int64_t kDay = 24 * 60 * 60;
constexpr Millis kCheckEveryMs = Millis{kDay} * 1000;

void warn_if_soon(const std::string& what, const net::TlsValidity& validity, const char* what_to_do) {
  const int64_t now = net::seconds_since_1970();
  const int64_t days = days_until(validity.ends, now);
  if (now > validity.ends) {
    log_line(LogLevel::warning, what + " has EXPIRED, on " + net::utc_text(validity.ends) + ": " + what_to_do);
  } else if (days < Certificates::kWarnDays) {
    log_line(LogLevel::warning, what + " expires in " + std::to_string(days) + " days, on " +
                                    net::utc_text(validity.ends) + ": " + what_to_do);
  }
}

}  // namespace

int64_t days_until(int64_t ends, int64_t now) {
  const int64_t left = ends - now;
  return left >= 0 ? left / kDay : (left - kDay + 1) / kDay;
}

Certificates::Certificates(const config::Options& options, net::Loop& loop) : options_(options), loop_(loop) {}

Certificates::Wanted Certificates::wanted(bool in_time) const {
  static constexpr net::TlsClientAuth kAuth[] = {net::TlsClientAuth::no, net::TlsClientAuth::yes,
                                                 net::TlsClientAuth::optional};
  return {.files = {.cert_file = options_.tls_cert_file,
                    .key_file = options_.tls_key_file,
                    .key_pass = options_.tls_key_file_pass,
                    .ca_file = options_.tls_ca_cert_file},
          .clients = options_.tls_for_clients(),
          .auth = kAuth[static_cast<int>(options_.tls_auth_clients)],
          .cluster = options_.tls_cluster,
          .node_id = options_.node_id,
          .in_time = in_time};
}

Result<Certificates::Set> Certificates::read(const Wanted& wanted) {
  auto material = net::TlsMaterial::read(wanted.files);
  if (!material) return Error{material.error()};
  Set set;
  set.material = *material;
  const auto make = [](std::shared_ptr<net::TlsContext>& into, Result<std::shared_ptr<net::TlsContext>> made) {
    if (!made) return Status(Error{made.error()});
    into = *std::move(made);
    return ok_status();
  };
  if (wanted.clients) {
    if ((*material)->has_cert())
      if (Status fits = (*material)->check_for_server(); !fits) return Error{fits.error()};
    if (Status made = make(set.clients, net::TlsContext::server(*material, wanted.auth)); !made)
      return Error{made.error()};
  }
  if (wanted.cluster) {
    if (Status fits = (*material)->check_for_member(wanted.node_id); !fits)
      return Error{"tls-cluster: " + fits.error()};
    if (Status made = make(set.members_in, net::TlsContext::server(*material, net::TlsClientAuth::yes)); !made)
      return Error{made.error()};
    if (Status made = make(set.members_out, net::TlsContext::client(*material)); !made) return Error{made.error()};
  }
  if (wanted.in_time)
    if (Status good = (*material)->check_time(net::seconds_since_1970()); !good) return Error{good.error()};
  return set;
}

Status Certificates::load() {
  if (!options_.tls_for_clients() && !options_.tls_cluster) return ok_status();
  Result<Set> result = read(wanted(false));
  if (!result) return Error{result.error()};
  set_ = *std::move(result);
  for (const std::string& notice : set_.material->notices()) log_line(LogLevel::warning, notice);
  const net::TlsValidity cert = set_.material->cert_validity();
  if (net::seconds_since_1970() < cert.begins)
    logf(LogLevel::warning, "tls-cert-file %s is not good before %s: is this machine's clock right?",
         options_.tls_cert_file.c_str(), net::utc_text(cert.begins).c_str());
  expiry_checked_ = loop_.now();
  warn_of_expiry();
  return ok_status();
}

void Certificates::check_address(std::string host) {
  https_host_ = std::move(host);
  warn_of_address();
}

// Other nodes redirect clients to that host; a client that checks certificates refuses one that does not carry it.
void Certificates::warn_of_address() const {
  if (!https_host_ || !set_.clients || options_.follower_writes == config::FollowerWrites::forward) return;
  const net::TlsMaterial& material = *set_.material;
  const std::string cert = "tls-cert-file " + material.files().cert_file;
  const std::string way_out =
      "set announce-address to a name that it carries, or follower-writes to forward; it carries " +
      material.carried_names();
  if (https_host_->empty()) {
    if (material.carries_an_address()) return;
    log_line(LogLevel::warning,
             cert +
                 " carries no IP address, and a redirect to this node names the address that it listens on: clients "
                 "that check certificates will refuse it: " +
                 way_out);
  } else if (!material.carries(*https_host_)) {
    log_line(LogLevel::warning, cert + " does not carry " + *https_host_ +
                                    ", which a redirect to this node names: "
                                    "clients that check certificates will refuse it: " +
                                    way_out);
  }
}

void Certificates::reload() {
  if (!set_.material) return;
  if (reloading_) {
    reload_again_ = true;
    return;
  }
  reloading_ = true;
  // Reading waits for a disk, and checking a large key takes milliseconds.
  auto result = std::make_shared<std::optional<Result<Set>>>();
  loop_.run_job([result, wanted = wanted(true)] { *result = read(wanted); },
                [this, result] { reloaded(std::move(**result)); });
}

void Certificates::reloaded(Result<Set> result) {
  reloading_ = false;
  ++reloads_;
  if (result) {
    set_ = *std::move(result);
    reload_error_.clear();
    for (const std::string& notice : set_.material->notices()) log_line(LogLevel::warning, notice);
    log_line(LogLevel::notice, "certificates were read anew: " + set_.material->files().cert_file + " is good until " +
                                   net::utc_text(set_.material->cert_validity().ends) +
                                   "; connections from now on use it");
    expiry_checked_ = loop_.now();
    warn_of_expiry();
    warn_of_address();
  } else {
    reload_error_ = result.error();
    log_line(LogLevel::warning, "the new certificates are NOT used, those read before stay in use: " + reload_error_ +
                                    "; mend it and send SIGHUP again");
  }
  if (std::exchange(reload_again_, false)) reload();
}

void Certificates::check_expiry(Millis now) {
  if (!set_.material || now < expiry_checked_ + kCheckEveryMs) return;
  expiry_checked_ = now;
  warn_of_expiry();
}

void Certificates::warn_of_expiry() const {
  const net::TlsMaterial& material = *set_.material;
  const net::TlsValidity cert = material.cert_validity();
  const net::TlsValidity ca = material.ca_validity();
  warn_if_soon("tls-cert-file " + material.files().cert_file + " (" + printable(cert.whose) + ")", cert,
               "replace it, then send SIGHUP");
  warn_if_soon("an authority in tls-ca-cert-file " + material.files().ca_file + " (" + printable(ca.whose) + ")", ca,
               "certificates that it signed are then refused; add its successor to the file, sign anew, take it out "
               "when no certificate needs it, and send SIGHUP each time");
}

}  // namespace wh::security
