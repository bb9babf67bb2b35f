// One server under test; the test plays all the others. The server's messages are on the links to them.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cluster.h"

namespace wh::raft::test {

inline constexpr Role kRoles[] = {Role::follower, Role::pre_candidate, Role::candidate, Role::leader};

// Server 1 of these voters, alone in the harness.
inline void lone(Cluster& c, const std::vector<uint64_t>& log = {}, uint64_t term = 0,
                 const std::vector<Id>& voters = {1, 2, 3}) {
  c.trust_the_test();
  c.add(1, c.disk_of(voters, log, term));
}

inline AppendEntries append(uint64_t term, uint64_t prev, uint64_t prev_term, std::vector<Entry> entries = {},
                            uint64_t commit = 0, uint64_t round = 0) {
  return {.term = Term{term},
          .prev_log_index = Index{prev},
          .prev_log_term = Term{prev_term},
          .leader_commit = Index{commit},
          .read_round = round,
          .entries = std::move(entries)};
}

inline AppendEntriesReply accepted(uint64_t term, uint64_t match, uint64_t round = 0) {
  return {.term = Term{term}, .success = true, .match_index = Index{match}, .read_round = round};
}

inline RequestVote ask(uint64_t term, uint64_t last, uint64_t last_term, bool pre_vote = false) {
  return {.term = Term{term}, .last_log_index = Index{last}, .last_log_term = Term{last_term}, .pre_vote = pre_vote};
}

inline RequestVoteReply grant(uint64_t term, bool pre_vote = false) {
  return {.term = Term{term}, .pre_vote = pre_vote, .granted = true};
}

inline void clear_links(Cluster& c) {
  for (const Id other : {2, 3, 4, 5}) c.drop(1, other);
}

// Brings server 1, which is in the term before, into this role in this term; server 2 leads when it follows.
inline void bring_to(Cluster& c, Role role, uint64_t term) {
  if (role == Role::follower) {
    c.receive(1, 2, append(term, 0, 0));
  } else if (role == Role::pre_candidate) {
    c.receive(1, 2, RequestVoteReply{.term = Term{term}});
    c.timeout(1);
  } else {
    c.timeout(1);
    c.receive(1, 2, grant(term, true));
    if (role == Role::leader) c.receive(1, 2, grant(term));
  }
  clear_links(c);
}

// Server 1 leads this term, over this log and its no-op.
inline void lead(Cluster& c, const std::vector<uint64_t>& log, uint64_t term,
                 const std::vector<Id>& voters = {1, 2, 3}) {
  lone(c, log, term - 1, voters);
  c.timeout(1);
  for (const Id other : voters)
    if (other != 1) c.receive(1, other, grant(term, true));
  for (const Id other : voters)
    if (other != 1) c.receive(1, other, grant(term));
}

// Server 1 leads term 1 for certain.
inline void lead_for_certain(Cluster& c, const std::vector<Id>& voters = {1, 2, 3}) {
  lead(c, {}, 1, voters);
  for (const Id id : voters)
    if (id != 1) c.receive(1, id, accepted(1, 1));
  REQUIRE(c.raft(1).leads_for_certain());
  clear_links(c);
}

}  // namespace wh::raft::test
