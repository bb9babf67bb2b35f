// The store's promises while the leader is killed or stopped every few seconds: money between accounts, a counter and
// an event together, and an event consumed, its result written and the next one enqueued in one step. Seconds each;
// five minutes each at full length. What each client was told is compared with what is there.
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include <doctest/doctest.h>

#include "../soak.h"
#include "load_support.h"
#include "store_bank.h"

namespace wh::testing {
namespace {

constexpr const char* kJson = "Content-Type: application/json\r\n";
constexpr double kRoundMs = 3'000;

double length_ms() { return soak() ? 300'000 : 6'000; }

std::vector<uint16_t> ports_of(const Servers& servers) {
  std::vector<uint16_t> ports;
  for (const Server* server : servers) ports.push_back(server->port);
  return ports;
}

template <typename Client>
using Clients = std::vector<std::unique_ptr<Client>>;

template <typename Client>
Clients<Client> crowd(const std::string& name, size_t count, const std::vector<uint16_t>& ports) {
  Clients<Client> all;
  for (size_t i = 0; i < count; ++i) all.push_back(std::make_unique<Client>(name + std::to_string(i), ports));
  return all;
}

template <typename Client>
void end(const Clients<Client>& clients) {
  for (const auto& each : clients) each->stop();
  for (const auto& each : clients) each->join();
  for (const auto& each : clients)
    for (const std::string& surprise : each->surprises) FAIL_CHECK(surprise);
}

template <typename Client>
size_t sum_of(const Clients<Client>& clients, size_t (Client::*count)() const) {
  size_t sum = 0;
  for (const auto& each : clients) sum += (each.get()->*count)();
  return sum;
}

// Disturbs the leader again and again, for as long as a case lasts; after each time `done` grows. How often.
std::string disturb(const Servers& servers, const std::function<size_t()>& done) {
  size_t rounds = 0;
  size_t stopped = 0;
  const auto begun = LoadClock::now();
  for (; ms_since(begun) < length_ms(); ++rounds) {
    if (disturb_leader(servers, rounds + 2)) ++stopped;  // a short run has both
    const size_t before = done();
    CHECK(eventually([&] { return done() > before + 20; }));
    const double next = kRoundMs * static_cast<double>(rounds + 1);
    // The leader's next fault comes at the next round's time.
    while (ms_since(begun) < std::min(next, length_ms())) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  await_leader(servers);
  return "leaders killed: " + std::to_string(rounds - stopped) + ", stopped: " + std::to_string(stopped) + ", within " +
         std::to_string(static_cast<int>(ms_since(begun) / 1'000)) + " s";
}

// Of a list of keys or events: one member by another.
std::map<std::string, std::string> listed(const Server& server, const std::string& path, const std::string& name,
                                          const std::string& member) {
  std::map<std::string, std::string> all;
  read_pages(server, path, [&](const std::string& page) {
    const std::vector<std::string> names = json_fields(page, name);
    const std::vector<std::string> members = json_fields(page, member);
    REQUIRE(names.size() == members.size());
    for (size_t i = 0; i < names.size(); ++i)
      CHECK_MESSAGE(all.emplace(names[i], members[i]).second, names[i], " is there twice");
  });
  return all;
}

std::map<std::string, int64_t> balances_of(const Server& server) {
  std::map<std::string, int64_t> balances;
  for (const auto& [key, value] : listed(server, "/kv?prefix=bank/", "key", "value"))
    balances[key] = std::strtoll(value.c_str(), nullptr, 10);
  return balances;
}

// The transfers that are there are those that were acknowledged, and they explain every balance.
void check_transfers(const Server& server, const Clients<Teller>& tellers) {
  std::map<std::string, std::string> there = listed(server, "/kv?prefix=transfers/&limit=1000", "key", "value");
  std::map<std::string, int64_t> expected;
  for (unsigned i = 0; i < kAccounts; ++i) expected[account_key(i)] = kOpening;
  size_t acknowledged = 0;
  std::set<uint64_t> indexes;
  for (const auto& teller : tellers)
    for (const auto& [key, made] : teller->transfers) {
      ++acknowledged;
      std::ostringstream text;
      text << made.from << " " << made.to << " " << made.amount;
      CHECK_MESSAGE(there[key] == text.str(), key, " was acknowledged");
      CHECK_MESSAGE(indexes.insert(made.index).second, "two transfers in entry ", made.index);
      expected[account_key(made.from)] -= made.amount;
      expected[account_key(made.to)] += made.amount;
    }
  CHECK(there.size() == acknowledged);
  CHECK(balances_of(server) == expected);
}

// Adds one to a counter and enqueues an event in one step, each step under a key, until it is answered.
class CountingClient : public QueueClient {
 public:
  CountingClient(std::string name, std::vector<uint16_t> ports)
      : QueueClient(name, std::move(ports), static_cast<unsigned>(std::hash<std::string>()(name))) {
    thread_ = std::thread([this] { run(); });
  }
  ~CountingClient() override {
    stop();
    join();
  }
  [[nodiscard]] size_t counted() const { return counted_; }

  // After join(): of each event what the counter was and the event's id.
  std::map<std::string, std::pair<uint64_t, uint64_t>> steps;
  size_t repeats = 0;
  size_t replays = 0;
  std::vector<std::string> surprises;

 private:
  void run() {
    while (!stop_) {
      const std::string event = name_ + "-" + std::to_string(counted_);
      const std::string body =
          R"({"success":[{"incr":{"key":"events"}},{"enqueue":{"queue":"log","data":")" + event + "\"}}]}";
      HttpReply reply;
      while (again(reply = ask("POST", "/txn", kJson + ("Idempotency-Key: " + event + "\r\n"), body)))
        if (reply.sent && reply.status != 503) ++repeats;
      if (reply.header("idempotency-replayed") == "true") ++replays;
      const uint64_t value = std::strtoull(json_field(reply.body, "value").c_str(), nullptr, 10);
      const uint64_t id = std::strtoull(json_field(reply.body, "id").c_str(), nullptr, 10);
      if (reply.status != 200 || value == 0 || id == 0)
        surprises.push_back(event + ": " + std::to_string(reply.status) + " " + reply.body);
      steps[event] = {value, id};
      ++counted_;
    }
  }
  std::atomic<size_t> counted_{0};
};

// Enqueues events into `inbox`, each under a key.
class Feeder : public QueueClient {
 public:
  Feeder(std::string name, std::vector<uint16_t> ports)
      : QueueClient(name, std::move(ports), static_cast<unsigned>(std::hash<std::string>()(name))) {
    thread_ = std::thread([this] { run(); });
  }
  ~Feeder() override {
    stop();
    join();
  }

  // After join().
  std::vector<std::string> fed;
  std::vector<std::string> surprises;

 private:
  void run() {
    while (!stop_) {
      const std::string event = name_ + "-" + std::to_string(fed.size());
      const std::string headers = "Content-Type: text/plain\r\nIdempotency-Key: " + event + "\r\n";
      HttpReply reply;
      while (again(reply = ask("POST", "/queues/inbox/events", headers, event))) {
      }
      if (reply.status != 201) surprises.push_back(event + ": " + std::to_string(reply.status) + " " + reply.body);
      fed.push_back(event);
      // As many as the workers get done.
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
    }
  }
};

// Receives an event of `inbox`; acknowledges it, writes its result and enqueues it into `outbox` in one step, if it has
// no result yet. Half of the steps have a key.
class StepWorker : public QueueClient {
 public:
  StepWorker(std::string name, std::vector<uint16_t> ports)
      : QueueClient(name, std::move(ports), static_cast<unsigned>(std::hash<std::string>()(name))) {
    thread_ = std::thread([this] { run(); });
  }
  ~StepWorker() override {
    stop();
    join();
  }
  [[nodiscard]] size_t worked() const { return worked_; }

  // After join().
  std::map<std::string, std::string> told;  // by event: the mark of the step that was answered as done
  size_t late = 0;                          // somebody else holds the event
  size_t found_done = 0;                    // its result is there: by a repeated step, or somebody else
  size_t repeats = 0;
  std::vector<std::string> surprises;

 private:
  void run() {
    while (!stop_) {
      at_ = random_() % ports_.size();
      const HttpReply reply = ask("POST", "/queues/inbox/receive?wait=1s&visibility_timeout=2s");
      if (again(reply) || reply.status == 204) continue;
      if (reply.status != 200) surprises.push_back("receive: " + std::to_string(reply.status) + " " + reply.body);
      if (reply.status == 200) step(reply);
    }
  }

  void step(const HttpReply& received) {
    const std::string& event = received.body;
    const std::string receipt = received.header("wormhole-receipt");
    // Which delivery this is, so that result and event tell of one and the same step.
    const std::string mark = name_ + "-" + receipt;
    const std::string body = R"({"compare":[{"key":"results/)" + event +
                             R"(","exists":false}],"success":[{"acknowledge":{"queue":"inbox","id":)" +
                             received.header("wormhole-event-id") + R"(,"receipt":")" + receipt +
                             R"("}},{"put":{"key":"results/)" + event + R"(","value":")" + mark +
                             R"("}},{"enqueue":{"queue":"outbox","data":")" + event + " " + mark + "\"}}]}";
    const std::string headers = kJson + (one_in(2) ? "Idempotency-Key: " + mark + "\r\n" : std::string());
    HttpReply reply;
    while (again(reply = ask("POST", "/txn", headers, body)))
      if (reply.sent && reply.status != 503) ++repeats;
    const std::string succeeded = json_field(reply.body, "succeeded");
    if (reply.status == 409)
      ++late;
    else if (reply.status == 200 && succeeded == "false")
      ++found_done;
    else if (reply.status == 200 && succeeded == "true" && told.emplace(event, mark).second)
      ++worked_;
    else
      surprises.push_back(event + ": " + std::to_string(reply.status) + " " + reply.body);
  }

  std::atomic<size_t> worked_{0};
};

}  // namespace

TEST_CASE("the leader is killed every few seconds: transfers between accounts, and the sum is right at every index") {
  Trio nodes;
  REQUIRE(nodes.a.post("/txn", opening(), "application/json").status == 200);
  const std::vector<uint16_t> ports = ports_of(nodes.all);
  const auto tellers = crowd<Teller>("teller", 6, ports);
  const auto auditors = crowd<Auditor>("auditor", 2, ports);
  const auto followers = crowd<BalanceFollower>("follower", 2, ports);
  const auto done = [&] { return sum_of(tellers, &Teller::transferred); };
  const std::string disturbed = disturb(nodes.all, done);
  end(tellers);
  end(auditors);
  const std::map<std::string, int64_t> balances = balances_of(nodes.a);
  for (const auto& each : followers) CHECK(eventually([&] { return each->balances() == balances; }));
  end(followers);
  check_transfers(nodes.b, tellers);
  await_same_state(nodes.all);

  size_t conflicts = 0;
  size_t repeats = 0;
  size_t replays = 0;
  for (const auto& each : tellers) {
    conflicts += each->conflicts;
    repeats += each->repeats;
    replays += each->replays;
  }
  size_t connections = 0;
  size_t restarts = 0;
  for (const auto& each : followers) {
    connections += each->connections;
    restarts += each->restarts;
  }
  int64_t sum = 0;
  for (const auto& [key, balance] : balances) sum += balance;
  const size_t audits = sum_of(auditors, &Auditor::audits);
  const size_t checked = sum_of(followers, &BalanceFollower::checked);
  CHECK(audits > 20);
  CHECK(checked > 20);
  figure("transfers: " + disturbed + "; sum " + std::to_string(sum) + " of " + std::to_string(kTotal) + " in " +
         std::to_string(balances.size()) + " accounts; " + std::to_string(done()) + " transfers acknowledged, " +
         std::to_string(conflicts) + " not made as an account had changed, " + std::to_string(repeats) +
         " asked again after an unknown outcome, of which " + std::to_string(replays) + " had been carried out; " +
         std::to_string(audits) + " audits; watches added up " + std::to_string(checked) + " indexes over " +
         std::to_string(connections) + " connections, begun anew " + std::to_string(restarts) + " times");
}

TEST_CASE("the leader is killed every few seconds: a counter and the events that were enqueued with it agree") {
  Trio nodes;
  const auto clients = crowd<CountingClient>("count", 6, ports_of(nodes.all));
  const auto done = [&] { return sum_of(clients, &CountingClient::counted); };
  const std::string disturbed = disturb(nodes.all, done);
  end(clients);
  const std::map<std::string, std::string> events = listed(nodes.b, "/queues/log/events?limit=1000", "data", "id");
  std::map<uint64_t, uint64_t> ids;  // by the counter
  size_t repeats = 0;
  size_t replays = 0;
  for (const auto& client : clients) {
    repeats += client->repeats;
    replays += client->replays;
    for (const auto& [event, step] : client->steps) {
      const auto there = events.find(event);
      CHECK_MESSAGE(there != events.end(), event, " was acknowledged");
      if (there != events.end()) CHECK(there->second == std::to_string(step.second));
      CHECK_MESSAGE(ids.emplace(step).second, "the counter was ", step.first, " twice");
    }
  }
  CHECK(ids.size() == events.size());
  const std::string counter = get_served(nodes.c, "/kv/events").body;
  CHECK(counter == std::to_string(events.size()));
  CHECK((ids.empty() || ids.rbegin()->first == events.size()));
  // Events lie in the order in which they were counted.
  uint64_t before = 0;
  for (const auto& [value, id] : ids) {
    CHECK(id > before);
    before = id;
  }
  await_same_state(nodes.all);
  figure("counter and events: " + disturbed + "; the counter is " + counter + ", events in the queue " +
         std::to_string(events.size()) + ", acknowledged " + std::to_string(done()) + "; " + std::to_string(repeats) +
         " asked again after an unknown outcome, of which " + std::to_string(replays) + " had been carried out");
}

TEST_CASE("the leader is killed every few seconds: of each event one result and one event that follows") {
  Trio nodes;
  HttpClient http;
  for (const char* queue : {"inbox", "outbox"})
    REQUIRE(
        http.request(nodes.a.port, "PUT", std::string("/queues/") + queue, kJson, R"({"max_deliveries":0})").status ==
        200);
  const std::vector<uint16_t> ports = ports_of(nodes.all);
  const auto feeders = crowd<Feeder>("feeder", 3, ports);
  const auto workers = crowd<StepWorker>("worker", 4, ports);
  const auto done = [&] { return sum_of(workers, &StepWorker::worked); };
  const std::string disturbed = disturb(nodes.all, done);
  end(feeders);
  CHECK_MESSAGE(drained(nodes.b, "inbox"), "the inbox does not become empty");
  end(workers);
  const std::map<std::string, std::string> results = listed(nodes.c, "/kv?prefix=results/&limit=1000", "key", "value");
  const std::map<std::string, std::string> followed = listed(nodes.c, "/queues/outbox/events?limit=1000", "data", "id");
  size_t fed = 0;
  for (const auto& feeder : feeders)
    for (const std::string& event : feeder->fed) {
      ++fed;
      const auto result = results.find("results/" + event);
      CHECK_MESSAGE(result != results.end(), event, " has no result");
      if (result != results.end())
        CHECK_MESSAGE(followed.contains(event + " " + result->second), event, " has a result, and nothing follows it");
    }
  CHECK(results.size() == fed);
  CHECK(followed.size() == fed);
  size_t late = 0;
  size_t found_done = 0;
  size_t repeats = 0;
  for (const auto& worker : workers) {
    late += worker->late;
    found_done += worker->found_done;
    repeats += worker->repeats;
    for (const auto& [event, mark] : worker->told) {
      const auto result = results.find("results/" + event);
      CHECK_MESSAGE((result != results.end() && result->second == mark), event, " was answered as done by ", mark);
    }
  }
  await_same_state(nodes.all);
  figure("consume, write, enqueue: " + disturbed + "; " + std::to_string(fed) + " events, " +
         std::to_string(results.size()) + " results, " + std::to_string(followed.size()) + " events that follow; " +
         std::to_string(done()) + " steps answered as done, " + std::to_string(repeats) +
         " asked again after an unknown outcome, " + std::to_string(found_done) + " found the result there, " +
         std::to_string(late) + " came too late");
}

}  // namespace wh::testing
