// Which nodes a `join` list means: by instances, however the entries are spelled and wherever this node is among them.
#include "node/seeking.h"

#include <doctest/doctest.h>

#include "base/endpoint.h"

namespace wh::node {
namespace {

constexpr raft::NodeId kA{1};
constexpr raft::NodeId kB{2};
constexpr raft::NodeId kC{3};

WhoIAm node_named(raft::NodeId id) {
  WhoIAm who;
  who.identity.instance = id;
  who.identity.name = std::string(1, static_cast<char>('a' + id.value - 1));
  return who;
}

// Node A's view of its list: where the entries lead, and who answers there.
struct List {
  Seeking seeking;
  explicit List(const std::vector<std::string>& join, OwnNames own = {}, uint32_t bootstrap_expect = 0)
      : seeking(join, std::move(own), bootstrap_expect, kA, "a") {
    uint64_t request = 1;
    while (Seeking::Entry* entry = seeking.entry_due(0)) entry->lookup = request++;
  }
  List& leads(const std::string& key, const Result<std::vector<std::string>>& addresses) {
    for (const Seeking::Entry& entry : seeking.entries())
      if (entry.key == key) seeking.looked_up(*seeking.entry_looked_up_by(entry.lookup), addresses, 1'000);
    while (auto* probe = seeking.probe_due(0)) probe->second.request = 1'000 + seeking.probes().size();
    return *this;
  }
  List& is(const std::string& address, raft::NodeId id) {
    probe(address).tried = true;
    probe(address).who = node_named(id);
    return *this;
  }
  List& refuses(const std::string& address) {
    probe(address).tried = true;
    probe(address).error = "connection refused";
    return *this;
  }
  Seeking::Probe& probe(const std::string& address) {
    REQUIRE(seeking.probes().contains(address));
    return const_cast<Seeking::Probe&>(seeking.probes().at(address));
  }
  [[nodiscard]] std::vector<raft::NodeId> nodes() const {
    std::vector<raft::NodeId> out;
    for (const auto& [id, found] : seeking.view().nodes) out.push_back(id);
    return out;
  }
};

// A list of addresses, each leading to itself.
List numeric(const std::vector<std::string>& join, OwnNames own = {}, uint32_t bootstrap_expect = 0) {
  List list(join, std::move(own), bootstrap_expect);
  for (const std::string& address : join) list.leads(address, std::vector{address});
  return list;
}

const std::vector<std::string> kAll{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};
const std::vector<raft::NodeId> kThree{kA, kB, kC};

bool says(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a list is complete when a node is known for each entry, with this one or without") {
  List with = numeric(kAll);
  CHECK_FALSE(with.seeking.view().settled);
  with.is("10.0.0.1:1", kA).is("10.0.0.2:1", kB);
  CHECK_FALSE(with.seeking.view().settled);
  with.refuses("10.0.0.3:1");
  CHECK(with.seeking.view().settled);
  CHECK_FALSE(with.seeking.view().complete);
  CHECK(with.seeking.view().expected == 3);
  REQUIRE(with.seeking.view().missing.size() == 1);
  CHECK(with.seeking.view().missing[0] == "10.0.0.3:1 (connection refused)");
  with.is("10.0.0.3:1", kC);
  CHECK(with.seeking.view().complete);
  CHECK(with.nodes() == kThree);

  List without = numeric({"10.0.0.2:1", "10.0.0.3:1"});
  without.is("10.0.0.2:1", kB).refuses("10.0.0.3:1");
  CHECK_FALSE(without.seeking.view().complete);
  CHECK(without.seeking.view().expected == 3);
  without.is("10.0.0.3:1", kC);
  CHECK(without.seeking.view().complete);
  CHECK(without.nodes() == kThree);
}

TEST_CASE("an entry that nobody answers at is this node's when it listens there, announces it, or is called so") {
  const auto complete = [](const OwnNames& own, const std::string& entry, const std::vector<std::string>& addresses) {
    List list({entry, "10.0.0.2:1"}, own);
    list.leads(endpoint_key(entry), addresses).leads("10.0.0.2:1", std::vector<std::string>{"10.0.0.2:1"});
    for (const std::string& address : addresses) list.refuses(address);
    list.is("10.0.0.2:1", kB);
    return list.seeking.view().complete && list.nodes() == std::vector{kA, kB};
  };
  CHECK_FALSE(complete({}, "10.0.0.1:1", {"10.0.0.1:1"}));
  CHECK(complete({.addresses = {"10.0.0.1:1"}}, "10.0.0.1:1", {"10.0.0.1:1"}));
  CHECK(complete({.addresses = {"10.0.0.1:1"}}, "own.example:1", {"10.0.0.1:1"}));
  CHECK_FALSE(complete({.addresses = {"10.0.0.1:1"}}, "10.0.0.1:2", {"10.0.0.1:2"}));
  // As Debian's installer writes it: the machine's own name is 127.0.1.1.
  CHECK(complete({.loopback_port = 1}, "db1:1", {"127.0.1.1:1"}));
  CHECK(complete({.loopback_port = 1}, "db1:1", {"[::1]:1"}));
  CHECK_FALSE(complete({.loopback_port = 2}, "db1:1", {"127.0.1.1:1"}));
  CHECK_FALSE(complete({.loopback_port = 0}, "db1:1", {"127.0.1.1:1"}));
  CHECK(complete({.names = {"db1:1"}}, "DB1.:1", {"127.0.1.1:1"}));
  CHECK_FALSE(complete({.names = {"db1:1"}}, "db1:2", {"127.0.1.1:2"}));
}

TEST_CASE("an entry that nobody answers at is this node's when another says that it reached it so") {
  List list({"db1:1", "10.0.0.2:1", "203.0.113.7:1"});
  list.leads("db1:1", std::vector<std::string>{"127.0.1.1:1"});
  list.leads("10.0.0.2:1", std::vector<std::string>{"10.0.0.2:1"});
  list.leads("203.0.113.7:1", std::vector<std::string>{"203.0.113.7:1"});
  list.refuses("127.0.1.1:1").refuses("203.0.113.7:1").is("10.0.0.2:1", kB);
  CHECK(list.seeking.view().missing.size() == 2);
  list.seeking.reached_by({.dialled_as = "other:1", .dialled_at = "10.9.9.9:1"});
  CHECK(list.seeking.view().missing.size() == 2);
  list.seeking.reached_by({.dialled_as = "db1:1", .dialled_at = "10.0.0.1:1"});
  CHECK(list.seeking.view().missing.size() == 1);
  list.seeking.reached_by({.dialled_as = "somewhere:1", .dialled_at = "203.0.113.7:1"});
  CHECK(list.seeking.view().complete);
  CHECK(list.nodes() == std::vector{kA, kB});
  CHECK(says(list.seeking.view().remark, "db1:1 and 203.0.113.7:1 are the same node, a (this node)"));
}

TEST_CASE("who answers at an address counts, whatever that address is called") {
  List list({"db1:1", "10.0.0.3:1"}, {.names = {"db1:1"}});
  list.leads("db1:1", std::vector<std::string>{"10.0.0.2:1"});
  list.leads("10.0.0.3:1", std::vector<std::string>{"10.0.0.3:1"});
  list.is("10.0.0.2:1", kB).is("10.0.0.3:1", kC);
  CHECK(list.nodes() == kThree);
}

TEST_CASE("HAZARDS D11: two entries of one node count once, and that is said") {
  List list = numeric({"10.0.0.1:1", "10.0.0.2:1", "10.0.1.2:1"});
  list.is("10.0.0.1:1", kA).is("10.0.0.2:1", kB).is("10.0.1.2:1", kB);
  const Seeking::View view = list.seeking.view();
  CHECK(view.complete);
  CHECK(view.expected == 2);
  CHECK(says(view.remark, "10.0.0.2:1 and 10.0.1.2:1 are the same node, b"));
  // Spelled alike but for case and dot they are one entry.
  CHECK(Seeking({"DB1.:1", "db1:1", "Db1:1"}, {}, 0, kA, "a").entries().size() == 1);
}

TEST_CASE("HAZARDS D11: one name for all founds nothing without bootstrap-expect, whoever is there") {
  for (const bool all : {false, true}) {
    List list({"wh:1"});
    list.leads("wh:1", kAll).is(kAll[0], kA);
    if (all) {
      list.is(kAll[1], kB).is(kAll[2], kC);
    } else {
      list.refuses(kAll[1]).refuses(kAll[2]);
    }
    CHECK_FALSE(list.seeking.view().complete);
    CHECK(says(list.seeking.view().obstacle, "bootstrap-expect"));
  }
  // Nor when it leads to this node alone: other nodes' addresses may come to it.
  List early({"wh:1"});
  early.leads("wh:1", std::vector{kAll[0]}).is(kAll[0], kA);
  CHECK_FALSE(early.seeking.view().complete);
  CHECK(says(early.seeking.view().obstacle, "bootstrap-expect 1"));
  // Twice in other words is no other list.
  List twice({"wh:1", "wh.example:1"});
  twice.leads("wh:1", kAll).leads("wh.example:1", kAll).is(kAll[0], kA).refuses(kAll[1]).refuses(kAll[2]);
  CHECK_FALSE(twice.seeking.view().complete);
}

TEST_CASE("a list that names this node alone founds alone") {
  List address = numeric({"10.0.0.1:1"}, {.addresses = {"10.0.0.1:1"}});
  address.is("10.0.0.1:1", kA);
  CHECK(address.seeking.view().complete);
  List name({"db1:1"}, {.names = {"db1:1"}});
  name.leads("db1:1", std::vector<std::string>{"127.0.1.1:1"}).refuses("127.0.1.1:1");
  CHECK(name.seeking.view().complete);
  List both({"localhost:1"}, {.names = {"localhost:1"}});
  both.leads("localhost:1", std::vector<std::string>{"[::1]:1", "127.0.0.1:1"}).is("[::1]:1", kA).is("127.0.0.1:1", kA);
  CHECK(both.seeking.view().complete);
}

TEST_CASE("a host with an address of each family is one node, though only one of them answers") {
  List list({"db2:1", "db3:1"});
  list.leads("db2:1", std::vector<std::string>{"[2001:db8::2]:1", "10.0.0.2:1"});
  list.leads("db3:1", std::vector<std::string>{"[2001:db8::3]:1", "10.0.0.3:1"});
  list.refuses("[2001:db8::2]:1").is("10.0.0.2:1", kB).refuses("[2001:db8::3]:1").is("10.0.0.3:1", kC);
  CHECK(list.seeking.view().complete);
  CHECK(list.nodes() == kThree);
}

TEST_CASE("bootstrap-expect counts instances, and never less than a majority of what may be there") {
  List name({"wh:1"}, {}, 3);
  name.leads("wh:1", kAll).is(kAll[0], kA).is(kAll[1], kB).refuses(kAll[2]);
  CHECK_FALSE(name.seeking.view().complete);
  name.is(kAll[2], kB);
  CHECK_FALSE(name.seeking.view().complete);
  name.is(kAll[2], kC);
  CHECK(name.seeking.view().complete);

  List one = numeric(kAll, {}, 1);
  one.is(kAll[0], kA).refuses(kAll[1]).refuses(kAll[2]);
  CHECK_FALSE(one.seeking.view().complete);
  CHECK(one.seeking.view().expected == 2);
  CHECK(says(one.seeking.view().remark, "a majority"));
  one.is(kAll[1], kB);
  CHECK(one.seeking.view().complete);

  List alone({"wh:1"}, {}, 1);
  alone.leads("wh:1", std::vector{kAll[0]}).is(kAll[0], kA);
  CHECK(alone.seeking.view().complete);
}

TEST_CASE("a founder that asks fewer than this node expects does not get its grant") {
  List list = numeric(kAll);
  list.is(kAll[0], kA).is(kAll[1], kB).is(kAll[2], kC);
  const Seeking::View view = list.seeking.view();
  CHECK(list.seeking.agrees(view, kThree));
  CHECK(list.seeking.agrees(view, {kA, kB, kC, raft::NodeId{4}}));
  CHECK_FALSE(list.seeking.agrees(view, {kA, kB}));
  CHECK_FALSE(list.seeking.agrees(view, {kB, kC, raft::NodeId{4}}));
  list.refuses(kAll[2]).probe(kAll[2]).who.reset();
  CHECK_FALSE(list.seeking.agrees(list.seeking.view(), kThree));
}

TEST_CASE("names that are not known yet are missing, with the reason") {
  List list({"db2:1"});
  list.leads("db2:1", Error{"the name was not found"});
  CHECK(list.seeking.view().settled);
  CHECK_FALSE(list.seeking.view().complete);
  REQUIRE(list.seeking.view().missing.size() == 1);
  CHECK(list.seeking.view().missing[0] == "db2:1 (the name was not found)");
}

}  // namespace wh::node
