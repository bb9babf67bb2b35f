#include "api/http/read_terms.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "../node/member.h"
#include "fixture.h"

using namespace wh;
using namespace wh::api;

namespace {

CallOptions good(const http::Params& query, config::ReadConsistency standard = config::ReadConsistency::linearizable) {
  const OrRefusal<CallOptions> options = read_params(query, standard);
  REQUIRE(options.ok());
  return *options;
}

struct Asker final : CallOwner {
  void on_answer(node::Token, OrRefusal<Answer> answer) override { answers.push_back(std::move(answer)); }
  std::vector<OrRefusal<Answer>> answers;
};

}  // namespace

TEST_CASE("a read's terms come from its query, and its consistency from the directive where that says nothing") {
  CHECK_FALSE(good({}).read.stale);
  CHECK(good({}, config::ReadConsistency::stale).read.stale);
  CHECK_FALSE(good({{"consistency", "linearizable"}}, config::ReadConsistency::stale).read.stale);
  const CallOptions all = good({{"consistency", "stale"}, {"min_index", "17"}, {"max_staleness", "1500ms"}});
  CHECK(all.read.stale);
  CHECK(all.read.min_index == raft::Index{17});
  CHECK(all.max_staleness == 1'500u);
  CHECK(good({{"max_staleness", "2"}}).max_staleness == 2'000u);
}

TEST_CASE("what is no number, no duration and no consistency is refused") {
  for (const http::Params& query :
       {http::Params{{"consistency", "eventual"}}, http::Params{{"min_index", ""}}, http::Params{{"min_index", "-1"}},
        http::Params{{"min_index", "1x"}}, http::Params{{"min_index", "18446744073709551616"}},
        http::Params{{"max_staleness", ""}}, http::Params{{"max_staleness", "soon"}},
        http::Params{{"max_staleness", "1.5s"}}}) {
    const OrRefusal<CallOptions> result = read_params(query, config::ReadConsistency::linearizable);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().kind == RefusalKind::malformed);
  }
}

TEST_CASE("max_staleness refuses a stale read of an older state, and a linearizable one never") {
  node::Member bench;
  config::Options options;
  SlowLog slow_log(options);
  Millis later = 0;
  Calls calls(test::context_of(options, bench.node, slow_log), [&] { return bench.now + later; });
  Asker asker;
  // The refusal of a read with these parameters, asked `ms` from now; empty: it is answered.
  const auto refused = [&](const http::Params& query, Millis ms,
                           config::ReadConsistency standard = config::ReadConsistency::linearizable) {
    later = ms;
    REQUIRE(calls.start(asker, security::Principal::anonymous(), Read{CountKeys{}}, good(query, standard)).ok());
    REQUIRE(calls.deliver([] { return true; }));
    const OrRefusal<Answer> answer = std::move(asker.answers.back());
    if (answer.ok()) return std::string();
    CHECK(answer.error().kind == RefusalKind::unavailable);
    return answer.error().sentence;
  };
  const http::Params stale{{"consistency", "stale"}, {"max_staleness", "100ms"}};
  CHECK(refused(stale, 0).find("does not know how old its state is") != std::string::npos);
  http::Response answer;
  add_last_contact(answer, bench.node, bench.now);
  CHECK(answer.headers.empty());
  bench.led(node::kOther, 2, raft::Index{1}, {"2"}, 2);
  CHECK(refused(stale, 100).empty());
  CHECK(refused(stale, 101) == "this node's state may be 101 ms old; max_staleness allows 100 ms");
  CHECK_FALSE(refused({{"max_staleness", "100ms"}}, 101, config::ReadConsistency::stale).empty());
  CHECK(refused({{"consistency", "stale"}}, 101).empty());
  CHECK_FALSE(good({{"max_staleness", "0"}}).read.stale);
  add_last_contact(answer, bench.node, bench.now + 30);
  CHECK(answer.headers.lines() == "Wormhole-Last-Contact: 30\r\n");
}

TEST_CASE("a stale read that is answered in the middle of a turn says how old its state is by then") {
  node::Member bench;
  config::Options options;
  SlowLog slow_log(options);
  BufferBudget buffers;
  test::LaterWorker worker;
  // The turn's own time stays, as the loop slept since.
  Calls calls(test::context_of(options, bench.node, slow_log), [&] { return bench.now + 30; });
  Backups backups{options, bench.node, worker, "/tmp"};
  const ClusterEvents cluster_events{bench.node, 1};
  HttpFront http{calls, backups, cluster_events, bench.now, buffers};
  bench.led(node::kOther, 2, raft::Index{1}, {"2"}, 2);
  for (const char* query : {"?consistency=stale", "?consistency=stale&max_staleness=10ms"}) {
    auto owned = std::make_unique<test::Loopback>();
    test::Loopback* stream = owned.get();
    http.accept(std::move(owned));
    stream->handler->on_data("GET /kv/a" + std::string(query) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    CAPTURE(stream->output);
    CHECK(stream->output.find("\r\nWormhole-Last-Contact: 30\r\n") != std::string::npos);
    stream->handler->on_close("");
    http.reap();
  }
}

TEST_CASE("a linearizable read is as fresh as can be, whatever max_staleness says") {
  test::Lone lone;
  config::Options options;
  SlowLog slow_log(options);
  Calls calls(test::context_of(options, lone.node, slow_log), [&] { return lone.now + 1'000'000; });
  Asker asker;
  REQUIRE(calls.start(asker, security::Principal::anonymous(), Read{CountKeys{}}, good({{"max_staleness", "0"}})).ok());
  for (int turn = 0; turn < 100 && asker.answers.empty(); ++turn) {
    lone.persist();
    calls.deliver([] { return true; });
  }
  REQUIRE(asker.answers.size() == 1);
  CHECK(asker.answers[0].ok());
}

TEST_CASE("HAZARDS W6: a stale watch asks the leader only about an index that this node has not applied") {
  node::NodeOptions newest = node::bench_options();
  newest.version = kLatestVersion;
  node::Member bench(newest);
  config::Options options;
  SlowLog slow_log(options);
  Calls calls(test::context_of(options, bench.node, slow_log), [&] { return bench.now; });
  Asker asker;
  const auto watch = [&](uint64_t from) {
    asker.answers.clear();
    bench.transport.sent.clear();
    REQUIRE(calls
                .start(asker, security::Principal::anonymous(), Watch{WatchKeys{"w", false, from}},
                       good({{"consistency", "stale"}}))
                .ok());
  };
  const auto turns = [&] {
    for (int turn = 0; turn < 5; ++turn) {
      bench.persist();
      calls.deliver([] { return true; });
    }
  };
  const auto asked = [&] { return bench.sent_to<raft::ReadIndexRequest>(node::kOther); };
  const auto confirm = [&](uint64_t index) {
    bench.node.receive(
        node::kOther,
        raft::ReadIndexReply{
            .term = raft::Term{2}, .token = asked().back().token, .ok = true, .index = raft::Index{index}},
        bench.now);
  };
  bench.node.receive(node::kOther,
                     raft::AppendEntries{.term = raft::Term{2},
                                         .prev_log_index = raft::Index{1},
                                         .prev_log_term = *bench.node.raft()->log().term_at(raft::Index{1}),
                                         .leader_commit = raft::Index{2},
                                         .entries = {{.index = raft::Index{2},
                                                      .term = raft::Term{2},
                                                      .kind = raft::EntryKind::version,
                                                      .payload = Bytes(encode_version(kLatestVersion))}}},
                     bench.now);
  turns();
  REQUIRE(bench.node.machine().applied() == raft::Index{2});
  // What it has, and what comes next, it shows without a question.
  watch(3);
  turns();
  REQUIRE(asker.answers.size() == 1);
  CHECK(asker.answers[0].ok());
  CHECK(asked().empty());
  // What is committed already comes here too: the watch waits for it.
  bench.led(node::kOther, 2, raft::Index{2}, {"3", "4"}, 2);
  watch(5);
  turns();
  CHECK(asker.answers.empty());
  REQUIRE_FALSE(asked().empty());
  confirm(4);
  turns();
  CHECK(asker.answers.empty());
  // Not led(), which would take the completions.
  bench.node.receive(node::kOther,
                     raft::AppendEntries{.term = raft::Term{2},
                                         .prev_log_index = raft::Index{4},
                                         .prev_log_term = raft::Term{2},
                                         .leader_commit = raft::Index{4},
                                         .entries = {}},
                     bench.now);
  turns();
  REQUIRE(asker.answers.size() == 1);
  CHECK(asker.answers[0].ok());
  // And what is not, lies in the future.
  watch(6);
  turns();
  confirm(4);
  turns();
  REQUIRE(asker.answers.size() == 1);
  REQUIRE_FALSE(asker.answers[0].ok());
  CHECK(asker.answers[0].error().kind == RefusalKind::malformed);
}
