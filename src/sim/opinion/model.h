// The state machine again, in the simplest form: says what each command of a log answers, for check_linearizable.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "machine/command/command.h"
#include "machine/command/reply.h"
#include "sim/opinion/history.h"
#include "sim/opinion/queue_model.h"
#include "sim/opinion/store_model.h"

namespace wh::sim {

class Model {
 public:
  // Applies one command of a cluster of that version.
  machine::Reply apply(uint64_t index, Millis now, ClusterVersion version, const machine::Command& command);
  // Passes an entry that is no command.
  void advance(uint64_t index, Millis now, ClusterVersion version);
  // In words, how a read's result differs from the model; empty when it does not.
  [[nodiscard]] std::string differs(const Op& op) const;
  // The first items with this prefix.
  [[nodiscard]] std::vector<machine::KeyItem> list(const std::string& prefix, size_t limit) const;
  [[nodiscard]] const model::QueueModel& queues() const { return queues_; }
  [[nodiscard]] const model::StoreModel& store() const { return store_; }

 private:
  // A first answer, by scope and key.
  struct First {
    machine::Fingerprint fingerprint;
    machine::Reply reply;
    uint64_t index;
    Millis due;
  };
  using Answers = std::map<std::pair<std::string, std::string>, First>;

  machine::Reply apply(const machine::Command& command);
  machine::Reply apply(const machine::Body& body);
  machine::Reply put(const machine::PutEvents& put);
  machine::Reply publish(const machine::Publish& publish);
  [[nodiscard]] const First* known(const std::string& scope, std::string_view key) const;
  // The events of a batch whose keys are new, and for the others the id of the first.
  struct Batch {
    std::vector<uint64_t> ids;
    std::vector<size_t> same_as;
    std::vector<machine::NewEvent> fresh;
    bool key_reused = false;
    [[nodiscard]] bool is_fresh(size_t i) const { return ids[i] == 0 && same_as[i] == i; }
  };
  [[nodiscard]] Batch batch_of(const std::string& scope, const std::vector<machine::NewEvent>& events) const;
  void remember(const std::string& scope, const machine::IdempotencyKey& key, machine::Reply reply, bool whole);
  void remember_events(const std::string& scope, const std::vector<machine::NewEvent>& events, const Batch& batch,
                       const std::vector<uint64_t>& ids);
  [[nodiscard]] std::string differs_in_store(const Op& op) const;
  void fall_due();
  [[nodiscard]] uint64_t answers_bytes() const;

  model::QueueModel queues_;
  model::StoreModel store_{queues_};
  Answers answers_;
  uint64_t index_ = 0;
  Millis now_ = 0;
};

}  // namespace wh::sim
