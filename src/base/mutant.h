// Planted defects for testing the tests: `WH_MUTANT(name)` is the constant false in every build but one of the tests',
// which compiles the same sources with WH_MUTANTS and plants one defect at a time (tests/sim).
#pragma once

// X(name, hazard): each names the row of tests/HAZARDS.md whose defence it removes. The simulator drives the code of
// the first list and must catch these defects; where it cannot, a directed test must.
#define WH_MUTANT_LIST(X)                \
  X(vote_not_persisted, A1)              \
  X(vote_sent_before_sync, A1)           \
  X(own_vote_counts_unsynced, A1)        \
  X(count_votes_not_voters, A3)          \
  X(older_reply_counts, A4)              \
  X(older_vote_counts, A4)               \
  X(longer_log_wins, A5)                 \
  X(term_and_length_needed, A5)          \
  X(elected_by_committed_members, A6)    \
  X(prevote_refusal_unanswered, A7)      \
  X(older_candidate_unanswered, A7)      \
  X(prevote_without_stickiness, A8)      \
  X(sticks_for_ever, A8)                 \
  X(sending_is_contact, A9)              \
  X(rules_without_quorum, A10)           \
  X(no_prevote, A11)                     \
  X(timer_before_messages, A12)          \
  X(same_timeout_everywhere, A13)        \
  X(any_term_believed, A14)              \
  X(half_elects, A15)                    \
  X(second_leader_believed, A15)         \
  X(removed_campaigns, A16)              \
  X(transfer_outlives_term, A17)         \
  X(transfer_never_ends, A17)            \
  X(hands_over_to_one_behind, A18)       \
  X(anyone_hands_over, A18)              \
  X(learner_takes_over, A18)             \
  X(leader_counts_unsynced, A20)         \
  X(commit_older_term_by_counting, B1)   \
  X(truncate_unconditionally, B2)        \
  X(commit_to_own_last, B3)              \
  X(commit_goes_back, B4)                \
  X(hint_is_match, B5)                   \
  X(acknowledges_unverified, B5)         \
  X(late_sync_counts, B6)                \
  X(truncated_stays_durable, B6)         \
  X(answered_when_appended, B7)          \
  X(waiter_by_index_only, B8)            \
  X(next_index_stays, B10)               \
  X(reconnect_goes_on, B11)              \
  X(window_never_refilled, B11)          \
  X(heartbeat_skips_the_term, B12)       \
  X(unbounded_in_flight, B13)            \
  X(poison_entry_kills, B14)             \
  X(time_of_the_apply, B15)              \
  X(one_clock_counts, B15)               \
  X(applied_again_after_restart, B16)    \
  X(any_version_applied, B17)            \
  X(program_decides_kinds, B17)          \
  X(version_raised_unasked, B17)         \
  X(unknown_version_taken, B17)          \
  X(idle_leader_appends, B18)            \
  X(acknowledge_before_sync, C1)         \
  X(lost_acknowledgement_ignored, C5)    \
  X(full_disk_takes_writes, C7)          \
  X(stalled_disk_unnoticed, C9)          \
  X(stands_still_unnoticed, C10)         \
  X(leaves_without_handing_over, C19)    \
  X(change_before_noop, D1)              \
  X(second_change_at_once, D2)           \
  X(commits_by_committed_members, D3)    \
  X(snapshot_with_newest_members, D4)    \
  X(install_keeps_configuration, D5)     \
  X(learner_counts, D6)                  \
  X(promoted_while_behind, D7)           \
  X(added_as_voter, D7)                  \
  X(removed_leader_leaves_early, D8)     \
  X(removed_leader_counts_itself, D8)    \
  X(outsider_never_campaigns, D8)        \
  X(removed_is_forgotten, D9)            \
  X(snapshot_forgets_removed, D9)        \
  X(adopted_for_another, D9)             \
  X(takes_in_a_foreign_member, D10)      \
  X(member_is_adopted, D10)              \
  X(founds_without_all, D11)             \
  X(grants_twice, D11)                   \
  X(founds_after_meeting_a_cluster, D11) \
  X(counts_spellings, D11)               \
  X(last_voter_removed, D12)             \
  X(two_changed_at_once, D12)            \
  X(removed_starts_anew, D13)            \
  X(truncated_configuration_stays, D14)  \
  X(join_not_idempotent, D15)            \
  X(read_without_round, E1)              \
  X(read_without_noop, E2)               \
  X(read_joins_running_round, E3)        \
  X(read_confirmed_by_any_reply, E4)     \
  X(read_before_applied, E5)             \
  X(read_by_lease, E6)                   \
  X(follower_reads_alone, E7)            \
  X(no_noop, E8)                         \
  X(forward_not_deduplicated, E9)        \
  X(idempotency_key_ignored, E9)         \
  X(sessions_trimmed_for_snapshot, E10)  \
  X(nothing_falls_due, E10)              \
  X(idle_time_lost, E10)                 \
  X(time_of_an_earlier_leader, E10)      \
  X(snapshot_forgets_sessions, E11)      \
  X(late_means_dropped, E12)             \
  X(late_forward_means_dropped, E12)     \
  X(forward_without_epoch, E13)          \
  X(forwards_on, E14)                    \
  X(compacts_beyond_snapshot, F1)        \
  X(conflicting_log_kept, F2)            \
  X(older_snapshot_installed, F3)        \
  X(chunks_of_two_mixed, F4)             \
  X(chunk_order_ignored, F4)             \
  X(snapshot_without_barrier, F6)        \
  X(compacts_before_the_slow, F7)        \
  X(snapshot_of_unapplied, F8)           \
  X(snapshot_of_unsynced, F8)            \
  X(snapshot_checksum_ignored, F9)       \
  X(no_room_is_damage, F10)              \
  X(transfer_is_no_contact, F11)         \
  X(restore_loses_an_event, F12)

// Defects in the storage, which the simulator does not drive: tests/storage must catch them.
#define WH_STORAGE_MUTANT_LIST(X)    \
  X(failed_commit_ignored, A2)       \
  X(damaged_log_starts, A19)         \
  X(stale_tail_stays, B9)            \
  X(truncates_by_itself, B9)         \
  X(cut_page_stays, B9)              \
  X(pages_without_a_gap, B9)         \
  X(witness_overtaken, C1)           \
  X(row_checksum_ignored, C2)        \
  X(page_checksum_ignored, C2)       \
  X(meta_checksum_ignored, C2)       \
  X(chain_not_compared, C2)          \
  X(lost_suffix_unnoticed, C2)       \
  X(instance_of_the_name, C3)        \
  X(foreign_witness_believed, C3)    \
  X(missing_database_is_new, C4)     \
  X(missing_witness_is_new, C4)      \
  X(failed_sync_tried_again, C6)     \
  X(closing_syncs_again, C6)         \
  X(failed_disk_goes_on, C8)         \
  X(lock_not_taken, C11)             \
  X(posix_lock, C12)                 \
  X(any_format_opened, C13)          \
  X(directory_open_to_all, C14)      \
  X(database_open_to_all, C14)       \
  X(rename_not_synced, C15)          \
  X(journal_comes_back, C15)         \
  X(snapshot_renamed_unsynced, C16)  \
  X(snapshot_file_not_verified, C16) \
  X(never_checkpointed, C17)         \
  X(database_mapped, C18)            \
  X(installs_in_two, F5)

// Of the queues; the simulator drives them too.
#define WH_QUEUE_MUTANT_LIST(X)      \
  X(stale_receipt_counts, Q1)        \
  X(repeat_of_what_others_hold, Q1)  \
  X(ghost_reservation, Q2)           \
  X(extends_the_deadline, Q4)        \
  X(judged_as_it_was, Q5)            \
  X(removal_judged_as_it_was, Q5)    \
  X(repeat_receives_more, Q6)        \
  X(deliveries_not_counted, Q8)      \
  X(dies_one_late, Q9)               \
  X(last_delivery_in_company, Q10)   \
  X(abandoned_stay_reserved, Q11)    \
  X(taken_back_counts, Q11)          \
  X(late_answer_kept, Q11)           \
  X(dead_letter_needs_room, Q12)     \
  X(circle_of_dead_letters, Q13)     \
  X(ttl_goes_along, Q14)             \
  X(redrive_keeps_the_count, Q15)    \
  X(returned_to_the_end, Q16)        \
  X(group_shared, Q17)               \
  X(group_stays_held, Q18)           \
  X(backoff_lets_others_by, Q19)     \
  X(first_delay_blocks, Q19)         \
  X(priorities_ignored, Q20)         \
  X(delay_ignored, Q23)              \
  X(delays_end_unseen, Q23)          \
  X(mixed_clocks, Q25)               \
  X(returned_wakes_nobody, Q27)      \
  X(resume_wakes_nobody, Q27)        \
  X(answered_after_cancel, Q28)      \
  X(answered_at_each_reply, Q28)     \
  X(cancel_stays_here, Q28)          \
  X(waits_outlive_the_leader, Q28)   \
  X(one_event_for_all, Q29)          \
  X(cut_off_takes_count, Q29)        \
  X(batch_judged_by_one, Q30)        \
  X(ready_ones_count, Q30)           \
  X(sums_drift, Q32)                 \
  X(purged_stay_counted, Q34)        \
  X(removes_what_is_held, Q34)       \
  X(bindings_outlive_the_queue, Q35) \
  X(fan_out_by_halves, Q37)          \
  X(barrier_without_deliveries, Q43) \
  X(nothing_found_unconfirmed, Q44)  \
  X(copies_are_served, Q45)          \
  X(a_part_for_each, Q45)

// Of the store: its keys, leases and transactions.
#define WH_STORE_MUTANT_LIST(X)          \
  X(restore_renews_leases, S1)           \
  X(dead_lease_kept_alive, S3)           \
  X(keys_outlive_their_lease, S3)        \
  X(key_keeps_its_lease, S5)             \
  X(counter_loses_its_ttl, S6)           \
  X(expired_key_counts, S6)              \
  X(ttl_by_stamp, S6)                    \
  X(keys_end_unseen, S7)                 \
  X(create_index_of_the_last_change, S8) \
  X(lease_ids_come_again, S9)            \
  X(jumps_end_leases, S10)               \
  X(keeping_alive_adds_up, S10)          \
  X(leases_end_unseen, S10)              \
  X(restore_forgets_create_index, S11)   \
  X(transaction_in_halves, S13)          \
  X(stale_receipt_in_transaction, S13)   \
  X(compared_after_apply, S13)           \
  X(gets_come_first, S13)                \
  X(undone_is_told, S13)                 \
  X(prefix_takes_one_more, S14)          \
  X(counter_wraps, S16)                  \
  X(slow_watch_jumps, W1)                \
  X(oldest_one_too_low, W2)              \
  X(half_an_entry_forgotten, W3)         \
  X(marked_too_far, W4)                  \
  X(snapshot_under_a_watch, W5)          \
  X(expiry_untold, W7)                   \
  X(resume_tells_twice, W10)

#ifdef WH_MUTANTS

#include <cstdint>

namespace wh {
enum class Mutant : uint8_t {
  none,
#define WH_MUTANT_NAME(name, hazard) name,
  WH_MUTANT_LIST(WH_MUTANT_NAME) WH_STORAGE_MUTANT_LIST(WH_MUTANT_NAME) WH_QUEUE_MUTANT_LIST(WH_MUTANT_NAME)
      WH_STORE_MUTANT_LIST(WH_MUTANT_NAME)
#undef WH_MUTANT_NAME
};
extern Mutant planted_mutant;
}  // namespace wh
#define WH_MUTANT(name) (::wh::planted_mutant == ::wh::Mutant::name)

#else

namespace wh {
inline constexpr bool kNoMutant = false;
}  // namespace wh
#define WH_MUTANT(name) (::wh::kNoMutant)

#endif
