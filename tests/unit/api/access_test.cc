// The single access check: by verb, key and queue, for every operation, before anything is submitted.
#include "api/access.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

// One of each, on the key `orders-1` and the queue `mail`. A new operation needs a line here, or the count below fails.
std::vector<Operation> one_of_each() {
  return {Write{machine::Set{{{"orders-1", "v"}}}},
          Write{machine::Delete{{"orders-1"}}},
          Write{machine::Enqueue{"mail", "e"}},
          Write{machine::Dequeue{"mail", std::nullopt}},
          Write{machine::PutSettings{{{"dedup_max_keys", 5}}}},
          Write{machine::PutEvents{"mail", {{.bytes = "e"}}}},
          Write{machine::Publish{"mail", {{.bytes = "e"}}}},
          Write{machine::Receive{"mail"}},
          Write{machine::Settle{.queue = "mail", .receipts = {{1, 1}}}},
          Write{machine::ConfigureQueue{"mail", {}}},
          Write{machine::DeleteQueue{"mail"}},
          Write{machine::PauseQueue{"mail", true, {}}},
          Write{machine::PurgeQueue{"mail"}},
          Write{machine::RemoveEvents{"mail", {1}}},
          Write{machine::Redrive{"mail", "mail"}},
          Write{machine::Bind{"mail", "mail", {}}},
          Write{machine::Unbind{"mail", "mail"}},
          Read{ShowQueue{"mail"}},
          Read{ListQueues{}},
          Read{ListEvents{"mail"}},
          Read{ListReady{"mail"}},
          Read{GetEvent{"mail", 1}},
          Take{PopFirst{{"mail"}}},
          Take{ReceiveFirst{{"mail"}}},
          Read{ShowTopic{"mail"}},
          Read{ListTopics{}},
          Write{machine::Transact{.success = {machine::PutKey{"orders-1", "v"}}}},
          Write{machine::GrantLease{1'000}},
          Write{machine::KeepLease{1}},
          Write{machine::RevokeLease{1}},
          Read{GetKey{"orders-1"}},
          Read{GetKeys{{"orders-1"}}},
          Read{ListKeys{}},
          Read{PickKey{1}},
          Read{ShowLease{1}},
          Read{ListLeases{}},
          Read{CountExisting{{"orders-1"}}},
          Read{CountKeys{}},
          Read{GetFront{"mail"}},
          Read{GetLength{"mail"}},
          Read{MakeBackup{}},
          Read{ShowMetrics{}},
          Read{ShowSettings{}},
          Watch{WatchCluster{}},
          Watch{WatchQueue{"q", 0}},
          Watch{WatchKeys{"orders-1"}},
          Change{AddMember{"n", "h:1"}},
          Change{RemoveMember{"n"}},
          Change{TransferLeadership{"n"}},
          Local{AskAlive{}},
          Local{AskReady{}},
          Local{ShowCluster{}},
          Local{DescribeApi{}},
          Local{ShowPage{}},
          Local{ShowActivity{}},
          Local{ShowMessages{}},
          Local{ShowInfo{}},
          Local{GetDirectives{"*"}},
          Local{SetDirective{"maxclients", "5"}},
          Local{ResetCounters{}},
          Local{ShowSlowRequests{}},
          Local{CountSlowRequests{}},
          Local{ForgetSlowRequests{}},
          Local{ShowClients{}},
          Local{EndClients{}}};
}

const security::Principal kNobody("nobody", {});
const security::Principal kReader("reader", {.read = true, .keys = {"*"}, .queues = {"*"}});
const security::Principal kWriter("writer", {.write = true, .keys = {"*"}, .queues = {"*"}});
const security::Principal kOperator("operator", {.admin = true});
const security::Principal kShop("shop",
                                {.read = true, .write = true, .keys = {"orders-*", "stock"}, .queues = {"mail"}});

std::string refused(const security::Principal& principal, const Operation& operation) {
  const std::optional<Refusal> refusal = check_access(principal, operation);
  if (!refusal) return "";
  CHECK(refusal->kind == RefusalKind::forbidden);
  CHECK(refusal->not_applied);
  return refusal->sentence;
}

struct Silent final : CallOwner {
  void on_answer(node::Token, OrRefusal<Answer>) override { ++told; }
  int told = 0;
};

}  // namespace

TEST_CASE("the list of operations is whole") {
  CHECK(one_of_each().size() == std::variant_size_v<Write> + std::variant_size_v<Read> + std::variant_size_v<Take> +
                                    std::variant_size_v<Watch> + std::variant_size_v<Change> +
                                    std::variant_size_v<Local>);
}

TEST_CASE("whoever is let in today may do everything, by whatever name") {
  for (const security::Principal* principal :
       {&security::Principal::anonymous(), &security::Principal::password_holder()}) {
    CHECK(principal->may_everything());
    for (const Operation& operation : one_of_each()) CHECK(refused(*principal, operation).empty());
  }
}

TEST_CASE("a principal may do what its verbs are, and what is open to all") {
  for (const Operation& operation : one_of_each()) {
    const security::Verb verb = traits_of(operation).verb;
    CAPTURE(traits_of(operation).words);
    CHECK(refused(kNobody, operation).empty() == (verb == security::Verb::open));
    CHECK(refused(kReader, operation).empty() == (verb == security::Verb::open || verb == security::Verb::read));
    CHECK(refused(kWriter, operation).empty() == (verb == security::Verb::open || verb == security::Verb::write));
    CHECK(refused(kOperator, operation).empty() == (verb == security::Verb::open || verb == security::Verb::admin));
  }
  CHECK(refused(kNobody, Write{machine::Enqueue{"mail", "e"}}) == "'nobody' may not enqueue");
  CHECK(refused(kReader, Local{SetDirective{"a", "b"}}) == "'reader' may not change directives");
}

TEST_CASE("a principal may touch the keys and queues that it was given, whole names or beginnings of them") {
  for (const std::string_view key : {"orders-1", "orders-", "stock"}) {
    CHECK(refused(kShop, Read{GetKey{std::string(key)}}).empty());
    CHECK(refused(kShop, Write{machine::Set{{{key, "v"}}}}).empty());
    CHECK(refused(kShop, Write{machine::Delete{{key}}}).empty());
  }
  for (const std::string_view key : {"order", "ORDERS-1", "stocks", "xorders-1", "", "*"}) {
    CHECK_FALSE(refused(kShop, Read{GetKey{std::string(key)}}).empty());
    CHECK_FALSE(refused(kShop, Read{CountExisting{{"stock", std::string(key)}}}).empty());
    CHECK_FALSE(refused(kShop, Write{machine::Set{{{"stock", "v"}, {key, "v"}}}}).empty());
    CHECK_FALSE(refused(kShop, Write{machine::Delete{{"stock", key}}}).empty());
  }
  // All that a transaction names counts, in either branch.
  const auto transact = [](machine::Compare compare, machine::Op success, machine::Op failure) {
    return Write{machine::Transact{.compares = {compare}, .success = {success}, .failure = {failure}}};
  };
  const machine::Compare stock{.name = "stock", .number = 1};
  const machine::Op put = machine::PutKey{"stock", "v"};
  CHECK(refused(kShop, transact(stock, put, machine::EnqueueEvent{"mail", {.bytes = "e"}})).empty());
  CHECK_FALSE(refused(kShop, transact({.name = "wages", .number = 1}, put, put)).empty());
  CHECK_FALSE(
      refused(kShop, transact({.target = machine::CompareTarget::queue_length, .name = "stock"}, put, put)).empty());
  for (const machine::Op& op : std::initializer_list<machine::Op>{
           machine::PutKey{"wages", "v"}, machine::EraseKey{"wages"}, machine::ErasePrefix{"orders-"},
           machine::GetKey{"wages"}, machine::ListKeys{"orders-"}, machine::Increment{"wages"},
           machine::Append{"wages", "v"}, machine::Touch{"wages"}, machine::EnqueueEvent{"event", {.bytes = "e"}},
           machine::SettleEvent{.queue = "event", .receipt = {1, 1}}}) {
    CHECK_FALSE(refused(kShop, transact(stock, op, put)).empty());
    CHECK_FALSE(refused(kShop, transact(stock, put, op)).empty());
  }
  CHECK(refused(kShop, Write{machine::Enqueue{"mail", "e"}}).empty());
  for (const std::string_view queue : {"mails", "Mail", "event"}) {
    CHECK_FALSE(refused(kShop, Write{machine::Enqueue{queue, "e"}}).empty());
    CHECK_FALSE(refused(kShop, Write{machine::Dequeue{queue, std::nullopt}}).empty());
    CHECK_FALSE(refused(kShop, Take{PopFirst{{"mail", std::string(queue)}}}).empty());
    CHECK_FALSE(refused(kShop, Take{ReceiveFirst{{"mail", std::string(queue)}}}).empty());
    CHECK_FALSE(refused(kShop, Read{ListReady{std::string(queue)}}).empty());
    CHECK_FALSE(refused(kShop, Read{GetFront{std::string(queue)}}).empty());
    CHECK_FALSE(refused(kShop, Read{GetLength{std::string(queue)}}).empty());
  }
  CHECK(refused(kShop, Read{GetKey{"wages\n"}}) == "'shop' may not read keys, as it touches the key 'wages\\x0a'");
  CHECK(refused(kShop, Write{machine::Enqueue{"event", "e"}}) ==
        "'shop' may not enqueue, as it touches the queue 'event'");
}

TEST_CASE("the store's operations ask for the right to each name that they touch, and to all where any may be shown") {
  struct Row {
    Operation operation;
    bool to_shop;    // whose keys begin with orders-, or are stock
    bool to_writer;  // who may write all keys, and read none
    bool to_reader;  // who may read all keys, and write none
  };
  const auto transact = [](machine::Op op) { return Write{machine::Transact{.success = {std::move(op)}}}; };
  const auto otherwise = [](machine::Op op) {
    return Write{machine::Transact{.success = {machine::EraseKey{"stock"}}, .failure = {std::move(op)}}};
  };
  const auto compares = [](machine::CompareTarget target, std::string_view name) {
    return Write{
        machine::Transact{.compares = {{.target = target, .name = name}}, .success = {machine::PutKey{"stock", "v"}}}};
  };
  const std::vector<Row> rows{
      {Read{GetKey{"orders-1"}}, true, false, true},
      {Read{GetKeys{{"orders-1", "stock"}}}, true, false, true},
      {Read{GetKeys{{"orders-1", "wages"}}}, false, false, true},
      {Read{CountExisting{{"wages"}}}, false, false, true},
      {Read{CountKeys{}}, true, false, true},
      {Read{ListKeys{.prefix = "orders-"}}, false, false, true},
      {Read{PickKey{1}}, false, false, true},
      {Read{ShowLease{1}}, false, false, true},  // a lease may hold anybody's keys, and shows their names
      {Read{ListLeases{}}, false, false, true},
      {Watch{WatchKeys{"orders-1"}}, true, false, true},
      {Watch{WatchKeys{"wages"}}, false, false, true},
      {Watch{WatchKeys{"orders-", true}}, false, false, true},
      {Write{machine::GrantLease{1'000}}, true, true, false},
      {Write{machine::KeepLease{1}}, false, true, false},
      {Write{machine::RevokeLease{1}}, false, true, false},
      {transact(machine::PutKey{.key = "orders-1", .value = "v", .lease = 1}), true, true, false},
      {transact(machine::EraseKey{"wages"}), false, true, false},
      {transact(machine::ErasePrefix{"orders-"}), false, true, false},
      {transact(machine::Increment{"stock"}), true, true, false},
      {transact(machine::Touch{"wages"}), false, true, false},
      {transact(machine::GetKey{"stock"}), true, false, false},
      {transact(machine::GetKey{"stock", false}), true, true, false},  // whether it is there, as any write tells
      {transact(machine::ListKeys{"orders-"}), false, false, false},
      {otherwise(machine::GetKey{"stock"}), true, false, false},
      {otherwise(machine::ListKeys{""}), false, false, false},
      {transact(machine::EnqueueEvent{"mail", {.bytes = "e"}}), true, true, false},
      {transact(machine::SettleEvent{.queue = "event", .receipt = {1, 1}}), false, true, false},
      {compares(machine::CompareTarget::value, "stock"), true, true, false},
      {compares(machine::CompareTarget::value, "mail"), false, true, false},
      {compares(machine::CompareTarget::holds, "mail"), true, true, false},
      {compares(machine::CompareTarget::queue_length, "stock"), false, true, false},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    CHECK(refused(kShop, rows[i].operation).empty() == rows[i].to_shop);
    CHECK(refused(kWriter, rows[i].operation).empty() == rows[i].to_writer);
    CHECK(refused(kReader, rows[i].operation).empty() == rows[i].to_reader);
  }
}

TEST_CASE("a backup holds everything: who may not read all may not make one") {
  CHECK(refused(kShop, Read{MakeBackup{}}) == "'shop' may not make a backup, as it touches all keys and queues");
  CHECK(refused(kReader, Read{MakeBackup{}}).empty());
}

TEST_CASE("what a principal may not do is not submitted") {
  test::Lone lone;
  config::Options options;
  SlowLog slow_log(options);
  int configured = 0;
  Context context = test::context_of(options, lone.node, slow_log);
  context.configure = [&](const std::string&, const std::string&) {
    ++configured;
    return ok_status();
  };
  context.reset_counters = [&] { ++configured; };
  Calls calls(context, [&] { return lone.now; });
  Silent silent;
  const raft::Index before = lone.node.raft()->log().last_index();
  for (const Operation& operation : one_of_each()) {
    if (traits_of(operation).verb == security::Verb::open) continue;
    const OrRefusal<Started> started = calls.start(silent, kNobody, operation, {});
    REQUIRE_FALSE(started.ok());
    CHECK(started.error().kind == RefusalKind::forbidden);
  }
  CHECK(lone.node.pending() == 0);
  CHECK_FALSE(calls.ready());
  lone.persist();
  CHECK(lone.node.raft()->log().last_index() == before);
  CHECK_FALSE(calls.deliver([] { return true; }));
  CHECK(silent.told == 0);
  CHECK(configured == 0);

  // The same calls of one who may are carried out.
  CHECK(calls.start(silent, kShop, Write{machine::Set{{{"orders-1", "v"}}}}, {}).ok());
  lone.persist();
  CHECK(calls.deliver([] { return true; }));
  CHECK(silent.told == 1);
  CHECK(lone.node.machine().exists("orders-1"));
  CHECK(calls.start(silent, kOperator, Local{SetDirective{"a", "b"}}, {}).ok());
  CHECK(configured == 1);
}

// A principal without a right is told so, whatever else is wrong with what it asks.
TEST_CASE("access is asked before bounds are") {
  test::Lone lone;
  const config::Options options;
  SlowLog slow_log(options);
  Calls calls(test::context_of(options, lone.node, slow_log), [&] { return lone.now; });
  Silent silent;
  const Operation empty_key = Write{machine::Set{{{"", "v"}}}};
  CHECK(calls.start(silent, kNobody, empty_key, {}).error().kind == RefusalKind::forbidden);
  CHECK(calls.start(silent, kWriter, empty_key, {}).error().kind == RefusalKind::malformed);
}

}  // namespace wh::api
