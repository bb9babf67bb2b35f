#include "api/debug/store_words.h"

#include <limits>
#include <string>
#include <utility>

#include "debug/resp.h"

namespace wh::api {

std::optional<int64_t> integer_of(std::string_view word) {
  const std::optional<int64_t> number = number_of(word);
  return number && std::to_string(*number) == word ? number : std::nullopt;
}

OrRefusal<machine::Expiry> expiry_of(const TimeForm& form, std::string_view word, std::string_view command,
                                     bool may_be_over) {
  using machine::Expiry;
  const std::optional<int64_t> number = integer_of(word);
  if (!number) return malformed(std::string(kNoInteger));
  const auto invalid = [&](const char* why) {
    return malformed("invalid expire time in '" + std::string(command) + "' command" + why);
  };
  int64_t ms = *number;
  const bool over = __builtin_mul_overflow(ms, form.seconds ? 1'000 : 1, &ms);
  // Beyond all clocks: Redis refuses it too.
  if (over || (!form.absolute && ms > std::numeric_limits<int64_t>::max() - int64_t{machine::kMaxTimeMs}))
    return invalid("");
  if (ms <= 0) {
    if (!may_be_over) return invalid("");
    return Expiry{Expiry::Kind::at, 1};
  }
  const auto time = static_cast<Millis>(ms);
  if (form.absolute && time > machine::kMaxTimeMs) return invalid(": the year 9999 is the last one");
  if (!form.absolute && time > machine::kMaxDelayMs) return invalid(": at most ten years; EXPIREAT goes further");
  return Expiry{form.absolute ? Expiry::Kind::at : Expiry::Kind::after, time};
}

CommandBegun transact(machine::Transact transact, CommandFinish finish) {
  for (const machine::Op& op : transact.success) {
    const auto refusal = std::visit(
        [](const auto& one) -> std::optional<Refusal> {
          if constexpr (requires { one.key; }) return bad_key(one.key);
          return std::nullopt;
        },
        op);
    if (refusal) return *refusal;
  }
  return begun(Write{std::move(transact)}, std::move(finish));
}

machine::Transact all_of(std::vector<machine::Op> ops) { return {.compares = {}, .success = std::move(ops)}; }

const machine::OpResult& result_of(const Answer& answer, size_t place) {
  static const machine::OpResult kNone;
  const auto& results = std::get<Transacted>(answer.body).results;
  return place < results.size() ? results[place] : kNone;
}

std::string finish_number(const Context&, const Answer& answer) {
  return debug::integer_reply(static_cast<int64_t>(result_of(answer).number));
}

std::string finish_old_value(const Context&, const Answer& answer) {
  const machine::OpResult& old = result_of(answer);
  return old.items.empty() ? debug::null_reply() : debug::bulk_reply(old.items.front().value.view());
}

std::string finish_whether_done(const Context&, const Answer& answer) {
  return debug::integer_reply(std::get<Transacted>(answer.body).succeeded ? 1 : 0);
}

}  // namespace wh::api
