// A simple model of the state machine, and a source of random commands, for the tests beside it.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "machine/machine.h"
#include "machine/queue/queue_ops.h"
#include "machine/snapshot/snapshot_loader.h"

namespace wh::machine::test {

struct Model {
  struct Session {
    uint64_t epoch = 0;
    std::set<uint64_t> seen;
  };
  std::map<std::string, std::string> keys;
  std::map<std::string, std::deque<std::pair<uint64_t, std::string>>> queues;
  std::map<uint64_t, Session> sessions;
  uint64_t applied = 0;
  Millis time_ms = 0;
  // As of version 2:
  struct Answer {
    Fingerprint fingerprint{};
    Reply reply;
    uint64_t index = 0;
    Millis due = 0;
  };
  ClusterVersion version = kFirstVersion;
  Millis jumped_ms = 0;
  Settings settings;
  std::map<std::string, Answer> answers;  // by IdempotencyKeys::name_of

  static std::string scope_of(const Body& body) {
    if (const auto* enqueue = std::get_if<Enqueue>(&body)) return "q" + std::string(enqueue->queue);
    if (const auto* dequeue = std::get_if<Dequeue>(&body)) return "q" + std::string(dequeue->queue);
    return {};
  }
  [[nodiscard]] auto next_due() {
    return std::min_element(answers.begin(), answers.end(), [](const auto& a, const auto& b) {
      return std::tie(a.second.due, a.first) < std::tie(b.second.due, b.first);
    });
  }
  [[nodiscard]] auto oldest() {
    return std::min_element(answers.begin(), answers.end(),
                            [](const auto& a, const auto& b) { return a.second.index < b.second.index; });
  }

  Reply apply(Millis time, const RequestId& id, const Body& body, const std::optional<IdempotencyKey>& key) {
    if (!key) return apply(time, id, body);
    if (time > time_ms) time_ms = time;
    const std::string name = IdempotencyKeys::name_of(scope_of(body), key->key);
    const auto at = answers.find(name);
    if (at != answers.end() && at->second.due > time_ms) {
      ++applied;
      if (id.sequence != 0 && !admit(id)) return {.code = ReplyCode::duplicate};
      if (at->second.fingerprint != key->fingerprint) return {.code = ReplyCode::key_reused};
      Reply again = at->second.reply;
      again.replayed_from = raft::Index{at->second.index};
      return again;
    }
    const Reply reply = apply(time, id, body);
    if (reply.code != ReplyCode::ok) return reply;
    Answer& kept = answers[name];
    kept = {key->fingerprint, reply, applied, time_ms + settings.dedup_window};
    kept.reply.event = Bytes();
    while (answers.size() > settings.dedup_max_keys && oldest()->second.index != applied) answers.erase(oldest());
    return reply;
  }

  bool admit(const RequestId& id) {
    Session& session = sessions[id.origin.value];
    if (id.epoch < session.epoch) return false;
    if (id.epoch > session.epoch) session = Session{id.epoch, {}};
    if (session.seen.count(id.sequence) != 0) return false;
    if (!session.seen.empty() && id.sequence + Sessions::kWindow <= *session.seen.rbegin()) return false;
    session.seen.insert(id.sequence);
    return true;
  }

  Reply apply(Millis time, const RequestId& id, const Body& body) {
    ++applied;
    if (time > time_ms) time_ms = time;
    if (id.sequence != 0 && !admit(id)) return Reply{.code = ReplyCode::duplicate};
    Reply reply;
    if (const auto* set = std::get_if<Set>(&body)) {
      for (const auto& [key, value] : set->pairs) keys[std::string(key)] = std::string(value);
      reply.count = set->pairs.size();
    } else if (const auto* del = std::get_if<Delete>(&body)) {
      for (const auto key : del->keys) reply.count += keys.erase(std::string(key));
    } else if (const auto* enqueue = std::get_if<Enqueue>(&body)) {
      auto& queue = queues[std::string(enqueue->queue)];
      queue.emplace_back(applied, std::string(enqueue->event));
      reply.event_id.value = applied;
      reply.count = 1;
      reply.queue_length = queue.size();
    } else if (const auto* dequeue = std::get_if<Dequeue>(&body)) {
      auto& queue = queues[std::string(dequeue->queue)];
      if (dequeue->only_if_front && (queue.empty() || queue.front().first != *dequeue->only_if_front)) {
        reply.code = ReplyCode::precondition_failed;
      } else if (!queue.empty()) {
        reply.event_id.value = queue.front().first;
        reply.event = Bytes(queue.front().second);
        reply.count = 1;
        queue.pop_front();
      }
      reply.queue_length = queue.size();
    } else if (std::holds_alternative<Due>(body)) {
      while (!answers.empty() && next_due()->second.due <= time_ms && reply.count < kDuePerEntry) {
        answers.erase(next_due());
        ++reply.count;
      }
    } else if (const auto* advance = std::get_if<AdvanceTime>(&body)) {
      if (advance->to_ms > time_ms + jumped_ms) {
        jumped_ms = advance->to_ms - time_ms;
        reply.count = 1;
      }
    } else if (const auto* put = std::get_if<PutSettings>(&body)) {
      for (const auto& [name, value] : put->values) settings.*find_setting(name)->value = value;
      reply.count = put->values.size();
      reply.event = Bytes(encode_settings(settings, version));
    }
    return reply;
  }
};

// Whether all that can be read of the machine is what the model says. One CHECK, as it runs often.
inline bool same(const Model& model, const Machine& machine) {
  if (machine.applied().value != model.applied || machine.time_ms() != model.time_ms) return false;
  if (machine.key_count() != model.keys.size()) return false;
  for (const auto& [key, value] : model.keys) {
    const Bytes* found = machine.get(key);
    if (found == nullptr || found->view() != value) return false;
  }
  if (machine.version() != model.version || machine.cluster_time_ms() != model.time_ms + model.jumped_ms ||
      !(machine.settings() == model.settings) || machine.idempotency().size() != model.answers.size())
    return false;
  for (const auto& [name, answer] : model.answers) {
    const auto found = machine.idempotency().by_name().find(name);
    if (found == machine.idempotency().by_name().end() || found->second.due != answer.due ||
        found->second.index.value != answer.index || found->second.reply.view() != encode_reply(answer.reply))
      return false;
  }
  uint64_t events = 0;
  for (const auto& [name, queue] : model.queues) {
    events += queue.size();
    if (machine.queue_length(name) != queue.size()) return false;
    const Event* front = machine.front(name);
    if ((front == nullptr) != queue.empty()) return false;
    if (front != nullptr && (front->id() != queue.front().first || front->bytes.view() != queue.front().second))
      return false;
  }
  return machine.event_count() == events;
}

// One step of a random history: an entry of the log, and its meaning for the model.
struct Step {
  Millis time_ms = 0;
  bool noop = false;
  ClusterVersion raises_to = 0;  // 0: it does not
  bool valid = true;
  RequestId id;
  std::vector<std::string> text;  // what the body's views point into
  std::string command;
};

class Source {
 public:
  // `version`: the history raises the cluster's version to it somewhere on its way.
  explicit Source(uint64_t seed, ClusterVersion version = kFirstVersion)
      : prng_(seed), version_(version), keys_(prng_.between(1, 200)), queues_(prng_.between(1, 8)) {}

  Prng& prng() { return prng_; }

  // Applies one random entry to both and compares the replies; returns the entry.
  Step step(Model& model, Machine& machine) {
    Step step;
    step.time_ms = model.time_ms + prng_.below(3);
    if (prng_.chance_ppm(50'000)) {
      step.noop = true;
      ++model.applied;
      model.time_ms = step.time_ms;
      machine.advance(raft::Index{model.applied}, step.time_ms);
      return step;
    }
    if (version_ > model.version && prng_.chance_ppm(20'000)) {
      step.raises_to = model.version = version_;
      ++model.applied;
      model.time_ms = step.time_ms;
      machine.raise_version(raft::Index{model.applied}, step.time_ms, version_);
      return step;
    }
    const std::vector<std::string> text = words();
    Body body = random_body(text, model, machine);
    const RequestId id = random_id();
    std::optional<IdempotencyKey> idempotency;
    std::string key;
    if (version_ > kFirstVersion) {
      if (prng_.chance_ppm(100'000)) body = newer_body(model);
      key = "request" + std::to_string(prng_.below(60));
      if (prng_.chance_ppm(500'000)) {
        idempotency = {.key = key};
        idempotency->fingerprint[0] = static_cast<uint8_t>(prng_.below(20) == 0);
      }
    }
    step.command = encode_command(body, idempotency);
    set_request_id(step.command, id);
    if (version_needed(step.command) > model.version) {
      ++model.applied;
      model.time_ms = step.time_ms;
      CHECK(machine.apply(raft::Index{model.applied}, step.time_ms, step.command).reply.code == ReplyCode::invalid);
      return step;
    }
    if (prng_.chance_ppm(20'000)) {
      step.command.resize(prng_.below(step.command.size()));
      ++model.applied;
      model.time_ms = step.time_ms;
      CHECK(machine.apply(raft::Index{model.applied}, step.time_ms, step.command).reply.code == ReplyCode::invalid);
      return step;
    }
    const Reply expected = model.apply(step.time_ms, id, body, idempotency);
    const Reply reply = machine.apply(raft::Index{model.applied}, step.time_ms, step.command).reply;
    CHECK(reply == expected);
    return step;
  }

  std::string random_bytes(size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(prng_.next());
    return bytes;
  }

 private:
  std::string key() {
    return "key" + std::to_string(prng_.below(keys_)) + (prng_.chance_ppm(100'000) ? "/long/er" : "");
  }
  std::string value() {
    if (prng_.chance_ppm(10'000)) return random_bytes(prng_.below(40'000));
    return random_bytes(prng_.below(60));
  }
  std::vector<std::string> words() {
    std::vector<std::string> text;
    for (uint64_t i = prng_.between(1, 4); i > 0; --i) {
      text.push_back(key());
      text.push_back(value());
    }
    text.push_back("queue" + std::to_string(prng_.below(queues_)));
    text.push_back(random_bytes(prng_.between(1, 50)));
    return text;
  }
  Body random_body(const std::vector<std::string>& text, const Model& model, const Machine& machine) {
    const std::string& queue = text[text.size() - 2];
    const uint64_t choice = prng_.below(100);
    if (choice < 40) {
      Set set;
      for (size_t i = 0; i + 2 < text.size(); i += 2) set.pairs.emplace_back(text[i], text[i + 1]);
      return set;
    }
    if (choice < 55) {
      Delete del;
      for (size_t i = 0; i + 2 < text.size(); i += 2) del.keys.emplace_back(text[i]);
      return del;
    }
    if (choice < 80) return Enqueue{queue, text.back()};
    if (choice < 90) return Dequeue{queue, {}};
    const Event* front = machine.front(queue);
    return Dequeue{queue, front != nullptr && prng_.chance_ppm(700'000) ? front->id() : prng_.below(model.applied + 1)};
  }
  Body newer_body(const Model& model) {
    switch (prng_.below(4)) {
      case 0:
        return AdvanceTime{model.time_ms + prng_.below(1'000'000)};
      case 1: {
        PutSettings put{{{"dedup_window", 1'000 + prng_.below(300)}}};
        if (prng_.chance_ppm(500'000)) put.values.emplace_back("dedup_max_keys", prng_.between(1, 40));
        return put;
      }
      default:
        return Due{};
    }
  }
  RequestId random_id() {
    if (prng_.chance_ppm(300'000)) return RequestId{};
    if (prng_.chance_ppm(2'000)) ++epoch_;
    sequence_ += prng_.chance_ppm(10'000) ? prng_.below(3000) : prng_.below(3);
    const uint64_t back = prng_.chance_ppm(20'000) ? prng_.below(2000) : prng_.below(5);
    return RequestId{raft::NodeId{prng_.between(1, 3)}, epoch_ - prng_.below(2), sequence_ - back};
  }

  Prng prng_;
  ClusterVersion version_;
  uint64_t keys_;
  uint64_t queues_;
  uint64_t epoch_ = 5;
  uint64_t sequence_ = 5000;
};

inline std::string finish_snapshot(Machine& machine, size_t max_bytes = 65536) {
  std::string all;
  std::string slice;
  for (int slices = 0; machine.next_slice(max_bytes, slice); ++slices) {
    REQUIRE(slices < 1'000'000);  // a writer that gets nowhere fails rather than hangs
    all += slice;
  }
  return all;
}

inline std::string snapshot_of(Machine& machine, size_t max_bytes = 65536) {
  machine.begin_snapshot();
  return finish_snapshot(machine, max_bytes);
}

inline Result<State> load(std::string_view bytes, size_t chunk = 65536) {
  SnapshotLoader loader;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(chunk, bytes.size())))
    if (Status status = loader.feed(bytes.substr(0, chunk)); !status) return Error{status.error()};
  return loader.finish();
}

// Snapshots that begin, go on and are loaded at random while commands change the machine. Each holds what was there
// when it began.
class RandomSnapshots {
 public:
  // What is wrong; empty: nothing.
  std::string step(Machine& machine, Prng& prng) {
    if (!machine.snapshot_running() && prng.chance_ppm(20'000)) {
      machine.begin_snapshot();
      bytes_.clear();
      digest_ = machine.digest();
    }
    if (!machine.snapshot_running() || !prng.chance_ppm(400'000)) return {};
    std::string slice;
    if (machine.next_slice(1 + prng.below(300), slice)) {
      bytes_ += slice;
      return {};
    }
    const auto loaded = load(bytes_, 1 + prng.below(500));
    if (!loaded) return loaded.error();
    return loaded->digest() == digest_ ? "" : "a snapshot holds something else than what was there";
  }

 private:
  std::string bytes_;
  uint64_t digest_ = 0;
};

// Puts an event of the first version into a state.
inline void put_event(State& state, std::string_view queue, uint64_t id, std::string bytes) {
  UnwatchedQueues nobody;
  QueueOps ops(state.queues, {.index = {}, .version = state.version, .settings = state.settings}, nobody);
  Event event;
  event.arrival = id;
  event.bytes = Bytes(std::move(bytes));
  ops.ensure(queue);
  REQUIRE(ops.load_event(queue, std::move(event), {}, false));
}

// Applies a body at the next index.
inline Reply run(Machine& machine, const Body& body, const RequestId& id = {}) {
  return machine.apply(machine.applied() + 1, machine.time_ms(), envelope(id, encode_body(body))).reply;
}

}  // namespace wh::machine::test
