// A node that is in no cluster: what it asked the addresses of `join`, and what they said. Owned by the Node;
// founding.cc acts on it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "node/messages.h"

namespace wh::node {

class Seeking {
 public:
  explicit Seeking(std::vector<std::string> join);

  [[nodiscard]] const std::vector<std::string>& listed() const {
    return listed_;
  }  // lowest address first, no duplicates
  [[nodiscard]] size_t majority() const { return listed_.size() / 2 + 1; }
  [[nodiscard]] Millis next_at() const { return next_at_; }

  // One round: every listed address is asked who it is.
  std::map<uint64_t, std::string> asked;           // by request, until answered
  std::map<std::string, WhoIAm> known;             // this round's answers, by listed address
  std::map<std::string, std::string> unreachable;  // this round's errors

  // Gathering grants to found. An attempt's number is never used again; 0 while there is none.
  uint64_t attempt = 0;
  std::map<uint64_t, std::string> grants_asked;
  size_t grants = 0;

  // TakeMeIn under way.
  uint64_t taking_in = 0;

  void own_grant_saved() { own_grant_pending_ = false; }
  void expect_own_grant() { own_grant_pending_ = true; }
  [[nodiscard]] bool own_grant_pending() const { return own_grant_pending_; }
  [[nodiscard]] bool round_over() const {
    return asked.empty() && grants_asked.empty() && taking_in == 0 && !own_grant_pending_;
  }
  void next_round(Millis at) { next_at_ = at; }

 private:
  std::vector<std::string> listed_;
  Millis next_at_ = 0;
  bool own_grant_pending_ = false;
};

}  // namespace wh::node
