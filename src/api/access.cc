#include "api/access.h"

#include <string>
#include <string_view>

#include "base/log.h"

namespace wh::api {
namespace {

// Visits the keys and queues that an operation touches, up to the first that the principal may not touch.
class Touched {
 public:
  explicit Touched(const security::Principal& principal) : principal_(principal) {}

  void operator()(const machine::Set& set) {
    for (const auto& [key, value] : set.pairs) touch_key(key);
  }
  void operator()(const machine::Delete& del) {
    for (const std::string_view key : del.keys) touch_key(key);
  }
  void operator()(const machine::Enqueue& enqueue) { touch_queue(enqueue.queue); }
  void operator()(const machine::Dequeue& dequeue) { touch_queue(dequeue.queue); }
  void operator()(const machine::PutSettings&) {}
  void operator()(const ShowSettings&) {}
  void operator()(const GetKey& get) { touch_key(get.key); }
  void operator()(const CountExisting& existing) {
    for (const std::string& key : existing.keys) touch_key(key);
  }
  void operator()(const GetFront& get) { touch_queue(get.queue); }
  void operator()(const GetLength& get) { touch_queue(get.queue); }
  // A backup holds everything.
  void operator()(const MakeBackup&) {
    if (!principal_.may_touch_all()) forbidden_ = "all keys and queues";
  }
  void operator()(const CountKeys&) {}
  void operator()(const ShowMetrics&) {}
  void operator()(const Watch&) {}
  void operator()(const Change&) {}
  void operator()(const Local&) {}
  void operator()(const Write& write) { std::visit(*this, write); }
  void operator()(const Read& read) { std::visit(*this, read); }

  // What the principal may not touch, as a phrase; empty: it may touch everything.
  [[nodiscard]] const std::string& forbidden() const { return forbidden_; }

 private:
  void touch_key(std::string_view key) {
    if (forbidden_.empty() && !principal_.may_touch_key(key)) forbidden_ = "the key '" + printable(key) + "'";
  }
  void touch_queue(std::string_view queue) {
    if (forbidden_.empty() && !principal_.may_touch_queue(queue)) forbidden_ = "the queue '" + printable(queue) + "'";
  }

  const security::Principal& principal_;
  std::string forbidden_;
};

Refusal forbidden(const security::Principal& principal, const Operation& operation, const std::string& what) {
  return {RefusalKind::forbidden, "'" + printable(principal.name()) + "' may not " +
                                      std::string(traits_of(operation).words) +
                                      (what.empty() ? "" : ", as it touches " + what)};
}

}  // namespace

std::optional<Refusal> check_access(const security::Principal& principal, const Operation& operation) {
  if (principal.may_everything()) return std::nullopt;
  if (!principal.may(traits_of(operation).verb)) return forbidden(principal, operation, {});
  Touched touched(principal);
  std::visit(touched, operation);
  if (!touched.forbidden().empty()) return forbidden(principal, operation, touched.forbidden());
  return std::nullopt;
}

}  // namespace wh::api
