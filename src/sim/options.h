// What one seed's run is made of: drawn from the seed alone, so that a seed names a run for ever. Swarm testing: each
// kind of fault is on or off, and at a rate of its own, per seed (HAZARDS 2). An option can be set by name after that:
// so a failing run is made smaller, and a user chooses the faults.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wh::sim {

// How the cluster comes to be.
enum class Story : uint8_t {
  formed,  // the disks hold one configuration of all nodes already
  listed,  // every node starts empty, with a `join` list that means all of them, however it is spelled
  lone,    // every node starts alone; an administrator adds the others to the first
};

// What an option is to a run. Shape: the cluster and its clients. Setting: of the nodes, as directives are. World: how
// slow network and disk are. Flaw: what the network or the disk does to single messages, while there is chaos. Fault:
// the mean time between two of them, in ms; 0: never. Aimed: the chance of a fault at one kind of moment, in
// millionths.
enum class OptionKind : uint8_t { shape, setting, world, flaw, fault, aimed };

// X(type, name, default, kind)
#define WH_SIM_OPTIONS(X)                                                                                      \
  X(uint32_t, nodes, 3, shape)                                                                                 \
  X(uint32_t, spares, 0, shape) /* start alone, may be added later */                                          \
  X(uint32_t, chaos_ms, 8'000, shape)                                                                          \
  X(uint32_t, clients, 4, shape)                                                                               \
  X(uint32_t, pipelined, 1, shape) /* operations a client has under way */                                     \
  X(uint32_t, think_ms, 20, shape)                                                                             \
  X(uint32_t, keys, 5, shape)                                                                                  \
  X(uint32_t, event_bytes, 40, shape)   /* at most, about */                                                   \
  X(uint32_t, foreign, 0, shape)        /* 1: the last spare has data, in a cluster of its own */              \
  X(uint32_t, own_entry, 0, shape)      /* listed: 1: a list names the others only; 2: drawn for each node */  \
  X(uint32_t, spelling, 0, shape)       /* listed: 0: addresses; 1: names; 2: drawn for each entry */          \
  X(uint32_t, own_name_local, 0, shape) /* 1: a node's own name leads to 127.0.1.1, where nobody listens */    \
  X(uint32_t, no_hairpin, 0, shape)     /* no node reaches itself: 1: refused; 2: silence */                   \
  X(uint32_t, behind_nat, 0, shape)     /* 1: and knows nothing of the address that others dial */             \
  X(uint32_t, one_name, 0, shape)       /* 1: `join` is one name that leads to all */                          \
  X(uint32_t, twice, 0, shape)          /* 1: one node stands in each list under two names */                  \
  X(uint32_t, bootstrap_expect, 0, shape)                                                                      \
  X(uint32_t, alone_ms, 0, shape)        /* the first node is alone for so long */                             \
  X(uint32_t, late_names_ms, 0, shape)   /* names are not known before */                                      \
  X(uint32_t, wipe_most, 0, shape)       /* 1: a majority loses its disks while the others are away */         \
  X(uint32_t, old_releases, 0, shape)    /* 1: all begin as version 1 of the cluster; 2: drawn for each */     \
  X(uint32_t, wrong_clock, 0, shape)     /* 1: the first machine's wall clock is years ahead; 2: behind */     \
  X(uint32_t, keyed_percent, 0, shape)   /* of writes that carry an idempotency key */                         \
  X(uint32_t, dedup_window_ms, 0, shape) /* 0: as by default, longer than a run; likewise the next */          \
  X(uint32_t, dedup_max_keys, 0, shape)                                                                        \
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
  X(uint64_t, snapshot_bytes, 0, setting)  /* 0: as the server's default; likewise the next ones */            \
  X(uint64_t, maxmemory_bytes, 0, setting) /* while there is chaos */                                          \
  X(uint32_t, max_pending, 0, setting)                                                                         \
  X(uint64_t, max_append_bytes, 0, setting)                                                                    \
  X(uint32_t, max_in_flight_messages, 0, setting)                                                              \
  X(uint64_t, max_in_flight_bytes, 0, setting)                                                                 \
  X(uint32_t, latency_us, 500, world)      /* at least */                                                      \
  X(uint32_t, jitter_us, 2'000, world)     /* on top of it, at most, in chaos */                               \
  X(uint32_t, stall_ms, 1'000, world)      /* an unanswered connection breaks after this */                    \
  X(uint32_t, slow_bytes_per_ms, 0, world) /* what the first node's links carry, each way, for good; 0: all */ \
  X(uint32_t, drift_percent, 100, world)   /* a clock's rate is drawn from its inverse to this */              \
  X(uint32_t, sync_us, 300, world)                                                                             \
  X(uint32_t, sync_jitter_us, 2'000, world)                                                                    \
  X(uint32_t, loss_ppm, 0, flaw)      /* of single messages: beyond what TCP can do */                         \
  X(uint32_t, duplicate_ppm, 0, flaw) /* likewise */                                                           \
  X(uint32_t, reorder_ppm, 0, flaw)   /* likewise */                                                           \
  X(uint32_t, echo_ppm, 0, flaw)      /* votes, acknowledgements, parts of snapshots: again, timeouts later */ \
  X(uint32_t, corrupt_chunk_ppm, 0, flaw)                                                                      \
  X(uint32_t, stray_ppm, 0, flaw)     /* TimeoutNow reaches another as well, an Adopt another instead */       \
  X(uint32_t, wild_term_ppm, 0, flaw) /* a message comes again, of a term far ahead */                         \
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
  X(uint32_t, cut_transfer_every_ms, 0, fault) /* the connection over which a snapshot goes */                 \
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
  X(uint32_t, garbage_every_ms, 0, fault) /* a command that this version does not know, from another node */   \
  X(uint32_t, strand_every_ms, 0, fault)  /* a leader, with entries that nobody else has */                    \
  X(uint32_t, upgrade_every_ms, 0, fault) /* of one node, or back again before the version rose */             \
  X(uint32_t, lie_every_ms, 0, fault)     /* one member, which says what is not so, or cannot be */            \
  X(uint32_t, crash_after_vote_ppm, 0, aimed)                                                                  \
  X(uint32_t, crash_before_sync_ppm, 0, aimed)                                                                 \
  X(uint32_t, crash_after_append_ppm, 0, aimed)                                                                \
  X(uint32_t, crash_before_answer_ppm, 0, aimed)                                                               \
  X(uint32_t, cut_after_append_ppm, 0, aimed)                                                                  \
  X(uint32_t, strike_after_ack_ppm, 0, aimed) /* the leader, after one acknowledgement: killed or cut off */   \
  X(uint32_t, cut_quorum_ppm, 0, aimed)       /* who completes it */                                           \
  X(uint32_t, cut_at_commit_ppm, 0, aimed)                                                                     \
  X(uint32_t, split_in_change_ppm, 0, aimed) /* at each of its phases */                                       \
  X(uint32_t, snapshot_in_change_ppm, 0, aimed)                                                                \
  X(uint32_t, change_at_noop_ppm, 0, aimed) /* asked of a leader that has nothing of its term committed yet */ \
  X(uint32_t, strike_in_transfer_ppm, 0, aimed)                                                                \
  X(uint32_t, crash_new_leader_ppm, 0, aimed)                                                                  \
  X(uint32_t, crash_after_forward_ppm, 0, aimed)                                                               \
  X(uint32_t, transfer_at_learner_ppm, 0, aimed)                                                               \
  X(uint32_t, write_before_adopt_ppm, 0, aimed) /* a node that is being taken in gets data of its own */       \
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
// "name=value", one after another; those at zero are left out.
std::string describe(const Options& options);
// Sets what "name=value" says. Empty, or what is wrong with it.
std::string set_option(Options& options, std::string_view assignment);
// The assignments that make `options` of `from`.
std::string difference(const Options& from, const Options& options);

}  // namespace wh::sim
