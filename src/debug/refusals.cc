#include "debug/refusals.h"

#include <utility>

#include "debug/resp.h"

namespace wh::debug {

std::optional<Refusals::Refusal> Refusals::judge(const Command& command, const std::vector<std::string>& arguments,
                                                 bool in_transaction) {
  if (command.builtin == Builtin::quit) return std::nullopt;
  if (command.builtin == Builtin::reset) {
    other_database_ = false;
    return std::nullopt;
  }
  if (command.name == "client" && arguments.size() == 3 && lower_case(arguments[1]) == "reply" &&
      lower_case(arguments[2]) != "on")
    return Refusal{error_reply(ErrorWord::err,
                               "every command is answered here: the connection is closed, as the "
                               "answers would be taken for those of other commands"),
                   true};
  if (command.builtin == Builtin::select) {
    const bool other = arguments[1] != "0";
    if (other && in_transaction)
      return Refusal{error_reply(ErrorWord::err, "DB index is out of range: there is only 0")};
    const bool was_other = std::exchange(other_database_, other);
    if (!other) return std::nullopt;
    if (!was_other)
      return Refusal{
          error_reply(ErrorWord::err, "DB index is out of range: there is only 0, and nothing up to SELECT 0 is run")};
  }
  if (other_database_)
    return Refusal{error_reply(ErrorWord::notapplied, "it follows a SELECT of another database, which was refused")};
  return std::nullopt;
}

}  // namespace wh::debug
