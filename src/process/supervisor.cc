#include "process/supervisor.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <utility>

#include "base/log.h"

namespace wh::process {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The watchdog's timeout in microseconds when it is meant for this process (sd_watchdog_enabled(3)); else 0.
uint64_t watchdog_usec() {
  const std::optional<uint64_t> usec = number(variable("WATCHDOG_USEC"));
  const std::string pid = variable("WATCHDOG_PID");
  if (!pid.empty() && number(pid) != static_cast<uint64_t>(getpid())) return 0;
  return usec.value_or(0);
}

}  // namespace

bool Supervisor::expected(config::Supervised mode) {
  return mode == config::Supervised::systemd ||
         (mode == config::Supervised::automatic && !variable("NOTIFY_SOCKET").empty());
}

void Supervisor::begin(config::Supervised mode) {
  if (!expected(mode)) return;
  const std::string address = variable("NOTIFY_SOCKET");
  if (address.empty()) {
    logf(LogLevel::warning,
         "supervised is 'systemd', but there is no NOTIFY_SOCKET in the environment: the unit needs "
         "Type=notify");
    return;
  }
  if (const Status opened = socket_.open(address); !opened) {
    logf(LogLevel::warning, "%s: this server runs unsupervised", opened.error().c_str());
    return;
  }
  const uint64_t patience = watchdog_usec();
  if (patience == 0) return;
  // Every half of the timeout, as sd_watchdog_enabled(3) advises. Sent from the loop, as a loop that hangs is to be
  // restarted. A hanging disk does not stop it, as a restart would hang too; such a node hands over leadership instead.
  watchdog_ = std::make_unique<net::Timer>(loop_, [this] { (void)socket_.send("WATCHDOG=1"); });
  const uint64_t half_ms = std::max<uint64_t>(1, patience / 2000);
  watchdog_->start(half_ms, half_ms);
}

void Supervisor::ready() {
  if (!stopping_) tell("READY=1");
}

void Supervisor::reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto usec = static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
  if (!stopping_) tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

void Supervisor::stopping() {
  stopping_ = true;
  tell("STOPPING=1\nSTATUS=shutting down");
}

void Supervisor::sweep(std::string status) {
  if (!waiting_.empty()) tell({});
  if (!socket_.is_open() || !waiting_.empty() || stopping_ || status == status_) return;
  status_ = std::move(status);
  tell("STATUS=" + status_);
}

// Keeps messages, which are few, in order, and none is lost that cannot be sent now. One datagram may hold several.
void Supervisor::tell(const std::string& text) {
  if (!waiting_.empty() && !text.empty()) waiting_ += '\n';
  waiting_ += text;
  if (socket_.send(waiting_)) waiting_.clear();
}

}  // namespace wh::process
