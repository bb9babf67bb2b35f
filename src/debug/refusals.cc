#include "debug/refusals.h"

#include <utility>

#include "debug/command_table.h"
#include "debug/resp.h"

namespace wh::debug {

std::optional<Refusals::Refusal> Refusals::judge(const std::vector<std::string>& arguments) {
  const std::string name = lower_case(arguments[0]);
  if (name == "quit") return std::nullopt;
  if (name == "reset") {
    in_transaction_ = other_database_ = false;
    return std::nullopt;
  }
  if (name == "client" && arguments.size() == 3 && lower_case(arguments[1]) == "reply" &&
      lower_case(arguments[2]) != "on")
    return Refusal{error_reply(ErrorWord::err,
                               "every command is answered here: the connection is closed, as the "
                               "answers would be taken for those of other commands"),
                   true};
  if (in_transaction_) return within_transaction(name);
  if (name == "multi") {
    in_transaction_ = true;
    return Refusal{error_reply(ErrorWord::err, "there are no transactions here: nothing up to EXEC or DISCARD is run")};
  }
  if (name == "select" && arguments.size() == 2) {
    const bool was_other = std::exchange(other_database_, arguments[1] != "0");
    if (!other_database_) return std::nullopt;
    if (!was_other)
      return Refusal{
          error_reply(ErrorWord::err, "DB index is out of range: there is only 0, and nothing up to SELECT 0 is run")};
  }
  if (other_database_)
    return Refusal{error_reply(ErrorWord::notapplied, "it follows a SELECT of another database, which was refused")};
  if (name == "exec" || name == "discard")
    return Refusal{error_reply(ErrorWord::err, (name == "exec" ? "EXEC" : "DISCARD") + std::string(" without MULTI"))};
  return std::nullopt;
}

Refusals::Refusal Refusals::within_transaction(std::string_view name) {
  if (name == "exec") {
    in_transaction_ = false;
    return {error_reply(ErrorWord::execabort, "Transaction discarded: there are none here, and nothing of it was run")};
  }
  if (name == "discard") {
    in_transaction_ = false;
    return {simple_reply("OK")};
  }
  return {error_reply(ErrorWord::notapplied, "it follows a MULTI, which was refused")};
}

}  // namespace wh::debug
