// What the commands of the key-value store share: Redis's numbers, its words for expiry times, and commands that are
// one Transact each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "api/debug/commands.h"

namespace wh::api {

// A number as Redis takes it: no plus, no zeros in front.
std::optional<int64_t> integer_of(std::string_view word);

// How a time is given.
struct TimeForm {
  std::string_view word;  // as an option of SET, in lower case
  bool seconds;           // else milliseconds
  bool absolute;          // since 1970; else from now on
};
inline constexpr TimeForm kTimeForms[] = {
    {"ex", true, false}, {"px", false, false}, {"exat", true, true}, {"pxat", false, true}};

// The time in that form. `command`: for the error; `may_be_over`: then a time that is over is no error.
OrRefusal<machine::Expiry> expiry_of(const TimeForm& form, std::string_view word, std::string_view command,
                                     bool may_be_over = false);

// A command that is this transaction, unless a key in it is none.
CommandBegun transact(machine::Transact transact, CommandFinish finish = {});
// A transaction whose comparisons hold.
machine::Transact all_of(std::vector<machine::Op> ops);
// Of a Transacted, what its operation at this place answered.
const machine::OpResult& result_of(const Answer& answer, size_t place = 0);
// Its number.
std::string finish_number(const Context&, const Answer& answer);
// The value that a GetKey at the first place found, or nil.
std::string finish_old_value(const Context&, const Answer& answer);
// 1 if the comparisons held.
std::string finish_whether_done(const Context&, const Answer& answer);

}  // namespace wh::api
