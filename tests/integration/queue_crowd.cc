#include "queue_crowd.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <map>

#include "harness.h"

namespace wh::testing {
namespace {

constexpr auto kBeforeTheNextNode = std::chrono::milliseconds(20);

void pause(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

std::string key(const std::string& key) { return "Idempotency-Key: " + key + "\r\n"; }

uint64_t index_of(const HttpReply& reply) { return std::strtoull(reply.header("wormhole-index").c_str(), nullptr, 10); }

std::string shown(const HttpReply& reply) { return std::to_string(reply.status) + " " + reply.body; }

}  // namespace

HttpReply QueueClient::ask(std::string_view method, const std::string& target, const std::string& headers,
                           std::string_view body) {
  HttpReply reply = http_.request(ports_[at_], method, target, headers, body);
  if (again(reply)) {
    at_ = (at_ + 1) % ports_.size();
    pause(kBeforeTheNextNode);
  }
  return reply;
}

bool QueueClient::again(const HttpReply& reply) {
  return reply.status == 0 || reply.status == 503 || reply.status == 504;
}

// --- producers

Producer::Producer(std::string name, std::vector<uint16_t> ports, ProducerPlan plan)
    : QueueClient(name, std::move(ports), static_cast<unsigned>(std::hash<std::string>()(name))),
      plan_(std::move(plan)) {
  thread_ = std::thread([this] { run(); });
}

Producer::~Producer() {
  stop();
  join();
}

// Those that cost little time come early, so that each short run has them in each group.
std::string Producer::next_body() {
  static const std::map<size_t, const char*> exceptions{
      {5, "poison"}, {15, "bury"}, {25, "slow"}, {185, "forgotten"}, {195, "long"}};
  const auto found = exceptions.find(sequence_ % 700);
  return (found == exceptions.end() ? "plain" : found->second) + ("-" + name_ + "-") + std::to_string(sequence_++);
}

void Producer::run() {
  while (!stop_) {
    if (plan_.batch == 1)
      one();
    else
      many();
    pause(std::chrono::milliseconds(plan_.pause_ms));
  }
}

// Now and then also after an answer, as a producer does that does not know what it was told before it was started anew.
void Producer::one() {
  const std::string body = next_body();
  const std::string target =
      "/queues/" + plan_.queue + "/events" + (plan_.group.empty() ? "" : "?group=" + plan_.group);
  for (;;) {
    ++book.attempts;
    const HttpReply reply = ask("POST", target, key(body) + "Content-Type: text/plain\r\n", body);
    if (again(reply)) {
      ++(reply.status == 503 || !reply.sent ? book.refusals : book.lost_answers);
      continue;
    }
    const uint64_t id = std::strtoull(reply.header("wormhole-event-id").c_str(), nullptr, 10);
    const bool replayed = reply.header("idempotency-replayed") == "true";
    const auto [at, first] = book.ids.emplace(body, id);
    book.replays += replayed ? 1 : 0;
    if (reply.status != 201 || id == 0 || at->second != id || (!first && !replayed))
      book.surprises.push_back(body + ": " + shown(reply));
    acknowledged_ += first ? 1 : 0;
    if (!one_in(20)) return;
  }
}

void Producer::many() {
  std::vector<std::string> bodies;
  std::string batch = "[";
  for (size_t i = 0; i < plan_.batch; ++i) {
    const std::string& body = bodies.emplace_back(next_body());
    batch += std::string(i == 0 ? "" : ",") + R"({"data":")" + body + R"(","idempotency_key":")" + body + "\"" +
             (plan_.group.empty() ? "" : R"(,"group":")" + plan_.group + "\"") + "}";
  }
  batch += "]";
  for (;;) {
    ++book.attempts;
    const HttpReply reply =
        ask("POST", "/queues/" + plan_.queue + "/batch", "Content-Type: application/json\r\n", batch);
    if (again(reply)) {
      ++(reply.status == 503 || !reply.sent ? book.refusals : book.lost_answers);
      continue;
    }
    const char* at = reply.body.c_str() + std::min(reply.body.find('[') + 1, reply.body.size());
    for (const std::string& body : bodies) {
      char* end = nullptr;
      const uint64_t id = std::strtoull(at, &end, 10);
      at = *end == ',' ? end + 1 : end;
      const auto [known, first] = book.ids.emplace(body, id);
      if (reply.status != 201 || id == 0 || known->second != id) book.surprises.push_back(body + ": " + shown(reply));
      book.replays += first ? 0 : 1;
      acknowledged_ += first ? 1 : 0;
    }
    if (!one_in(20)) return;
  }
}

// --- consumers

Consumer::Consumer(std::string name, std::vector<uint16_t> ports, std::string queue, size_t max, bool keyed)
    : QueueClient(name, std::move(ports), static_cast<unsigned>(std::hash<std::string>()(name))),
      queue_(std::move(queue)),
      max_(max),
      keyed_(keyed) {
  book.queue = queue_;
  thread_ = std::thread([this] { run(); });
}

Consumer::~Consumer() {
  stop();
  join();
}

void Consumer::run() {
  while (!stop_) {
    std::vector<Delivery> deliveries = receive();
    work(deliveries);
    std::move(deliveries.begin(), deliveries.end(), std::back_inserter(book.deliveries));
  }
}

std::vector<Delivery> Consumer::receive() {
  const std::string target = "/queues/" + queue_ + "/receive?max=" + std::to_string(max_) +
                             "&wait=2s&visibility_timeout=" + std::to_string(kHoldMs) + "ms";
  const std::string headers =
      "Accept: application/json\r\n" + (keyed_ ? key(name_ + "-" + std::to_string(receives_++)) : std::string());
  ++book.receives;
  const auto asked = LoadClock::now();
  const size_t repeated = book.repeated;
  HttpReply reply = ask("POST", target, headers);
  for (; again(reply); reply = ask("POST", target, headers)) {
    const bool may_have_taken = reply.status == 0 ? reply.sent : reply.header("wormhole-outcome") != "not-applied";
    if (!may_have_taken) ++book.refusals;
    if (may_have_taken && !keyed_) book.may_have_lost += max_;
    if (!keyed_) return {};
    ++book.repeated;
  }
  // What it had taken at first may not be held any more.
  if (book.repeated > repeated && ms_since(asked) > static_cast<double>(kHoldMs)) book.may_have_lost += max_;
  std::vector<Delivery> out;
  if (reply.status == 204) ++book.empty;
  if (reply.status != 200) {
    if (reply.status != 204) book.surprises.push_back("receive: " + shown(reply));
    return out;
  }
  const std::vector<std::string> bodies = json_fields(reply.body, "data");
  const std::vector<std::string> receipts = json_fields(reply.body, "receipt");
  const std::vector<std::string> numbers = json_fields(reply.body, "deliveries");
  const std::vector<std::string> groups = json_fields(reply.body, "group");
  const std::vector<std::string> times = json_fields(reply.body, "visible_at");
  for (size_t i = 0; i < bodies.size(); ++i) {
    const size_t dash = receipts.at(i).find('-');
    Delivery& one = out.emplace_back();
    one.id = std::strtoull(receipts[i].c_str(), nullptr, 10);
    one.index = std::strtoull(receipts[i].c_str() + dash + 1, nullptr, 10);
    one.number = std::strtoull(numbers.at(i).c_str(), nullptr, 10);
    one.body = bodies[i];
    one.group = groups.at(i);
    one.receipt = receipts[i];
    one.visible_at = parse_time(times.at(i));
    one.since = one.visible_at - kHoldMs;
  }
  return out;
}

// What is quickly done comes first, so that nobody else's trouble costs it its time.
void Consumer::work(std::vector<Delivery>& deliveries) {
  std::vector<Delivery*> done;
  std::vector<Delivery*> rest;
  for (Delivery& one : deliveries) {
    const bool first = one.number == 1;
    if (one.body.starts_with("poison"))
      settle(one, "POST", "/release", Delivery::End::released);
    else if (one.body.starts_with("bury"))
      settle(one, "POST", "/bury?reason=planted", Delivery::End::buried);
    else if (first && one.body.starts_with("forgotten"))
      continue;
    else
      (first && (one.body.starts_with("slow") || one.body.starts_with("long")) ? rest : done).push_back(&one);
  }
  acknowledge(done);
  for (Delivery* one : rest) {
    if (one->body.starts_with("long")) {
      for (int i = 0; i < 3; ++i) {
        pause(std::chrono::milliseconds(kHoldMs / 2));
        if (!extend(*one)) break;
      }
    } else {
      pause(std::chrono::milliseconds(kHoldMs + kHoldMs / 4));
    }
    settle(*one, "DELETE", "", Delivery::End::acknowledged);
  }
}

void Consumer::settle(Delivery& delivery, std::string_view method, const std::string& verb, Delivery::End end) {
  const std::string target = "/queues/" + queue_ + "/events/" + std::to_string(delivery.id) + verb +
                             (verb.find('?') == std::string::npos ? "?" : "&") + "receipt=" + delivery.receipt;
  HttpReply reply = ask(method, target);
  for (; again(reply); reply = ask(method, target)) delivery.sure &= reply.status == 503 || !reply.sent;
  ++settled_;
  delivery.ended_upto = index_of(reply);
  // After a lost answer, 409 may mean that the first request did it.
  if (reply.status == 204 || (reply.status == 409 && !delivery.sure && end != Delivery::End::acknowledged))
    delivery.end = end;
  else if (reply.status == 409)
    delivery.end = Delivery::End::late;
  else
    book.surprises.push_back(std::string(method) + " " + target + ": " + shown(reply));
}

void Consumer::acknowledge(std::vector<Delivery*>& deliveries) {
  if (deliveries.empty()) return;
  if (deliveries.size() == 1) return settle(*deliveries[0], "DELETE", "", Delivery::End::acknowledged);
  std::string body = "[";
  for (const Delivery* one : deliveries)
    body += std::string(body.size() == 1 ? "" : ",") + R"({"id":)" + std::to_string(one->id) + R"(,"receipt":")" +
            one->receipt + "\"}";
  body += "]";
  const std::string target = "/queues/" + queue_ + "/ack";
  HttpReply reply = ask("POST", target, "Content-Type: application/json\r\n", body);
  bool sure = true;
  for (; again(reply); reply = ask("POST", target, "Content-Type: application/json\r\n", body))
    sure &= reply.status == 503 || !reply.sent;
  const std::vector<std::string> outcomes = json_fields(reply.body, "outcome");
  settled_ += deliveries.size();
  if (reply.status != 200 || outcomes.size() != deliveries.size()) {
    book.surprises.push_back("POST " + target + ": " + shown(reply));
    return;
  }
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Delivery& one = *deliveries[i];
    one.sure = sure;
    one.ended_upto = index_of(reply);
    one.end = outcomes[i] == "stale" ? Delivery::End::late : Delivery::End::acknowledged;
    if (outcomes[i] != "acknowledged" && outcomes[i] != "stale" && outcomes[i] != "gone")
      book.surprises.push_back(one.receipt + ": " + outcomes[i]);
    // Nobody else acknowledges what this consumer still holds.
    if (outcomes[i] == "gone" && sure) one.sure = false;
  }
}

bool Consumer::extend(Delivery& delivery) {
  const std::string target = "/queues/" + queue_ + "/events/" + std::to_string(delivery.id) +
                             "/extend?receipt=" + delivery.receipt + "&visibility_timeout=" + std::to_string(kHoldMs) +
                             "ms";
  HttpReply reply = ask("POST", target);
  while (again(reply)) reply = ask("POST", target);
  if (reply.status == 200) delivery.visible_at = parse_time(json_field(reply.body, "visible_at"));
  if (reply.status != 200 && reply.status != 409) book.surprises.push_back("POST " + target + ": " + shown(reply));
  return reply.status == 200;
}

}  // namespace wh::testing
