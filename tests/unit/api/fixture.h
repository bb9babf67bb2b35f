// Shared code of the API tests: a node that leads a cluster of one, with HTTP and the debug port in front of it, over
// streams in memory; on one thread, with a clock that the test moves.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "../../issues/node_bench.h"
#include "../debug/fixture.h"
#include "../http/support.h"
#include "api/calls.h"
#include "api/debug/debug_front.h"
#include "api/http/http_front.h"
#include "api/http/openapi/openapi.h"
#include "api/http/streams/backups.h"
#include "api/http/streams/cluster_events.h"
#include "base/buffer_budget.h"
#include "config/option_table.h"

namespace wh::api::test {

struct Lone : node::Bench {
  explicit Lone(ClusterVersion version = kFirstVersion) : Bench(options_of(version), node::empty_disk()) {
    for (int i = 0; i < 20 && (node.raft() == nullptr || node.raft()->role() != raft::Role::leader); ++i) wait(1'000);
    REQUIRE(node.raft() != nullptr);
    REQUIRE(node.raft()->role() == raft::Role::leader);
    for (int i = 0; i < 20 && node.cluster_version() < version; ++i) wait(1'000);
    REQUIRE(node.cluster_version() == version);
  }
  static node::NodeOptions options_of(ClusterVersion version) {
    node::NodeOptions options = node::bench_options();
    options.version = version;
    return options;
  }
};

// Does its work when the test says so.
struct LaterWorker final : storage::Worker {
  void run(std::function<void()> work, std::function<void()> done) override {
    jobs.emplace_back(std::move(work), std::move(done));
  }
  void work() {
    for (auto& [job, done] : std::exchange(jobs, {})) {
      job();
      done();
    }
  }
  std::vector<std::pair<std::function<void()>, std::function<void()>>> jobs;
};

inline const std::string kForm = "Content-Type: application/x-www-form-urlencoded\r\n";

inline Context context_of(const config::Options& options, node::Node& node, SlowLog& slow_log) {
  return {.options = options,
          .node = node,
          .slow_log = slow_log,
          .metrics = [] { return Bytes("# HELP one\n"); },
          .info = [](std::span<const std::string> sections) { return "sections:" + std::to_string(sections.size()); },
          .configure = {},
          .reset_counters = [] {}};
}

// A connection on loopback that takes everything at once.
struct Loopback final : ByteStream {
  void set_handler(StreamHandler* to) override { handler = to; }
  void write(std::string_view bytes) override { output += bytes; }
  void pause_reading() override {}
  void resume_reading() override {}
  void request_turn() override { turn_asked = true; }
  void close() override { closed = true; }
  void abort() override { closed = true; }
  [[nodiscard]] size_t pending_bytes() const override { return 0; }
  [[nodiscard]] std::string peer_address() const override { return "127.0.0.1"; }
  [[nodiscard]] std::string local_address() const override { return "127.0.0.1"; }
  [[nodiscard]] bool peer_is_loopback() const override { return true; }
  [[nodiscard]] bool is_tls() const override { return false; }
  [[nodiscard]] bool peer_is_verified() const override { return false; }
  StreamHandler* handler = nullptr;
  std::string output;
  bool closed = false;
  bool turn_asked = false;
};

struct Fronts : Lone {
  explicit Fronts(ClusterVersion version = kFirstVersion) : Lone(version) {
    options.node_id = "me";
    options.slowlog_slower_than_us = 0;
    options.client_buffer_limit_bytes = 0;
  }
  // Whatever a test asks: GET /openapi.json names the statuses of all answers.
  ~Fronts() {
    for (const auto& [asked, counted] : http.counters().routes) {
      const auto& [place, method] = asked;
      if (place < 0) continue;
      const RouteSpec& route = route_table()[static_cast<size_t>(place)];
      const std::set<int> documented = documented_statuses(route, static_cast<http::Method>(method));
      for (const auto& [status, count] : counted.answers)
        CHECK_MESSAGE(documented.contains(status),
                      "an answer of " << route.pattern << " that is not described: " << status);
    }
  }
  Fronts(const Fronts&) = delete;
  Fronts& operator=(const Fronts&) = delete;

  // Sends a whole request, on a connection of its own, and gives the one answer to it.
  http::test::Answer ask(const std::string& request) {
    http::test::Wire wire;
    http.accept(std::make_unique<http::test::MemoryStream>(wire));
    wire.handler->on_data(request);
    while (wire.output.empty() && pump()) {
    }
    while (std::exchange(wire.turn_asked, false) && !wire.closed) wire.handler->on_turn();  // the rest of a large one
    const std::vector<http::test::Answer> answers =
        http::test::read_answers(wire.output, {request.starts_with("HEAD ")});
    if (!wire.closed) wire.handler->on_close("");
    http.reap();
    REQUIRE(answers.size() == 1);
    return answers[0];
  }
  // `rest`: further header fields, each with its end of line, without those that every request has.
  http::test::Answer ask(const std::string& method, const std::string& target, const std::string& body = {},
                         const std::string& rest = {}) {
    std::string request = method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rest;
    if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return ask(request + "\r\n" + body);
  }
  // Sends a command on a connection of its own, and gives the whole reply.
  std::string command(const std::vector<std::string>& words) {
    auto owned = std::make_unique<Loopback>();
    Loopback* stream = owned.get();
    debug.accept(std::move(owned));
    stream->handler->on_data(wh::debug::test::resp_request(words));
    while (stream->output.empty() && pump()) {
    }
    std::string reply = stream->output;
    if (!stream->closed) stream->handler->on_close("");
    debug.reap();
    return reply;
  }
  // One turn. False when nothing was left to do.
  bool pump() {
    persist();
    cluster_events.turn();
    const bool delivered = calls.deliver([] { return true; });
    backups.turn();
    const bool worked = !worker.jobs.empty();
    worker.work();
    return delivered || worked;
  }

  config::Options options;
  SlowLog slow_log{options};
  BufferBudget buffers;
  LaterWorker worker;
  Context context = [this] {
    Context made = context_of(options, node, slow_log);
    made.configure = [this](const std::string& name, const std::string& value) {
      return config::set_option(options, name, value);
    };
    return made;
  }();
  Calls calls{context, [this] { return now; }};
  Backups backups{options, node, worker, "/tmp"};
  ClusterEvents cluster_events{node, 1};
  HttpFront http{calls, backups, cluster_events, now, buffers};
  DebugFront debug{calls, now, buffers};
};

// RESP's strings, and arrays of them.
inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
inline std::string array(const std::vector<std::string>& items) {
  std::string reply = "*" + std::to_string(items.size()) + "\r\n";
  for (const std::string& item : items) reply += bulk(item);
  return reply;
}

// {"error": "the sentence"} as it is.
inline std::string sentence_of(const http::test::Answer& answer) {
  std::string text = answer.body;
  const size_t begin = text.find('"', text.find(':') + 1);
  if (!text.starts_with("{\"error\"") || begin == std::string::npos) return "";
  text = text.substr(begin + 1, text.rfind('"') - begin - 1);
  return text;
}
// -WORD the sentence
inline std::string sentence_of(const std::string& reply) {
  if (!reply.starts_with('-')) return "";
  const size_t space = reply.find(' ');
  return reply.substr(space + 1, reply.size() - space - 3);
}

}  // namespace wh::api::test
