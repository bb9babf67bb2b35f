#include "raft/configuration.h"

#include <doctest/doctest.h>

#include "support.h"

using namespace wh::raft;
using namespace wh::raft::test;

TEST_CASE("HAZARDS D6: learners are in no quorum, voters in all") {
  for (unsigned voters = 0; voters < 32; ++voters) {
    for (unsigned learners = 0; learners < 32; ++learners) {
      if ((voters & learners) != 0) continue;
      std::vector<Id> v;
      std::vector<Id> l;
      for (Id id = 1; id <= 5; ++id) {
        if ((voters >> (id - 1) & 1U) != 0) v.push_back(id);
        if ((learners >> (id - 1) & 1U) != 0) l.push_back(id);
      }
      const Configuration c = configuration_of(v, l);
      CHECK(c.voters() == v.size());
      CHECK(2 * c.quorum() > c.voters());
      CHECK(2 * (c.quorum() - 1) <= c.voters());
      for (Id id = 1; id <= 5; ++id) {
        CHECK(c.is_voter(NodeId{id}) == ((voters >> (id - 1) & 1U) != 0));
        CHECK(c.is_learner(NodeId{id}) == ((learners >> (id - 1) & 1U) != 0));
      }
    }
  }
}

TEST_CASE("thesis 4.1, HAZARDS D6: any two quorums of adjacent configurations meet, for all of up to five servers") {
  const auto of = [](unsigned mask) {
    std::vector<Id> ids;
    for (Id id = 1; id <= 5; ++id)
      if ((mask >> (id - 1) & 1U) != 0) ids.push_back(id);
    return configuration_of(ids);
  };
  const auto is_quorum = [](unsigned set, unsigned mask) {
    return 2 * __builtin_popcount(set & mask) > __builtin_popcount(mask);
  };
  for (unsigned a = 1; a < 32; ++a) {
    for (unsigned b = 1; b < 32; ++b) {
      CHECK(Configuration::adjacent(of(a), of(b)) == (__builtin_popcount(a ^ b) <= 1));
      if (!Configuration::adjacent(of(a), of(b))) continue;
      for (unsigned p = 1; p < 32; ++p)
        for (unsigned q = 1; q < 32; ++q)
          if (is_quorum(p, a) && is_quorum(q, b) && (p & a & q & b) == 0) FAIL_CHECK("quorums that do not meet");
    }
  }
}

TEST_CASE("a configuration is matched by id when it is changed") {
  const Configuration c = configuration_of({3, 1});
  CHECK(c.members()[0].id == NodeId{1});
  CHECK(c.with(member_of(2)).voters() == 3);
  CHECK(c.with(member_of(3, Suffrage::learner)).voters() == 1);
  CHECK(c.without(NodeId{3}).members().size() == 1);
  CHECK(c.without(NodeId{9}) == c);
  CHECK(c.find_name("n3")->id == NodeId{3});
  CHECK(c.find_name("n4") == nullptr);
}

TEST_CASE("HAZARDS D9: who is removed is remembered, until it is added again; the oldest are forgotten") {
  Configuration c = configuration_of({1, 2}, {3});
  CHECK(c.removed().empty());
  c = c.without(NodeId{2});
  CHECK(c.remembers(NodeId{2}));
  CHECK_FALSE(c.remembers(NodeId{1}));
  CHECK(c.without(NodeId{2}) == c);
  CHECK(c.without(NodeId{3}).removed() == std::vector<NodeId>{{2}, {3}});
  CHECK(c.with(member_of(4)).remembers(NodeId{2}));
  CHECK_FALSE(c.with(member_of(2, Suffrage::learner)).remembers(NodeId{2}));
  const std::string bytes = c.encode();
  CHECK(Configuration::decode(bytes) == c);
  for (size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(Configuration::decode(bytes.substr(0, size)));
  // A member that is removed, one that is removed twice, and nobody.
  std::string contradiction = bytes;
  for (const char id : {'\1', '\0'}) {
    contradiction[contradiction.size() - 8] = id;
    CHECK_FALSE(Configuration::decode(contradiction));
  }
  Configuration many = configuration_of({1});
  for (Id id = 10; id < 10 + 1'030; ++id) many = many.with(member_of(id)).without(NodeId{id});
  CHECK(many.removed().size() == 1'024);
  CHECK(many.removed().front() == NodeId{16});
  CHECK(Configuration::decode(many.encode()) == many);
}

TEST_CASE("what is encoded is decoded; anything else is refused") {
  const Configuration c = configuration_of({1, 2}, {3});
  const std::string bytes = c.encode();
  CHECK(Configuration::decode(bytes) == c);
  CHECK(Configuration::decode(Configuration().encode()) == Configuration());
  for (size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(Configuration::decode(bytes.substr(0, size)));
  CHECK_FALSE(Configuration::decode(bytes + "x"));
  // What was written before removed members were remembered ends before their number.
  std::string earlier_format = bytes.substr(0, bytes.size() - 4);
  earlier_format[0] = 1;
  CHECK(Configuration::decode(earlier_format) == c);
  std::string other_format = bytes;
  other_format[0] = 9;
  CHECK_FALSE(Configuration::decode(other_format));
  std::string suffrage = bytes;
  suffrage[5 + 8] = 2;
  CHECK_FALSE(Configuration::decode(suffrage));
  CHECK_FALSE(Configuration::decode(Configuration({member_of(1), member_of(1)}).encode()));
  Member same_name = member_of(2);
  same_name.name = "n1";
  CHECK_FALSE(Configuration::decode(Configuration({member_of(1), same_name}).encode()));
  CHECK_FALSE(Configuration::decode(Configuration({member_of(0)}).encode()));
  Member long_name = member_of(1);
  long_name.name = std::string(513, 'x');
  CHECK_FALSE(Configuration::decode(Configuration({long_name}).encode()));
  std::vector<Member> many;
  for (Id id = 1; id <= 1025; ++id) many.push_back(member_of(id));
  CHECK_FALSE(Configuration::decode(Configuration(many).encode()));
  many.pop_back();
  CHECK(Configuration::decode(Configuration(many).encode()));
}
