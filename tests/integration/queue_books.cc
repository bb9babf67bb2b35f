#include "queue_books.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <sstream>

#include "harness.h"

namespace wh::testing {

bool is_dead(std::string_view body) { return body.starts_with("poison") || body.starts_with("bury"); }

std::vector<std::string> json_fields(std::string text, const std::string& name) {
  std::vector<std::string> found;
  const std::string key = "\"" + name + "\":";
  size_t at = 0;
  while ((at = text.find(key, at)) != std::string::npos) {
    found.push_back(json_field(std::string_view(text).substr(at, 400), name));
    at += key.size();
  }
  return found;
}

int64_t parse_time(const std::string& text) {
  std::tm tm{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  if (rest == nullptr || *rest != '.') return 0;
  return static_cast<int64_t>(::timegm(&tm)) * 1'000 + std::atoi(rest + 1);
}

void QueueAccount::expect(bool holds, const std::string& otherwise, const std::string& event) {
  if (!holds) failures.push_back(event + ": " + otherwise);
}

// Why the event was delivered once more, by the log's own times.
void QueueAccount::explain(const Delivery& before, const Delivery& next) {
  const std::string both = next.body + ", " + before.receipt + " and " + next.receipt;
  expect(next.number > before.number, "the count of deliveries does not grow", both);
  lost_answer += next.number - before.number - 1;
  if (before.end == Delivery::End::released) {
    ++released;
    return;
  }
  expect(before.end != Delivery::End::buried, "delivered again after it was buried", both);
  expect(next.since >= before.visible_at, "delivered again before its time was over", both);
  if (before.end == Delivery::End::held)
    ++forgotten;
  else if (before.body.starts_with("slow") && before.number == 1)
    ++held_too_long;
  else
    ++unheard;
}

void QueueAccount::check_event(const std::string& body, uint64_t id, const std::vector<const Delivery*>& seen) {
  const bool planted = is_dead(body);
  uint64_t last = 0;
  bool processed = false;
  bool buried = false;
  for (const Delivery* one : seen) {
    expect(one->id == id, "it has another id than its producer was told", one->receipt);
    if (one->end == Delivery::End::acknowledged)
      expect(seen.back()->index <= one->ended_upto, "delivered again after it was acknowledged", one->receipt);
    processed |= one->end == Delivery::End::acknowledged;
    buried |= one->end == Delivery::End::buried;
    last = one->number;
  }
  if (!seen.empty()) lost_answer += seen.front()->number - 1;
  for (size_t i = 1; i < seen.size(); ++i) explain(*seen[i - 1], *seen[i]);
  const auto found = dead.find(body);
  expect(planted || found == dead.end(), "a dead letter that was not planted", body);
  expect(!planted || found != dead.end(), "planted, and no dead letter", body);
  expect(planted || processed, "acknowledged to its producer, and not processed", body);
  if (found != dead.end()) {
    expect(found->second >= last, "the dead letter was delivered less often than its consumers saw", body);
    lost_answer += found->second - last;
    last = found->second;
    const std::string expected = buried ? "planted" : "delivered " + std::to_string(last) + " times";
    expect(reasons[body] == expected, "it died for the reason: " + reasons[body], body);
  }
  redelivered += last == 0 ? 0 : last - 1;
}

// In the order of the log, a group's events are delivered one after the other, each as often as it takes.
void QueueAccount::check_groups() {
  std::map<std::string, std::vector<const Delivery*>> groups;
  for (const Delivery* delivery : deliveries) groups[delivery->group].push_back(delivery);
  expect(!groups.contains("null"), "some have no group", queue);
  for (auto& [group, line] : groups) {
    std::sort(line.begin(), line.end(), [](const Delivery* a, const Delivery* b) { return a->index < b->index; });
    for (size_t i = 1; i < line.size(); ++i) {
      const Delivery& before = *line[i - 1];
      const Delivery& next = *line[i];
      const std::string both = "group " + group + ", " + before.receipt + " and " + next.receipt;
      expect(next.id >= before.id, "an event came after one that stands behind it", both);
      if (next.id > before.id)
        expect(before.end == Delivery::End::acknowledged || is_dead(before.body), "the next came while this was held",
               both);
    }
  }
}

void QueueAccount::check(bool groups) {
  std::map<std::string, std::vector<const Delivery*>> by_body;
  for (const Delivery* delivery : deliveries) by_body[delivery->body].push_back(delivery);
  for (auto& [body, seen] : by_body) {
    std::sort(seen.begin(), seen.end(), [](const Delivery* a, const Delivery* b) { return a->index < b->index; });
    expect(enqueued.contains(body), "delivered, and its producer was never told of it", body);
  }
  for (const auto& [body, id] : enqueued) check_event(body, id, by_body[body]);
  for (const auto& [body, count] : dead) expect(enqueued.contains(body), "a dead letter of nobody", body);
  expect(lost_answer <= may_have_lost, std::to_string(lost_answer) + " deliveries that nobody saw", queue);
  if (groups) check_groups();
}

std::string QueueAccount::text() const {
  std::ostringstream out;
  out << queue << ": " << enqueued.size() << " events acknowledged to producers, " << deliveries.size()
      << " deliveries seen; further deliveries: " << released << " released, " << held_too_long << " held too long, "
      << forgotten << " forgotten, " << unheard << " acknowledged too late, " << lost_answer
      << " whose answer was lost (at most " << may_have_lost << " were); " << dead.size() << " dead letters";
  return out.str();
}

}  // namespace wh::testing
