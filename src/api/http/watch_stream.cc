#include "api/http/watch_stream.h"

#include <algorithm>
#include <utility>

#include "api/http/store_json.h"
#include "http/json.h"

namespace wh::api {
namespace {

// One call looks at so many changes or items at most.
constexpr size_t kMaxLookedAt = 2'000;

std::string id_field(uint64_t index) { return "id: " + std::to_string(index) + "\n"; }

// Of an item that was there before the first change.
std::string initial_frame(const machine::KeyItem& item, Millis now) {
  http::JsonWriter json;
  write_item(json, item, true, now);
  return "event: put\ndata: " + json.take() + "\n\n";
}

class WatchStream final : public http::Stream {
 public:
  WatchStream(const machine::Machine& machine, std::shared_ptr<ChangeFrames> frames, WatchTerms terms)
      : machine_(machine), frames_(std::move(frames)), terms_(std::move(terms)) {
    const machine::History& history = machine_.history();
    const raft::Index from{terms_.from};
    opened_at_ = applied();
    watched_ = machine.watch(terms_.name, terms_.prefix);
    lost_ = terms_.from != 0 && from < history.oldest();
    next_ = terms_.from == 0 || lost_ ? history.end_number() : history.number_from(from);
    walks_ = terms_.initial;
  }

  Next next(size_t room, std::string& out) override {
    if (lost_) return Next::lost;
    const size_t before = out.size();
    // At once, so that a proxy and the client know that the stream is there, and where it began.
    if (!std::exchange(begun_, true)) out += walks_ || terms_.from != 0 ? ":\n\n" : ":\n" + id_field(opened_at_) + "\n";
    size_t looked_at = 0;
    for (;;) {
      const std::optional<uint64_t> number = next_shown(looked_at);
      if (lost_) return Next::lost;
      if (!number && looked_at >= kMaxLookedAt) return Next::more;
      if (!number) break;
      if (out.size() - before >= room) return Next::more;
      out += frames_->frame(machine_, *number, terms_.with_prev);
      // The blank line that ends the frame comes after its id.
      if (!walks_ && is_last_of_entry(*number)) out += id_field(machine_.history().at(*number).index.value);
      out += "\n";
      next_ = *number + 1;
    }
    // What was shown of a walk is up to date now, and the walk goes on.
    return walks_ ? walk(room, before, out) : Next::waits;
  }

  // With the index up to which all was sent, so that a quiet stream's place stays young (HAZARDS W4).
  [[nodiscard]] std::string keep_alive() override {
    std::string out = ":\n";
    size_t looked_at = 0;
    if (walks_ || next_shown(looked_at) || lost_ || looked_at >= kMaxLookedAt) return out + "\n";
    return out + id_field(applied()) + "\n";
  }

 private:
  [[nodiscard]] uint64_t applied() const { return machine_.applied().value; }
  [[nodiscard]] bool is_watched(std::string_view key) const {
    return terms_.prefix ? key.starts_with(terms_.name) : key == terms_.name;
  }
  // What the walk has not reached yet, it will show as it is then.
  [[nodiscard]] bool is_shown(const machine::Change& change) const {
    return is_watched(change.key) && (!walks_ || (walked_ && change.key <= *walked_));
  }

  // The number of the next change to be shown; moves on over others. Nothing: there is none, it was lost (lost_), or
  // kMaxLookedAt were looked at. What came since somebody watches this name is listed; what was there before is not.
  std::optional<uint64_t> next_shown(size_t& looked_at) {
    const machine::History& history = machine_.history();
    for (; next_ < watched_->since; ++next_) {
      if (next_ < history.first_number()) lost_ = true;
      if (lost_ || looked_at++ >= kMaxLookedAt) return std::nullopt;
      if (is_shown(history.at(next_))) return next_;
    }
    lost_ |= next_ < watched_->lost_below;
    const auto& numbers = watched_->numbers;
    for (auto at = std::lower_bound(numbers.begin(), numbers.end(), next_); at != numbers.end(); ++at) {
      lost_ |= *at < history.first_number();
      if (lost_ || looked_at++ >= kMaxLookedAt) return std::nullopt;
      if (is_shown(history.at(*at))) return *at;
      next_ = *at + 1;
    }
    next_ = std::max(next_, history.end_number());
    return std::nullopt;
  }

  // Whether no later change of the same entry is shown. Looked for once an entry.
  bool is_last_of_entry(uint64_t number) {
    const machine::History& history = machine_.history();
    const raft::Index index = history.at(number).index;
    if (entry_ != index) {
      entry_ = index;
      last_of_entry_ = number;
      for (uint64_t at = number + 1; at != history.end_number() && history.at(at).index == index; ++at)
        if (is_watched(history.at(at).key)) last_of_entry_ = at;
    }
    return number == last_of_entry_;
  }

  Next walk(size_t room, size_t before, std::string& out) {
    const machine::Store& store = machine_.store();
    const auto& items = store.items();
    auto at = walked_ ? items.upper_bound(*walked_) : items.lower_bound(terms_.name);
    for (size_t looked_at = 0; at != items.end() && is_watched(at->first); ++at) {
      if (out.size() - before >= room || looked_at++ == kMaxLookedAt) return Next::more;
      walked_ = at->first;
      if (store.is_over(at->second, machine_.time_ms(), machine_.cluster_time_ms())) continue;
      out += initial_frame(item_of(at->first, at->second, store), machine_.cluster_time_ms());
    }
    walks_ = false;
    out += id_field(applied()) + "\n";
    return Next::waits;
  }

  const machine::Machine& machine_;
  const std::shared_ptr<ChangeFrames> frames_;
  std::shared_ptr<const machine::WatchedName> watched_;
  const WatchTerms terms_;
  uint64_t opened_at_ = 0;  // the last index by then
  bool begun_ = false;
  bool lost_ = false;
  uint64_t next_ = 0;                  // the number of the change to be told next
  bool walks_ = false;                 // the items are not all shown yet
  std::optional<std::string> walked_;  // the last key that the walk passed
  raft::Index entry_;
  uint64_t last_of_entry_ = 0;
};

}  // namespace

const std::string& ChangeFrames::frame(const machine::Machine& machine, uint64_t number, bool with_prev) {
  const Name name(number, with_prev);
  const auto [at, fresh] = frames_.try_emplace(name);
  if (!fresh) return at->second;
  ++made_;
  const machine::Change& change = machine.history().at(number);
  http::JsonWriter json;
  json.begin_object();
  if (change.type == machine::ChangeType::put) {
    const machine::KeyItem item{.key = change.key,
                                .value = change.value,
                                .content_type = change.content_type,
                                .create_index = change.create_index,
                                .mod_index = change.index.value,
                                .version = change.version,
                                .lease = change.lease,
                                .expires_at = change.expires_at};
    write_item_members(json, item, true, machine.cluster_time_ms());
  } else {
    write_bytes(json, "key", change.key);
    json.key("mod_index").number(change.index.value);
  }
  if (with_prev) {
    if (change.had_prev)
      write_bytes(json, "prev_value", change.prev.view());
    else
      json.key("prev_value").null();
  }
  json.end_object();
  const char* type = change.type == machine::ChangeType::put     ? "put"
                     : change.type == machine::ChangeType::erase ? "delete"
                                                                 : "expire";
  at->second = "event: " + std::string(type) + "\ndata: " + json.take() + "\n";
  bytes_ += at->second.size();
  order_.push_back(name);
  // The newest stays: it is what was asked for.
  while (bytes_ > kMaxBytes && order_.size() > 1) {
    const auto oldest = frames_.find(order_.front());
    bytes_ -= oldest->second.size();
    frames_.erase(oldest);
    order_.pop_front();
  }
  return at->second;
}

std::shared_ptr<http::Stream> open_watch(const machine::Machine& machine, std::shared_ptr<ChangeFrames> frames,
                                         WatchTerms terms) {
  return std::make_shared<WatchStream>(machine, std::move(frames), std::move(terms));
}

}  // namespace wh::api
