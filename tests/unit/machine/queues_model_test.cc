// Random commands on the queues, against a model without indexes: the same replies, the same contents, and indexes and
// counts that follow from the events (HAZARDS-QUEUE-STORE, rule 2); through snapshots taken while commands go on, and
// from data of the first version.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../rounds.h"
#include "base/prng.h"
#include "machine/command/event_headers.h"
#include "machine/machine.h"
#include "model.h"
#include "sim/checks/queue_compare.h"
#include "sim/opinion/queue_model.h"

using namespace wh;
using namespace wh::machine;
using namespace wh::machine::test;
using raft::Index;
using wh::sim::model::difference;
using wh::sim::model::QueueModel;

namespace {

class QueueSource {
 public:
  explicit QueueSource(uint64_t seed) : prng_(seed) {}

  // Applies one random command to both.
  void step(QueueModel& model, Machine& machine) {
    model.stamp += prng_.chance_ppm(300'000) ? prng_.below(3'000) : prng_.below(3);
    ++model.index;
    if (model.version < 4 && prng_.chance_ppm(10'000)) {
      model.version = model.version < 3 ? 3 : 4;
      machine.raise_version(Index{model.index}, model.stamp, model.version);
      return;
    }
    text_.clear();
    const Body body = model.version < 3 ? first_body() : any_body(model);
    Reply reply = machine.apply(Index{model.index}, model.stamp, encode_command(body)).reply;
    Reply expected = std::visit([&](const auto& one) { return model.apply(one); }, body);
    model.vanish_all();
    if (reply.code == ReplyCode::full || reply.code == ReplyCode::not_found || reply.code == ReplyCode::conflict ||
        reply.code == ReplyCode::refused) {
      CHECK(!reply.event.empty());
      reply.event = Bytes();
    }
    if (std::holds_alternative<Due>(body) || std::holds_alternative<AdvanceTime>(body) ||
        std::holds_alternative<PutSettings>(body))
      reply = expected;  // compared by what it did
    if (!(reply == expected)) {
      MESSAGE("kind " << body.index() << " at " << model.index << ": code " << static_cast<int>(reply.code) << " for "
                      << static_cast<int>(expected.code) << ", count " << reply.count << " for " << expected.count
                      << ", length " << reply.queue_length << " for " << expected.queue_length);
      REQUIRE(reply == expected);
    }
    for (const Delivery& one : reply.deliveries)
      if (one.delivery != 0) receipts_.push_back({one.id, one.delivery});
    if (receipts_.size() > 60) receipts_.erase(receipts_.begin(), receipts_.begin() + 30);
  }

  Prng& prng() { return prng_; }

 private:
  std::string_view keep(std::string text) {
    text_.push_back(std::make_unique<std::string>(std::move(text)));
    return *text_.back();
  }
  std::string_view queue() { return prng_.chance_ppm(100'000) ? "no path" : path_queue(); }
  std::string_view path_queue() {
    static const char* const kNames[] = {"a", "b", "c", "a.dead", "b.dead", "d"};
    return kNames[prng_.below(std::size(kNames))];
  }
  std::string_view bytes() { return keep(std::string(1 + prng_.below(30), static_cast<char>('a' + prng_.below(26)))); }
  Body first_body() {
    if (prng_.chance_ppm(600'000)) return Enqueue{queue(), bytes()};
    return Dequeue{queue(), std::nullopt};
  }
  NewEvent event(const QueueModel& model) {
    NewEvent one{.bytes = bytes()};
    if (prng_.chance_ppm(200'000))
      one.delay = prng_.below(5'000);
    else if (prng_.chance_ppm(100'000))
      one.deliver_at = model.now() + prng_.below(8'000) - std::min<Millis>(model.now(), 4'000);
    if (prng_.chance_ppm(150'000)) one.ttl = 1 + prng_.below(9'000);
    if (prng_.chance_ppm(200'000)) one.priority = static_cast<uint8_t>(prng_.below(10));
    if (prng_.chance_ppm(350'000)) one.group = keep("g" + std::to_string(prng_.below(4)));
    if (prng_.chance_ppm(200'000)) {
      static const char* const kTypes[] = {"order.new", "order.paid", "user"};
      one.headers = keep(pack_headers({.attributes = {{"type", kTypes[prng_.below(3)]}}}));
    }
    return one;
  }
  std::vector<NewEvent> events(const QueueModel& model) {
    std::vector<NewEvent> out;
    for (uint64_t n = prng_.chance_ppm(800'000) ? 1 : 1 + prng_.below(6); n > 0; --n) out.push_back(event(model));
    return out;
  }
  Settle settle() {
    static constexpr SettleVerb kVerbs[] = {SettleVerb::acknowledge, SettleVerb::acknowledge, SettleVerb::extend,
                                            SettleVerb::release,     SettleVerb::bury,        SettleVerb::take_back};
    Settle out{.queue = queue(), .verb = kVerbs[prng_.below(std::size(kVerbs))]};
    for (uint64_t n = 1 + prng_.below(3); n > 0; --n) {
      Receipt receipt = receipts_.empty() ? Receipt{1, 1} : receipts_[prng_.below(receipts_.size())];
      if (prng_.chance_ppm(50'000)) receipt.delivery += prng_.below(3);
      out.receipts.push_back(receipt);
    }
    if (out.verb == SettleVerb::extend && prng_.chance_ppm(700'000)) out.duration = prng_.below(4'000);
    if (out.verb == SettleVerb::release && prng_.chance_ppm(300'000)) out.duration = prng_.below(4'000);
    if (out.verb == SettleVerb::bury && prng_.chance_ppm(500'000)) out.reason = "poison";
    return out;
  }
  ConfigureQueue configure() {
    ConfigureQueue out{.queue = path_queue(), .changes = {}};
    const auto change = [&](QueueSetting setting, uint64_t number) {
      QueueSettingChange one{.setting = static_cast<uint8_t>(setting)};
      if (prng_.chance_ppm(250'000))
        one.reset = true;
      else
        one.number = number;
      out.changes.push_back(one);
    };
    switch (prng_.below(10)) {
      case 0:
        change(QueueSetting::visibility_timeout, 1'000 + prng_.below(5'000));
        change(QueueSetting::max_deliveries, prng_.below(4));
        break;
      case 1:
        change(QueueSetting::delay, prng_.below(2'000));
        break;
      case 2:
        change(QueueSetting::max_length, prng_.below(12));
        change(QueueSetting::overflow, prng_.below(2));
        break;
      case 3:
        change(QueueSetting::max_bytes, prng_.below(200));
        break;
      case 4:
        change(QueueSetting::ttl, prng_.below(9'000));
        change(QueueSetting::on_expiry, prng_.below(2));
        break;
      case 5: {
        QueueSettingChange one{.setting = static_cast<uint8_t>(QueueSetting::backoff)};
        for (uint64_t n = prng_.below(4); n > 0; --n) one.delays.push_back(prng_.below(3'000));
        out.changes.push_back(one);
        break;
      }
      case 6: {
        QueueSettingChange one{.setting = static_cast<uint8_t>(QueueSetting::dead_letter_queue)};
        one.reset = prng_.chance_ppm(400'000);
        if (!one.reset && prng_.chance_ppm(700'000)) one.name = path_queue();
        out.changes.push_back(one);
        break;
      }
      case 7:
        change(QueueSetting::overflow, prng_.below(2));
        change(QueueSetting::max_length, prng_.below(30));
        break;
      default:
        change(QueueSetting::max_deliveries, prng_.below(6));
        break;
    }
    return out;
  }
  RemoveEvents removal(const QueueModel& model) {
    RemoveEvents out{.queue = queue(), .ids = {}};
    const auto found = model.queues.find(std::string(out.queue));
    for (uint64_t n = 1 + prng_.below(4); n > 0; --n)
      out.ids.push_back(found == model.queues.end() || found->second.items.empty() || prng_.chance_ppm(100'000)
                            ? 1 + prng_.below(model.index)
                            : found->second.items[prng_.below(found->second.items.size())].id);
    return out;
  }
  Body any_body(const QueueModel& model) {
    if (model.version >= 4 && prng_.chance_ppm(30'000)) return removal(model);
    const uint64_t choice = prng_.below(1'000);
    if (choice < 300) return PutEvents{queue(), events(model)};
    if (choice < 330) return Enqueue{queue(), bytes()};
    if (choice < 345) return Dequeue{queue(), std::nullopt};
    if (choice < 360)
      return Dequeue{.queue = queue(), .only_if_front = {}, .count = static_cast<uint32_t>(1 + prng_.below(6))};
    if (choice < 620) {
      Receive receive{.queue = queue(), .max = static_cast<uint32_t>(1 + prng_.below(5))};
      if (prng_.chance_ppm(500'000)) receive.visibility = 1'000 + prng_.below(4'000);
      return receive;
    }
    if (choice < 840) return settle();
    if (choice < 870) return configure();
    if (choice < 880) return Due{};
    if (choice < 895) return Redrive{keep(std::string(queue()) + "x").substr(0, 1), "a.dead", 3};
    if (choice < 910) return Redrive{"a.dead", "a", static_cast<uint32_t>(1 + prng_.below(9))};
    if (choice < 915) return AdvanceTime{model.now() + prng_.below(4'000)};
    if (choice < 935) {
      Bind bind{.topic = prng_.chance_ppm(500'000) ? "t" : "u", .queue = path_queue(), .filter = {}};
      if (prng_.chance_ppm(500'000)) bind.filter = {{"type", prng_.chance_ppm(500'000) ? "order.*" : "us?r"}};
      return bind;
    }
    if (choice < 945) return Unbind{prng_.chance_ppm(500'000) ? "t" : "u", queue()};
    if (choice < 970) return Publish{prng_.chance_ppm(500'000) ? "t" : "u", events(model)};
    if (choice < 980) {
      PauseQueue pause{.queue = queue(), .in = {}, .out = {}};
      if (prng_.chance_ppm(600'000)) pause.in = prng_.chance_ppm(200'000);
      if (!pause.in || prng_.chance_ppm(500'000)) pause.out = prng_.chance_ppm(200'000);
      return pause;
    }
    if (choice < 985) return PurgeQueue{queue()};
    if (choice < 990) return DeleteQueue{queue()};
    if (choice < 995) return PutSettings{{{"default_max_deliveries", prng_.below(5)}}};
    return PutSettings{{{"max_queues", 4 + prng_.below(6)}}};
  }

  Prng prng_;
  std::vector<std::unique_ptr<std::string>> text_;
  std::vector<Receipt> receipts_;
};

// Each history: some hundred commands, compared after each of the first and then now and then.
void run_history(uint64_t seed, size_t steps) {
  QueueSource source(seed);
  QueueModel model;
  auto machine = std::make_unique<Machine>();
  if (seed % 3 != 0) {
    model.version = 3;
    model.index = 1;
    machine->raise_version(Index{1}, 0, 3);
  }
  RandomSnapshots snapshots;
  for (size_t n = 0; n < steps; ++n) {
    source.step(model, *machine);
    if (n % (n < 200 ? 16 : 80) == 0 || n + 1 == steps) {
      const std::string wrong = difference(model, *machine);
      REQUIRE_MESSAGE(wrong.empty(), "seed " << seed << ", step " << n << ": " << wrong);
    }
    const std::string bad = snapshots.step(*machine, source.prng());
    REQUIRE_MESSAGE(bad.empty(), "seed " << seed << ", step " << n << ": " << bad);
    (void)machine->free_purged(5);
    if (!machine->snapshot_running() && source.prng().chance_ppm(5'000)) {
      auto restored = load(snapshot_of(*machine, 1 + source.prng().below(500)));
      REQUIRE_MESSAGE(restored.ok(), "seed " << seed << ", step " << n << ": " << restored.error());
      REQUIRE(restored->digest() == machine->digest());
      REQUIRE(restored->logical_bytes() == machine->logical_bytes());
      auto next = std::make_unique<Machine>();
      (void)next->replace(std::move(*restored));
      machine = std::move(next);
      const std::string wrong = difference(model, *machine);
      REQUIRE_MESSAGE(wrong.empty(), "seed " << seed << ", restored at " << n << ": " << wrong);
    }
  }
}

}  // namespace

TEST_CASE("the queues do what a model without indexes does") {
  const uint64_t histories = testing::rounds(700);
  for (uint64_t seed = 1; seed <= histories; ++seed) run_history(seed, 1'500);
}
