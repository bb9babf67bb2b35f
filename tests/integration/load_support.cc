#include "load_support.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <set>
#include <sstream>
#include <unistd.h>
#include <utility>

#include <doctest/doctest.h>

#include "../rounds.h"

namespace wh::testing {
namespace {
constexpr auto kPause = std::chrono::milliseconds(20);
constexpr size_t kDrainWindow = 64;
}  // namespace

size_t scaled(size_t count, size_t least) { return std::max<size_t>(least, rounds(static_cast<unsigned>(count))); }

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(static_cast<double>(values.size()) * part))];
}

void allow_preloading(const char* library) {
  REQUIRE_MESSAGE(access(library, R_OK) == 0, "not built: ", library);
  const char* given = std::getenv("ASAN_OPTIONS");
  setenv("ASAN_OPTIONS", ("verify_asan_link_order=0:" + std::string(given == nullptr ? "" : given)).c_str(), 1);
}

std::string info(const Server& server, const std::string& field) {
  return info_field(DebugPipe(server.debug_port, 5'000).one("INFO"), field);
}

uint64_t info_number(const Server& server, const std::string& field) {
  return std::strtoull(info(server, field).c_str(), nullptr, 10);
}

void await_same_state(const Servers& servers) {
  const bool same = eventually([&] {
    std::set<std::string> states;
    for (const Server* server : servers) {
      const std::string digest = info(*server, "state_digest");
      if (digest.empty()) return false;
      states.insert(info(*server, "applied_index") + " " + digest);
    }
    return states.size() == 1;
  });
  CHECK_MESSAGE(same, "the nodes do not come to the same state");
}

Trio::Trio(const std::vector<std::string>& more, const std::function<void(Trio&, Server&)>& prepare) {
  std::vector<std::string> common{"--join", a.raft_address(), b.raft_address(), c.raft_address()};
  common.insert(common.end(), more.begin(), more.end());
  for (Server* server : all) {
    server->more = common;
    if (prepare) prepare(*this, *server);
    server->start();
  }
  await_voters(all, 3);
  await_leader(all);
}

bool disturb_leader(const Servers& servers, size_t round) {
  Server& leader = await_leader(servers);
  const bool stopped = round % 4 == 3;
  if (stopped)
    REQUIRE(leader.signal(SIGSTOP));
  else
    CHECK(leader.kill() == 137);
  await_leader(others(servers, leader));
  if (stopped)
    REQUIRE(leader.signal(SIGCONT));
  else
    leader.start_ready();
  return stopped;
}

Answer get_served(const Server& server, const std::string& path) {
  Answer answer;
  (void)eventually([&] { return (answer = server.get(path)).status != 503; });
  return answer;
}

void read_pages(const Server& server, std::string path, const std::function<void(const std::string& body)>& page) {
  while (!path.empty()) {
    const Answer answer = get_served(server, path);
    REQUIRE(answer.status == 200);
    page(answer.body);
    // "</path?...>; rel="next""
    const std::string link = answer.header("link");
    path = link.empty() ? std::string() : link.substr(1, link.find('>') - 1);
  }
}

bool drained(const Server& server, const std::string& queue) {
  uint64_t least = UINT64_MAX;
  const auto smaller = [&] {
    const std::string body = server.get("/queues/" + queue).body;
    uint64_t left = 0;
    for (const char* state : {"ready", "delayed", "reserved"}) {
      const std::string count = json_field(body, state);
      if (count.empty()) return false;
      left += std::stoull(count);
    }
    return left < std::exchange(least, std::min(left, least));
  };
  while (least != 0)
    if (!eventually(smaller)) return false;
  return true;
}

EventClient::EventClient(std::string name, uint16_t port, bool credentials, size_t wanted)
    : name_(std::move(name)), port_(port), credentials_(credentials), wanted_(wanted), thread_([this] { run(); }) {}

EventClient::~EventClient() {
  stop();
  join();
}

void EventClient::join() {
  if (thread_.joinable()) thread_.join();
}

void EventClient::run() {
  HttpClient http;
  const std::string headers = std::string("Content-Type: application/x-www-form-urlencoded\r\n") +
                              (credentials_ ? "Authorization: Bearer none\r\n" : "");
  for (size_t sequence = 0; !stop_ && acknowledged_ < wanted_; ++sequence) {
    Attempt attempt{.body = name_ + "-" + std::to_string(sequence)};
    const auto start = LoadClock::now();
    const HttpReply reply = http.follow(port_, "POST", "/event", headers, "event=" + attempt.body);
    const std::string outcome = reply.header("wormhole-outcome");
    if (reply.status == 201) {
      attempt.fate = Attempt::Fate::acknowledged;
      attempt.id = std::strtoull(reply.header("wormhole-event-id").c_str(), nullptr, 10);
      latencies_ms.push_back(ms_since(start));
      ++acknowledged_;
    } else if (!reply.sent || ((reply.status == 503 || reply.status == 307) && outcome == "not-applied")) {
      attempt.fate = Attempt::Fate::refused;
    } else if (reply.status != 0 && (reply.status != 504 || outcome != "unknown")) {
      surprises.push_back(attempt.body + ": " + std::to_string(reply.status) + " " + outcome + " " + reply.body);
    }
    const bool again = attempt.fate != Attempt::Fate::acknowledged;
    attempts.push_back(std::move(attempt));
    if (again) std::this_thread::sleep_for(kPause);
  }
  ended_ = true;
}

Crowd::Crowd(const Servers& servers, size_t clients_each, size_t wanted_each) {
  for (const Server* server : servers)
    for (size_t i = 0; i < clients_each; ++i)
      clients.push_back(
          std::make_unique<EventClient>(server->name + "-" + std::to_string(i), server->port, i % 2 == 1, wanted_each));
}

size_t Crowd::acknowledged() const {
  size_t sum = 0;
  for (const auto& client : clients) sum += client->acknowledged();
  return sum;
}

bool Crowd::ended() const {
  return std::all_of(clients.begin(), clients.end(), [](const auto& client) { return client->ended(); });
}

void Crowd::stop() {
  for (const auto& client : clients) client->stop();
}

void Crowd::join() {
  for (const auto& client : clients) client->join();
}

Tally check_queue(const Server& server, const Crowd& crowd) {
  struct Known {
    const Attempt* attempt;
    size_t client;
    size_t place;
  };
  Tally tally;
  std::map<std::string, Known> known;
  for (size_t client = 0; client < crowd.clients.size(); ++client) {
    const EventClient& each = *crowd.clients[client];
    for (const std::string& surprise : each.surprises) FAIL_CHECK(surprise);
    for (size_t place = 0; place < each.attempts.size(); ++place) {
      const Attempt& attempt = each.attempts[place];
      known[attempt.body] = {&attempt, client, place};
      tally.acknowledged += attempt.fate == Attempt::Fate::acknowledged ? 1 : 0;
      tally.refused += attempt.fate == Attempt::Fate::refused ? 1 : 0;
      tally.unknown += attempt.fate == Attempt::Fate::unknown ? 1 : 0;
    }
  }

  DebugPipe pipe(server.debug_port);
  const auto length = static_cast<size_t>(std::atoll(pipe.one("LLEN event").c_str()));
  std::vector<std::string> events;
  const bool drained = pipe.run(
      kDrainWindow, [&](size_t i) { return i < length; }, [](size_t) { return std::string("LPOP event"); },
      [&](size_t, std::string_view reply, double) { events.emplace_back(reply); });
  CHECK(drained);
  CHECK(pipe.one("LLEN event") == "0");

  std::set<std::string> seen;
  std::vector<size_t> next_place(crowd.clients.size(), 0);
  uint64_t last_id = 0;
  size_t acknowledged_there = 0;
  for (const std::string& event : events) {
    CAPTURE(event);
    const auto found = known.find(event);
    if (found == known.end()) {
      FAIL_CHECK("an event that nobody posted");
      continue;
    }
    const Known& it = found->second;
    if (!seen.insert(event).second) FAIL_CHECK("an event is there twice");
    if (it.place < next_place[it.client]) FAIL_CHECK("not in the order in which its client posted");
    next_place[it.client] = it.place + 1;
    if (it.attempt->fate == Attempt::Fate::refused) FAIL_CHECK("an event that was refused as not-applied is there");
    if (it.attempt->fate == Attempt::Fate::unknown) ++tally.unknown_there;
    if (it.attempt->fate != Attempt::Fate::acknowledged) continue;
    ++acknowledged_there;
    if (it.attempt->id <= last_id) FAIL_CHECK("not in the order of the ids");
    last_id = it.attempt->id;
  }
  for (const auto& [body, it] : known)
    if (it.attempt->fate == Attempt::Fate::acknowledged && !seen.contains(body))
      FAIL_CHECK("lost, but acknowledged: " << body);
  CHECK(acknowledged_there == tally.acknowledged);
  return tally;
}

std::string in_ms(double ms) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(ms < 10 ? 1 : 0) << ms << " ms";
  return text.str();
}

void figure(const std::string& text) { std::cout << "figures: " << text << std::endl; }

}  // namespace wh::testing
