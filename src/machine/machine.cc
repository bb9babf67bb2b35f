#include "machine/machine.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace wh::machine {

Applied Machine::apply(raft::Index index, Millis time_ms, const Bytes& command) {
  advance(index, time_ms);
  command_ = command;
  const Result<Command> decoded =
      decode(command_.view(), WH_MUTANT(program_decides_kinds) ? kLatestVersion : state_.version);
  WH_ASSERT(decoded || !WH_MUTANT(poison_entry_kills), "an entry is a command");
  if (!decoded) return {{.code = ReplyCode::invalid}, effects_};
  const RequestId& id = decoded->id;
  if (id.sequence != 0 && !state_.sessions.admit(id, index) && !WH_MUTANT(forward_not_deduplicated))
    return {{.code = ReplyCode::duplicate}, effects_};
  return {run(*decoded), effects_};
}

// What is shared holds the whole command, with its names and its idempotency key, for as long as it stays; memory is
// counted by the part alone (State::logical_bytes).
Bytes Machine::kept(std::string_view part) const {
  constexpr size_t kLarge = 1'024;
  const bool shares = part.size() >= kLarge && command_.size() - part.size() <= part.size() / 8;
  return shares ? command_.share(part) : Bytes::copy(part);
}

void Machine::advance(raft::Index index, Millis time_ms) {
  WH_ASSERT(index == state_.applied + 1, "entries are applied once each, in order");
  state_.applied = index;
  state_.time_ms = std::max(state_.time_ms, time_ms);
  effects_.clear();
  history_.trim();
}

void Machine::raise_version(raft::Index index, Millis time_ms, ClusterVersion version) {
  advance(index, time_ms);
  effects_.version = version > state_.version;
  if (state_.version < 4 && version >= 4) {
    state_.store.count_since(index);
    history_.begin_at(index + 1);  // what came before has no numbers
  }
  state_.version = std::max(state_.version, version);
}

Reply Machine::run(const AdvanceTime& advance) {
  const Millis now = state_.cluster_time_ms();
  if (advance.to_ms <= now) return {};
  state_.jumped_ms += advance.to_ms - now;
  effects_.time = true;
  return {.count = 1};
}

Reply Machine::run(const PutSettings& put) {
  for (const auto& [name, value] : put.values) state_.settings.*find_setting(name)->value = value;
  effects_.settings = true;
  return settings_reply(put);
}

Reply Machine::settings_reply(const PutSettings& put) const {
  return {.count = put.values.size(), .event = Bytes(encode_settings(state_.settings, state_.version))};
}

uint64_t Machine::growth(std::string_view command) const {
  const Result<Command> decoded = decode(command);
  if (!decoded) return 0;
  return std::visit([this](const auto& body) { return growth_by(body); }, decoded->body);
}

void Machine::begin_snapshot(Walk walk) {
  WH_ASSERT(!walk_of(walk), "one snapshot at a time");
  if (WH_MUTANT(sessions_trimmed_for_snapshot)) state_.sessions = Sessions{};
  walk_of(walk).emplace(state_);
}

bool Machine::next_slice(size_t max_bytes, std::string& out, Walk walk) {
  std::optional<SnapshotWriter>& writer = walk_of(walk);
  WH_ASSERT(writer, "no snapshot was begun");
  const bool more = writer->next_slice(max_bytes, out);
  if (!more) writer.reset();
  return more;
}

Discarded Machine::replace(State state) {
  for (auto& walk : walks_) walk.reset();
  if (!WH_MUTANT(snapshot_under_a_watch)) history_.begin_at(state.applied + 1);
  return Discarded(std::exchange(state_, std::move(state)));
}

}  // namespace wh::machine
