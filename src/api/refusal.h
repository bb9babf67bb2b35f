// Why a client was not served: the one type for it in api/, which each protocol words in its own way: HTTP by a status,
// the debug port by the word that an error begins with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "raft/types.h"

namespace wh {

enum class RefusalKind : uint8_t {
  malformed,        // what was asked makes no sense, or breaks a bound
  unauthenticated,  // a password is needed, or was wrong
  forbidden,        // whoever asks may not do this
  not_found,
  wrong_method,     // HTTP only: not by this method
  not_presentable,  // there is an answer, but not in the form that was asked for
  conflict,         // with what the cluster is or does now
  precondition,     // the client's own condition does not hold
  too_large,
  wrong_type,     // the body's media type
  unprocessable,  // the idempotency key was another request's
  too_many,       // later, perhaps
  unavailable,    // not now: no leader, no state fresh enough, shutting down
  overloaded,     // too much is in progress, or too many wait: soon, perhaps
  no_room,
  unsupported,  // the cluster's version does not have it yet: a member is to be upgraded
  timed_out,    // no answer in time: it may still take effect
  elsewhere,    // another node leads, and the client asked not to be forwarded
};

struct Refusal {
  RefusalKind kind = RefusalKind::malformed;
  std::string sentence;  // without a full stop; UTF-8, without what a client may not see as it is (printable())
  // Whether it certainly had no effect, and never will have: a client may ask again freely.
  bool not_applied = true;
  // Of the log, as of which this was found out; nothing where the state was not looked at.
  std::optional<raft::Index> index = std::nullopt;
};

[[nodiscard]] inline Refusal malformed(std::string sentence) {
  return {.kind = RefusalKind::malformed, .sentence = std::move(sentence)};
}

template <typename T>
using OrRefusal = Result<T, Refusal>;

}  // namespace wh
