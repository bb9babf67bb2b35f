// lock: runs a command while a key is this process's alone.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <unistd.h>
#include <variant>

#include "base/log.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/json_fields.h"
#include "cli/lease.h"
#include "cli/signals.h"
#include "http/json.h"

namespace wh::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLost = 75;        // EX_TEMPFAIL: the lock was lost meanwhile
constexpr int kCannotRun = 127;  // as a shell says
constexpr Millis kShortestTtl = 1'000;
constexpr Millis kPause = 200;  // a short part of it

Millis until(Clock::time_point time) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(time - Clock::now()).count();
  return left > 0 ? static_cast<Millis>(left) : 0;
}

// What others are shown who wait: "host process 17".
std::string default_holder() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return printable(host.data()) + " process " + std::to_string(getpid());
}

// Takes the lock, and waits for it.
class Taking {
 public:
  Taking(Cluster& cluster, Lease& lease, const std::string& key, const std::string& value,
         std::optional<Millis> patience)
      : cluster_(cluster), lease_(lease), key_(key), value_(value) {
    if (patience) give_up_ = Clock::now() + std::chrono::milliseconds(*patience);
  }

  // The fencing token, or the exit status once the reason was told.
  std::variant<std::string, int> take() {
    for (;;) {
      if (lease_.id().empty() || !keep()) {
        if (signals::ending() != 0) return kInterrupted;
        const Reply granted = lease_.grant(patience(std::nullopt));
        if (!granted.done()) return report(granted);
      }
      const Reply reply = ask(attempt());
      if (reply.kind == Reply::Kind::refused && reply.answer.status == 404) {
        lease_.lost();  // it ended before this came to its turn
        continue;
      }
      if (!reply.done()) return report(reply);
      const auto answer = JsonFields::parse(reply.answer.body);
      if (!answer) return kNobody;
      const bool taken = answer->boolean("succeeded");
      if (taken && keep()) return answer->text("index");
      if (give_up_ && Clock::now() >= *give_up_) {
        complain(taken ? "the lock " + shown(key_) + " came too late to be kept"
                       : "another holds the lock " + shown(key_) + holder(*answer));
        return kRefused;
      }
      if (taken) {
        lease_.end();  // too little is left of its time: with a new one, at once
        continue;
      }
      tell(*answer);
      if (const int status = wait(answer->text("index")); status != kDone) return status;
    }
  }

 private:
  bool keep() {
    return lease_.keep([] { return signals::ending() != 0; });
  }

  // No longer than --wait allows; a moment where its time is over.
  [[nodiscard]] std::optional<Millis> patience(std::optional<Millis> timeout) const {
    if (!give_up_) return timeout;
    return std::min(timeout.value_or(cluster_.settings().timeout), std::max<Millis>(until(*give_up_), 1'000));
  }

  Reply ask(Request request) {
    request.timeout = patience(request.timeout);
    return cluster_.ask(request);
  }

  [[nodiscard]] Request attempt() const {
    Request request = write_of("POST", Target("/txn"));
    request.patient = true;
    http::JsonWriter json;
    json.begin_object().key("compare").begin_array();
    json.begin_object().key("key").string(key_).key("exists").boolean(false).end_object().end_array();
    json.key("success").begin_array().begin_object().key("put").begin_object();
    json.key("key").string(key_).key("value").string(value_).key("lease").raw(lease_.id());
    json.end_object().end_object().end_array();
    json.key("failure").begin_array().begin_object().key("get").begin_object().key("key").string(key_);
    json.end_object().end_object().end_array().end_object();
    request.body = json.take();
    request.headers = {"Content-Type: application/json"};
    return request;
  }

  static std::string holder(const JsonFields& answer) {
    const auto results = answer.objects("results");
    const auto item = results.empty() ? std::nullopt : results[0].object("item");
    return item ? ": " + shown(item->bytes("value"), 80) : std::string();
  }

  void tell(const JsonFields& answer) {
    if (!told_) note("waiting for the lock " + shown(key_) + holder(answer));
    told_ = true;
  }

  // Until the key has changed since that index, or the lease wants to be kept.
  int wait(const std::string& index) {
    Millis wait = std::max<Millis>(until(lease_.due()), 100);
    if (give_up_) wait = std::min(wait, until(*give_up_));
    Request request = read_of(kv_target(key_).add("index", index).add("wait", std::to_string(wait) + "ms"));
    request.waits = wait;
    request.timeout = std::max<Millis>(until(lease_.doubtful()), 1'000);
    request.patient = true;
    const Reply reply = ask(request);
    const bool gone = reply.kind == Reply::Kind::refused && reply.answer.status == 404;
    // Where nobody answered, the lease decides.
    return reply.done() || gone || reply.kind == Reply::Kind::nobody ? kDone : report(reply);
  }

  Cluster& cluster_;
  Lease& lease_;
  const std::string& key_;
  const std::string& value_;
  std::optional<Clock::time_point> give_up_;
  bool told_ = false;
};

// Keeps the lease while the child runs; ends the child when the lease is lost, or a signal wants the end.
class Holding {
 public:
  Holding(Lease& lease, Child& child) : lease_(lease), child_(child) {}

  // Returns true when the lock was held to the child's end.
  bool run() {
    int seen = 0;
    for (;;) {
      // What was refused at once is not asked again at once.
      if (child_.wait_for(std::max(until(lease_.due()), kPause), seen)) return in_time();
      if (signals::endings() > seen) {
        seen = signals::endings();
        child_.signal(seen > 1 ? SIGKILL : signals::ending());
      }
      const bool kept = lease_.keep([&] { return child_.ended() || signals::endings() > seen; });
      if (child_.ended()) return in_time();
      if (!kept) return give_up();
    }
  }

 private:
  // The end was noticed in time; not where this process stood still.
  bool in_time() {
    if (Clock::now() < lease_.over()) return true;
    complain("the command has ended, but its lock may have been lost before, as this process stood still");
    return false;
  }

  bool give_up() {
    // What is told may have to wait for who reads it: the command ends first.
    child_.signal(SIGTERM);
    if (!child_.wait_for(until(lease_.over()), INT32_MAX)) child_.signal(SIGKILL);
    child_.wait_for(60'000, INT32_MAX);
    complain("the lock is lost, as its lease could not be kept alive: the command was ended");
    return false;
  }

  Lease& lease_;
  Child& child_;
};

}  // namespace

int run_lock(Cluster& cluster, const Invocation& invocation) {
  const Millis ttl = invocation.duration("--ttl").value_or(10'000);
  if (ttl < kShortestTtl) return misuse(invocation, "--ttl must be a second or more");
  const std::string& key = invocation.arguments[0];
  if (!http::json_quote(key)) return misuse(invocation, "the key of a lock must be UTF-8");
  const std::string value = invocation.has("--value") ? invocation.text("--value") : default_holder();
  Lease lease(cluster, ttl);
  auto taken = Taking(cluster, lease, key, value, invocation.duration("--wait")).take();
  if (const int* status = std::get_if<int>(&taken)) {
    lease.end();
    return *status;
  }
  if (signals::ending() != 0) {
    lease.end();
    return kInterrupted;
  }
  Child child;
  const Status started =
      child.start(*invocation.child, {{"LOCK", key}, {"TOKEN", std::get<std::string>(taken)}}, std::nullopt);
  if (!started) {
    complain(started.error());
    lease.end();
    return kCannotRun;
  }
  const bool held = Holding(lease, child).run();
  const bool given_back = lease.end();
  if (!held) return kLost;
  if (!given_back) note("the lock " + shown(key) + " could not be given back: it is free once its ttl is over");
  return signals::ending() != 0 ? kInterrupted : child.status();
}

}  // namespace wh::cli
