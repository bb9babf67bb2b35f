// Random commands on the store, its leases and transactions over keys and queues, against a model without indexes: the
// same replies, the same contents, indexes that follow from the items, a history that tells each change; through
// snapshots taken while commands go on, and from data of earlier versions.
#include "sim/opinion/store_model.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../rounds.h"
#include "base/prng.h"
#include "machine/machine.h"
#include "model.h"
#include "sim/checks/queue_compare.h"

using namespace wh;
using namespace wh::machine;
using namespace wh::machine::test;
using raft::Index;
using wh::sim::model::QueueModel;
using wh::sim::model::StoreModel;

namespace {

struct Both {
  QueueModel queues;
  StoreModel store{queues};
};

class StoreSource {
 public:
  explicit StoreSource(uint64_t seed) : prng_(seed) {}

  // Applies one random command to both.
  void step(Both& model, Machine& machine) {
    QueueModel& all = model.queues;
    all.stamp += prng_.chance_ppm(300'000) ? prng_.below(2'000) : prng_.below(3);
    ++all.index;
    if (all.version < 4 && prng_.chance_ppm(10'000)) {
      all.version = 4;
      machine.raise_version(Index{all.index}, all.stamp, 4);
      model.store.rise();
      return;
    }
    text_.clear();
    const Body body = all.version < 4 ? first_body() : any_body(model);
    Reply reply = machine.apply(Index{all.index}, all.stamp, encode_command(body)).reply;
    model.store.pass();
    Reply expected = std::visit([&](const auto& one) { return apply(model, one); }, body);
    all.vanish_all();
    if (reply.code >= ReplyCode::full) {
      CHECK(!reply.event.empty());
      reply.event = Bytes();
    }
    if (std::holds_alternative<Due>(body) || std::holds_alternative<AdvanceTime>(body) ||
        std::holds_alternative<PutSettings>(body))
      reply = expected;  // compared by what it did
    if (!(reply == expected)) {
      MESSAGE("kind " << body.index() << " at " << all.index << ": code " << static_cast<int>(reply.code) << " for "
                      << static_cast<int>(expected.code) << ", count " << reply.count << " for " << expected.count);
      for (size_t i = 0; i < std::min(reply.results.size(), expected.results.size()); ++i)
        if (!(reply.results[i] == expected.results[i]))
          MESSAGE("operation " << i << " of kind " << int{reply.results[i].kind} << ": " << reply.results[i].number
                               << " for " << expected.results[i].number << ", " << reply.results[i].items.size()
                               << " items for " << expected.results[i].items.size());
      REQUIRE(reply == expected);
    }
    REQUIRE(decode_reply(encode_reply(reply)).ok());
    for (const Delivery& one : reply.deliveries) receipts_.push_back({one.id, one.delivery});
    if (receipts_.size() > 20) receipts_.erase(receipts_.begin(), receipts_.begin() + 10);
    if (std::holds_alternative<GrantLease>(body)) leases_.push_back(reply.event_id.value);
    if (leases_.size() > 12) leases_.erase(leases_.begin(), leases_.begin() + 6);
  }

  Prng& prng() { return prng_; }

 private:
  template <typename T>
  static Reply apply(Both& model, const T& body) {
    if constexpr (requires { model.store.apply(body); })
      return model.store.apply(body);
    else
      return model.queues.apply(body);
  }

  std::string_view keep(std::string text) {
    text_.push_back(std::make_unique<std::string>(std::move(text)));
    return *text_.back();
  }
  std::string_view key() {
    static const std::string kKeys[] = {"a", "a/1", "a/2", "a/\xff", "a/\xff\xff", "b", "b/1", "n", "n2", "\xff"};
    return kKeys[prng_.below(std::size(kKeys))];
  }
  std::string_view prefix() {
    static const std::string kPrefixes[] = {"a", "a/", "a/\xff", "b", "n", "\xff", "nothing"};
    return kPrefixes[prng_.below(std::size(kPrefixes))];
  }
  std::string_view value() {
    static const std::string kNumbers[] = {"0",  "1",  "-1",  "9223372036854775807", "-9223372036854775808",
                                           "01", "-0", "1e3", "9223372036854775808", " 1"};
    if (prng_.chance_ppm(400'000)) return kNumbers[prng_.below(std::size(kNumbers))];
    return keep(std::string(prng_.below(30), static_cast<char>('a' + prng_.below(26))));
  }
  std::string_view queue() {
    static const std::string kQueues[] = {"q", "r", "s", "no path"};
    return kQueues[prng_.below(std::size(kQueues))];
  }
  Receipt receipt() {
    Receipt one = receipts_.empty() ? Receipt{1, 1} : receipts_[prng_.below(receipts_.size())];
    if (prng_.chance_ppm(50'000)) ++one.delivery;
    return one;
  }
  uint64_t lease() { return leases_.empty() || prng_.chance_ppm(50'000) ? 1 : leases_[prng_.below(leases_.size())]; }
  Expiry expiry(const Both& model) {
    switch (prng_.below(5)) {
      case 0:
        return {Expiry::Kind::as_it_was, 0};
      case 1:
        return {Expiry::Kind::after, 1 + prng_.below(6'000)};
      case 2:
        return {Expiry::Kind::at, model.queues.now() + prng_.below(4'000) - std::min<Millis>(model.queues.now(), 500)};
      default:
        return {};
    }
  }
  Body first_body() {
    if (prng_.chance_ppm(700'000)) return Set{{{key(), value()}, {key(), value()}}};
    return Delete{{key()}};
  }
  Compare compare(const Both& model) {
    Compare out{.name = key()};
    const auto item = model.store.items.find(std::string(out.name));
    const bool there = item != model.store.items.end();
    out.op = static_cast<CompareOp>(1 + prng_.below(4));
    switch (prng_.below(7)) {
      case 0:
        out.op = CompareOp::equal;
        out.number = prng_.below(2);
        break;
      case 1:
        out.target = CompareTarget::mod_index;
        out.number = there && prng_.chance_ppm(700'000) ? item->second.mod_index : prng_.below(model.queues.index);
        break;
      case 2:
        out.target = CompareTarget::create_index;
        out.number = there ? item->second.create_index : 0;
        break;
      case 3:
        out.target = CompareTarget::version;
        out.number = prng_.below(4);
        break;
      case 4:
        out.target = CompareTarget::value;
        out.value = there && prng_.chance_ppm(500'000) ? keep(item->second.value) : value();
        break;
      case 5:
        out = {.target = CompareTarget::queue_length, .op = out.op, .name = queue(), .number = prng_.below(3)};
        break;
      default:
        out = {.target = CompareTarget::holds, .name = queue(), .receipt = receipt()};
    }
    return out;
  }
  Op op(const Both& model) {
    if (prng_.chance_ppm(50'000)) return CountReady{queue()};
    return prng_.chance_ppm(200'000) ? queue_op() : key_op(model);
  }
  Op key_op(const Both& model) {
    switch (prng_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        PutKey put{.key = key(), .value = value(), .expiry = expiry(model)};
        if (prng_.chance_ppm(200'000)) put.content_type = "text/plain";
        if (prng_.chance_ppm(300'000)) put.lease = lease();
        return put;
      }
      case 4:
        return EraseKey{key()};
      case 5:
        return ErasePrefix{prefix()};
      case 6:
        return GetKey{key(), prng_.chance_ppm(800'000)};
      case 7:
        return ListKeys{prng_.chance_ppm(300'000) ? "" : prefix(), static_cast<uint32_t>(1 + prng_.below(6))};
      case 8:
      case 9:
        return Increment{key(), static_cast<int64_t>(prng_.below(5)) - 2};
      case 10:
        return Append{key(), value()};
      default: {
        Touch touch{.key = key(), .expiry = expiry(model), .only = static_cast<Touch::Only>(prng_.below(6))};
        if (touch.expiry.kind == Expiry::Kind::as_it_was) touch.expiry.kind = Expiry::Kind::never;
        return touch;
      }
    }
  }
  Op queue_op() {
    if (prng_.chance_ppm(500'000)) {
      EnqueueEvent enqueue{.queue = queue(), .event = {.bytes = keep("event")}};
      if (prng_.chance_ppm(200'000)) enqueue.event.delay = prng_.below(2'000);
      return enqueue;
    }
    SettleEvent settle{.queue = queue(), .receipt = receipt()};
    if (prng_.chance_ppm(300'000)) {
      settle.verb = SettleVerb::release;
      if (prng_.chance_ppm(300'000)) settle.delay = prng_.below(2'000);
    }
    return settle;
  }
  // A choice with what it is among.
  void choice(const Both& model, std::vector<Op>& out) {
    Choose choose;
    for (uint64_t n = prng_.below(3); n > 0; --n) {
      choose.compares.push_back(compare(model));
      if (choose.compares.back().target >= CompareTarget::queue_length) choose.compares.pop_back();
    }
    choose.held = static_cast<uint32_t>(prng_.below(3));
    choose.otherwise = static_cast<uint32_t>(prng_.below(3));
    const uint32_t chosen = choose.held + choose.otherwise;
    out.emplace_back(std::move(choose));
    for (uint32_t n = 0; n < chosen; ++n) out.push_back(key_op(model));
  }
  std::vector<Op> ops(const Both& model, uint64_t least) {
    std::vector<Op> out;
    for (uint64_t n = least + prng_.below(prng_.chance_ppm(200'000) ? 8 : 2); n > 0; --n) {
      if (prng_.chance_ppm(150'000))
        choice(model, out);
      else
        out.push_back(op(model));
    }
    return out;
  }
  Body any_body(const Both& model) {
    const uint64_t choice = prng_.below(1'000);
    if (choice < 60) return Set{{{key(), value()}, {key(), value()}}};
    if (choice < 80) return Delete{{key(), key()}};
    if (choice < 130) return GrantLease{1'000 + prng_.below(4'000)};
    if (choice < 180) return KeepLease{lease()};
    if (choice < 190) return RevokeLease{lease()};
    if (choice < 200) return Due{};
    if (choice < 206) return AdvanceTime{model.queues.now() + prng_.below(3'000)};
    if (choice < 290) return PutEvents{queue(), {{.bytes = keep("an event")}}};
    if (choice < 400) return Receive{.queue = queue(), .max = static_cast<uint32_t>(1 + prng_.below(3))};
    if (choice < 410) {
      QueueSettingChange change{.setting = static_cast<uint8_t>(prng_.chance_ppm(600'000) ? QueueSetting::max_length
                                                                                          : QueueSetting::overflow)};
      change.number = change.setting == static_cast<uint8_t>(QueueSetting::overflow) ? prng_.below(2) : prng_.below(6);
      return ConfigureQueue{.queue = "q", .changes = {change}};
    }
    if (choice < 413) return PutSettings{{{"max_queues", 1 + prng_.below(5)}}};
    Transact transact;
    for (uint64_t n = prng_.below(3); n > 0; --n) transact.compares.push_back(compare(model));
    transact.success = ops(model, 1);
    transact.failure = ops(model, 0);
    transact.must_hold = prng_.chance_ppm(300'000);
    if (transact.must_hold) transact.failure = {GetKey{key(), false}};
    return transact;
  }

  Prng prng_;
  std::vector<std::unique_ptr<std::string>> text_;
  std::vector<Receipt> receipts_;
  std::vector<uint64_t> leases_;
};

// The keys as the history tells them, beginning with those of a machine.
class Follower {
 public:
  explicit Follower(const Machine& machine) { restart(machine); }
  void restart(const Machine& machine) {
    keys_.clear();
    for (const auto& [key, item] : machine.store().items()) keys_[key] = std::string(item.value.view());
    next_ = machine.history().end_number();
  }
  // The rise to version 4 forgets what was before it.
  [[nodiscard]] bool is_cut(const Machine& machine) const { return next_ < machine.history().first_number(); }
  // Whether what it was told leads to what is there.
  [[nodiscard]] bool follows(const Machine& machine) {
    const History& history = machine.history();
    for (; next_ < history.end_number(); ++next_) {
      const Change& change = history.at(next_);
      const auto before = keys_.find(change.key);
      if (change.index <= last_ && change.index != last_) return false;
      last_ = change.index;
      if (change.had_prev != (before != keys_.end())) return false;
      if (change.had_prev && change.prev.view() != before->second) return false;
      if (change.type == ChangeType::put)
        keys_[change.key] = std::string(change.value.view());
      else
        keys_.erase(change.key);
    }
    if (keys_.size() != machine.store().items().size()) return false;
    return std::all_of(keys_.begin(), keys_.end(), [&](const auto& one) {
      const Item* item = machine.store().find(one.first);
      return item != nullptr && item->value.view() == one.second;
    });
  }

 private:
  std::map<std::string, std::string> keys_;
  uint64_t next_ = 0;
  Index last_;
};

void run_history(uint64_t seed, size_t steps) {
  StoreSource source(seed);
  Both model;
  auto machine = std::make_unique<Machine>();
  if (seed % 3 != 0) {
    model.queues.version = 4;
    model.queues.index = 1;
    machine->raise_version(Index{1}, 0, 4);
  } else if (seed % 2 == 0) {
    model.queues.version = 3;
    model.queues.index = 1;
    machine->raise_version(Index{1}, 0, 3);
  }
  Follower follower(*machine);
  RandomSnapshots snapshots;
  for (size_t n = 0; n < steps; ++n) {
    const ClusterVersion before = machine->version();
    source.step(model, *machine);
    REQUIRE(follower.is_cut(*machine) == (machine->version() != before));
    if (follower.is_cut(*machine)) follower.restart(*machine);
    if (n % (n < 200 ? 8 : 40) == 0 || n + 1 == steps) {
      model.store.pass();
      std::string wrong = sim::model::difference(model.store, *machine);
      if (wrong.empty()) wrong = sim::model::difference(model.queues, *machine);
      REQUIRE_MESSAGE(wrong.empty(), "seed " << seed << ", step " << n << ": " << wrong);
      REQUIRE_MESSAGE(follower.follows(*machine), "seed " << seed << ", step " << n);
    }
    const std::string bad = snapshots.step(*machine, source.prng());
    REQUIRE_MESSAGE(bad.empty(), "seed " << seed << ", step " << n << ": " << bad);
    if (!machine->snapshot_running() && source.prng().chance_ppm(5'000)) {
      auto restored = load(snapshot_of(*machine, 1 + source.prng().below(500)));
      REQUIRE_MESSAGE(restored.ok(), "seed " << seed << ", step " << n << ": " << restored.error());
      REQUIRE(restored->digest() == machine->digest());
      REQUIRE(restored->logical_bytes() == machine->logical_bytes());
      auto next = std::make_unique<Machine>();
      (void)next->replace(std::move(*restored));
      CHECK(next->history().oldest() == next->applied() + 1);
      machine = std::move(next);
      follower.restart(*machine);
      model.store.pass();
      const std::string wrong = sim::model::difference(model.store, *machine);
      REQUIRE_MESSAGE(wrong.empty(), "seed " << seed << ", restored at " << n << ": " << wrong);
    }
  }
}

}  // namespace

TEST_CASE("the store and its transactions do what a model without indexes does") {
  const uint64_t histories = testing::rounds(700);
  for (uint64_t seed = 1; seed <= histories; ++seed) run_history(seed, 1'500);
}
