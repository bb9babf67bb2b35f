#include "sim/opinion/key_search.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <tuple>
#include <utility>

namespace wh::sim {
namespace {

// A set of running calls, by slot.
struct Mask {
  static constexpr size_t kSlots = 256;
  std::array<uint64_t, kSlots / 64> words{};
  [[nodiscard]] bool has(size_t slot) const { return (words[slot / 64] >> (slot % 64) & 1) != 0; }
  void add(size_t slot) { words[slot / 64] |= uint64_t{1} << (slot % 64); }
  void remove(size_t slot) { words[slot / 64] &= ~(uint64_t{1} << (slot % 64)); }
  [[nodiscard]] bool any() const {
    return std::any_of(words.begin(), words.end(), [](uint64_t word) { return word != 0; });
  }
  Mask& operator|=(const Mask& other) {
    for (size_t i = 0; i < words.size(); ++i) words[i] |= other.words[i];
    return *this;
  }
  [[nodiscard]] Mask without(const Mask& other) const {
    Mask result = *this;
    for (size_t i = 0; i < words.size(); ++i) result.words[i] &= ~other.words[i];
    return result;
  }
  [[nodiscard]] Mask both(const Mask& other) const {
    Mask result = *this;
    for (size_t i = 0; i < words.size(); ++i) result.words[i] &= other.words[i];
    return result;
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (size_t i = 0; i < words.size(); ++i)
      for (uint64_t word = words[i]; word != 0; word &= word - 1)
        visit(i * 64 + static_cast<size_t>(std::countr_zero(word)));
  }
  auto operator<=>(const Mask&) const = default;
};

using Kind = KeyCall::Kind;
constexpr uint32_t kAbsent = 0;
constexpr uint32_t kSome = 1;  // any value that nobody will read any more

// One possible course of events so far: what the key holds, and which running calls have taken effect. An optional
// write stands for two courses: it took effect, with another one right after it, or it still may.
struct Way {
  uint32_t value = kAbsent;
  Mask done;
  Mask optional;
  auto operator<=>(const Way&) const = default;
};

class Search {
 public:
  Search(const std::vector<KeyCall>& calls, uint64_t max_steps) : max_steps_(max_steps) { prepare(calls); }

  KeyOpinion run() {
    std::vector<Way> ways{Way{}};
    for (const Event& event : events_) {
      Call& call = calls_[event.call];
      if (event.what == What::invoked) {
        if (!open(event.call)) return {Opinion::undecided, {}, steps_};
        continue;
      }
      if (event.what == What::returned) {
        ways = after_return(ways, call);
        if (steps_ > max_steps_) return {Opinion::undecided, {}, steps_};
        if (ways.empty())
          return {Opinion::bad,
                  "no order of the operations explains that operation " + std::to_string(call.op) + " " + told(call),
                  steps_};
      }
      close(event.call);
      for (Way& way : ways) {
        way.done.remove(call.slot);
        way.optional.remove(call.slot);
      }
      keep_best(ways);
    }
    return {Opinion::good, {}, steps_};
  }

 private:
  struct Call {
    uint64_t op;
    Kind kind;
    uint32_t value;  // the key's value after it
    uint64_t invoked;
    uint64_t returned;
    size_t slot = 0;
    [[nodiscard]] bool unknown() const { return returned == kNeverReturned; }
    [[nodiscard]] bool is_source() const { return kind != Kind::read; }
  };
  // Before "forgotten", an unknown write might still explain something.
  enum class What : uint8_t { invoked, returned, forgotten };
  struct Event {
    uint64_t at;
    What what;
    size_t call;
    bool operator<(const Event& other) const {
      return std::tie(at, what, call) < std::tie(other.at, other.what, other.call);
    }
  };
  struct Value {
    std::string_view text;
    uint64_t future_reads = 0;    // not yet invoked
    uint64_t future_sources = 0;  // not yet invoked
    uint64_t needed_until = 0;    // when the last read of it returns
    Mask reads;                   // running
    Mask sources;                 // running, takes included
  };

  void prepare(const std::vector<KeyCall>& calls) {
    std::map<std::string_view, uint32_t> numbers;
    values_.resize(kSome + 1);
    uint64_t last_take = 0;
    std::set<std::string_view> read;
    for (const KeyCall& call : calls)
      if (call.kind == Kind::read && call.value) read.insert(*call.value);
    for (const KeyCall& call : calls) {
      uint32_t number = kAbsent;
      if (call.value && call.kind == Kind::write && !read.contains(*call.value)) {
        number = kSome;
      } else if (call.value && call.kind != Kind::take) {
        const auto [at, fresh] = numbers.emplace(*call.value, static_cast<uint32_t>(values_.size()));
        if (fresh) values_.emplace_back().text = *call.value;
        number = at->second;
      }
      if (call.kind == Kind::read && call.returned == kNeverReturned) continue;
      if (call.kind == Kind::read) values_[number].needed_until = std::max(values_[number].needed_until, call.returned);
      if (call.kind == Kind::take) last_take = std::max(last_take, call.returned);
      calls_.push_back({call.op, call.kind, number, call.invoked, call.returned});
    }
    // A write with unknown outcome, whose value nobody saw, may be ignored. A deletion that found something saw any
    // value.
    const auto needed_until = [&](const Call& call) {
      return call.value == kAbsent ? values_[kAbsent].needed_until
                                   : std::max(values_[call.value].needed_until, last_take);
    };
    std::erase_if(calls_, [&](const Call& call) { return call.unknown() && needed_until(call) < call.invoked; });
    for (size_t i = 0; i < calls_.size(); ++i) {
      const Call& call = calls_[i];
      events_.push_back({call.invoked, What::invoked, i});
      if (call.unknown()) {
        events_.push_back({needed_until(call), What::forgotten, i});
      } else {
        events_.push_back({call.returned, What::returned, i});
      }
      Value& value = values_[call.value];
      if (call.is_source()) {
        ++value.future_sources;
      } else {
        ++value.future_reads;
      }
      if (call.kind == Kind::take) ++future_takes_;
    }
    std::sort(events_.begin(), events_.end());
    for (size_t slot = Mask::kSlots; slot > 0; --slot) free_.push_back(slot - 1);
  }

  bool open(size_t number) {
    Call& call = calls_[number];
    if (free_.empty()) return false;
    call.slot = free_.back();
    free_.pop_back();
    in_slot_[call.slot] = number;
    Value& value = values_[call.value];
    if (call.is_source()) {
      --value.future_sources;
      value.sources.add(call.slot);
      sources_.add(call.slot);
      with_sources_.push_back(call.value);
    } else {
      --value.future_reads;
      value.reads.add(call.slot);
      reads_.add(call.slot);
    }
    if (call.kind == Kind::take) {
      --future_takes_;
      takes_.add(call.slot);
    }
    if (call.unknown()) unknown_.add(call.slot);
    return true;
  }

  void close(size_t number) {
    const Call& call = calls_[number];
    Value& value = values_[call.value];
    for (Mask* mask : {&value.reads, &value.sources, &sources_, &reads_, &takes_, &unknown_}) mask->remove(call.slot);
    if (call.is_source()) with_sources_.erase(std::find(with_sources_.begin(), with_sources_.end(), call.value));
    free_.push_back(call.slot);
  }

  const Call& at(size_t slot) const { return calls_[in_slot_[slot]]; }

  // A read of the current value loses nothing by taking effect at once.
  void settle(Way& way) const {
    way.done |= values_[way.value].reads;
    if (way.value != kAbsent && values_[way.value].future_reads == 0) way.value = kSome;
  }

  // Whether a deletion that finds a value is still to come: any value may serve it.
  [[nodiscard]] bool takes_left(const Way& way) const { return future_takes_ > 0 || takes_.without(way.done).any(); }

  // Whether no future call can need that value: all that is left of it can happen at one instant, between two others.
  [[nodiscard]] bool is_past(uint32_t number, const Way& way) const {
    return values_[number].future_reads == 0 && (number == kAbsent || !takes_left(way));
  }

  // Of the running calls that bring `number`, the one to use: the first to return, as a later one can still do whatever
  // it could have done. Deletions that need a value are separate.
  [[nodiscard]] std::optional<size_t> source(const Way& way, uint32_t number, bool take) const {
    std::optional<size_t> best;
    values_[number].sources.without(way.done).each([&](size_t slot) {
      const Call& call = at(slot);
      if ((call.kind == Kind::take) == take && (!best || call.returned < at(*best).returned)) best = slot;
    });
    return best;
  }

  // Lets the call in `slot` take effect. False when that replaces a value that must still be read and cannot come
  // again, or when there is nothing to take.
  bool leave(Way& way, size_t slot) {
    ++steps_;
    const Call& call = at(slot);
    if (call.kind == Kind::take && way.value == kAbsent) return false;
    const Value& old = values_[way.value];
    way.done.add(slot);
    way.optional.remove(slot);
    if (call.value != way.value && old.future_reads > 0 && old.future_sources == 0 &&
        !old.sources.without(way.done).any())
      return false;
    // What can happen at one instant happens now: before the call, or after it if the key is then absent, too.
    for (const uint32_t number : with_sources_) {
      const Value& value = values_[number];
      const Mask left = value.sources.without(way.done).without(takes_);
      if (!left.any()) continue;
      if (is_past(number, way)) {
        way.done |= value.reads;
        way.done |= left.without(unknown_);
        way.optional = way.optional.without(left);
      } else if (!value.reads.without(way.done).any()) {
        way.optional |= left.without(unknown_);
      }
    }
    way.value = call.value;
    settle(way);
    return true;
  }

  // All courses in which `call` has taken effect, as the last call to do so.
  std::vector<Way> after_return(const std::vector<Way>& ways, const Call& call) {
    std::vector<Way> result;
    std::set<Way> met;
    std::vector<Way> work;
    for (Way way : ways) {
      settle(way);
      work.push_back(way);
    }
    while (!work.empty() && steps_ <= max_steps_) {
      const Way way = work.back();
      work.pop_back();
      if (way.done.has(call.slot)) {
        result.push_back(way);
        continue;
      }
      if (!met.insert(way).second) continue;
      ++steps_;
      if (way.optional.has(call.slot)) {
        const bool read = values_[call.value].future_reads > 0 || values_[call.value].reads.without(way.done).any();
        if (!read || !is_last_source(way, call.slot)) result.push_back(way);
        // Its value staying from now on only helps reads of it, or deletions that find it.
        if (!read && !takes_left(way)) continue;
      }
      const auto next = [&](std::optional<size_t> slot) {
        if (!slot) return;
        Way then = way;
        if (leave(then, *slot)) work.push_back(then);
      };
      if (call.kind != Kind::read) {
        next(call.slot);
      } else {
        next(source(way, call.value, false));
        if (call.value == kAbsent) next(source(way, call.value, true));
      }
      // Tries other calls before it: only where that can help, and each value once.
      std::vector<uint32_t> values = with_sources_;
      std::sort(values.begin(), values.end());
      values.erase(std::unique(values.begin(), values.end()), values.end());
      for (const uint32_t number : values) {
        if (call.kind == Kind::read && call.value == number) continue;  // done above
        if (number == kAbsent && way.value != kAbsent) next_other(source(way, number, true), call, next);
        const std::optional<size_t> plain = source(way, number, false);
        if (!plain || is_useless(way, *plain)) continue;
        next_other(plain, call, next);
      }
    }
    keep_best(result);
    return result;
  }

  template <typename Next>
  void next_other(std::optional<size_t> slot, const Call& call, Next next) {
    if (slot && *slot != call.slot) next(slot);
  }

  // Whether no other call can bring its value any more.
  [[nodiscard]] bool is_last_source(const Way& way, size_t slot) const {
    const Value& value = values_[at(slot).value];
    Mask others = value.sources.without(way.done);
    others.remove(slot);
    return value.future_sources == 0 && !others.any();
  }

  // Whether it gains nothing if this write is overwritten at once, beyond what leave() does anyway.
  [[nodiscard]] bool is_useless(const Way& way, size_t slot) const {
    const Call& call = at(slot);
    if (is_past(call.value, way)) return true;
    if (values_[call.value].future_reads > 0 && is_last_source(way, slot)) return true;
    const bool read = values_[call.value].reads.without(way.done).any();
    const bool taken = call.value != kAbsent && way.value == kAbsent && takes_.without(way.done).any();
    return !read && !taken;
  }

  // Drops courses that can do nothing that another course cannot do.
  void keep_best(std::vector<Way>& ways) {
    if (ways.size() < 2) return;
    // Done is better for reads, and for writes whose value nobody can need any more; not done is better for optional
    // calls; everything else must be equal.
    Mask better = reads_;
    sources_.without(unknown_).without(takes_).each([&](size_t slot) {
      const Value& value = values_[at(slot).value];
      const bool wanted = value.future_reads > 0 || value.reads.any() ||
                          (at(slot).value != kAbsent && (future_takes_ > 0 || takes_.any()));
      if (!wanted) better.add(slot);
    });
    const Mask exact = sources_.without(better).without(unknown_);
    const auto covers = [&](const Way& a, const Way& b) {
      Mask a_over = a.done;
      a_over |= a.optional;
      Mask b_over = b.done;
      b_over |= b.optional;
      if (b_over.both(better).without(a_over).any() || a.done.both(unknown_).without(b.done).any()) return false;
      return !b.optional.both(exact).without(a.optional).any() &&
             a.done.both(exact).without(a.optional) == b.done.both(exact).without(a.optional);
    };
    std::sort(ways.begin(), ways.end());
    ways.erase(std::unique(ways.begin(), ways.end()), ways.end());
    std::map<uint32_t, std::vector<Way>> groups;
    for (const Way& way : ways) {
      std::vector<Way>& group = groups[way.value];
      steps_ += group.size() / 8;
      if (std::any_of(group.begin(), group.end(), [&](const Way& other) { return covers(other, way); })) continue;
      std::erase_if(group, [&](const Way& other) { return covers(way, other); });
      group.push_back(way);
    }
    ways.clear();
    for (const auto& [value, group] : groups) ways.insert(ways.end(), group.begin(), group.end());
  }

  [[nodiscard]] std::string told(const Call& call) const {
    switch (call.kind) {
      case Kind::write:
        return "was done when it was answered";
      case Kind::take:
        return "found a value to delete";
      case Kind::read:
        break;
    }
    if (call.value == kAbsent) return "found nothing";
    return "read \"" + std::string(values_[call.value].text) + "\"";
  }

  uint64_t max_steps_;
  uint64_t steps_ = 0;
  std::vector<Call> calls_;
  std::vector<Event> events_;
  std::vector<Value> values_;
  uint64_t future_takes_ = 0;
  // running calls
  std::array<size_t, Mask::kSlots> in_slot_{};
  std::vector<size_t> free_;
  std::vector<uint32_t> with_sources_;  // the values of running calls that bring one, once per call
  Mask sources_;
  Mask reads_;
  Mask takes_;
  Mask unknown_;
};

}  // namespace

KeyOpinion search_key(const std::vector<KeyCall>& calls, uint64_t max_steps) { return Search(calls, max_steps).run(); }

std::map<std::string_view, std::vector<KeyCall>> calls_by_key(const std::vector<const Op*>& ops, bool certain) {
  std::map<std::string_view, std::vector<KeyCall>> result;
  for (const Op* op : ops) {
    const uint64_t returned = op->applied() ? op->returned : kNeverReturned;
    if (op->kind == OpKind::get && op->applied() && !op->stale) {
      std::optional<std::string_view> value;
      if (op->found) value = op->value;
      result[op->key].push_back({op->id, Kind::read, value, op->invoked, returned});
    } else if (op->kind == OpKind::set && op->may_have_happened(certain)) {
      std::map<std::string_view, std::string_view> pairs;  // when a key occurs twice, its last value counts
      for (const auto& [key, value] : op->pairs) pairs[key] = value;
      for (const auto& [key, value] : pairs) result[key].push_back({op->id, Kind::write, value, op->invoked, returned});
    } else if (op->kind == OpKind::del && op->may_have_happened(certain)) {
      const std::set<std::string_view> keys(op->keys.begin(), op->keys.end());
      // The number of deleted keys tells about each key only if it is none or all.
      Kind kind = Kind::write;
      if (op->applied() && op->reply && op->reply->count == 0) kind = Kind::read;
      if (op->applied() && op->reply && op->reply->count == keys.size()) kind = Kind::take;
      for (const std::string_view key : keys)
        result[key].push_back({op->id, kind, std::nullopt, op->invoked, returned});
    }
  }
  return result;
}

std::string check_stale_values(const std::vector<const Op*>& ops, bool certain) {
  // The earliest time at which a key can have had a value, or a queue an event.
  std::map<std::pair<std::string_view, std::string_view>, uint64_t> keys;
  std::map<std::pair<std::string_view, std::string_view>, uint64_t> events;
  for (const Op* op : ops) {
    if (!op->may_have_happened(certain)) continue;
    for (const auto& [key, value] : op->pairs) {
      uint64_t& earliest = keys.try_emplace({key, value}, UINT64_MAX).first->second;
      earliest = std::min(earliest, op->invoked);
    }
    if (op->kind == OpKind::enqueue) events.try_emplace({op->key, op->value}, op->invoked);
  }
  for (const Op* op : ops) {
    if (!op->stale || !op->applied() || !op->found) continue;
    if (op->kind != OpKind::get && op->kind != OpKind::front) continue;
    const auto& written = op->kind == OpKind::get ? keys : events;
    const auto from = written.find({op->key, op->value});
    if (from == written.end() || from->second > op->returned)
      return "operation " + std::to_string(op->id) + " read \"" + op->value + "\" of " + op->key +
             ", which nobody had written by then";
  }
  return {};
}

}  // namespace wh::sim
