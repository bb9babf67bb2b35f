#include "store_bank.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "harness.h"

namespace wh::testing {
namespace {

constexpr int kStreamPatienceMs = 3'000;  // so long may a stream be silent while others write
constexpr auto kBetweenAudits = std::chrono::milliseconds(10);
constexpr size_t kMostSurprises = 20;

unsigned seed_of(const std::string& name) { return static_cast<unsigned>(std::hash<std::string>()(name)); }

std::string told(const HttpReply& reply) { return std::to_string(reply.status) + " " + reply.body.substr(0, 300); }

void note(std::vector<std::string>& surprises, std::string what) {
  if (surprises.size() < kMostSurprises) surprises.push_back(std::move(what));
}

std::string put(const std::string& key, const std::string& value) {
  return R"({"put":{"key":")" + key + R"(","value":")" + value + "\"}}";
}

std::string incr(const std::string& key, int64_t by) {
  return R"({"incr":{"key":")" + key + R"(","by":)" + std::to_string(by) + "}}";
}

std::string unchanged(const std::string& key, uint64_t mod_index) {
  return R"({"key":")" + key + R"(","mod_index":)" + std::to_string(mod_index) + "}";
}

// A transaction that reads all accounts.
std::string reading() {
  std::string body;
  for (unsigned i = 0; i < kAccounts; ++i)
    body += (body.empty() ? R"({"success":[{"get":{"key":")" : R"(,{"get":{"key":")") + account_key(i) + "\"}}";
  return body + "]}";
}

}  // namespace

std::string account_key(unsigned number) {
  return "bank/" + std::string(number < 10 ? "0" : "") + std::to_string(number);
}

std::string opening() {
  std::string body;
  for (unsigned i = 0; i < kAccounts; ++i)
    body += (body.empty() ? R"({"success":[)" : ",") + put(account_key(i), std::to_string(kOpening));
  return body + "]}";
}

// --- tellers

Teller::Teller(std::string name, std::vector<uint16_t> ports) : QueueClient(name, std::move(ports), seed_of(name)) {
  thread_ = std::thread([this] { run(); });
}

Teller::~Teller() {
  stop();
  join();
}

void Teller::run() {
  while (!stop_) transfer();
}

bool Teller::read(unsigned number, Account& into) {
  const HttpReply reply = ask("GET", "/kv/" + account_key(number));
  if (again(reply)) return false;
  into.mod_index = std::strtoull(reply.header("wormhole-mod-index").c_str(), nullptr, 10);
  into.balance = std::strtoll(reply.body.c_str(), nullptr, 10);
  if (reply.status != 200 || into.mod_index == 0 || into.balance < 0)
    note(surprises, account_key(number) + ": " + told(reply));
  return true;
}

void Teller::transfer() {
  at_ = random_() % ports_.size();
  Transfer made;
  made.from = static_cast<unsigned>(random_() % kAccounts);
  made.to = (made.from + 1 + static_cast<unsigned>(random_() % (kAccounts - 1))) % kAccounts;
  made.amount = 1 + static_cast<int64_t>(random_() % 300);
  Account from;
  Account to;
  if (!read(made.from, from) || !read(made.to, to)) return;
  if (from.balance < made.amount) return;

  const std::string key = "transfers/" + name_ + "-" + std::to_string(sequence_++);
  const std::string text =
      std::to_string(made.from) + " " + std::to_string(made.to) + " " + std::to_string(made.amount);
  const std::string from_key = account_key(made.from);
  const std::string to_key = account_key(made.to);
  std::string body =
      R"({"compare":[)" + unchanged(from_key, from.mod_index) + R"(,{"key":")" + key + R"(","exists":false})";
  if (one_in(2))  // What is added to the other account does not depend on what is there.
    body += R"(],"success":[)" + incr(from_key, -made.amount) + "," + incr(to_key, made.amount);
  else
    body += "," + unchanged(to_key, to.mod_index) + R"(],"success":[)" +
            put(from_key, std::to_string(from.balance - made.amount)) + "," +
            put(to_key, std::to_string(to.balance + made.amount));
  body += "," + put(key, text) + "]}";

  const std::string headers = "Content-Type: application/json\r\nIdempotency-Key: " + key + "\r\n";
  HttpReply reply = ask("POST", "/txn", headers, body);
  for (; again(reply); reply = ask("POST", "/txn", headers, body))
    if (reply.sent && reply.status != 503) ++repeats;
  if (reply.header("idempotency-replayed") == "true") ++replays;
  const std::string succeeded = json_field(reply.body, "succeeded");
  if (reply.status != 200 || (succeeded != "true" && succeeded != "false"))
    return note(surprises, key + ": " + told(reply));
  if (succeeded == "false") {
    ++conflicts;
    return;
  }
  made.index = std::strtoull(json_field(reply.body, "index").c_str(), nullptr, 10);
  transfers[key] = made;
  ++transferred_;
}

// --- auditors

Auditor::Auditor(std::string name, std::vector<uint16_t> ports) : QueueClient(name, std::move(ports), seed_of(name)) {
  thread_ = std::thread([this] { run(); });
}

Auditor::~Auditor() {
  stop();
  join();
}

void Auditor::run() {
  for (size_t i = 0; !stop_; ++i) {
    at_ = random_() % ports_.size();
    const HttpReply reply = i % 2 == 0 ? ask("GET", "/kv?prefix=bank/&limit=1000")
                                       : ask("POST", "/txn", "Content-Type: application/json\r\n", reading());
    if (!again(reply)) audit(reply);
    std::this_thread::sleep_for(kBetweenAudits);
  }
}

void Auditor::audit(const HttpReply& reply) {
  const std::vector<std::string> values = json_fields(reply.body, "value");
  const int64_t sum =
      std::accumulate(values.begin(), values.end(), int64_t{0},
                      [](int64_t all, const std::string& one) { return all + std::strtoll(one.c_str(), nullptr, 10); });
  const uint64_t index = std::strtoull(reply.header("wormhole-index").c_str(), nullptr, 10);
  if (reply.status != 200 || values.size() != kAccounts || sum != kTotal)
    note(surprises,
         name_ + ": " + std::to_string(values.size()) + " accounts hold " + std::to_string(sum) + ": " + told(reply));
  if (index < last_index_)
    note(surprises, name_ + ": index " + std::to_string(index) + " after " + std::to_string(last_index_));
  last_index_ = index;
  ++audits_;
}

// --- followers

BalanceFollower::BalanceFollower(std::string name, std::vector<uint16_t> ports)
    : QueueClient(name, std::move(ports), seed_of(name)) {
  thread_ = std::thread([this] { run(); });
}

BalanceFollower::~BalanceFollower() {
  stop();
  join();
}

std::map<std::string, int64_t> BalanceFollower::balances() const {
  const std::lock_guard lock(mutex_);
  return balances_;
}

void BalanceFollower::run() {
  while (!stop_) {
    Socket socket(ports_[at_], kStreamPatienceMs);
    if (socket.ok()) follow(socket);
    at_ = (at_ + 1) % ports_.size();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void BalanceFollower::follow(Socket& socket) {
  std::string request = "GET /kv?prefix=bank/&watch&initial HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  if (last_ != 0) request += "Last-Event-ID: " + std::to_string(last_) + "\r\n";
  std::string in;
  size_t end = std::string::npos;
  if (!socket.send_all(request + "\r\n")) return;
  while ((end = in.find("\r\n\r\n")) == std::string::npos)
    if (!socket.receive(in)) return;
  const int status = std::atoi(in.c_str() + std::min(in.find(' '), in.size()));
  if (status == 410) {
    ++restarts;
    last_ = 0;
    const std::lock_guard lock(mutex_);
    balances_.clear();
  } else if (status != 200 && status != 503) {
    note(surprises, name_ + ": " + in);
  }
  if (status != 200) return;
  ++connections;
  // Of a walk that was cut short nothing stays.
  if (last_ == 0) {
    const std::lock_guard lock(mutex_);
    balances_.clear();
  }
  in.erase(0, end + 4);
  std::string text;
  do {
    if (!take_chunks(in, text)) return;
    take_frames(text);
  } while (!stop_ && socket.receive(in));
}

bool BalanceFollower::take_chunks(std::string& in, std::string& text) const {
  for (;;) {
    const size_t line = in.find("\r\n");
    if (line == std::string::npos) return true;
    const size_t size = std::strtoull(in.c_str(), nullptr, 16);
    if (size == 0) return false;
    if (in.size() < line + 2 + size + 2) return true;
    text.append(in, line + 2, size);
    in.erase(0, line + 2 + size + 2);
  }
}

void BalanceFollower::take_frames(std::string& text) {
  size_t begin = 0;
  for (size_t end = 0; (end = text.find("\n\n", begin)) != std::string::npos; begin = end + 2)
    take_frame(std::string_view(text).substr(begin, end + 1 - begin));
  text.erase(0, begin);
}

void BalanceFollower::take_frame(std::string_view frame) {
  const auto line = [&](std::string_view name) {
    const size_t at = frame.starts_with(name) ? 0 : frame.find("\n" + std::string(name));
    if (at == std::string_view::npos) return std::string();
    const size_t begin = frame.find(':', at) + 2;
    return std::string(frame.substr(begin, frame.find('\n', begin) - begin));
  };
  const std::string data = line("data:");
  const std::string id = line("id:");
  if (!data.empty()) {
    const uint64_t index = std::strtoull(json_field(data, "mod_index").c_str(), nullptr, 10);
    if (line("event:") != "put" || (last_ != 0 && index <= last_))
      note(surprises, name_ + ": after " + std::to_string(last_) + " came " + std::string(frame));
    const std::lock_guard lock(mutex_);
    balances_[json_field(data, "key")] = std::strtoll(json_field(data, "value").c_str(), nullptr, 10);
  }
  if (!id.empty()) check(std::strtoull(id.c_str(), nullptr, 10));
}

void BalanceFollower::check(uint64_t index) {
  int64_t sum = 0;
  size_t accounts = 0;
  {
    const std::lock_guard lock(mutex_);
    accounts = balances_.size();
    for (const auto& [key, balance] : balances_) sum += balance;
  }
  if (accounts != kAccounts || sum != kTotal || index < last_)
    note(surprises, name_ + ": at index " + std::to_string(index) + ", after " + std::to_string(last_) + ", " +
                        std::to_string(accounts) + " accounts hold " + std::to_string(sum));
  last_ = index;
  ++checked_;
}

}  // namespace wh::testing
