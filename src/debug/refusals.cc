#include "debug/refusals.h"

#include "debug/command_table.h"
#include "debug/resp.h"

namespace wh::debug {

std::optional<Refusals::Refusal> Refusals::judge(const std::vector<std::string>& arguments) {
  const std::string name = lower_case(arguments[0]);
  if (name == "quit") return std::nullopt;
  if (name == "reset") {
    until_ = Until::now;
    return std::nullopt;
  }
  if (name == "client" && arguments.size() == 3 && lower_case(arguments[1]) == "reply" &&
      lower_case(arguments[2]) != "on")
    return Refusal{error_reply(ErrorWord::err,
                               "every command is answered here: the connection is closed, as the "
                               "answers would be taken for those of other commands"),
                   true};
  switch (until_) {
    case Until::now:
      if (name == "multi") {
        until_ = Until::transaction_end;
        return Refusal{
            error_reply(ErrorWord::err, "there are no transactions here: nothing up to EXEC or DISCARD is run")};
      }
      if (name == "exec" || name == "discard")
        return Refusal{
            error_reply(ErrorWord::err, (name == "exec" ? "EXEC" : "DISCARD") + std::string(" without MULTI"))};
      if (name == "select" && arguments.size() == 2 && arguments[1] != "0") {
        until_ = Until::database_0;
        return Refusal{error_reply(ErrorWord::err,
                                   "DB index is out of range: there is only 0, and nothing up to SELECT 0 "
                                   "is run")};
      }
      return std::nullopt;
    case Until::transaction_end:
      if (name == "exec") {
        until_ = Until::now;
        return Refusal{
            error_reply(ErrorWord::execabort, "Transaction discarded: there are none here, and nothing of it was run")};
      }
      if (name == "discard") {
        until_ = Until::now;
        return Refusal{simple_reply("OK")};
      }
      return Refusal{error_reply(ErrorWord::notapplied, "it follows a MULTI, which was refused")};
    case Until::database_0:
      if (name == "select" && arguments.size() == 2 && arguments[1] == "0") {
        until_ = Until::now;
        return std::nullopt;
      }
      return Refusal{error_reply(ErrorWord::notapplied, "it follows a SELECT of another database, which was refused")};
  }
  return std::nullopt;
}

}  // namespace wh::debug
