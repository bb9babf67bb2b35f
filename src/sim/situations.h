// Situations that a campaign of many seeds must meet: each is counted where it occurs, and one that never occurs shows
// that the simulator no longer reaches what it was built to reach (HAZARDS chapter 10, "sometimes"). watch.h sees most;
// faults and disk count their own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wh::sim {

// X(name, its words in the figures)
#define WH_ELECTION_SITUATIONS(X)                                              \
  X(elected, "a leader was elected")                                           \
  X(election_at_start, "an election began: no leader since the start")         \
  X(election_silence, "an election began: the leader was silent")              \
  X(election_leaderless, "an election began: the term had no leader")          \
  X(election_process_gone, "an election began: the leader's process died")     \
  X(election_transfer, "an election began: the leader handed over")            \
  X(election_alone, "an election began: of the only voter")                    \
  X(split_vote, "a vote was split")                                            \
  X(candidate_timed_out, "a candidate got too few votes in time")              \
  X(candidate_met_leader, "a candidate met the leader of its term")            \
  X(candidate_overtaken, "a candidate met a higher term")                      \
  X(pre_vote_refused_sticky, "a pre-vote was refused: there is a leader")      \
  X(vote_ignored_sticky, "a vote request was ignored: there is a leader")      \
  X(pre_vote_refused_log, "a pre-vote was refused: the log is behind")         \
  X(vote_refused_log, "a vote was refused: the log is behind")                 \
  X(vote_refused_given, "a vote was refused: it is given")                     \
  X(vote_asked_again, "a vote was asked for again by who has it")              \
  X(step_down_higher_term, "a leader stepped down: a higher term")             \
  X(step_down_no_quorum, "a leader stepped down: no quorum answers")           \
  X(step_down_disk, "a leader stepped down: its disk hangs")                   \
  X(step_down_stood_still, "a leader stepped down: it stood still")            \
  X(step_down_removed, "a leader stepped down: it was removed")                \
  X(led_in_vain, "a leader went before its first entry was committed")         \
  X(two_leaders, "a leader was elected while an older one still led")          \
  X(term_passed_over, "a node passed over a term or more")                     \
  X(old_append, "AppendEntries of an older term came")                         \
  X(old_append_reply, "an answer to AppendEntries of an older term came")      \
  X(old_vote_request, "a vote request of an older term came")                  \
  X(old_vote, "a vote of an older term came")                                  \
  X(old_install, "a snapshot's part of an older term came")                    \
  X(old_install_reply, "an answer to a snapshot's part of an older term came") \
  X(old_timeout_now, "an order to campaign of an older term came")             \
  X(old_read_request, "a request for a read index of an older term came")      \
  X(old_read_reply, "a read index of an older term came")                      \
  X(earlier_life, "a message of a process that had died came")

#define WH_LOG_SITUATIONS(X)                                                        \
  X(truncation, "a log was truncated")                                              \
  X(truncation_of_several, "several entries were truncated at once")                \
  X(conflict_hint, "a leader was told of a conflicting term")                       \
  X(log_short_hint, "a leader was told of a log that ends before")                  \
  X(fast_backoff, "a refusal went back over several entries")                       \
  X(late_refusal, "a refusal came that said nothing new")                           \
  X(entries_resent, "entries were sent again")                                      \
  X(append_repeated, "entries came that were there already")                        \
  X(append_overlaps, "entries came of which some were there already")               \
  X(append_too_far, "entries came that do not reach back to the log")               \
  X(old_term_held_back, "entries of an older term were on a quorum, not committed") \
  X(committed_before_own_disk, "a leader committed what its own disk lacked")       \
  X(truncated_under_way, "a truncation overtook entries on their way to the disk")  \
  X(read_back, "entries were read back from the disk")                              \
  X(read_back_gone, "entries to be read back were gone")                            \
  X(overloaded, "a write was refused: too much under way")

#define WH_DISK_SITUATIONS(X)                                              \
  X(staged_lost, "a crash lost what was not synced")                       \
  X(sync_lost, "a crash lost what was being synced")                       \
  X(sync_kept, "a crash kept what was being synced")                       \
  X(snapshot_no_room, "a snapshot found no room")                          \
  X(incoming_no_room, "a leader's snapshot found no room")                 \
  X(write_no_room, "a write was refused: no room")                         \
  X(damage_found_at_start, "a node did not start: a damaged row")          \
  X(damage_found_running, "a node ended: a damaged row")                   \
  X(snapshot_damage_found, "a node did not start: a damaged snapshot")     \
  X(older_file_found, "a node did not start: an older file")               \
  X(old_copy_noticed, "an older copy of a disk was noticed by the leader") \
  X(old_copy_unnoticed, "an older copy of a disk caught up unnoticed")     \
  X(old_copy_in_doubt, "a node was said to have lost entries, none knew")  \
  X(disk_replaced, "a disk was replaced")                                  \
  X(damaged_replaced, "a damaged disk was replaced")                       \
  X(replaced_is_back, "a node with a new disk was a voter again")

#define WH_VERSION_SITUATIONS(X)                                                    \
  X(version_raised, "the cluster's version rose")                                   \
  X(node_upgraded, "a node was upgraded while the cluster worked")                  \
  X(node_rolled_back, "a node went back to the release before")                     \
  X(old_release_refused, "a release did not start on data above its version")       \
  X(hello_refused_version, "a node was refused for its version")                    \
  X(version_refused, "a node was sent an entry above its version")                  \
  X(write_unsupported, "a write needed a newer version of the cluster")             \
  X(replayed, "a write was answered by its idempotency key")                        \
  X(replayed_after_failover, "and the first was of another leader")                 \
  X(key_forgotten, "a write with a known key took effect again: its time was over") \
  X(fell_due, "something fell due")                                                 \
  X(time_jumped, "cluster time was brought forward")                                \
  X(time_jumped_by_outage, "and that by more than a second, as nobody had led")

#define WH_MEMBER_SITUATIONS(X)                                               \
  X(founded, "a cluster was founded")                                         \
  X(name_unknown, "a name of a list was not known yet")                       \
  X(own_unreachable, "a node did not reach itself")                           \
  X(most_wiped, "a majority lost its disks while the others were away")       \
  X(adopted, "a node was taken into a cluster")                               \
  X(learner_added, "a learner was added")                                     \
  X(promoted, "a learner was promoted")                                       \
  X(member_removed, "a member was removed")                                   \
  X(added_again, "a removed node was added again")                            \
  X(knows_removed, "a node learned that it was removed")                      \
  X(told_removed, "a removed node was refused and told so")                   \
  X(change_waits, "a change was asked for while another was open")            \
  X(configuration_rolled_back, "a configuration was rolled back")             \
  X(change_inherited, "a leader was elected with an open change in its log")  \
  X(leader_outside, "a leader led that was in its own configuration no more") \
  X(stopped_cleanly, "a node was stopped cleanly")                            \
  X(transfer_done, "leadership was handed over")                              \
  X(transfer_deadline, "a handover was given up at its deadline")             \
  X(transfer_by_term, "a handover ended by another's term")

#define WH_SNAPSHOT_SITUATIONS(X)                                            \
  X(snapshot_taken, "a snapshot was taken")                                  \
  X(snapshot_sent, "a snapshot was sent")                                    \
  X(snapshot_resumed, "a snapshot's transfer was resumed")                   \
  X(snapshot_restarted, "a snapshot's transfer began anew")                  \
  X(snapshot_cut_off, "a snapshot's transfer was cut off")                   \
  X(snapshot_kept, "a replaced snapshot was kept for a transfer")            \
  X(snapshot_loaded, "a snapshot was loaded at the start")                   \
  X(snapshot_installed, "a snapshot was installed")                          \
  X(snapshot_kept_suffix, "a snapshot was installed before a suffix")        \
  X(installed_over_conflict, "a snapshot was installed over another log")    \
  X(installed_over_longer, "a snapshot was installed over a longer log")     \
  X(snapshot_refused_old, "a snapshot was refused as older")                 \
  X(chunk_damaged, "a snapshot arrived damaged")                             \
  X(snapshot_misread, "a snapshot was read damaged")                         \
  X(chunk_out_of_order, "a snapshot's part came out of order")               \
  X(snapshot_leader_changed, "the leader changed while a snapshot came")     \
  X(installed_in_change, "a snapshot was installed while a change was open") \
  X(taken_in_change, "a snapshot was taken while a change was open")         \
  X(crash_installing, "a crash met a snapshot that was being installed")     \
  X(crash_receiving, "a crash met a snapshot that was being received")       \
  X(crash_taking, "a crash met a snapshot that was being taken")             \
  X(crash_loading, "a crash met a node that was loading its snapshot")

#define WH_REQUEST_SITUATIONS(X)                                              \
  X(read_by_leader, "a read was answered by the leader")                      \
  X(read_by_follower, "a read was answered by a follower")                    \
  X(read_across_terms, "a read was answered in a later term than it came in") \
  X(read_waited_noop, "a read came to a leader with nothing committed yet")   \
  X(read_waited_apply, "a read waited for its index to be applied")           \
  X(read_refused, "a read index was refused")                                 \
  X(read_given_up, "a read was given up")                                     \
  X(forwarded, "a write was forwarded")                                       \
  X(forward_refused, "a forwarded write was refused: not the leader")         \
  X(forward_again, "a refused write was forwarded again")                     \
  X(install_over_requests, "a snapshot was installed over waiting requests")  \
  X(duplicate_recognised, "a repeated command was recognised")                \
  X(write_unknown, "nothing was known of a write in the end")                 \
  X(write_dropped, "a write was dropped")

#define WH_FAULT_SITUATIONS(X)                                               \
  X(crashed, "fault: a process was killed")                                  \
  X(crashed_at_event, "fault: a process was killed at a drawn event")        \
  X(power_was_cut, "fault: the power was cut")                               \
  X(paused, "fault: a process stood still")                                  \
  X(leader_frozen, "fault: the leader stood still")                          \
  X(clock_jumped, "fault: a clock jumped")                                   \
  X(cut_one_way, "fault: a link was cut one way")                            \
  X(cut_link, "fault: a link was cut")                                       \
  X(isolated, "fault: a node was isolated")                                  \
  X(split, "fault: the nodes were split")                                    \
  X(split_with_bridge, "fault: the nodes were split, but for one")           \
  X(ring, "fault: each node saw its neighbours")                             \
  X(ring_of_majorities, "fault: each node saw a majority of its own")        \
  X(cut_all, "fault: all links were cut")                                    \
  X(clogged, "fault: a link was slowed down")                                \
  X(held, "fault: messages were held, and came all at once")                 \
  X(flapped, "fault: a link was cut and mended again and again")             \
  X(deposed, "fault: a leader was to be deposed unnoticed")                  \
  X(echoed, "fault: a message came a second time, much later")               \
  X(leader_to_be_removed, "fault: the leader was to remove itself")          \
  X(crashed_after_forward, "fault: a process was killed as it forwarded")    \
  X(stranded, "fault: a leader was left alone with new entries")             \
  X(disk_stalled, "fault: a disk hung")                                      \
  X(disk_full, "fault: a disk was full")                                     \
  X(write_failed, "fault: a write failed")                                   \
  X(sync_failed, "fault: a sync failed")                                     \
  X(disk_damaged, "fault: a disk was damaged")                               \
  X(old_copy_put_back, "fault: an older copy of a disk was put back")        \
  X(removed_isolated, "fault: a node was removed while it was cut off")      \
  X(aimed_crash, "fault: a crash was aimed")                                 \
  X(aimed_cut, "fault: a cut was aimed")                                     \
  X(split_in_change, "fault: a split was aimed at a change")                 \
  X(struck_in_transfer, "fault: a handover was disturbed")                   \
  X(strayed, "fault: what was meant for one node reached another")           \
  X(wild_term, "fault: a message came of a term far ahead")                  \
  X(garbage, "fault: a command came that is none")                           \
  X(lied_in_vain, "fault: a member said what no correct one can")            \
  X(lied, "fault: a member said what may be true, and is not")               \
  X(tempted, "fault: a member was asked to leave its cluster for another")   \
  X(was_cut_off, "a member was cut off for what no correct one can say")     \
  X(changed_at_noop, "fault: a change was asked of a new leader at once")    \
  X(wrote_before_adopt, "fault: a node that was being taken in got data")    \
  X(transfer_at_learner, "fault: a handover was asked for beside a learner") \
  X(foreign_asked, "fault: a node of another cluster was to add a node")     \
  X(foreign_added, "fault: a node of another cluster was to be added")       \
  X(others_troubled, "fault: nodes that were not healed went on failing")

#define WH_CLIENT_SITUATIONS(X)                                  \
  X(asked_again, "a client asked again")                         \
  X(set_again, "a set took effect twice, as it was asked twice") \
  X(removal_refused, "a removal by id was refused")              \
  X(removed_by_id, "an event was removed by its id")             \
  X(read_waited, "a read waited until an index was applied")     \
  X(read_waited_in_vain, "a read waited for an index in vain")   \
  X(read_old_state, "a stale read saw an old state")

#define WH_QUEUE_SITUATIONS(X)                                                         \
  X(received_waiting, "a receive waited at the leader, and was served")                \
  X(received_together, "several receives shared an entry")                             \
  X(received_waiting_elsewhere, "a receive waited for the leader elsewhere, likewise") \
  X(received_in_vain, "a receive waited in vain")                                      \
  X(received_again, "a receive was repeated under its key in a later term")            \
  X(receive_cancelled, "the client of a forwarded receive went away")                  \
  X(leader_lost_in_wait, "the leader died while receives waited there")                \
  X(taken_back, "a delivery whose client was gone was taken back")                     \
  X(timed_out, "a reservation ended by itself")                                        \
  X(delivered_again, "an event was delivered again")                                   \
  X(acknowledged_late, "an event was acknowledged after its reservation")              \
  X(receipt_stale, "a receipt was refused")                                            \
  X(extended, "a reservation was extended")                                            \
  X(released, "an event was released")                                                 \
  X(buried, "an event was buried")                                                     \
  X(died_of_deliveries, "an event was delivered too often, and died")                  \
  X(died_of_its_ttl, "an event died of its ttl")                                       \
  X(expired, "an event expired")                                                       \
  X(dropped_by_limit, "an event made room for a newer one")                            \
  X(queue_full, "a full or paused queue refused an event")                             \
  X(redriven, "a dead letter was moved back")                                          \
  X(group_waits, "an event waited for another of its group")                           \
  X(delay_over, "a delay was over")                                                    \
  X(backoff_over, "a backoff was over")                                                \
  X(purged_reserved, "an event was purged while it was held")                          \
  X(removed_from_within, "an event was removed by id, wherever it stood")

#define WH_STORE_SITUATIONS(X)                                                                \
  X(compare_failed, "a comparison of a transaction did not hold")                             \
  X(put_on_condition, "a key was put on condition, and it held")                              \
  X(transaction_again, "a transaction was repeated under its key")                            \
  X(transaction_receipt_stale, "a transaction was refused whole for a receipt")               \
  X(transaction_over_failover, "a transaction over queues was done under a later leader")     \
  X(event_became_key, "an event was acknowledged with what it made of keys")                  \
  X(event_became_event, "an event was acknowledged with what follows it")                     \
  X(counter_refused, "a value that is no number, or a sum too large, refused a transaction")  \
  X(put_without_lease, "a put was refused as its lease is over")                              \
  X(lease_ended, "a lease ended")                                                             \
  X(lease_ended_later_leader, "a lease ended under a later leader than kept it alive")        \
  X(lease_kept_through_failover, "a lease was kept alive by the client of an earlier leader") \
  X(lease_outlived_jump, "a lease was kept alive after an outage's jump")                     \
  X(lease_revoked, "a lease was revoked")                                                     \
  X(lease_gone_told, "whoever keeps a lease alive was told that it is over")                  \
  X(key_went_with_lease, "a key went with its lease")                                         \
  X(key_changed_lease, "a key was put under another lease")                                   \
  X(ttl_ended, "a key's ttl ended")                                                           \
  X(ttl_ended_by_jump, "a key's ttl ended as cluster time was brought forward")               \
  X(watch_told, "a watch was told a change")                                                  \
  X(watch_resumed, "a watch went on from its last id")                                        \
  X(watch_resumed_elsewhere, "a watch went on at another node")                               \
  X(watch_ended, "a watch was told that the history does not go back so far")                 \
  X(watch_ended_by_snapshot, "a watch ended as its node installed a snapshot")

#define WH_SITUATIONS(X)    \
  WH_ELECTION_SITUATIONS(X) \
  WH_LOG_SITUATIONS(X)      \
  WH_DISK_SITUATIONS(X)     \
  WH_VERSION_SITUATIONS(X)  \
  WH_MEMBER_SITUATIONS(X)   \
  WH_SNAPSHOT_SITUATIONS(X) \
  WH_REQUEST_SITUATIONS(X)  \
  WH_FAULT_SITUATIONS(X)    \
  WH_CLIENT_SITUATIONS(X)   \
  WH_QUEUE_SITUATIONS(X)    \
  WH_STORE_SITUATIONS(X)

enum class Situation : uint8_t {
#define WH_SITUATION(name, text) name,
  WH_SITUATIONS(WH_SITUATION)
#undef WH_SITUATION
      count
};

constexpr size_t kSituations = static_cast<size_t>(Situation::count);

constexpr std::array<const char*, kSituations> kSituationNames = {
#define WH_SITUATION(name, text) text,
    WH_SITUATIONS(WH_SITUATION)
#undef WH_SITUATION
};

struct Situations {
  std::array<uint64_t, kSituations> times{};
  uint64_t& operator[](Situation situation) { return times[static_cast<size_t>(situation)]; }
  Situations& operator+=(const Situations& other) {
    for (size_t i = 0; i < kSituations; ++i) times[i] += other.times[i];
    return *this;
  }
};

}  // namespace wh::sim
