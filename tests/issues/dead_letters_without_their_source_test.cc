// A queue that no longer took dead letters, as its source was deleted or named another queue, applied the limit of 20
// deliveries to events that had been delivered so often in their source: the next release moved them on, or dropped
// them where no longer name could be made.
#include <string>

#include <doctest/doctest.h>

#include "../unit/machine/model.h"

namespace wh::machine::test {

TEST_CASE("dead letters stay where they are after their source is gone") {
  for (const size_t length : {size_t{1}, kMaxQueueNameBytes}) {
    CAPTURE(length);
    Machine machine;
    machine.raise_version(raft::Index{1}, 1'000, kLatestVersion);
    const auto run = [&](const Body& body) {
      return machine.apply(machine.applied() + 1, 1'001, encode_command(body)).reply;
    };
    const std::string queue(length, 'x');
    const std::string dead = queue + std::string(kDeadSuffix);
    const auto receive_and_release = [&](const std::string& from) {
      const Reply got = run(Receive{.queue = from, .max = 1, .visibility = {}});
      REQUIRE(got.count == 1);
      run(Settle{.queue = from,
                 .verb = SettleVerb::release,
                 .receipts = {{got.deliveries[0].id, got.deliveries[0].delivery}}});
    };
    run(Enqueue{queue, "x"});
    for (int i = 0; i < 20; ++i) receive_and_release(queue);
    REQUIRE(machine.queue_length(dead) == 1);
    CHECK(run(DeleteQueue{queue}).code == ReplyCode::ok);
    receive_and_release(dead);
    CHECK(machine.queue_length(dead) == 1);
    CHECK(machine.event_count() == 1);
    // A limit of the queue's own counts.
    const QueueSettingChange limit{.setting = static_cast<uint8_t>(QueueSetting::max_deliveries), .number = 22};
    if (length > 1) continue;
    run(ConfigureQueue{.queue = dead, .changes = {limit}});
    receive_and_release(dead);
    CHECK(machine.queue_length(dead + std::string(kDeadSuffix)) == 1);
  }
}

}  // namespace wh::machine::test
