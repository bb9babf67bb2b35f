#include "api/access.h"

#include <algorithm>
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
  void operator()(const machine::PutEvents& put) { touch_queue(put.queue); }
  void operator()(const machine::Publish& publish) { touch_topic(publish.topic); }
  void operator()(const machine::Receive& receive) { touch_queue(receive.queue); }
  void operator()(const machine::Settle& settle) { touch_queue(settle.queue); }
  void operator()(const machine::ConfigureQueue& configure) {
    touch_queue(configure.queue);
    // Its dead letters go there.
    for (const machine::QueueSettingChange& change : configure.changes)
      if (!change.name.empty()) touch_queue(change.name);
  }
  void operator()(const machine::DeleteQueue& del) { touch_queue(del.queue); }
  void operator()(const machine::PauseQueue& pause) { touch_queue(pause.queue); }
  void operator()(const machine::PurgeQueue& purge) { touch_queue(purge.queue); }
  void operator()(const machine::RemoveEvents& remove) { touch_queue(remove.queue); }
  void operator()(const machine::Redrive& redrive) {
    touch_queue(redrive.from);
    touch_queue(redrive.to);
  }
  void operator()(const machine::Bind& bind) {
    touch_topic(bind.topic);
    touch_queue(bind.queue);
  }
  void operator()(const machine::Unbind& unbind) {
    touch_topic(unbind.topic);
    touch_queue(unbind.queue);
  }
  void operator()(const machine::Transact& transact) {
    for (const machine::Compare& compare : transact.compares) {
      const bool of_queue =
          compare.target == machine::CompareTarget::queue_length || compare.target == machine::CompareTarget::holds;
      if (of_queue)
        touch_queue(compare.name);
      else
        touch_key(compare.name);
    }
    for (const auto* ops : {&transact.success, &transact.failure})
      for (const machine::Op& op : *ops) std::visit([this](const auto& one) { touch_op(one); }, op);
  }
  // A lease may hold anybody's keys.
  void operator()(const machine::GrantLease&) {}
  void operator()(const machine::KeepLease&) { touch_all(); }
  void operator()(const machine::RevokeLease&) { touch_all(); }
  void operator()(const ShowLease&) { touch_all(); }
  void operator()(const ListLeases&) { touch_all(); }
  void operator()(const GetKeys& get) {
    for (const std::string& key : get.keys) touch_key(key);
  }
  void operator()(const ListKeys&) { touch_all(); }
  void operator()(const PickKey&) { touch_all(); }
  void operator()(const ShowQueue& show) { touch_queue(show.queue); }
  void operator()(const ListEvents& list) { touch_queue(list.queue); }
  void operator()(const ListReady& list) { touch_queue(list.queue); }
  void operator()(const GetEvent& get) { touch_queue(get.queue); }
  void operator()(const ShowTopic& show) { touch_topic(show.topic); }
  // They show all names.
  void operator()(const ListQueues&) { touch_all(); }
  void operator()(const ListTopics&) { touch_all(); }
  void operator()(const ShowSettings&) {}
  void operator()(const GetKey& get) { touch_key(get.key); }
  void operator()(const CountExisting& existing) {
    for (const std::string& key : existing.keys) touch_key(key);
  }
  void operator()(const GetFront& get) { touch_queue(get.queue); }
  void operator()(const GetLength& get) { touch_queue(get.queue); }
  // A backup holds everything.
  void operator()(const MakeBackup&) { touch_all(); }
  void operator()(const CountKeys&) {}
  void operator()(const ShowMetrics&) {}
  void operator()(const WatchCluster&) {}
  void operator()(const WatchQueue& watch) { touch_queue(watch.queue); }
  void operator()(const WatchKeys& watch) {
    if (watch.prefix)
      touch_all();
    else
      touch_key(watch.name);
  }
  void operator()(const Watch& watch) { std::visit(*this, watch); }
  void operator()(const Take& take) {
    for (const std::string& queue : queues_of(take)) touch_queue(queue);
  }
  void operator()(const Change&) {}
  void operator()(const Local&) {}
  void operator()(const Write& write) { std::visit(*this, write); }
  void operator()(const Read& read) { std::visit(*this, read); }

  // What the principal may not touch, as a phrase; empty: it may touch everything.
  [[nodiscard]] const std::string& forbidden() const { return forbidden_; }

 private:
  template <typename T>
  void touch_op(const T& op) {
    if constexpr (std::is_same_v<T, machine::Choose>)
      for (const machine::Compare& compare : op.compares) touch_key(compare.name);
    else if constexpr (requires { op.key; })
      touch_key(op.key);
    else if constexpr (requires { op.queue; })
      touch_queue(op.queue);
    else
      touch_all();  // a prefix
  }
  void touch_key(std::string_view key) {
    if (forbidden_.empty() && !principal_.may_touch_key(key)) forbidden_ = "the key '" + printable(key) + "'";
  }
  void touch_queue(std::string_view queue) {
    if (forbidden_.empty() && !principal_.may_touch_queue(queue)) forbidden_ = "the queue '" + printable(queue) + "'";
  }

  // The right to a topic goes by its name, as for a queue.
  void touch_topic(std::string_view topic) {
    if (forbidden_.empty() && !principal_.may_touch_queue(topic)) forbidden_ = "the topic '" + printable(topic) + "'";
  }
  void touch_all() {
    if (!principal_.may_touch_all()) forbidden_ = "all keys and queues";
  }

  const security::Principal& principal_;
  std::string forbidden_;
};

// Whether it answers what keys hold, and so is a read as well as what its verb says.
bool shows_values(const Operation& operation) {
  const auto* write = std::get_if<Write>(&operation);
  const auto* transact = write == nullptr ? nullptr : std::get_if<machine::Transact>(write);
  if (transact == nullptr) return false;
  const auto shows = [](const machine::Op& op) {
    const auto* get = std::get_if<machine::GetKey>(&op);
    return (get != nullptr && get->with_value) || std::holds_alternative<machine::ListKeys>(op);
  };
  return std::ranges::any_of(transact->success, shows) || std::ranges::any_of(transact->failure, shows);
}

Refusal forbidden(const security::Principal& principal, const Operation& operation, const std::string& what) {
  return {RefusalKind::forbidden, "'" + printable(principal.name()) + "' may not " +
                                      std::string(traits_of(operation).words) +
                                      (what.empty() ? "" : ", as it touches " + what)};
}

}  // namespace

std::optional<Refusal> check_access(const security::Principal& principal, const Operation& operation) {
  if (principal.may_everything()) return std::nullopt;
  if (!principal.may(traits_of(operation).verb)) return forbidden(principal, operation, {});
  if (shows_values(operation) && !principal.may(security::Verb::read))
    return forbidden(principal, operation, "values that it may not read");
  Touched touched(principal);
  std::visit(touched, operation);
  if (!touched.forbidden().empty()) return forbidden(principal, operation, touched.forbidden());
  return std::nullopt;
}

}  // namespace wh::api
