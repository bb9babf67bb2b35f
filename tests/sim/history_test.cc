// Tests of the history checker (HAZARDS 7.3: check the checker): it accepts good histories and refuses each kind of bad
// one.
#include "sim/opinion/history.h"

#include <deque>

#include <doctest/doctest.h>

#include "machine/command/command.h"

namespace wh::sim {
namespace {

// A history in the making: operations with the events they were asked and answered in.
struct Story {
  std::deque<Op> ops;
  std::deque<std::string> commands;
  std::vector<LogRecord> log;

  Op& op(OpKind kind, uint64_t index, uint64_t invoked, uint64_t returned) {
    Op& op = ops.emplace_back();
    op.id = ops.size();
    op.kind = kind;
    op.index = raft::Index{index};
    op.invoked = invoked;
    op.returned = returned;
    op.done = returned != UINT64_MAX;
    op.outcome = op.done ? node::Outcome::applied : node::Outcome::unknown;
    return op;
  }
  Op& write(OpKind kind, const machine::Body& body, uint64_t index, uint64_t invoked, uint64_t returned,
            machine::Reply reply) {
    Op& op = this->op(kind, index, invoked, returned);
    op.command = machine::encode_command(body);
    op.reply = reply;
    commands.push_back(op.command);
    log.push_back({.index = raft::Index{index}, .command = commands.back(), .op = &op});
    return op;
  }
  Op& set(const char* value, uint64_t index, uint64_t invoked, uint64_t returned) {
    return write(OpKind::set, machine::Set{{{"k", value}}}, index, invoked, returned, {.count = 1});
  }
  Op& get(const char* value, uint64_t index, uint64_t invoked, uint64_t returned) {
    Op& op = this->op(OpKind::get, index, invoked, returned);
    op.key = "k";
    op.found = *value != 0;
    op.value = value;
    return op;
  }
  [[nodiscard]] std::string verdict() const {
    std::vector<const Op*> pointers;
    for (const Op& op : ops) pointers.push_back(&op);
    return check_linearizable(pointers, log);
  }
};

TEST_CASE("a good history passes") {
  Story story;
  story.get("", 0, 1, 2);
  story.set("a", 1, 3, 6);
  story.get("a", 1, 4, 5);  // seen before it was acknowledged
  story.set("b", 2, 7, 8);
  story.get("b", 2, 9, 10);
  CHECK(story.verdict().empty());
}

TEST_CASE("a stale read fails") {
  Story story;
  story.set("a", 1, 1, 2);
  story.set("b", 2, 3, 4);
  story.get("a", 1, 5, 6);
  CHECK_FALSE(story.verdict().empty());
}

TEST_CASE("a read of what was never there fails") {
  Story story;
  story.set("a", 1, 1, 2);
  story.get("b", 1, 3, 4);
  CHECK_FALSE(story.verdict().empty());
}

TEST_CASE("a read from the future fails") {
  Story story;
  story.get("a", 1, 1, 2);
  story.set("a", 1, 3, 4);
  CHECK_FALSE(story.verdict().empty());
}

TEST_CASE("writes in another order than they happened fail") {
  Story story;
  story.set("b", 1, 3, 4);
  story.set("a", 2, 1, 2);
  CHECK_FALSE(story.verdict().empty());
}

TEST_CASE("a write that was acknowledged and is not in the log fails") {
  Story story;
  story.set("a", 1, 1, 2);
  story.set("b", 2, 3, 4);
  story.log.pop_back();
  CHECK_FALSE(story.verdict().empty());
}

TEST_CASE("an answer to another command fails") {
  Story story;
  story.set("a", 1, 1, 4);
  story.set("b", 2, 1, 4);
  std::swap(story.ops[0].index, story.ops[1].index);
  CHECK_FALSE(story.verdict().empty());
}

TEST_CASE("two answers for one entry fail") {
  Story story;
  story.set("a", 1, 1, 4);
  story.ops.push_back(story.ops.back());
  CHECK_FALSE(story.verdict().empty());
}

TEST_CASE("an unknown write may be there or not, but not before it was asked for") {
  Story absent;
  absent.op(OpKind::set, 0, 1, UINT64_MAX);
  absent.set("b", 1, 2, 3);
  CHECK(absent.verdict().empty());
  Story there;
  there.set("a", 1, 1, UINT64_MAX);
  there.get("a", 1, 2, 3);
  CHECK(there.verdict().empty());
  Story early;
  early.set("a", 1, 5, UINT64_MAX);
  early.set("b", 2, 1, 2);
  CHECK_FALSE(early.verdict().empty());
}

TEST_CASE("an event that is removed twice, and one out of order, fail") {
  const machine::Body dequeue = machine::Dequeue{"q", std::nullopt};
  Story twice;
  twice.write(OpKind::enqueue, machine::Enqueue{"q", "x"}, 1, 1, 2,
              {.event_id = raft::Index{1}, .count = 1, .queue_length = 1});
  const machine::Reply removed{.event_id = raft::Index{1}, .count = 1, .queue_length = 0, .event = Bytes("x")};
  twice.write(OpKind::dequeue, dequeue, 2, 3, 4, removed);
  CHECK(twice.verdict().empty());
  twice.write(OpKind::dequeue, dequeue, 3, 5, 6, removed);
  CHECK_FALSE(twice.verdict().empty());
  Story order;
  order.write(OpKind::enqueue, machine::Enqueue{"q", "x"}, 1, 1, 2,
              {.event_id = raft::Index{1}, .count = 1, .queue_length = 1});
  order.write(OpKind::enqueue, machine::Enqueue{"q", "y"}, 2, 3, 4,
              {.event_id = raft::Index{2}, .count = 1, .queue_length = 2});
  order.write(OpKind::dequeue, dequeue, 3, 5, 6,
              {.event_id = raft::Index{2}, .count = 1, .queue_length = 1, .event = Bytes("y")});
  CHECK_FALSE(order.verdict().empty());
}

TEST_CASE("a read of a node's own state may be old, and no more than that") {
  const auto stale = [](const char* value, uint64_t index, uint64_t invoked, uint64_t returned) {
    Story story;
    story.set("a", 1, 1, 2);
    story.set("b", 2, 5, 6);
    story.get(value, index, invoked, returned).stale = true;
    return story.verdict();
  };
  CHECK(stale("a", 1, 8, 9).empty());
  CHECK(stale("", 0, 8, 9).empty());
  CHECK(stale("b", 2, 4, 5).empty());
  // Not what its index says; from the future.
  CHECK_FALSE(stale("b", 1, 8, 9).empty());
  CHECK_FALSE(stale("b", 2, 3, 4).empty());
  // And it puts nobody else in an order.
  Story story;
  story.set("a", 1, 1, 20);
  story.get("a", 1, 2, 3).stale = true;
  story.get("", 0, 4, 5);
  CHECK(story.verdict().empty());
}

TEST_CASE("a stale read may show a write of which nobody was told, but not before that was asked for") {
  Story story;
  Op& op = story.set("a", 1, 5, UINT64_MAX);
  story.get("a", 1, 2, 3).stale = true;
  CHECK_FALSE(story.verdict().empty());
  op.invoked = 2;
  CHECK(story.verdict().empty());
}

TEST_CASE("lengths, counts and fronts are read as they were") {
  const auto read = [](OpKind kind, uint64_t number, uint64_t id, const char* queue) {
    Story story;
    story.write(OpKind::enqueue, machine::Enqueue{"q", "x"}, 1, 1, 2,
                {.event_id = raft::Index{1}, .count = 1, .queue_length = 1});
    story.set("a", 2, 3, 4);
    Op& op = story.op(kind, 2, 5, 6);
    op.key = queue;
    op.number = number;
    op.event_id = id;
    op.found = id != 0;
    if (op.found) op.value = "x";
    return story.verdict();
  };
  CHECK(read(OpKind::length, 1, 0, "q").empty());
  CHECK_FALSE(read(OpKind::length, 2, 0, "q").empty());
  CHECK(read(OpKind::length, 0, 0, "other").empty());
  CHECK_FALSE(read(OpKind::length, 1, 0, "other").empty());
  CHECK(read(OpKind::count, 1, 0, "").empty());
  CHECK_FALSE(read(OpKind::count, 0, 0, "").empty());
  CHECK(read(OpKind::front, 0, 1, "q").empty());
  CHECK_FALSE(read(OpKind::front, 0, 2, "q").empty());
  CHECK_FALSE(read(OpKind::front, 0, 0, "q").empty());
  CHECK_FALSE(read(OpKind::front, 0, 1, "other").empty());
}

TEST_CASE("a removal by id that was refused though that event was in front fails, and one that took another") {
  const auto removal = [](uint64_t id, const machine::Reply& reply) {
    Story story;
    story.write(OpKind::enqueue, machine::Enqueue{"q", "x"}, 1, 1, 2,
                {.event_id = raft::Index{1}, .count = 1, .queue_length = 1});
    story.write(OpKind::dequeue, machine::Dequeue{"q", id}, 2, 3, 4, reply);
    return story.verdict();
  };
  const machine::Reply refused{.code = machine::ReplyCode::precondition_failed, .queue_length = 1};
  const machine::Reply removed{.event_id = raft::Index{1}, .count = 1, .queue_length = 0, .event = Bytes("x")};
  CHECK(removal(1, removed).empty());
  CHECK(removal(9, refused).empty());
  CHECK_FALSE(removal(1, refused).empty());
  CHECK_FALSE(removal(9, removed).empty());
}

TEST_CASE("what is asked for twice may be there twice, or once") {
  Story story;
  story.set("a", 1, 1, UINT64_MAX);
  story.set("b", 2, 3, 4);
  story.set("a", 3, 5, 6);
  story.get("a", 3, 7, 8);
  // The second entry of the same content is nobody's in particular: the first who asked stands for it.
  story.log[2].op = story.log[0].op;
  CHECK(story.verdict().empty());
  story.log.erase(story.log.begin());
  CHECK(story.verdict().empty());
}

TEST_CASE("a read that was answered with an index that is not there yet fails") {
  Story story;
  story.set("a", 1, 1, 2);
  story.get("a", 1, 3, 4);
  story.set("b", 2, 5, 6);
  story.get("a", 2, 3, 4);
  CHECK_FALSE(story.verdict().empty());
}

}  // namespace
}  // namespace wh::sim
