#include "api/http/streams/watch_stream.h"

#include <utility>

#include "api/http/formats/store_json.h"
#include "http/json.h"
#include "machine/store/watch_place.h"

namespace wh::api {
namespace {

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
      : machine_(machine),
        frames_(std::move(frames)),
        terms_(std::move(terms)),
        place_(machine, terms_.name, terms_.prefix, raft::Index{terms_.from}),
        opened_at_(machine.applied()),
        walks_(terms_.initial) {}

  Next next(size_t room, std::string& out) override {
    if (place_.lost()) return Next::lost;
    const size_t before = out.size();
    // At once, so that a proxy and the client know that the stream is there, and where it began.
    if (!std::exchange(begun_, true))
      out += walks_ || terms_.from != 0 ? ":\n\n" : ":\n" + id_field(opened_at_.value) + "\n";
    size_t looked_at = 0;
    for (;;) {
      const std::optional<uint64_t> number = place_.next(looked_at, reached());
      if (place_.lost()) return Next::lost;
      if (!number && looked_at >= machine::WatchPlace::kMaxLookedAt) return Next::more;
      if (!number) break;
      if (out.size() - before >= room) return Next::more;
      out += frames_->frame(machine_, *number, terms_.with_prev);
      // The blank line that ends the frame comes after its id.
      if (!walks_ && place_.is_last_of_entry(*number)) out += id_field(machine_.history().at(*number).index.value);
      out += "\n";
      place_.told(*number);
    }
    // What was shown of a walk is up to date now, and the walk goes on.
    return walks_ ? walk(room, before, out) : Next::waits;
  }

  // With the index up to which all was sent, so that a quiet stream's place stays young (HAZARDS W4).
  [[nodiscard]] std::string keep_alive() override {
    const std::optional<raft::Index> mark = walks_ ? std::nullopt : place_.mark();
    return ":\n" + (mark ? id_field(mark->value) : std::string()) + "\n";
  }

 private:
  // While it walks, the last key that it passed: what it has not reached yet, it will show as it is then.
  [[nodiscard]] std::optional<std::string_view> reached() const {
    if (!walks_) return std::nullopt;
    return walked_ ? std::string_view(*walked_) : std::string_view();
  }

  Next walk(size_t room, size_t before, std::string& out) {
    const machine::Store& store = machine_.store();
    const auto& items = store.items();
    auto at = walked_ ? items.upper_bound(*walked_) : items.lower_bound(terms_.name);
    for (size_t looked_at = 0; at != items.end() && place_.is_watched(at->first); ++at) {
      if (out.size() - before >= room || looked_at++ == machine::WatchPlace::kMaxLookedAt) return Next::more;
      walked_ = at->first;
      if (store.is_over(at->second, machine_.time_ms(), machine_.cluster_time_ms())) continue;
      out += initial_frame(machine_.shown(at->first, at->second), machine_.cluster_time_ms());
    }
    walks_ = false;
    out += id_field(machine_.applied().value) + "\n";
    return Next::waits;
  }

  const machine::Machine& machine_;
  const std::shared_ptr<ChangeFrames> frames_;
  const WatchTerms terms_;
  machine::WatchPlace place_;
  const raft::Index opened_at_;
  bool begun_ = false;
  bool walks_ = false;                 // the items are not all shown yet
  std::optional<std::string> walked_;  // the last key that the walk passed
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
