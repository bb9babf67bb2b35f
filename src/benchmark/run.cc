#include "benchmark/run.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <deque>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/progress.h"

namespace wh::benchmark {
namespace {

// How long the last answers are awaited, and how long no node may answer anything before a test is given up.
constexpr uint64_t kLastAnswersMs = 10'000;
constexpr uint64_t kNothingMs = 10'000;
constexpr uint64_t kProgressMs = 250;
// So many kinds of errors are told apart; all further ones are one kind.
constexpr size_t kMostReasons = 8;
constexpr size_t kFillPlaces = 4;

uint64_t cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; };
  return static_cast<uint64_t>(micros(usage.ru_utime) + micros(usage.ru_stime));
}

std::string sentence_of(const Answer& answer) {
  if (answer.body.starts_with('-')) return std::string(answer.body.substr(1, answer.body.find('\r') - 1));
  return "status " + std::to_string(answer.status);
}

// Wakes the loop at a time of the clock, to the microsecond: libuv's timers know milliseconds only.
class Alarm {
 public:
  Alarm(net::Loop& loop, std::function<void()> call) : call_(std::move(call)) {
    fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    WH_ASSERT(fd_ >= 0, "a timer can be made");
    poll_ = new uv_poll_t;
    uv_poll_init(loop.uv(), poll_, fd_);
    poll_->data = this;
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
      auto* alarm = static_cast<Alarm*>(poll->data);
      uint64_t times = 0;
      if (read(alarm->fd_, &times, sizeof times) == sizeof times) alarm->call_();
    });
  }
  ~Alarm() {
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    close(fd_);
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  // CLOCK_MONOTONIC, as Loop::micros().
  void set(uint64_t at_us) {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(at_us / 1'000'000);
    when.it_value.tv_nsec = static_cast<long>(at_us % 1'000'000 * 1'000);
    timerfd_settime(fd_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

 private:
  std::function<void()> call_;
  uv_poll_t* poll_ = nullptr;
  int fd_ = -1;
};

class Filling final : public Source {
 public:
  Filling(Network& network, Maker& maker, const Operation& operation)
      : network_(network), maker_(maker), needs_(operation.needs), tick_(network.loop, [this] { tick(); }) {
    const Options& options = network.options;
    // Within the bounds of a transaction and of a batch.
    at_once_ = std::clamp<uint64_t>(400'000 / (options.data_bytes + 64), 1, 100);
    if (needs_ == Needs::keys)
      wanted_ = options.keyspace;
    else if (!operation.takes)
      wanted_ = 1'000;
    else
      wanted_ = options.time == 0 ? options.requests : options.time * 30;
    const size_t connections = std::min<size_t>(8, options.connections);
    for (size_t i = 0; i < connections; ++i)
      clients_.push_back(std::make_unique<Client>(network, *this, operation, i, options.keep_alive ? kFillPlaces : 1));
  }

  Status run() {
    last_us_ = net::Loop::micros();
    for (auto& client : clients_) client->dial();
    tick_.start(kProgressMs, kProgressMs);
    network_.loop.on_signal(SIGINT, [this] { fail("interrupted"); });
    network_.loop.run();
    if (!why_.empty()) return Error{why_};
    return ok_status();
  }

 private:
  void ready(Client& client) override {
    std::string text;
    while (client.free_places() > 0 && begun_ < wanted_) {
      const uint64_t items = std::min(at_once_, wanted_ - begun_);
      text.clear();
      make_filling(maker_, needs_, begun_, items, text);
      begun_ += items;
      ++outstanding_;
      client.send_text(text, 0);
    }
    check_end();
  }
  void check_end() {
    if (begun_ >= wanted_ && outstanding_ == 0) network_.loop.stop();
  }
  bool answered(Client&, Place&, uint64_t, const Answer& answer) override {
    --outstanding_;
    last_us_ = net::Loop::micros();
    const bool passing = answer.status >= 500 && answer.status != 501 && network_.options.protocol == Protocol::http;
    if (answer.status >= 400 && !passing) fail(sentence_of(answer));
    check_end();
    return true;
  }
  // What was under way, or refused by a node without a leader, may be missing afterwards, which the test counts.
  void lost(Client&, const std::string& why) override {
    --outstanding_;
    trouble_ = why;
    check_end();
  }
  void failed(const std::string& why) override { trouble_ = why; }
  void shut_out(const std::string& why) override { fail(why); }
  [[nodiscard]] bool over() const override { return !why_.empty(); }

  void tick() {
    progress_.show("puts there what is read: " + std::to_string(begun_) + " of " + std::to_string(wanted_));
    if (net::Loop::micros() - last_us_ > kNothingMs * 1'000) fail(trouble_.empty() ? "no answer" : trouble_);
  }
  void fail(const std::string& why) {
    why_ = why;
    network_.loop.stop();
  }

  Network& network_;
  Maker& maker_;
  Needs needs_;
  net::Timer tick_;
  Progress progress_;
  std::vector<std::unique_ptr<Client>> clients_;
  uint64_t at_once_ = 1;
  uint64_t wanted_ = 0;
  uint64_t begun_ = 0;
  uint64_t outstanding_ = 0;
  uint64_t last_us_ = 0;
  std::string trouble_;
  std::string why_;
};

class Run final : public Source {
 public:
  Run(Network& network, Maker& maker, const Operation& operation, const std::string& name)
      : network_(network),
        options_(network.options),
        maker_(maker),
        operation_(operation),
        tick_(network.loop, [this] { tick(); }),
        end_(network.loop, [this] { end_of_time(); }),
        alarm_(network.loop, [this] { dispatch(); }) {
    measure_.name = name;
    for (size_t i = 0; i < options_.connections; ++i)
      clients_.push_back(std::make_unique<Client>(network, *this, operation, i, options_.pipeline));
  }

  Result<Measure> run() {
    for (auto& client : clients_) client->dial();
    opened_us_ = net::Loop::micros();
    tick_.start(kProgressMs, kProgressMs);
    network_.loop.on_signal(SIGINT, [this] {
      measure_.interrupted = true;
      network_.loop.stop();
    });
    network_.loop.run();
    measure_.cpu_us = cpu_us() - cpu_us_;
    if (measure_.operations == 0 && !measure_.interrupted)
      return Error{!measure_.reasons.empty() ? measure_.reasons.begin()->first
                   : trouble_.empty()        ? "no answer"
                                             : trouble_};
    measure_.micros = std::max<uint64_t>(1, last_us_ - start_us_);
    // A silence that lasts until the end is one too.
    note_gap(net::Loop::micros());
    if (gave_up_)
      note_error("given up, as no node answered anything for 10 s", std::max<uint64_t>(1, outstanding_));
    else if (outstanding_ > 0 && !measure_.interrupted)
      note_error("no answer within 10 s of the end", outstanding_);
    return measure_;
  }

 private:
  // The test begins with the first connection that can ask.
  void begin() {
    start_us_ = last_us_ = last_success_us_ = net::Loop::micros();
    cpu_us_ = cpu_us();
    if (options_.time > 0) end_.start(options_.time);
    if (options_.rate > 0) alarm_.set(start_us_);
  }
  [[nodiscard]] bool all_begun() const { return ended_us_ != 0 || (options_.time == 0 && begun_ >= options_.requests); }
  // The moment at which request `number` is due.
  [[nodiscard]] uint64_t due_us(uint64_t number) const {
    return start_us_ + static_cast<uint64_t>(static_cast<Wide>(number) * 1'000'000 / options_.rate);
  }

  void ready(Client& client) override {
    if (start_us_ == 0) begin();
    if (options_.rate > 0) {
      idle_.push_back(&client);
      return dispatch();
    }
    const uint64_t now = net::Loop::micros();
    while (client.free_places() > 0 && !all_begun()) begin_one(client, now);
    check_end();
  }
  void begin_one(Client& client, uint64_t since_us) {
    ++begun_;
    ++outstanding_;
    client.send(maker_, since_us);
  }
  // Gives what is due to connections that are free.
  void dispatch() {
    const uint64_t now = net::Loop::micros();
    while (!idle_.empty() && !all_begun() && due_us(begun_) <= now) {
      Client* client = idle_.front();
      idle_.pop_front();
      if (!client->idle()) continue;
      while (client->free_places() > 0 && !all_begun() && due_us(begun_) <= now) begin_one(*client, due_us(begun_));
    }
    if (!all_begun() && !idle_.empty()) alarm_.set(due_us(begun_));
    check_end();
  }

  bool answered(Client& client, Place& place, uint64_t since_us, const Answer& answer) override {
    const bool kept = take(client, place, since_us, answer);
    check_end();
    return kept;
  }
  bool take(Client& client, Place& place, uint64_t since_us, const Answer& answer) {
    const uint64_t now = net::Loop::micros();
    const bool nothing = answer.status == 404 || (answer.status == 204 && operation_.takes && !place.second);
    if (answer.status >= 400 && answer.status != 404) {
      --outstanding_;
      place.second = false;
      note_error(sentence_of(answer), 1);
      if (answer.status == 401) shut_out(sentence_of(answer));
      // The node has no leader, say: the next one may.
      if (answer.status >= 500 && options_.protocol == Protocol::http) client.drop(sentence_of(answer));
      return true;
    }
    last_us_ = now;
    if (nothing && operation_.takes) {
      --outstanding_;
      place.second = false;
      measure_.ran_dry = true;
      ended_us_ = net::Loop::micros();
      return true;
    }
    if (operation_.goes_on != nullptr && !nothing && operation_.goes_on(place, answer)) {
      place.second = true;
      client.send(maker_, since_us);
      return true;
    }
    place.second = false;
    --outstanding_;
    success(now, now - since_us);
    measure_.missing += nothing ? 1 : 0;
    return true;
  }
  // Up to the end of the time: later requests are only awaited, and none is made.
  void note_gap(uint64_t now) {
    if (ended_us_ != 0) now = std::min(now, ended_us_);
    if (now <= last_success_us_ + measure_.gap_us) return;
    measure_.gap_us = now - last_success_us_;
    measure_.gap_at_us = last_success_us_ - start_us_;
  }
  void success(uint64_t now, uint64_t took_us) {
    note_gap(now);
    last_success_us_ = now;
    ++measure_.operations;
    measure_.took_us.add(took_us);
    measure_.total_us += took_us;
    measure_.least_us = std::min(measure_.least_us, took_us);
  }
  void lost(Client&, const std::string& why) override {
    --outstanding_;
    note_error(why, 1);
    check_end();
  }
  void failed(const std::string& why) override { trouble_ = why; }
  void shut_out(const std::string& why) override {
    trouble_ = why;
    network_.loop.stop();
  }
  [[nodiscard]] bool over() const override { return all_begun() && outstanding_ == 0; }

  void note_error(const std::string& why, uint64_t count) {
    measure_.errors += count;
    const bool known = measure_.reasons.size() < kMostReasons || measure_.reasons.contains(why);
    measure_.reasons[known ? why : "other reasons"] += count;
  }
  void check_end() {
    if (over()) network_.loop.stop();
  }
  void end_of_time() {
    if (ended_us_ != 0) return network_.loop.stop();
    ended_us_ = net::Loop::micros();
    end_.start(kLastAnswersMs);
    check_end();
  }

  void tick() {
    const uint64_t now = net::Loop::micros();
    const uint64_t since = std::max(opened_us_, last_success_us_);
    if (now - since > kNothingMs * 1'000) {
      gave_up_ = true;
      return network_.loop.stop();
    }
    if (start_us_ == 0) return;
    const double seconds = static_cast<double>(now - start_us_) / 1e6;
    const double share = options_.time > 0
                             ? seconds * 1e3 / static_cast<double>(options_.time)
                             : static_cast<double>(measure_.operations) / static_cast<double>(options_.requests);
    std::array<char, 160> line{};
    std::snprintf(line.data(), line.size(), "%s: %3.0f %%, %.0f/s, p50 %.2f ms, p99 %.2f ms%s", measure_.name.c_str(),
                  std::min(1.0, share) * 100, static_cast<double>(measure_.operations - shown_) * 1e3 / kProgressMs,
                  static_cast<double>(measure_.took_us.permille(500)) / 1e3,
                  static_cast<double>(measure_.took_us.permille(990)) / 1e3,
                  measure_.errors > 0 ? (", " + std::to_string(measure_.errors) + " errors").c_str() : "");
    shown_ = measure_.operations;
    progress_.show(line.data());
  }

  Network& network_;
  const Options& options_;
  Maker& maker_;
  const Operation& operation_;
  net::Timer tick_;
  net::Timer end_;
  Alarm alarm_;
  Progress progress_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::deque<Client*> idle_;
  Measure measure_;
  std::string trouble_;
  uint64_t opened_us_ = 0;
  uint64_t start_us_ = 0;  // 0: no connection was ready yet
  uint64_t last_us_ = 0;
  uint64_t last_success_us_ = 0;
  uint64_t cpu_us_ = 0;
  uint64_t begun_ = 0;
  uint64_t outstanding_ = 0;
  uint64_t shown_ = 0;
  uint64_t ended_us_ = 0;  // from then on no more requests are begun; 0: not yet
  bool gave_up_ = false;   // nobody answered for long
};

}  // namespace

Status fill(const std::shared_ptr<net::TlsContext>& tls, Maker& maker, const Operation& operation) {
  if (operation.needs == Needs::nothing) return ok_status();
  net::Loop loop;
  net::HandshakeGate gate(loop);
  Network network{loop, gate, tls, maker.options()};
  return Filling(network, maker, operation).run();
}

Result<Measure> run_test(const std::shared_ptr<net::TlsContext>& tls, Maker& maker, const Operation& operation,
                         const std::string& name) {
  net::Loop loop;
  net::HandshakeGate gate(loop);
  Network network{loop, gate, tls, maker.options()};
  return Run(network, maker, operation, name).run();
}

}  // namespace wh::benchmark
