// Operations as parts of one transaction: which can be one, what each is there, and its own answer made from its part
// of the results. For protocols in which a client queues requests and has them carried out as one step. Values and pure
// functions.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "api/operations.h"
#include "machine/command/transaction.h"

namespace wh::api {

// The operation as a transaction of its own; nothing: it cannot be a part. It holds views of what the operation views
// and owns.
[[nodiscard]] std::optional<machine::Transact> as_part(const Operation& operation);

// Where a part stands in the whole.
struct PartPlace {
  std::optional<size_t> choice{};  // its Choose, if it has comparisons
  size_t first = 0;                // its operations: those of `success`, then those of `failure`
  size_t success = 0;
  size_t failure = 0;
};
// Puts the part behind the others.
PartPlace add_part(machine::Transact&& part, std::vector<machine::Op>& all);

// The answer to the operation, given the results of the whole. `kept` holds the items at which it points.
[[nodiscard]] Answer answer_of_part(const Operation& operation, const PartPlace& place, raft::Index index,
                                    std::vector<machine::OpResult>& results, std::deque<machine::Item>& kept);

}  // namespace wh::api
