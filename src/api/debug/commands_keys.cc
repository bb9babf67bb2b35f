// The key-value store's commands on keys as such, and the plain ones on values: GET MSET DEL UNLINK EXISTS TYPE DBSIZE
// KEYS SCAN RANDOMKEY.
#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "api/debug/commands.h"
#include "api/debug/store_words.h"
#include "config/glob_pattern.h"
#include "debug/command_table.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using Arguments = std::vector<std::string>;

CommandBegun begin_get(Arguments& a) { return begun(Read{GetKey{std::move(a[1])}}); }
std::string finish_get(const Context&, const Answer& answer) {
  const Bytes* value = std::get<Value>(answer.body).value();
  return value == nullptr ? debug::null_reply() : debug::bulk_reply(value->view());
}

CommandBegun begin_mset(Arguments& a) {
  if (a.size() % 2 == 0) return malformed("wrong number of arguments for 'mset' command");
  machine::Set set;
  for (size_t i = 1; i + 1 < a.size(); i += 2) set.pairs.emplace_back(a[i], a[i + 1]);
  return begun(Write{std::move(set)});
}

CommandBegun begin_del(Arguments& a) {
  machine::Delete del;
  for (size_t i = 1; i < a.size(); ++i) del.keys.emplace_back(a[i]);
  return begun(Write{std::move(del)});
}

CommandBegun begin_exists(Arguments& a) {
  a.erase(a.begin());
  return begun(Read{CountExisting{std::move(a)}});
}

// Of keys alone, as queues are no keys.
CommandBegun begin_type(Arguments& a) { return begun(Read{CountExisting{{std::move(a[1])}}}); }
std::string finish_type(const Context&, const Answer& answer) {
  return debug::simple_reply(std::get<Count>(answer.body).count == 0 ? "none" : "string");
}

CommandBegun begin_dbsize(Arguments&) { return begun(Read{CountKeys{}}); }

// --- KEYS, SCAN, RANDOMKEY

constexpr uint32_t kMaxKeysOfKeys = 10'000;
constexpr int64_t kMaxScanned = 1'000;
// Bytes of keys, times bytes of the pattern: a pattern may take as many steps.
constexpr size_t kMaxSteps = size_t{1} << 22;

// The names among the items that a pattern matches.
struct Matching {
  std::string pattern;
  std::vector<std::string_view> names{};
  std::optional<std::string> stopped_behind{};  // the steps were used up

  explicit Matching(std::string of) : pattern(std::move(of)) {}
  void look(const ShownKeys& shown) {
    size_t steps = 0;
    const std::string* last = nullptr;
    for (const auto* item : shown.items) {
      steps += item->first.size() * pattern.size();
      if (steps > kMaxSteps && last != nullptr) {
        stopped_behind = *last;
        return;
      }
      last = &item->first;
      if (config::glob_matches(pattern, item->first, config::Letters::as_they_are)) names.push_back(item->first);
    }
  }
  [[nodiscard]] std::string reply() const {
    std::string reply = debug::array_header(names.size());
    for (const std::string_view name : names) reply += debug::bulk_reply(name);
    return reply;
  }
};

OrRefusal<ListKeys> listing_of(const std::string& pattern, uint32_t limit) {
  if (pattern.size() > machine::kMaxKeyBytes)
    return malformed("a pattern has at most " + std::to_string(machine::kMaxKeyBytes) + " bytes");
  return ListKeys{.prefix = config::glob_prefix(pattern), .after = {}, .end = {}, .limit = limit, .names_only = true};
}

CommandBegun begin_keys(Arguments& a) {
  OrRefusal<ListKeys> list = listing_of(a[1], kMaxKeysOfKeys);
  if (!list) return list.error();
  return begun(Read{std::move(*list)}, [pattern = a[1]](const Context&, const Answer& answer) {
    const auto& shown = std::get<ShownKeys>(answer.body);
    Matching matching(pattern);
    matching.look(shown);
    if (shown.next.empty() && !matching.stopped_behind) return matching.reply();
    return debug::error_reply(debug::ErrorWord::err,
                              "too many keys for KEYS, which looks at 10000 that begin like the "
                              "pattern: use SCAN, or a pattern that begins with more letters");
  });
}

struct ScanOptions {
  std::string pattern = "*";
  uint32_t count = 10;
  bool strings = true;
};

OrRefusal<ScanOptions> scan_options_of(const Arguments& a) {
  ScanOptions options;
  for (size_t i = 2; i < a.size(); i += 2) {
    const std::string word = debug::lower_case(a[i]);
    if (i + 1 == a.size() || (word != "match" && word != "count" && word != "type"))
      return malformed(std::string(kSyntaxError));
    const std::string& value = a[i + 1];
    if (word == "match") options.pattern = value;
    if (word == "type") options.strings = debug::lower_case(value) == "string";
    if (word != "count") continue;
    const std::optional<int64_t> count = integer_of(value);
    if (!count) return malformed(std::string(kNoInteger));
    if (*count < 1) return malformed(std::string(kSyntaxError));
    options.count = static_cast<uint32_t>(std::min(*count, kMaxScanned));
  }
  return options;
}

std::string scan_reply(uint64_t cursor, const std::string& names) {
  return debug::array_header(2) + debug::bulk_reply(std::to_string(cursor)) + names;
}

// In byte order: so it comes to an end, and each key that stands all the time comes once.
CommandBegun begin_scan(Arguments& a) {
  uint64_t cursor = 0;
  const auto [end, error] = std::from_chars(a[1].data(), a[1].data() + a[1].size(), cursor);
  if (error != std::errc() || end != a[1].data() + a[1].size()) return malformed("invalid cursor");
  const OrRefusal<ScanOptions> options = scan_options_of(a);
  if (!options) return options.error();
  OrRefusal<ListKeys> list = listing_of(options->pattern, options->count);
  if (!list) return list.error();
  CommandBegun scan = begun(Read{std::move(*list)}, [pattern = options->pattern, strings = options->strings](
                                                        const Context& context, const Answer& answer) {
    const auto& shown = std::get<ShownKeys>(answer.body);
    if (!strings) return scan_reply(0, debug::array_header(0));
    Matching matching(pattern);
    matching.look(shown);
    const std::string& next = matching.stopped_behind ? *matching.stopped_behind : shown.next;
    return scan_reply(next.empty() ? 0 : context.scan_cursors->add(next), matching.reply());
  });
  if (cursor != 0)
    scan->check = [cursor](const Context& context, std::vector<Operation>& operations) -> std::optional<Refusal> {
      const std::string* key = context.scan_cursors->use(cursor);
      if (key == nullptr)
        return malformed("invalid cursor: this node does not know it, or not any more: start again with SCAN 0");
      std::get<ListKeys>(std::get<Read>(operations.front())).after = *key;
      return std::nullopt;
    };
  return scan;
}

CommandBegun begin_randomkey(Arguments&) { return begun(Read{PickKey{std::random_device{}()}}); }
std::string finish_randomkey(const Context&, const Answer& answer) {
  const auto& picked = std::get<Value>(answer.body);
  return picked.item == nullptr ? debug::null_reply() : debug::bulk_reply(picked.key);
}

const CommandSpec kCommandsOfKeys[] = {
    {{.name = "get",
      .arity = 2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "key",
      .summary = "The value of a key, or nil",
      .group = "string"},
     begin_get,
     finish_get},
    {{.name = "mset",
      .arity = -3,
      .overlap = Overlap::write,
      .flags = "write denyoom",
      .first_key = 1,
      .last_key = -1,
      .key_step = 2,
      .parameters = "key value [key value ...]",
      .summary = "Sets several keys in one step",
      .group = "string"},
     begin_mset,
     finish_done},
    {{.name = "del",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write",
      .first_key = 1,
      .last_key = -1,
      .key_step = 1,
      .parameters = "key [key ...]",
      .summary = "Removes keys; answers how many there were"},
     begin_del,
     finish_count},
    {{.name = "unlink",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write",
      .first_key = 1,
      .last_key = -1,
      .key_step = 1,
      .parameters = "key [key ...]",
      .summary = "Removes keys, as DEL does; answers how many there were"},
     begin_del,
     finish_count},
    {{.name = "exists",
      .arity = -2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = -1,
      .key_step = 1,
      .parameters = "key [key ...]",
      .summary = "How many of the keys exist"},
     begin_exists,
     finish_count},
    {{.name = "type",
      .arity = 2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "key",
      .summary = "Whether a key exists: string, or none"},
     begin_type,
     finish_type},
    {{.name = "dbsize", .arity = 1, .flags = "readonly fast", .parameters = "", .summary = "How many keys there are"},
     begin_dbsize,
     finish_count},
    {{.name = "keys",
      .arity = 2,
      .flags = "readonly",
      .parameters = "pattern",
      .summary = "The keys that match, of 10000 at most"},
     begin_keys,
     nullptr},
    {{.name = "scan",
      .arity = -2,
      .flags = "readonly",
      .parameters = "cursor [MATCH pattern] [COUNT count] [TYPE type]",
      .summary = "Some keys that match, and the cursor with which to go on, until it is 0"},
     begin_scan,
     nullptr},
    {{.name = "randomkey", .arity = 1, .flags = "readonly", .parameters = "", .summary = "Some key, or nil"},
     begin_randomkey,
     finish_randomkey},
};

}  // namespace

std::span<const CommandSpec> key_commands() { return kCommandsOfKeys; }

}  // namespace wh::api
