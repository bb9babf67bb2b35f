#include "benchmark/operations.h"

#include <algorithm>
#include <array>

namespace wh::benchmark {
namespace {

constexpr std::string_view kQueue = "/queues/benchmark";
constexpr std::string_view kList = "benchmark";

std::string path_of(std::string_view prefix, std::string_view key, std::string_view rest = {}) {
  std::string path;
  path.reserve(prefix.size() + key.size() + rest.size());
  path += prefix;
  path += key;
  path += rest;
  return path;
}

// --- HTTP

void put(Maker& maker, Place&, std::string& out) {
  maker.http(out, "PUT", path_of("/kv/", maker.key()), {}, maker.data());
}
void get(Maker& maker, Place&, std::string& out) { maker.http(out, "GET", path_of("/kv/", maker.key()), {}, {}); }
void get_stale(Maker& maker, Place&, std::string& out) {
  maker.http(out, "GET", path_of("/kv/", maker.key(), "?consistency=stale"), {}, {});
}
void remove(Maker& maker, Place&, std::string& out) { maker.http(out, "DELETE", path_of("/kv/", maker.key()), {}, {}); }
void increment(Maker& maker, Place&, std::string& out) {
  maker.http(out, "POST", path_of("/kv/counter:", maker.key(), "/incr"), {}, {});
}
// The place's own key, so that no comparison fails.
void compare_and_set(Maker& maker, Place& place, std::string& out) {
  const std::string fields = place.etag.empty() ? std::string() : "If-Match: " + place.etag + "\r\n";
  maker.http(out, "PUT", "/kv/cas:" + std::to_string(place.number), fields, maker.data());
}
bool keep_tag(Place& place, const Answer& answer) {
  place.etag = answer.etag;
  return false;
}
void transaction(Maker& maker, Place&, std::string& out) {
  std::string body = R"({"success":[)";
  for (size_t i = 0; i < maker.options().batch; ++i) {
    if (i > 0) body += ',';
    body += R"({"put":{"key":")";
    body += maker.key();
    body += R"(","value":")" + maker.data() + R"("}})";
  }
  maker.http(out, "POST", "/txn", "Content-Type: application/json\r\n", body + "]}");
}
// A hundred keys that follow each other, by their first ten digits.
void range(Maker& maker, Place&, std::string& out) {
  maker.http(out, "GET", path_of("/kv?limit=100&prefix=", maker.key().substr(0, 14)), {}, {});
}
void lease(Maker& maker, Place& place, std::string& out) {
  if (place.second)
    maker.http(out, "DELETE", "/leases/" + place.receipt, {}, {});
  else
    maker.http(out, "POST", "/leases?ttl=60s", {}, {});
}
bool keep_lease(Place& place, const Answer& answer) {
  if (place.second) return false;
  const size_t at = answer.body.find("\"id\":");
  const std::string_view rest = at == std::string_view::npos ? std::string_view() : answer.body.substr(at + 5);
  place.receipt = rest.substr(0, rest.find_first_not_of("0123456789"));
  return !place.receipt.empty();
}
void enqueue(Maker& maker, Place&, std::string& out) {
  maker.http(out, "POST", std::string(kQueue) + "/events", {}, maker.data());
}
void enqueue_batch(Maker& maker, Place&, std::string& out) {
  std::string body = "[";
  for (size_t i = 0; i < maker.options().batch; ++i)
    body += (i > 0 ? R"(,{"data":")" : R"({"data":")") + maker.data() + R"("})";
  maker.http(out, "POST", std::string(kQueue) + "/batch", "Content-Type: application/json\r\n", body + "]");
}
void receive(Maker& maker, Place&, std::string& out) {
  maker.http(out, "POST", std::string(kQueue) + "/receive?visibility_timeout=1h", {}, {});
}
void receive_and_acknowledge(Maker& maker, Place& place, std::string& out) {
  if (!place.second) return receive(maker, place, out);
  const std::string id = place.receipt.substr(0, place.receipt.rfind('-'));
  maker.http(out, "DELETE", std::string(kQueue) + "/events/" + id + "?receipt=" + place.receipt, {}, {});
}
bool keep_receipt(Place& place, const Answer& answer) {
  if (place.second) return false;
  place.receipt = answer.receipt;
  return !place.receipt.empty();
}
void front(Maker& maker, Place&, std::string& out) { maker.http(out, "GET", std::string(kQueue) + "/front", {}, {}); }
void health(Maker& maker, Place&, std::string& out) { maker.http(out, "GET", "/healthz", {}, {}); }

constexpr Operation kHttp[] = {
    {.name = "put", .text = "PUT of a key", .make = put},
    {.name = "get", .text = "GET of a key, linearizable", .needs = Needs::keys, .make = get},
    {.name = "get-stale", .text = "GET of a key as this node has it", .needs = Needs::keys, .make = get_stale},
    {.name = "delete", .text = "DELETE of a key", .needs = Needs::keys, .make = remove},
    {.name = "incr", .text = "a counter plus one", .make = increment},
    {.name = "cas", .text = "compare-and-set: PUT with If-Match", .make = compare_and_set, .goes_on = keep_tag},
    {.name = "txn", .text = "a transaction of --batch puts", .make = transaction},
    {.name = "range", .text = "GET of 100 keys by prefix", .needs = Needs::keys, .make = range},
    {.name = "lease", .text = "a lease granted and revoked", .make = lease, .goes_on = keep_lease, .wants_body = true},
    {.name = "enqueue", .text = "an event into a queue", .make = enqueue},
    {.name = "enqueue-batch", .text = "--batch events into a queue", .make = enqueue_batch},
    {.name = "receive", .text = "an event reserved", .needs = Needs::events, .make = receive, .takes = true},
    {.name = "consume",
     .text = "an event received and acknowledged",
     .needs = Needs::events,
     .make = receive_and_acknowledge,
     .goes_on = keep_receipt,
     .takes = true},
    {.name = "front", .text = "a look at the front of a queue", .needs = Needs::events, .make = front},
    {.name = "health", .text = "/healthz, which only the node itself answers", .make = health},
};

// --- RESP

void resp_ping(Maker& maker, Place&, std::string& out) { maker.resp(out, {"PING"}); }
void resp_set(Maker& maker, Place&, std::string& out) { maker.resp(out, {"SET", maker.key(), maker.data()}); }
void resp_get(Maker& maker, Place&, std::string& out) { maker.resp(out, {"GET", maker.key()}); }
void resp_delete(Maker& maker, Place&, std::string& out) { maker.resp(out, {"DEL", maker.key()}); }
void resp_increment(Maker& maker, Place&, std::string& out) {
  const std::string key = path_of("counter:", maker.key());
  maker.resp(out, {"INCR", key});
}
void resp_push(Maker& maker, Place&, std::string& out) { maker.resp(out, {"RPUSH", kList, maker.data()}); }
void resp_pop(Maker& maker, Place&, std::string& out) { maker.resp(out, {"LPOP", kList}); }
void resp_range(Maker& maker, Place&, std::string& out) { maker.resp(out, {"LRANGE", kList, "0", "99"}); }
void resp_add_job(Maker& maker, Place&, std::string& out) { maker.resp(out, {"ADDJOB", kList, maker.data(), "0"}); }
void resp_get_job(Maker& maker, Place& place, std::string& out) {
  if (place.second)
    maker.resp(out, {"ACKJOB", place.receipt});
  else
    maker.resp(out, {"GETJOB", "NOHANG", "FROM", kList});
}
// The reply is a job within an array: queue, id, body.
bool keep_job(Place& place, const Answer& answer) {
  if (place.second) return false;
  std::string_view rest = answer.body;
  for (int lines = 0; lines < 5 && !rest.empty(); ++lines)
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  place.receipt = rest.substr(0, rest.find('\r'));
  return !place.receipt.empty();
}

constexpr Operation kResp[] = {
    {.name = "ping", .text = "PING", .make = resp_ping},
    {.name = "set", .text = "SET of a key", .make = resp_set},
    {.name = "get", .text = "GET of a key", .needs = Needs::keys, .make = resp_get},
    {.name = "del", .text = "DEL of a key", .needs = Needs::keys, .make = resp_delete},
    {.name = "incr", .text = "INCR of a key", .make = resp_increment},
    {.name = "rpush", .text = "RPUSH onto a queue", .make = resp_push},
    {.name = "lpop", .text = "LPOP from a queue", .needs = Needs::list, .make = resp_pop, .takes = true},
    {.name = "lrange", .text = "LRANGE of 100", .needs = Needs::list, .make = resp_range},
    {.name = "addjob", .text = "ADDJOB into a queue", .make = resp_add_job},
    {.name = "getjob",
     .text = "GETJOB and ACKJOB",
     .needs = Needs::list,
     .make = resp_get_job,
     .goes_on = keep_job,
     .takes = true},
};

// --- the user's own

std::string expanded(Maker& maker, std::string text) {
  for (const std::string_view word : {"__rand_int__", "__data__"}) {
    size_t at = 0;
    while ((at = text.find(word, at)) != std::string::npos) {
      const std::string value = word == "__data__" ? maker.data() : std::string(maker.key().substr(4));
      text.replace(at, word.size(), value);
      at += value.size();
    }
  }
  return text;
}
void own_http(Maker& maker, Place&, std::string& out) {
  const std::vector<std::string>& own = maker.options().own;
  const std::string body = own.size() > 2 ? expanded(maker, own[2]) : std::string();
  const std::string_view type =
      body.starts_with('{') || body.starts_with('[') ? "Content-Type: application/json\r\n" : "";
  maker.http(out, own[0], expanded(maker, own[1]), type, body);
}
void own_resp(Maker& maker, Place&, std::string& out) {
  const std::vector<std::string>& own = maker.options().own;
  out += "*" + std::to_string(own.size()) + "\r\n";
  for (const std::string& word : own) {
    const std::string text = expanded(maker, word);
    out += "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
}
constexpr Operation kOwnHttp{.name = "own", .text = "", .make = own_http};
constexpr Operation kOwnResp{.name = "own", .text = "", .make = own_resp};

}  // namespace

Maker::Maker(const Options& options) : options_(options), prng_(options.seed) {
  // Text that neither JSON nor a shell would have to escape, and that does not compress to nothing.
  data_.reserve(options.data_bytes);
  while (data_.size() < options.data_bytes) data_ += static_cast<char>('a' + prng_.below(26));
  head_ =
      " HTTP/1.1\r\nHost: " + endpoint_text(options.endpoints.front().host, options.endpoints.front().port) + "\r\n";
  if (!options.password.empty()) head_ += "Authorization: Bearer " + options.password + "\r\n";
}

std::string_view Maker::key() { return key(random()); }

std::string_view Maker::key(uint64_t number) {
  key_ = "key:000000000000";
  for (size_t at = key_.size(); number > 0; number /= 10) key_[--at] = static_cast<char>('0' + number % 10);
  return key_;
}

void Maker::http(std::string& out, std::string_view method, std::string_view path, std::string_view fields,
                 std::string_view body) {
  out += method;
  out += ' ';
  out += path;
  out += head_;
  out += fields;
  if (!body.empty() || method == "PUT" || method == "POST") {
    out += "Content-Length: ";
    out += std::to_string(body.size());
    out += "\r\n";
  }
  out += "\r\n";
  out += body;
}

void Maker::resp(std::string& out, std::initializer_list<std::string_view> words) {
  out += '*';
  out += std::to_string(words.size());
  out += "\r\n";
  for (const std::string_view word : words) {
    out += '$';
    out += std::to_string(word.size());
    out += "\r\n";
    out += word;
    out += "\r\n";
  }
}

std::span<const Operation> operations(Protocol protocol) {
  if (protocol == Protocol::http) return kHttp;
  return kResp;
}

const Operation* find_operation(Protocol protocol, std::string_view name) {
  for (const Operation& operation : operations(protocol))
    if (operation.name == name) return &operation;
  return nullptr;
}

std::vector<std::string> usual_tests(Protocol protocol) {
  if (protocol == Protocol::http) return {"put", "get", "get-stale", "enqueue", "consume"};
  return {"ping", "set", "get", "incr", "rpush", "lpop"};
}

const Operation& own_operation(Protocol protocol) { return protocol == Protocol::http ? kOwnHttp : kOwnResp; }

void make_filling(Maker& maker, Needs needs, uint64_t number, uint64_t items, std::string& out) {
  const bool is_http = maker.options().protocol == Protocol::http;
  if (is_http && items == 1) {
    const bool key = needs == Needs::keys;
    const std::string path = key ? path_of("/kv/", maker.key(number)) : std::string(kQueue) + "/events";
    return maker.http(out, key ? "PUT" : "POST", path, {}, maker.data());
  }
  if (needs == Needs::keys && is_http) {
    std::string body = R"({"success":[)";
    for (uint64_t i = 0; i < items; ++i) {
      if (i > 0) body += ',';
      body += R"({"put":{"key":")";
      body += maker.key(number + i);
      body += R"(","value":")" + maker.data() + R"("}})";
    }
    return maker.http(out, "POST", "/txn", "Content-Type: application/json\r\n", body + "]}");
  }
  if (needs == Needs::events && is_http) {
    std::string body = "[";
    for (uint64_t i = 0; i < items; ++i) body += (i > 0 ? R"(,{"data":")" : R"({"data":")") + maker.data() + R"("})";
    return maker.http(out, "POST", std::string(kQueue) + "/batch", "Content-Type: application/json\r\n", body + "]");
  }
  std::vector<std::string> words{needs == Needs::keys ? "MSET" : "RPUSH"};
  if (needs != Needs::keys) words.emplace_back(kList);
  for (uint64_t i = 0; i < items; ++i) {
    if (needs == Needs::keys) words.emplace_back(maker.key(number + i));
    words.push_back(maker.data());
  }
  out += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
}

}  // namespace wh::benchmark
