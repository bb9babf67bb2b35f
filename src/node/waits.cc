#include "node/waits.h"

#include <algorithm>

#include "base/assert.h"

namespace wh::node {

std::optional<uint64_t> Waits::add_in_line(Token token, Wait wait) {
  if (stopped_ || (entries_.size() - leaving_ >= max_ && !make_place(wait.client))) return std::nullopt;
  if (wait.place == 0) wait.place = next_place_++;
  const auto [entry, added] = entries_.emplace(token, Entry{std::move(wait)});
  WH_ASSERT(added, "a request waits once");
  const Wait& listed = entry->second.wait;
  count(listed.client, token, true);
  if (listed.index.value != 0) by_index_.emplace(listed.index, token);
  if (listed.topic) {
    const auto [line, is_new] = by_topic_.try_emplace(*listed.topic);
    if (is_new) ++lines_.at(static_cast<size_t>(listed.topic->kind));
    if (is_new && listed.topic->kind == Topic::Kind::prefix) ++prefix_lengths_[listed.topic->name.size()];
    if (listed.lasting)
      line->second.lasting.insert(token);
    else
      line->second.waiting.emplace(listed.place, token);
  }
  if (listed.until != kNever) by_deadline_.emplace(listed.until, token);
  if (listed.ends_with_leader) by_leader_.insert(token);
  return listed.place;
}

bool Waits::make_place(uint64_t client) {
  // After the limit was lowered nobody gives way: one place would not do.
  if (clients_.empty() || entries_.size() - leaving_ > max_) return false;
  const auto [most, greedy] = *clients_.rbegin();
  if (most <= max_ / 2 || greedy == client) return false;
  const auto entry = entries_.find(*by_client_.at(greedy).rbegin());
  entry->second.leaving = true;
  ++leaving_;
  wake_entry(entry, WaitEnd::crowded);
  return true;
}

void Waits::count(uint64_t client, Token token, bool waits) {
  std::set<Token>& tokens = by_client_[client];
  clients_.erase({tokens.size(), client});
  if (waits)
    tokens.insert(token);
  else
    tokens.erase(token);
  if (tokens.empty())
    by_client_.erase(client);
  else
    clients_.emplace(tokens.size(), client);
}

bool Waits::cancel(Token token) {
  const auto entry = entries_.find(token);
  if (entry == entries_.end()) return false;
  const Entry cancelled = std::move(entry->second);
  unlist(token, cancelled.wait);
  if (cancelled.leaving) --leaving_;
  entries_.erase(entry);
  const bool had_turn = cancelled.woken && cancelled.why == WaitEnd::reached;
  if (had_turn && cancelled.wait.topic && !cancelled.wait.lasting) {
    if (const auto line = by_topic_.find(*cancelled.wait.topic);
        line != by_topic_.end() && !line->second.waiting.empty())
      wake_token(line->second.waiting.begin()->second, WaitEnd::reached);
  }
  return true;
}

std::optional<Token> Waits::take_first(const Topic& topic) {
  const auto line = by_topic_.find(topic);
  if (line == by_topic_.end() || line->second.waiting.empty()) return std::nullopt;
  const Token token = line->second.waiting.begin()->second;
  const auto entry = entries_.find(token);
  unlist(token, entry->second.wait);
  entries_.erase(entry);
  return token;
}

// Waking ends the wait, but for a stream: its index counts once.
void Waits::applied(raft::Index index) {
  while (!by_index_.empty() && by_index_.begin()->first <= index) {
    const Token token = by_index_.begin()->second;
    by_index_.erase(by_index_.begin());
    wake_token(token, WaitEnd::reached);
  }
}

void Waits::wake(const Topic& topic, size_t count) {
  const auto found = by_topic_.find(topic);
  if (found == by_topic_.end()) return;
  for (const Token token : found->second.lasting) wake_token(token, WaitEnd::reached);
  // Waking the last request deletes the line.
  for (size_t left = std::min(count, found->second.waiting.size()); left > 0; --left) {
    const bool last = left == 1;
    wake_token(found->second.waiting.begin()->second, WaitEnd::reached);
    if (last) return;
  }
}

void Waits::wake_all(Topic::Kind kind) {
  std::vector<Topic> topics;
  for (auto line = by_topic_.lower_bound({kind, {}}); line != by_topic_.end() && line->first.kind == kind; ++line)
    topics.push_back(line->first);
  for (const Topic& topic : topics) wake(topic);
}

void Waits::wake_prefixes_of(std::string_view key) {
  std::vector<size_t> lengths;
  for (const auto& [length, lines] : prefix_lengths_)
    if (length <= key.size()) lengths.push_back(length);
  for (const size_t length : lengths) wake({Topic::Kind::prefix, std::string(key.substr(0, length))});
}

void Waits::leader_changed() {
  while (!by_leader_.empty()) wake_token(*by_leader_.begin(), WaitEnd::leader_changed);
}

void Waits::expire(Millis now) {
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now)
    wake_token(by_deadline_.begin()->second, WaitEnd::late);
}

void Waits::stop() {
  stopped_ = true;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) wake_entry(entry, WaitEnd::stopped);
}

void Waits::wake_entry(Entries::iterator entry, WaitEnd why) {
  auto& [token, waiting] = *entry;
  const bool ends = !waiting.wait.lasting || why != WaitEnd::reached;
  if (!waiting.woken) woken_.push_back(token);
  // If a stream has news and ends before take() returns them, the end counts.
  if (!waiting.woken || (waiting.wait.lasting && ends && waiting.why != WaitEnd::crowded)) waiting.why = why;
  waiting.woken = true;
  if (ends) unlist(token, waiting.wait);
}

void Waits::unlist(Token token, const Wait& wait) {
  count(wait.client, token, false);
  if (wait.index.value != 0) by_index_.erase({wait.index, token});
  if (wait.until != kNever) by_deadline_.erase({wait.until, token});
  if (wait.ends_with_leader) by_leader_.erase(token);
  if (!wait.topic) return;
  const auto found = by_topic_.find(*wait.topic);
  if (found == by_topic_.end()) return;
  if (!wait.lasting) found->second.waiting.erase(wait.place);
  found->second.lasting.erase(token);
  if (!found->second.waiting.empty() || !found->second.lasting.empty()) return;
  --lines_.at(static_cast<size_t>(wait.topic->kind));
  if (wait.topic->kind == Topic::Kind::prefix)
    if (const auto length = prefix_lengths_.find(wait.topic->name.size()); --length->second == 0)
      prefix_lengths_.erase(length);
  by_topic_.erase(found);
}

std::vector<Woken> Waits::take() {
  std::vector<Woken> taken;
  for (const Token token : woken_) {
    const auto entry = entries_.find(token);
    if (entry == entries_.end() || !entry->second.woken) continue;  // cancelled meanwhile
    taken.push_back({token, entry->second.why});
    if (entry->second.wait.lasting && entry->second.why == WaitEnd::reached) {
      entry->second.woken = false;
      continue;
    }
    if (entry->second.leaving) --leaving_;
    entries_.erase(entry);
  }
  woken_.clear();
  return taken;
}

}  // namespace wh::node
