#include "sim/clients/watchers.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sim/checks/checks.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

constexpr std::pair<const char*, bool> kNames[] = {{"s", true},  {"s/", true},   {"", true},   {"n", true},
                                                   {"s", false}, {"s/2", false}, {"n", false}, {"s3", false}};

}  // namespace

void Watchers::fail(const Watch& watch, const Host& host, const std::string& what) {
  world_.fail(host.name + ": watch " + std::to_string(watch.number) + " of " + watch.name + (watch.prefix ? "*" : "") +
              " " + what);
}

const machine::History& Watchers::log() const { return world_.checks->cluster(cluster_).model.history(); }

void Watchers::start(const node::ClusterId& cluster) {
  cluster_ = cluster;
  running_ = true;
  for (size_t number = 0; number < world_.options.watchers; ++number) {
    Watch& watch = watches_.emplace_back();
    watch.number = number;
    const auto& [name, prefix] = kNames[prng_.below(std::size(kNames))];
    watch.name = name;
    watch.prefix = prefix;
    loop(number);
  }
}

// Opens it, or goes away from the node now and then.
void Watchers::loop(size_t number) {
  if (!running_) return;
  Watch& watch = watches_[number];
  Host& host = world_.hosts[prng_.below(world_.hosts.size())];
  const bool usable = host.process && host.process->node().cluster() == cluster_ && cluster_ != node::kNoCluster;
  if (watch.place) {
    watch.slow = prng_.below(4) == 0;
    if (prng_.below(12) == 0) close(watch);
  } else if (watch.asked == 0 && usable && host.process->node().raft() != nullptr) {
    watch.asked = ++questions_;
    watch.host = host.number;
    const node::Token token = kFirstToken + watch.asked * 64 + number;
    host.process->input([this, &host, token] {
      host.process->node().submit_read(token, world_.now(host), {.stale = false, .min_index = {}});
    });
  }
  world_.after(1'000 + prng_.below(300'000), [this, number] { loop(number); });
}

void Watchers::completed(Host& host, const node::Completion& completion) {
  const uint64_t question = completion.token - kFirstToken;
  Watch& watch = watches_[question % 64];
  if (watch.asked != question / 64) return;
  watch.asked = 0;
  if (completion.outcome == node::Outcome::applied && running_) open(watch, host);
}

void Watchers::open(Watch& watch, Host& host) {
  const machine::Machine& machine = host.process->node().machine();
  if (machine.version() < 4) return;
  const bool resumes = watch.last != raft::Index{};
  const raft::Index from = resumes ? watch.last + 1 : raft::Index{};
  // The node asked the leader first, so that no index that a client was told is beyond its own (HAZARDS W6).
  if (from > machine.applied() + 1)
    return fail(watch, host, "is to go on from an index that the node takes for one of the future");
  watch.place.emplace(machine, watch.name, watch.prefix, from);
  const size_t before = std::exchange(watch.at, host.number);
  watch.snapshot = false;
  if (watch.place->lost()) return ended(watch, host);
  if (!resumes) watch.last = machine.applied();
  watch.next = log().number_from(watch.last + 1);
  world_.trace("watch %zu: open at %s from %lu", watch.number, host.name.c_str(), watch.last.value + 1);
  if (resumes) ++world_.seen[before == host.number ? Situation::watch_resumed : Situation::watch_resumed_elsewhere];
  read(watch, host);
}

void Watchers::close(Watch& watch) { watch.place.reset(); }

// The history does not go back so far: the client lists the keys, and watches from there.
void Watchers::ended(Watch& watch, const Host& host) {
  const machine::History& history = host.process->node().machine().history();
  world_.trace("watch %zu: 410 at %s after %lu, oldest %lu", watch.number, host.name.c_str(), watch.last.value,
               history.oldest().value);
  if (history.oldest() <= watch.last + 1) return fail(watch, host, "ends, though the history goes back so far");
  ++world_.seen[watch.snapshot ? Situation::watch_ended_by_snapshot : Situation::watch_ended];
  close(watch);
  watch.last = {};
}

void Watchers::host_died(const Host& host) {
  for (Watch& watch : watches_) {
    if (watch.host != host.number) continue;
    close(watch);
    watch.asked = 0;
  }
}

void Watchers::installed(const Host& host) {
  for (Watch& watch : watches_)
    if (watch.place && watch.host == host.number) watch.snapshot = true;
}

void Watchers::looked(Host& host) {
  if (world_.failed()) return;
  for (Watch& watch : watches_)
    if (watch.place && watch.host == host.number) read(watch, host);
}

const machine::Change* Watchers::expected(Watch& watch) const {
  const machine::History& history = log();
  watch.next = std::max(watch.next, history.first_number());
  while (watch.next < history.end_number() && !watch.wants(history.at(watch.next).key)) ++watch.next;
  return watch.next < history.end_number() ? &history.at(watch.next) : nullptr;
}

bool Watchers::told_up_to(Watch& watch, raft::Index index) const {
  const machine::Change* next = expected(watch);
  return next == nullptr || next->index > index;
}

// As a stream does it: changes while there is room, and a mark when there are none left.
void Watchers::read(Watch& watch, const Host& host) {
  const machine::Machine& machine = host.process->node().machine();
  // A slow one reads so rarely that the history may forget what it has not read.
  if (watch.slow && prng_.below(60) != 0) return;
  uint64_t room = watch.slow ? prng_.below(3) : 100;
  size_t looked_at = 0;
  for (;;) {
    if (watch.place->lost()) return ended(watch, host);
    const std::optional<uint64_t> number = watch.place->next(looked_at);
    if (watch.place->lost()) return ended(watch, host);
    if (!number) break;
    if (room-- == 0) break;
    if (!tell(watch, host, *number)) return;
  }
  if (prng_.below(4) != 0 && !watch.slow) return;
  const std::optional<raft::Index> mark = watch.place->mark();
  if (watch.place->lost()) return ended(watch, host);
  if (!mark) return;
  if (*mark != machine.applied()) return fail(watch, host, "is marked at another index than the node is at");
  if (!told_up_to(watch, *mark)) return fail(watch, host, "is marked beyond a change that it was not told");
  watch.last = *mark;
}

bool Watchers::tell(Watch& watch, const Host& host, uint64_t number) {
  const machine::Change& told = host.process->node().machine().history().at(number);
  const machine::Change* next = expected(watch);
  if (next == nullptr) return fail(watch, host, "is told what is not committed"), false;
  const machine::Change& is = *next;
  if (told.index != is.index || told.key != is.key || told.type != is.type) {
    fail(watch, host,
         "is told of " + told.key + " at " + std::to_string(told.index.value) + ", and the next change is of " +
             is.key + " at " + std::to_string(is.index.value));
    return false;
  }
  if (!(told.value == is.value) || told.content_type != is.content_type || told.create_index != is.create_index ||
      told.version != is.version || told.lease != is.lease || told.expires_at != is.expires_at ||
      told.had_prev != is.had_prev || !(told.prev == is.prev))
    return fail(watch, host, "is told another change than there was, of " + told.key), false;
  ++watch.next;
  const bool last = watch.place->is_last_of_entry(number);
  watch.place->told(number);
  if (last != told_up_to(watch, told.index)) return fail(watch, host, "is told half an entry under its id"), false;
  if (last) ++world_.seen[Situation::watch_told];
  if (last) watch.last = told.index;
  return true;
}

}  // namespace wh::sim
