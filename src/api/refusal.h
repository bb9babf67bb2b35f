// Why a client was not served: the one type for it in api/. Each protocol words it in its own way: HTTP by a status,
// the debug port by the word that begins an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "raft/types.h"

namespace wh::api {

enum class RefusalKind : uint8_t {
  malformed,        // the request makes no sense, or breaks a bound
  unauthenticated,  // a password is needed, or was wrong
  forbidden,        // the principal may not do this
  not_found,
  gone,             // what was asked for was there, and is not kept any more
  wrong_method,     // HTTP only: not by this method
  not_presentable,  // there is an answer, but not in the form that was asked for
  conflict,         // with the cluster's present state
  precondition,     // the client's own condition does not hold
  too_large,
  wrong_type,     // the body's media type
  unprocessable,  // the idempotency key belongs to another request
  too_many,       // perhaps later
  unavailable,    // not now: no leader, no state fresh enough, shutting down
  overloaded,     // too much is in progress, or too many wait: perhaps soon
  no_room,
  unsupported,  // the cluster's version does not have it yet: a member must be upgraded
  timed_out,    // no answer in time: it may still take effect
  elsewhere,    // another node leads, and the client asked not to be forwarded
};

struct Refusal {
  RefusalKind kind = RefusalKind::malformed;
  std::string sentence;  // UTF-8, without a full stop; what a client may not see raw is escaped (printable())
  // Whether the request certainly had no effect and never will have: a client may safely ask again.
  bool not_applied = true;
  // The log's index as of which this was found out; nothing where no state was read.
  std::optional<raft::Index> index = std::nullopt;
  // With `gone`: the oldest index that is still kept.
  std::optional<uint64_t> oldest = std::nullopt;
};

[[nodiscard]] inline Refusal malformed(std::string sentence) {
  return {.kind = RefusalKind::malformed, .sentence = std::move(sentence)};
}

template <typename T>
using OrRefusal = Result<T, Refusal>;

}  // namespace wh::api
