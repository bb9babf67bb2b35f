#include "api/http/read_terms.h"

#include <string>

#include <doctest/doctest.h>

#include "../node/member.h"

using namespace wh;
using namespace wh::node;

namespace {

std::variant<ReadParams, http::Response> read(const http::Params& query,
                                              ReadConsistency standard = ReadConsistency::linearizable) {
  return read_params(query, standard);
}

ReadParams good(const http::Params& query, ReadConsistency standard = ReadConsistency::linearizable) {
  auto result = read(query, standard);
  REQUIRE(std::holds_alternative<ReadParams>(result));
  return std::get<ReadParams>(result);
}

}  // namespace

TEST_CASE("a read's terms come from its query, and its consistency from the directive where that says nothing") {
  CHECK_FALSE(good({}).terms.stale);
  CHECK(good({}, ReadConsistency::stale).terms.stale);
  CHECK_FALSE(good({{"consistency", "linearizable"}}, ReadConsistency::stale).terms.stale);
  const ReadParams all = good({{"consistency", "stale"}, {"min_index", "17"}, {"max_staleness", "1500ms"}});
  CHECK(all.terms.stale);
  CHECK(all.terms.min_index == raft::Index{17});
  CHECK(all.max_staleness == 1'500u);
  CHECK(good({{"max_staleness", "2"}}).max_staleness == 2'000u);
}

TEST_CASE("what is no number, no duration and no consistency is refused") {
  for (const http::Params& query :
       {http::Params{{"consistency", "eventual"}}, http::Params{{"min_index", ""}}, http::Params{{"min_index", "-1"}},
        http::Params{{"min_index", "1x"}}, http::Params{{"min_index", "18446744073709551616"}},
        http::Params{{"max_staleness", ""}}, http::Params{{"max_staleness", "soon"}},
        http::Params{{"max_staleness", "1.5s"}}}) {
    const auto result = read(query);
    REQUIRE(std::holds_alternative<http::Response>(result));
    CHECK(std::get<http::Response>(result).status == 400);
  }
}

TEST_CASE("max_staleness refuses a stale read of an older state, and a linearizable one never") {
  Member bench;
  const ReadParams stale = good({{"consistency", "stale"}, {"max_staleness", "100ms"}});
  CHECK(refuse_stale(stale, bench.node, bench.now).has_value());  // never heard from a leader
  CHECK(with_last_contact({}, bench.node, bench.now).headers.empty());
  bench.led(kOther, 2, raft::Index{1}, {}, 1);
  CHECK_FALSE(refuse_stale(stale, bench.node, bench.now + 100));
  const auto refused = refuse_stale(stale, bench.node, bench.now + 101);
  REQUIRE(refused.has_value());
  CHECK(refused->status == 503);
  CHECK_FALSE(refuse_stale(good({{"max_staleness", "0"}}), bench.node, bench.now + 101));
  CHECK(refuse_stale(good({{"max_staleness", "100ms"}}, ReadConsistency::stale), bench.node, bench.now + 101));
  CHECK_FALSE(refuse_stale(good({{"consistency", "stale"}}), bench.node, bench.now + 101));
  const http::Response answer = with_last_contact({}, bench.node, bench.now + 30);
  REQUIRE(answer.headers.size() == 1);
  CHECK(answer.headers[0].name == "Wormhole-Last-Contact");
  CHECK(answer.headers[0].value == "30");
}
