// The queues' promises while the leader is killed or stopped every few seconds: producers with idempotency keys and
// consumers with receipts, through three nodes, and their books afterwards. Ten seconds; five minutes at full length.
#include <memory>
#include <thread>

#include <doctest/doctest.h>

#include "../soak.h"
#include "load_support.h"
#include "queue_crowd.h"

namespace wh::testing {
namespace {

constexpr const char* kDeliveries = "6";  // so many, and an event is a dead letter

struct Market {
  explicit Market(const Servers& servers) {
    for (const Server* server : servers) ports.push_back(server->port);
  }
  std::vector<uint16_t> ports;
  std::vector<std::unique_ptr<Producer>> producers;
  std::vector<std::unique_ptr<Consumer>> consumers;

  void produce(const std::string& name, ProducerPlan plan) {
    producers.push_back(std::make_unique<Producer>(name, ports, std::move(plan)));
  }
  void consume(const std::string& name, const std::string& queue, size_t max, bool keyed) {
    consumers.push_back(std::make_unique<Consumer>(name, ports, queue, max, keyed));
  }
  [[nodiscard]] size_t acknowledged() const {
    size_t sum = 0;
    for (const auto& each : producers) sum += each->acknowledged();
    return sum;
  }
  [[nodiscard]] size_t settled() const {
    size_t sum = 0;
    for (const auto& each : consumers) sum += each->settled();
    return sum;
  }
};

// Disturbs the leader, and waits until both sides got on.
void disturb(const Servers& servers, const Market& market, size_t round) {
  const size_t produced = market.acknowledged();
  const size_t consumed = market.settled();
  disturb_leader(servers, round);
  CHECK(eventually([&] { return market.acknowledged() > produced + 20 && market.settled() > consumed + 20; }));
}

// What a dead letter queue holds.
void read_dead(const Server& server, QueueAccount& account) {
  read_pages(server, "/queues/" + account.queue + ".dead/events?limit=1000", [&](const std::string& page) {
    const std::vector<std::string> bodies = json_fields(page, "data");
    const std::vector<std::string> numbers = json_fields(page, "deliveries");
    const std::vector<std::string> reasons = json_fields(page, "reason");
    REQUIRE(numbers.size() == bodies.size());
    REQUIRE(reasons.size() == bodies.size());
    for (size_t i = 0; i < bodies.size(); ++i) {
      CHECK_MESSAGE(account.dead.emplace(bodies[i], std::stoull(numbers[i])).second, bodies[i], " died twice");
      account.reasons[bodies[i]] = reasons[i];
    }
  });
}

void check_books(const Server& server, const Market& market, const std::string& queue, bool groups) {
  CAPTURE(queue);
  QueueAccount account{.queue = queue};
  ProducerBook sum;
  for (const auto& producer : market.producers) {
    if (producer->queue() != queue) continue;
    const ProducerBook& book = producer->book;
    account.enqueued.insert(book.ids.begin(), book.ids.end());
    sum.attempts += book.attempts;
    sum.lost_answers += book.lost_answers;
    sum.refusals += book.refusals;
    sum.replays += book.replays;
    for (const std::string& surprise : book.surprises) FAIL_CHECK(surprise);
  }
  size_t repeated = 0;
  size_t receives = 0;
  for (const auto& consumer : market.consumers) {
    const ConsumerBook& book = consumer->book;
    if (book.queue != queue) continue;
    for (const Delivery& delivery : book.deliveries) account.deliveries.push_back(&delivery);
    for (const std::string& surprise : book.surprises) FAIL_CHECK(surprise);
    account.may_have_lost += book.may_have_lost;
    repeated += book.repeated;
    receives += book.receives;
  }
  read_dead(server, account);
  account.check(groups);
  for (size_t i = 0; i < account.failures.size() && i < 20; ++i) FAIL_CHECK(account.failures[i]);
  CHECK(account.failures.empty());
  const std::string counts = server.get("/queues/" + queue).body;
  CHECK(json_field(counts, "enqueued_total") == std::to_string(account.enqueued.size()));
  CHECK(json_field(counts, "acknowledged_total") == std::to_string(account.enqueued.size() - account.dead.size()));
  CHECK(json_field(counts, "dead_lettered_total") == std::to_string(account.dead.size()));
  CHECK(json_field(counts, "redelivered_total") == std::to_string(account.redelivered));
  figure(account.text());
  figure(queue + ": producers asked " + std::to_string(sum.attempts) + " times, " + std::to_string(sum.refusals) +
         " refused, " + std::to_string(sum.lost_answers) + " without an answer, " + std::to_string(sum.replays) +
         " answers repeated; consumers received " + std::to_string(receives) + " times, " + std::to_string(repeated) +
         " again under their key");
}

}  // namespace

TEST_CASE("the leader is killed every few seconds: the books of producers and consumers agree with the queues") {
  const auto started = LoadClock::now();
  const double length_ms = soak() ? 300'000 : 10'000;
  Trio nodes;
  HttpClient http;
  for (const char* queue : {"work", "line"})
    REQUIRE(http.request(nodes.a.port, "PUT", std::string("/queues/") + queue, "Content-Type: application/json\r\n",
                         std::string(R"({"max_deliveries":)") + kDeliveries + R"(,"backoff":["20ms","100ms"]})")
                .status == 200);
  Market market(nodes.all);
  for (int i = 0; i < 3; ++i)
    market.produce(
        "work" + std::to_string(i),
        {.queue = "work", .group = "", .batch = i == 2 ? size_t{5} : size_t{1}, .pause_ms = i == 2 ? 25 : 8});
  // Of a group one event at a time is worked on, so they come more slowly.
  for (int i = 0; i < 3; ++i)
    market.produce("line" + std::to_string(i), {.queue = "line",
                                                .group = "g" + std::to_string(i),
                                                .batch = i == 2 ? size_t{3} : size_t{1},
                                                .pause_ms = i == 2 ? 180 : 60});
  for (int i = 0; i < 4; ++i) market.consume("work" + std::to_string(i), "work", i % 2 == 0 ? 1 : 10, i >= 2);
  for (int i = 0; i < 2; ++i) market.consume("line" + std::to_string(i), "line", i == 0 ? 1 : 5, false);

  size_t rounds = 0;
  const auto begun = LoadClock::now();
  for (; ms_since(begun) < length_ms; ++rounds) {
    disturb(nodes.all, market, rounds);
    const double next = 3'000.0 * static_cast<double>(rounds + 1);
    while (ms_since(begun) < std::min(next, length_ms)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  await_leader(nodes.all);
  for (const auto& each : market.producers) each->stop();
  for (const auto& each : market.producers) each->join();
  for (const char* queue : {"work", "line"}) CHECK_MESSAGE(drained(nodes.b, queue), queue, " does not become empty");
  for (const auto& each : market.consumers) each->stop();
  for (const auto& each : market.consumers) each->join();
  figure(std::to_string(rounds) + " leaders were killed or stopped within " +
         std::to_string(static_cast<int>(ms_since(begun) / 1'000)) + " s");
  check_books(nodes.c, market, "work", false);
  check_books(nodes.c, market, "line", true);
  await_same_state(nodes.all);
  CHECK(ms_since(started) > length_ms);
}

}  // namespace wh::testing
