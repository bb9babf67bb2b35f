// Redis's commands on strings, beyond those of commands_keys.cc. What reads and writes, or writes under a condition, is
// one Transact.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "api/debug/commands.h"
#include "api/debug/store_words.h"
#include "debug/command_table.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using machine::Compare;
using machine::CompareOp;
using machine::CompareTarget;
using machine::Expiry;
using machine::PutKey;
using machine::Transact;
using Arguments = std::vector<std::string>;

Refusal no_integer() { return malformed(std::string(kNoInteger)); }

Compare exists(std::string_view key, bool wanted) {
  return {CompareTarget::exists, CompareOp::equal, key, wanted ? uint64_t{1} : uint64_t{0}};
}

// --- SET, GETEX

struct Options {
  bool nx = false;
  bool xx = false;
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;
  std::optional<std::string_view> equal;
  const TimeForm* form = nullptr;
  std::string_view time;
};

OrRefusal<Options> options_of(const Arguments& a, size_t first, bool of_set) {
  Options options;
  for (size_t i = first; i < a.size(); ++i) {
    const std::string word = debug::lower_case(a[i]);
    const auto* form =
        std::find_if(std::begin(kTimeForms), std::end(kTimeForms), [&](const auto& one) { return one.word == word; });
    const bool has_next = i + 1 < a.size();
    if (of_set && word == "nx" && !options.xx && !options.equal)
      options.nx = true;
    else if (of_set && word == "xx" && !options.nx && !options.equal)
      options.xx = true;
    else if (of_set && word == "ifeq" && has_next && !options.nx && !options.xx)
      options.equal = a[++i];
    else if (of_set && word == "get")
      options.get = true;
    else if (of_set && word == "keepttl" && options.form == nullptr)
      options.keep_ttl = true;
    else if (!of_set && word == "persist" && options.form == nullptr)
      options.persist = true;
    else if (form != std::end(kTimeForms) && has_next && !options.keep_ttl && !options.persist &&
             (options.form == nullptr || options.form == form)) {
      options.form = form;
      options.time = a[++i];
    } else
      return malformed(std::string(kSyntaxError));
  }
  return options;
}

std::string finish_set(const Context&, const Answer& answer) {
  const auto* done = std::get_if<Transacted>(&answer.body);
  return done == nullptr || done->succeeded ? debug::simple_reply("OK") : debug::null_reply();
}

// Without options it is cheap, and a command of the first version of the cluster.
CommandBegun begin_set(Arguments& a) {
  if (a.size() == 3) return begun(Write{machine::Set{{{a[1], a[2]}}}});
  const OrRefusal<Options> options = options_of(a, 3, true);
  if (!options) return options.error();
  OrRefusal<Expiry> expiry = Expiry{options->keep_ttl ? Expiry::Kind::as_it_was : Expiry::Kind::never};
  if (options->form != nullptr) expiry = expiry_of(*options->form, options->time, "set");
  if (!expiry) return expiry.error();
  Transact set;
  if (options->nx) set.compares = {exists(a[1], false)};
  if (options->xx) set.compares = {exists(a[1], true)};
  if (options->equal) set.compares = {{CompareTarget::value, CompareOp::equal, a[1], 0, *options->equal}};
  if (options->get) set.success = set.failure = {machine::GetKey{a[1]}};
  set.success.emplace_back(PutKey{.key = a[1], .value = a[2], .expiry = *expiry});
  return transact(std::move(set), options->get ? finish_old_value : finish_set);
}

CommandBegun begin_getex(Arguments& a) {
  const OrRefusal<Options> options = options_of(a, 2, false);
  if (!options) return options.error();
  Transact get = all_of({machine::GetKey{a[1]}});
  if (options->persist) get.success.emplace_back(machine::Touch{.key = a[1]});
  if (options->form != nullptr) {
    const OrRefusal<Expiry> expiry = expiry_of(*options->form, options->time, "getex");
    if (!expiry) return expiry.error();
    get.success.emplace_back(machine::Touch{.key = a[1], .expiry = *expiry});
  }
  return transact(std::move(get));
}

// --- other forms of SET and GET

CommandBegun begin_setnx(Arguments& a) {
  return transact({.compares = {exists(a[1], false)}, .success = {PutKey{.key = a[1], .value = a[2]}}});
}

template <bool kSeconds>
CommandBegun begin_setex(Arguments& a) {
  const OrRefusal<Expiry> expiry = expiry_of(kTimeForms[kSeconds ? 0 : 1], a[2], kSeconds ? "setex" : "psetex");
  if (!expiry) return expiry.error();
  return transact(all_of({PutKey{.key = a[1], .value = a[3], .expiry = *expiry}}));
}

CommandBegun begin_getset(Arguments& a) {
  return transact(all_of({machine::GetKey{a[1]}, PutKey{.key = a[1], .value = a[2]}}));
}

CommandBegun begin_getdel(Arguments& a) { return transact(all_of({machine::GetKey{a[1]}, machine::EraseKey{a[1]}})); }

CommandBegun begin_mget(Arguments& a) {
  a.erase(a.begin());
  return begun(Read{GetKeys{std::move(a)}});
}
std::string finish_mget(const Context&, const Answer& answer) {
  const auto& values = std::get<Values>(answer.body);
  if (!values.refused.empty()) return debug::error_reply(debug::ErrorWord::err, values.refused);
  std::string reply = debug::array_header(values.items.size());
  for (const machine::Item* item : values.items)
    reply += item == nullptr ? debug::null_reply() : debug::bulk_reply(item->value.view());
  return reply;
}

CommandBegun begin_msetnx(Arguments& a) {
  if (a.size() % 2 == 0) return malformed("wrong number of arguments for 'msetnx' command");
  if (a.size() / 2 > machine::kMaxCompares)
    return malformed("MSETNX sets at most " + std::to_string(machine::kMaxCompares) + " keys");
  Transact set;
  for (size_t i = 1; i + 1 < a.size(); i += 2) {
    set.compares.push_back(exists(a[i], false));
    set.success.emplace_back(PutKey{.key = a[i], .value = a[i + 1]});
  }
  return transact(std::move(set));
}

// --- the value as a string or a number

CommandBegun begin_append(Arguments& a) { return transact(all_of({machine::Append{a[1], a[2]}})); }

CommandBegun begin_strlen(Arguments& a) { return begun(Read{GetKey{std::move(a[1])}}); }
std::string finish_strlen(const Context&, const Answer& answer) {
  const Bytes* value = std::get<Value>(answer.body).value();
  return debug::integer_reply(value == nullptr ? 0 : static_cast<int64_t>(value->size()));
}

// Redis's: both ends included, and negative ones counted from the back.
std::string_view range_of(std::string_view text, int64_t first, int64_t last) {
  const auto size = static_cast<int64_t>(text.size());
  if (size == 0 || (first < 0 && last < 0 && first > last)) return {};
  const auto place = [size](int64_t at) { return at < 0 ? std::max<int64_t>(at + size, 0) : at; };
  first = place(first);
  last = std::min(place(last), size - 1);
  if (first > last) return {};
  return text.substr(static_cast<size_t>(first), static_cast<size_t>(last - first + 1));
}

CommandBegun begin_getrange(Arguments& a) {
  const std::optional<int64_t> first = integer_of(a[2]);
  const std::optional<int64_t> last = integer_of(a[3]);
  if (!first || !last) return no_integer();
  return begun(Read{GetKey{std::move(a[1])}}, [first = *first, last = *last](const Context&, const Answer& answer) {
    const Bytes* value = std::get<Value>(answer.body).value();
    return debug::bulk_reply(value == nullptr ? std::string_view() : range_of(value->view(), first, last));
  });
}

template <int kSign>
CommandBegun begin_step(Arguments& a) {
  return transact(all_of({machine::Increment{a[1], kSign}}));
}
template <int kSign>
CommandBegun begin_steps(Arguments& a) {
  const std::optional<int64_t> by = integer_of(a[2]);
  if (!by) return no_integer();
  if (kSign < 0 && *by == std::numeric_limits<int64_t>::min()) return malformed("decrement would overflow");
  return transact(all_of({machine::Increment{a[1], *by * kSign}}));
}

// --- the table

constexpr debug::Command row(std::string_view name, int arity, std::string_view parameters, std::string_view summary) {
  return {.name = name,
          .arity = arity,
          .overlap = Overlap::write,
          .flags = "write denyoom fast",
          .first_key = 1,
          .last_key = 1,
          .key_step = 1,
          .parameters = parameters,
          .summary = summary,
          .group = "string"};
}
constexpr debug::Command reading(debug::Command command) {
  command.overlap = Overlap::alone;
  command.flags = "readonly fast";
  return command;
}
constexpr debug::Command of_many(debug::Command command, int key_step) {
  command.last_key = -1;
  command.key_step = key_step;
  return command;
}

const CommandSpec kCommandsOfStrings[] = {
    {row("set", -3,
         "key value [NX | XX | IFEQ value] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | "
         "PXAT unix-time-milliseconds | KEEPTTL]",
         "Sets a key; under a condition, with a time after which it is gone"),
     begin_set, finish_set},
    {row("setnx", 3, "key value", "Sets a key if it does not exist; answers whether it did"), begin_setnx,
     finish_whether_done},
    {row("setex", 4, "key seconds value", "Sets a key that is gone after so many seconds"), begin_setex<true>,
     finish_done},
    {row("psetex", 4, "key milliseconds value", "Sets a key that is gone after so many milliseconds"),
     begin_setex<false>, finish_done},
    {row("getset", 3, "key value", "Sets a key; answers the value before, or nil"), begin_getset, finish_old_value},
    {row("getdel", 2, "key", "Removes a key; answers its value, or nil"), begin_getdel, finish_old_value},
    {row("getex", -2,
         "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
         "The value of a key, or nil; changes when it is gone"),
     begin_getex, finish_old_value},
    {of_many(reading(row("mget", -2, "key [key ...]", "The values of keys, nil for those that do not exist")), 1),
     begin_mget, finish_mget},
    {of_many(row("msetnx", -3, "key value [key value ...]", "Sets several keys if none of them exists"), 2),
     begin_msetnx, finish_whether_done},
    {row("append", 3, "key value", "Adds to the end of a value; answers its length"), begin_append, finish_number},
    {reading(row("strlen", 2, "key", "The length of a value; 0 for a key that does not exist")), begin_strlen,
     finish_strlen},
    {reading(row("getrange", 4, "key start end", "A part of a value; negative places count from its end")),
     begin_getrange, nullptr},
    {row("incr", 2, "key", "Adds one to a number; answers the sum"), begin_step<1>, finish_number},
    {row("incrby", 3, "key increment", "Adds to a number; answers the sum"), begin_steps<1>, finish_number},
    {row("decr", 2, "key", "Takes one from a number; answers the difference"), begin_step<-1>, finish_number},
    {row("decrby", 3, "key decrement", "Takes from a number; answers the difference"), begin_steps<-1>, finish_number},
};

}  // namespace

std::span<const CommandSpec> string_commands() { return kCommandsOfStrings; }

}  // namespace wh::api
