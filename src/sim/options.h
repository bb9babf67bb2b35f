// The parameters of one seed's run: drawn from the seed alone, so that a seed names a run for ever. Swarm testing: each
// kind of fault is on or off, and has its own rate, per seed (HAZARDS chapter 2). Options can then be set by name: to
// make a failing run smaller, or to choose the faults.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wh::sim {

// How the cluster is formed.
enum class Story : uint8_t {
  formed,  // the disks already hold one configuration of all nodes
  listed,  // every node starts empty, with a `join` list of all nodes, in any spelling
  lone,    // every node starts alone; an administrator adds the others to the first
};

// The kind of an option. Shape: the cluster and its clients. Setting: the nodes' directives. World: the speed of
// network and disk. Flaw: what network or disk do to single messages during chaos. Fault: the mean time between two
// faults, in ms; 0: never. Aimed: the probability of a fault at one kind of moment, in millionths.
enum class OptionKind : uint8_t { shape, setting, world, flaw, fault, aimed };

// X(type, name, default, kind)
#define WH_SIM_OPTIONS(X)                                                                                      \
  X(uint32_t, nodes, 3, shape)                                                                                 \
  X(uint32_t, spares, 0, shape) /* start alone, may be added later */                                          \
  X(uint32_t, chaos_ms, 8'000, shape)                                                                          \
  X(uint32_t, clients, 4, shape)                                                                               \
  X(uint32_t, pipelined, 1, shape) /* unanswered operations of one client */                                   \
  X(uint32_t, think_ms, 20, shape)                                                                             \
  X(uint32_t, keys, 5, shape)                                                                                  \
  X(uint32_t, event_bytes, 40, shape)   /* about the most */                                                   \
  X(uint32_t, foreign, 0, shape)        /* 1: the last spare has data, in its own cluster */                   \
  X(uint32_t, own_entry, 0, shape)      /* listed: 1: a list names the others only; 2: drawn for each node */  \
  X(uint32_t, spelling, 0, shape)       /* listed: 0: addresses; 1: names; 2: drawn for each entry */          \
  X(uint32_t, own_name_local, 0, shape) /* 1: a node's own name resolves to 127.0.1.1: no listener */          \
  X(uint32_t, no_hairpin, 0, shape)     /* no node reaches itself: 1: refused; 2: no answer */                 \
  X(uint32_t, behind_nat, 0, shape)     /* 1: a node does not know the address that others dial */             \
  X(uint32_t, one_name, 0, shape)       /* 1: `join` is one name that resolves to all */                       \
  X(uint32_t, twice, 0, shape)          /* 1: each list names one node twice */                                \
  X(uint32_t, bootstrap_expect, 0, shape)                                                                      \
  X(uint32_t, alone_ms, 0, shape)        /* how long the first node is alone */                                \
  X(uint32_t, late_names_ms, 0, shape)   /* names resolve only after this */                                   \
  X(uint32_t, wipe_most, 0, shape)       /* 1: a majority loses its disks while the others are away */         \
  X(uint32_t, old_releases, 0, shape)    /* 1: all begin as version 1 of the cluster; 2: drawn for each */     \
  X(uint32_t, wrong_clock, 0, shape)     /* 1: the first machine's wall clock is years ahead; 2: behind */     \
  X(uint32_t, keyed_percent, 0, shape)   /* percentage of writes with an idempotency key */                    \
  X(uint32_t, dedup_window_ms, 0, shape) /* 0: the default, longer than a run; likewise the next */            \
  X(uint32_t, dedup_max_keys, 0, shape)                                                                        \
  X(uint32_t, queue_clients, 0, shape) /* of the queues as of version 3 */                                     \
  X(uint32_t, queue_think_ms, 30, shape)                                                                       \
  X(uint32_t, queue_wait_ms, 2'000, shape) /* a receive waits that long at most */                             \
  X(uint32_t, store_clients, 0, shape)     /* of the store as of version 4 */                                  \
  X(uint32_t, store_think_ms, 30, shape)                                                                       \
  X(uint32_t, watchers, 0, shape)                                                                              \
  X(uint32_t, queue_operators, 0, shape) /* who remove events by id, as of version 4 */                        \
  X(uint32_t, election_timeout_ms, 200, setting)                                                               \
  X(uint32_t, heartbeat_interval_ms, 20, setting)                                                              \
  X(uint32_t, request_timeout_ms, 1'000, setting)                                                              \
  X(uint64_t, snapshot_entries, 100, setting)                                                                  \
  X(uint64_t, trailing_entries, 10, setting)                                                                   \
  X(uint64_t, log_cache_bytes, 1 << 20, setting)                                                               \
  X(uint64_t, max_uncommitted_bytes, 64 << 20, setting)                                                        \
  X(uint64_t, slice_bytes, 4 << 10, setting)                                                                   \
  X(uint64_t, chunk_bytes, 4 << 10, setting)                                                                   \
  X(uint64_t, tail_bytes, 1 << 20, setting)                                                                    \
  X(uint64_t, snapshot_rate, 0, setting)                                                                       \
  X(uint64_t, snapshot_bytes, 0, setting)  /* 0: the server's default; likewise the next ones */               \
  X(uint64_t, maxmemory_bytes, 0, setting) /* during chaos */                                                  \
  X(uint32_t, max_pending, 0, setting)                                                                         \
  X(uint64_t, watch_history_bytes, 0, setting)                                                                 \
  X(uint64_t, apply_bytes_per_turn, 0, setting)                                                                \
  X(uint64_t, max_append_bytes, 0, setting)                                                                    \
  X(uint32_t, max_in_flight_messages, 0, setting)                                                              \
  X(uint64_t, max_in_flight_bytes, 0, setting)                                                                 \
  X(uint32_t, latency_us, 500, world)      /* the least */                                                     \
  X(uint32_t, jitter_us, 2'000, world)     /* added to it during chaos, at most */                             \
  X(uint32_t, stall_ms, 1'000, world)      /* an unanswered connection breaks after this */                    \
  X(uint32_t, slow_bytes_per_ms, 0, world) /* rate of the first node's links, each way; 0: no limit */         \
  X(uint32_t, drift_percent, 100, world)   /* clock rates are drawn between its inverse and this */            \
  X(uint32_t, sync_us, 300, world)                                                                             \
  X(uint32_t, sync_jitter_us, 2'000, world)                                                                    \
  X(uint32_t, loss_ppm, 0, flaw)      /* of single messages, which TCP would not do */                         \
  X(uint32_t, duplicate_ppm, 0, flaw) /* likewise */                                                           \
  X(uint32_t, reorder_ppm, 0, flaw)   /* likewise */                                                           \
  X(uint32_t, echo_ppm, 0, flaw)      /* votes, acknowledgements, snapshot parts come again, timeouts later */ \
  X(uint32_t, corrupt_chunk_ppm, 0, flaw)                                                                      \
  X(uint32_t, stray_ppm, 0, flaw)     /* a TimeoutNow also reaches another node, an Adopt only another */      \
  X(uint32_t, wild_term_ppm, 0, flaw) /* a message comes again with a term far ahead */                        \
  X(uint32_t, crash_every_ms, 0, fault)                                                                        \
  X(uint32_t, power_cut_every_ms, 0, fault)                                                                    \
  X(uint32_t, partition_every_ms, 0, fault)                                                                    \
  X(uint32_t, clog_every_ms, 0, fault)                                                                         \
  X(uint32_t, break_every_ms, 0, fault)                                                                        \
  X(uint32_t, pause_every_ms, 0, fault)                                                                        \
  X(uint32_t, disk_stall_every_ms, 0, fault)                                                                   \
  X(uint32_t, wipe_every_ms, 0, fault)                                                                         \
  X(uint32_t, churn_every_ms, 0, fault)                                                                        \
  X(uint32_t, transfer_every_ms, 0, fault)                                                                     \
  X(uint32_t, depose_every_ms, 0, fault)                                                                       \
  X(uint32_t, cut_transfer_every_ms, 0, fault) /* the connection that carries a snapshot */                    \
  X(uint32_t, crash_at_event_every_ms, 0, fault)                                                               \
  X(uint32_t, freeze_leader_every_ms, 0, fault)                                                                \
  X(uint32_t, hold_every_ms, 0, fault)                                                                         \
  X(uint32_t, flap_every_ms, 0, fault)                                                                         \
  X(uint32_t, fail_write_every_ms, 0, fault)                                                                   \
  X(uint32_t, fail_sync_every_ms, 0, fault)                                                                    \
  X(uint32_t, damage_every_ms, 0, fault)   /* a row, a snapshot, an older file among newer ones */             \
  X(uint32_t, put_back_every_ms, 0, fault) /* an older copy of a whole disk */                                 \
  X(uint32_t, clock_jump_every_ms, 0, fault)                                                                   \
  X(uint32_t, snapshot_now_every_ms, 0, fault)                                                                 \
  X(uint32_t, remove_isolated_every_ms, 0, fault)                                                              \
  X(uint32_t, garbage_every_ms, 0, fault) /* another node sends a command unknown to this version */           \
  X(uint32_t, strand_every_ms, 0, fault)  /* a leader is alone with entries that nobody else has */            \
  X(uint32_t, upgrade_every_ms, 0, fault) /* one node gets the newer release, or goes back */                  \
  X(uint32_t, lie_every_ms, 0, fault)     /* one member sends lies and impossible messages */                  \
  X(uint32_t, crash_after_vote_ppm, 0, aimed)                                                                  \
  X(uint32_t, crash_before_sync_ppm, 0, aimed)                                                                 \
  X(uint32_t, crash_after_append_ppm, 0, aimed)                                                                \
  X(uint32_t, crash_before_answer_ppm, 0, aimed)                                                               \
  X(uint32_t, cut_after_append_ppm, 0, aimed)                                                                  \
  X(uint32_t, strike_after_ack_ppm, 0, aimed) /* after one acknowledgement, the leader is killed or cut off */ \
  X(uint32_t, cut_quorum_ppm, 0, aimed)       /* the follower that completes it */                             \
  X(uint32_t, cut_at_commit_ppm, 0, aimed)                                                                     \
  X(uint32_t, split_in_change_ppm, 0, aimed) /* at each phase of the change */                                 \
  X(uint32_t, snapshot_in_change_ppm, 0, aimed)                                                                \
  X(uint32_t, change_at_noop_ppm, 0, aimed) /* asked of a leader without a committed entry of its term */      \
  X(uint32_t, strike_in_transfer_ppm, 0, aimed)                                                                \
  X(uint32_t, crash_new_leader_ppm, 0, aimed)                                                                  \
  X(uint32_t, crash_after_forward_ppm, 0, aimed)                                                               \
  X(uint32_t, transfer_at_learner_ppm, 0, aimed)                                                               \
  X(uint32_t, write_before_adopt_ppm, 0, aimed) /* a node that is being taken in gets its own data */          \
  X(uint32_t, crash_installing_ppm, 0, aimed)                                                                  \
  X(uint32_t, crash_again_ppm, 0, aimed) /* within a few events of its start */

struct Options {
  Story story = Story::formed;
#define WH_SIM_OPTION(type, name, initial, kind) type name = initial;
  WH_SIM_OPTIONS(WH_SIM_OPTION)
#undef WH_SIM_OPTION
  bool operator==(const Options&) const = default;
};

// Calls visit(name, value, kind) for each option but the story; `options` may be const.
template <typename O, typename Visit>
void each_option(O& options, Visit visit) {
#define WH_SIM_OPTION(type, name, initial, kind) visit(std::string_view(#name), options.name, OptionKind::kind);
  WH_SIM_OPTIONS(WH_SIM_OPTION)
#undef WH_SIM_OPTION
}

Options draw_options(uint64_t seed);
// "name=value", one after another, without those at zero.
std::string describe(const Options& options);
// Sets an option by "name=value". An error says what is wrong with it.
Status set_option(Options& options, std::string_view assignment);
// The assignments that turn `from` into `options`.
std::string difference(const Options& from, const Options& options);

}  // namespace wh::sim
