#include "sim/checks/checks.h"
#include "sim/checks/conduct.h"
#include "sim/clients/clients.h"
#include "sim/faults/faults.h"
#include "sim/faults/lies.h"
#include "sim/world/network.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {

void Faults::partition() {
  const size_t n = world_.hosts.size();
  Network& network = *world_.network;
  const uint64_t kind = world_.prng.below(10);
  if (kind <= 1) {
    world_.trace("every link is mended");
    network.mend_all();
    return;
  }
  if (kind == 2) network.mend_all();
  const size_t a = world_.prng.below(n);
  const size_t b = world_.prng.below(n);
  if (kind == 3) {  // one direction
    world_.trace("cut %zu -> %zu", a + 1, b + 1);
    ++world_.seen[Situation::cut_one_way];
    network.cut(a, b);
  } else if (kind == 4) {  // one link
    world_.trace("cut %zu - %zu", a + 1, b + 1);
    ++world_.seen[Situation::cut_link];
    network.cut(a, b);
    network.cut(b, a);
  } else if (kind == 5) {  // one node, both ways or one
    const uint64_t ways = world_.prng.below(3);
    world_.trace("isolate %zu (%lu)", a + 1, ways);
    ++world_.seen[Situation::isolated];
    for (size_t other = 0; other < n; ++other) {
      if (ways != 1) network.cut(a, other);
      if (ways != 2) network.cut(other, a);
    }
  } else if (kind == 6) {  // a ring: each node reaches its neighbours only, or a majority of its own
    const size_t reach = world_.prng.below(2) == 0 ? 1 : (n / 2 + 1) / 2;
    world_.trace("a ring, each sees %zu to each side", reach);
    ++world_.seen[reach == 1 ? Situation::ring : Situation::ring_of_majorities];
    for (size_t x = 0; x < n; ++x)
      for (size_t y = 0; y < n; ++y)
        if (const size_t way = x < y ? y - x : x - y; std::min(way, n - way) > reach) network.cut(x, y);
  } else if (kind == 7) {  // nobody hears anybody
    world_.trace("all links are cut");
    ++world_.seen[Situation::cut_all];
    for (size_t x = 0; x < n; ++x)
      for (size_t y = 0; y < n; ++y) network.cut(x, y);
  } else {  // two sides, sometimes with a bridge
    const uint64_t sides = world_.prng.next();
    const bool bridge = world_.prng.below(3) == 0;
    world_.trace("split by %lx%s", sides & ((uint64_t{1} << n) - 1), bridge ? ", with a bridge" : "");
    ++world_.seen[bridge ? Situation::split_with_bridge : Situation::split];
    network.split(sides, bridge ? a : n);
  }
}

void Faults::clog() {
  ++world_.seen[Situation::clogged];
  const uint64_t until = world_.now_us() + world_.prng.below(2'000'000);
  // Drawn in separate statements: the compiler chooses the order of a call's arguments.
  const size_t from = world_.prng.below(world_.hosts.size());
  const size_t to = world_.prng.below(world_.hosts.size());
  const uint64_t extra_us = world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 8'000);
  world_.network->clog(from, to, until, extra_us);
}

// Nothing is lost and nothing arrives; then everything arrives at once.
void Faults::hold() {
  const size_t n = world_.hosts.size();
  const size_t a = world_.prng.below(n);
  const uint64_t until = world_.now_us() + world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 5'000);
  ++world_.seen[Situation::held];
  const uint64_t kind = world_.prng.below(3);
  world_.trace("what %s %zu is held%s", kind == 1 ? "is said to" : "is said by", a + 1,
               kind == 2 ? ", on one link" : "");
  if (kind == 2) return world_.network->hold(a, world_.prng.below(n), until);
  for (size_t other = 0; other < n; ++other)
    kind == 0 ? world_.network->hold(a, other, until) : world_.network->hold(other, a, until);
}

void Faults::flap() {
  ++world_.seen[Situation::flapped];
  const size_t a = world_.prng.below(world_.hosts.size());
  const size_t b = world_.prng.below(world_.hosts.size());
  flap(a, b, static_cast<int>(world_.prng.between(4, 16)));
}

void Faults::flap(size_t a, size_t b, int times) {
  if (!world_.chaos) return;
  const bool cut = times % 2 == 0;
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)})
    cut ? world_.network->cut(from, to) : world_.network->mend(from, to);
  if (times == 0) return;
  world_.after(world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 1'000),
               [this, a, b, times] { flap(a, b, times - 1); });
}

void Faults::break_connection() { world_.network->break_one(); }

// From a member to the leader, as if it were forwarded.
void Faults::send_garbage() {
  const Host* to = leader();
  if (to == nullptr) return;
  const node::Forward forward{.request = world_.prng.next() | uint64_t{1} << 63,
                              .command = Bytes(world_.clients->garbage()),
                              .term = to->process->node().raft()->current_term()};
  if (world_.network->send_to(*to, forward)) ++world_.seen[Situation::garbage];
}

void Faults::lie() {
  Host& by = world_.hosts[liar_];
  if (!by.process || by.disk.cluster != cluster_) return;
  for (uint64_t left = world_.prng.between(1, 8); left > 0 && !world_.failed(); --left) {
    Host& to = any();
    if (to.number == by.number || !to.process || to.process->paused() || to.process->doomed || to.process->ended ||
        to.disk.cluster != cluster_ || to.process->node().raft() == nullptr)
      continue;
    if (world_.prng.below(8) == 0) {
      if (!to.disk.saw_others && !to.disk.saw_command) continue;
      world_.network->ask_in_vain(by, to, draw_temptation(world_.prng, by.disk.instance, to.disk.instance));
      ++world_.seen[Situation::tempted];
      continue;
    }
    const std::optional<Lie> lie =
        draw_lie(world_.prng, by.disk.instance, by.disk.hard_state.current_term, *to.process->node().raft());
    if (!lie) continue;
    if (lie->makes_up) world_.conduct->term_made_up(cluster_, *lie->makes_up);
    if (world_.network->tell(by, to, lie->message, lie->impossible))
      ++world_.seen[lie->impossible ? Situation::lied_in_vain : Situation::lied];
  }
}

void Faults::cut_transfer() { world_.network->break_transfers(); }

void Faults::strand() {
  Host* host = leader();
  if (host == nullptr || world_.hosts.size() < 3) return;
  world_.trace("%s is left alone with new entries", host->name.c_str());
  ++world_.seen[Situation::stranded];
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1'000;
  world_.network->mend_all();
  for (const Host& other : world_.hosts) {
    world_.network->cut(host->number, other.number);
    world_.network->cut(other.number, host->number);
  }
  if (world_.prng.below(3) == 0) host->process->storage().stall(7 * timeout_us);
  for (uint64_t left = world_.prng.between(2, 40); left > 0; --left)
    world_.after(world_.prng.below(timeout_us), *host, [this, host] { world_.clients->issue(*host, OpKind::set); });
  for (uint64_t i = world_.prng.between(4, 30); i > 0; --i)
    world_.after(world_.prng.between(2 * timeout_us, 5 * timeout_us), [this, host] {
      Host& other = any();
      if (!world_.chaos || !other.process || other.number == host->number || other.disk.cluster != cluster_) return;
      world_.clients->issue(other, OpKind::set);
      if (world_.prng.below(3) == 0) other.process->snapshot_now();
    });
  world_.after(world_.prng.between(3 * timeout_us, 7 * timeout_us), [this] {
    if (world_.chaos) world_.network->mend_all();
  });
}

void Faults::depose() {
  Host* host = leader();
  if (host == nullptr || world_.hosts.size() < 3) return;
  world_.trace("%s is to be deposed without noticing", host->name.c_str());
  ++world_.seen[Situation::deposed];
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1000;
  world_.network->mend_all();
  for (const Host& other : world_.hosts)
    if (other.number != host->number)
      world_.network->slow_down(other.number, host->number, world_.now_us() + 12 * timeout_us);
  world_.after(5 * timeout_us, [this, host] {
    if (!world_.chaos) return;
    for (const Host& other : world_.hosts) world_.network->cut(host->number, other.number);
  });
  for (uint64_t i = 1; i < 40; ++i) {
    world_.after((40 + i) * timeout_us / 8, [this, host] {
      if (!world_.chaos) return;
      if (host->process && host->disk.cluster == cluster_) world_.clients->issue(*host, OpKind::get);
      if (Host& other = any(); other.process && other.number != host->number && other.disk.cluster == cluster_)
        world_.clients->issue(other, world_.prng.below(2) == 0 ? OpKind::set : OpKind::get);
    });
  }
  world_.after(10 * timeout_us, [this] {
    if (world_.chaos) world_.network->mend_all();
  });
}

}  // namespace wh::sim
