// When keys expire, as Redis has it: EXPIRE TTL PERSIST and their forms.
#include <algorithm>
#include <string>
#include <utility>

#include "api/debug/commands.h"
#include "api/debug/store_words.h"
#include "debug/command_table.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using machine::Touch;
using Arguments = std::vector<std::string>;

OrRefusal<Touch::Only> only_of(const Arguments& a) {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
  for (size_t i = 3; i < a.size(); ++i) {
    const std::string word = debug::lower_case(a[i]);
    bool* option = word == "nx" ? &nx : word == "xx" ? &xx : word == "gt" ? &gt : word == "lt" ? &lt : nullptr;
    if (option == nullptr) return malformed("Unsupported option " + a[i]);
    *option = true;
  }
  if (nx && (xx || gt || lt)) return malformed("NX and XX, GT or LT options at the same time are not compatible");
  if (gt && lt) return malformed("GT and LT options at the same time are not compatible");
  if (nx) return Touch::Only::if_none;
  if (gt) return Touch::Only::if_later;
  if (lt) return xx ? Touch::Only::if_any_earlier : Touch::Only::if_earlier;
  return xx ? Touch::Only::if_any : Touch::Only::always;
}

CommandBegun begin_touch(const Arguments& a, const TimeForm& form) {
  const OrRefusal<Touch::Only> only = only_of(a);
  if (!only) return only.error();
  const OrRefusal<machine::Expiry> expiry = expiry_of(form, a[2], debug::lower_case(a[0]), true);
  if (!expiry) return expiry.error();
  return transact(all_of({Touch{.key = a[1], .expiry = *expiry, .only = *only}}));
}
template <size_t kForm>
CommandBegun begin_expire(Arguments& a) {
  return begin_touch(a, kTimeForms[kForm]);
}

CommandBegun begin_persist(Arguments& a) { return transact(all_of({Touch{.key = a[1]}})); }

// Of the item's time: -2 without a key, -1 without a time. Seconds are rounded.
template <bool kSeconds, bool kAbsolute>
std::string finish_ttl(const Context& context, const Answer& answer) {
  const machine::Item* item = std::get<Value>(answer.body).item;
  if (item == nullptr) return debug::integer_reply(-2);
  if (item->expires_at() == 0) return debug::integer_reply(-1);
  const Millis now = kAbsolute ? 0 : context.node.machine().cluster_time_ms();
  const Millis ms = item->expires_at() - std::min(now, item->expires_at());
  return debug::integer_reply(static_cast<int64_t>(kSeconds ? (ms + 500) / 1'000 : ms));
}
CommandBegun begin_ttl(Arguments& a) { return begun(Read{GetKey{std::move(a[1])}}); }

constexpr debug::Command row(std::string_view name, int arity, std::string_view parameters, std::string_view summary,
                             bool writes) {
  return {.name = name,
          .arity = arity,
          .overlap = writes ? Overlap::write : Overlap::alone,
          .flags = writes ? "write fast" : "readonly fast",
          .first_key = 1,
          .last_key = 1,
          .key_step = 1,
          .parameters = parameters,
          .summary = summary};
}
constexpr bool kWrites = true;
constexpr bool kReads = false;

const CommandSpec kCommandsOfExpiry[] = {
    {row("expire", -3, "key seconds [NX | XX | GT | LT]", "A key is gone after so many seconds", kWrites),
     begin_expire<0>, finish_number},
    {row("pexpire", -3, "key milliseconds [NX | XX | GT | LT]", "A key is gone after so many milliseconds", kWrites),
     begin_expire<1>, finish_number},
    {row("expireat", -3, "key unix-time-seconds [NX | XX | GT | LT]", "A key is gone at that second", kWrites),
     begin_expire<2>, finish_number},
    {row("pexpireat", -3, "key unix-time-milliseconds [NX | XX | GT | LT]", "A key is gone at that millisecond",
         kWrites),
     begin_expire<3>, finish_number},
    {row("persist", 2, "key", "A key stays; answers whether it had a time", kWrites), begin_persist, finish_number},
    {row("ttl", 2, "key", "Seconds until a key is gone; -1: it stays; -2: there is none", kReads), begin_ttl,
     finish_ttl<true, false>},
    {row("pttl", 2, "key", "Milliseconds until a key is gone; -1: it stays; -2: there is none", kReads), begin_ttl,
     finish_ttl<false, false>},
    {row("expiretime", 2, "key", "The second at which a key is gone; -1: it stays; -2: there is none", kReads),
     begin_ttl, finish_ttl<true, true>},
    {row("pexpiretime", 2, "key", "The millisecond at which a key is gone; -1: it stays; -2: there is none", kReads),
     begin_ttl, finish_ttl<false, true>},
};

}  // namespace

std::span<const CommandSpec> expiry_commands() { return kCommandsOfExpiry; }

}  // namespace wh::api
