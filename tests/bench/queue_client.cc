// The cases of `make bench-queue`, of one system, with one number of workers and one size of batch:
//
//   enqueue   each worker sends its next batch when the one before is confirmed
//   receive   each worker receives a batch, and then acknowledges it, from the queue that the enqueues left behind
//   wait      as many workers wait for an event each, and as many others enqueue one whenever a worker waits
//
//   queue_client SYSTEM PORT[,PORT...] CASE[,CASE] [--workers N] [--batch N] [--seconds N] [--to all|leader] [--pids
//   N,...]
//
// SYSTEM is wormhole, rabbitmq, nats or beanstalkd. Workers are spread over the ports, or all use the leader's. Prints
// a line of JSON for each case: events, operations, seconds, and how many operations took how long, in buckets that are
// 2% wide (bucket b begins at 1.02^b microseconds). --pids are the servers' processes, whose processor time is counted.
#include "queue_client.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <list>
#include <map>
#include <sstream>
#include <unistd.h>

namespace wh::bench {
namespace {

constexpr uint64_t kRetryMs = 100;  // after a refusal
constexpr double kSlackS = 30;      // so much longer may something take that is slow
constexpr uint64_t kPauseMs = 5;    // a worker waits at least so long before its event is sent

struct Options {
  MakePeer make = nullptr;
  std::vector<uint16_t> ports;
  std::vector<std::string> cases;
  size_t workers = 1;
  size_t batch = 1;
  double seconds = 5;
  bool to_leader = false;
  std::vector<std::string> pids;
};

// Seconds of processor time that a process has used.
double used_by(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// What is measured between two points in time.
class Measure {
 public:
  Measure(std::string name, const Options& options) : name_(std::move(name)), options_(options) {}

  void begin() {
    from_ = uv_hrtime();
    cpu_ = cpu();
  }
  void end() {
    if (from_ == 0 || to_ != 0) return;
    to_ = uv_hrtime();
    const Cpu now = cpu();
    cpu_ = {now.servers - cpu_.servers, now.client - cpu_.client};
  }
  // Long enough: the time, and one operation of each worker; but half a minute more at most.
  bool is_enough() const {
    return seconds() >= options_.seconds &&
           (operations_ >= options_.workers || seconds() >= options_.seconds + kSlackS);
  }
  bool runs() const { return from_ != 0 && to_ == 0; }
  double seconds() const { return from_ == 0 ? 0 : static_cast<double>((to_ != 0 ? to_ : uv_hrtime()) - from_) / 1e9; }

  void add(uint64_t start, size_t events) {
    if (!runs()) return;
    ++operations_;
    events_ += events;
    const double us = static_cast<double>(uv_hrtime() - start) / 1000;
    ++buckets_[us <= 1 ? 0 : static_cast<int>(std::log(us) / std::log(1.02))];
  }
  void refused(std::string_view why) {
    if (refusals_++ == 0) reason_ = why;
  }

  void print() const {
    std::string reason;
    for (const char c : reason_.substr(0, 200)) reason += c < ' ' || c == '"' || c == '\\' ? '\'' : c;
    (void)std::printf(
        R"({"case":"%s","events":%zu,"operations":%zu,"seconds":%.6f,"refusals":%zu,"reason":"%s","cpu_servers":%.3f,)"
        R"("cpu_client":%.3f,"buckets":{)",
        name_.c_str(), events_, operations_, seconds(), refusals_, reason.c_str(), cpu_.servers, cpu_.client);
    const char* comma = "";
    for (const auto& [bucket, count] : buckets_) {
      (void)std::printf("%s\"%d\":%zu", comma, bucket, count);
      comma = ",";
    }
    (void)std::printf("}}\n");
  }

 private:
  struct Cpu {
    double servers = 0;
    double client = 0;
  };
  Cpu cpu() const {
    Cpu used{0, used_by(std::to_string(uv_os_getpid()))};
    for (const std::string& pid : options_.pids) used.servers += used_by(pid);
    return used;
  }

  std::string name_;
  const Options& options_;
  uint64_t from_ = 0, to_ = 0;
  Cpu cpu_;
  size_t operations_ = 0, events_ = 0, refusals_ = 0;
  std::string reason_;
  std::map<int, size_t> buckets_;
};

// Calls once, so many milliseconds after it was set.
class Timer {
 public:
  Timer(uv_loop_t* loop, std::function<void()> call) : call_(std::move(call)) {
    uv_timer_init(loop, &timer_);
    timer_.data = this;
  }
  void set(uint64_t ms) {
    uv_update_time(timer_.loop);
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { static_cast<Timer*>(timer->data)->call_(); }, ms, 0);
  }

 private:
  uv_timer_t timer_{};
  std::function<void()> call_;
};

// What a case's workers share.
struct Shared {
  bool stops = false;   // no worker begins anything new
  size_t ready = 0;     // greeted
  size_t active = 0;    // in an operation
  uint64_t events = 0;  // enqueued, or received
};

class Worker : public Listener {
 public:
  Worker(uv_loop_t* loop, const Options& options, uint16_t port, const Setting& setting, Measure& measure,
         Shared& shared)
      : peer_(options.make(loop, port, setting, *this)),
        retry_(loop, [this] { again(); }),
        measure_(measure),
        shared_(shared) {}

  void ready() override { ++shared_.ready; }
  void refused(std::string_view why) override {
    measure_.refused(why);
    retry_.set(kRetryMs);
  }
  Peer& peer() { return *peer_; }

 protected:
  virtual void again() = 0;
  Measure& measure() { return measure_; }
  Shared& shared() { return shared_; }

 private:
  std::unique_ptr<Peer> peer_;
  Timer retry_;
  Measure& measure_;
  Shared& shared_;
};

// Begins its next operation as soon as the one before is over.
class Steady : public Worker {
 public:
  using Worker::Worker;

  void start() {
    ++shared().active;
    next();
  }

 protected:
  void again() override {
    if (!shared().stops)
      next();
    else
      --shared().active;
  }
  [[nodiscard]] uint64_t started() const { return start_; }
  virtual void ask() = 0;

 private:
  void next() {
    start_ = uv_hrtime();
    ask();
  }

  uint64_t start_ = 0;
};

class Producer : public Steady {
 public:
  Producer(uv_loop_t* loop, const Options& options, uint16_t port, const Setting& setting, Measure& measure,
           Shared& shared)
      : Steady(loop, options, port, setting, measure, shared), batch_(setting.batch) {}

  void enqueued() override {
    shared().events += batch_;
    measure().add(started(), batch_);
    again();
  }

 private:
  void ask() override { peer().enqueue(); }

  size_t batch_;
};

class Consumer : public Steady {
 public:
  using Steady::Steady;

  void received(size_t events) override {
    held_ = events;
    shared().events += events;
    if (events == 0)
      again();
    else
      peer().acknowledge();
  }
  void acknowledged() override {
    measure().add(started(), held_);
    again();
  }

 private:
  void ask() override { peer().receive(); }

  size_t held_ = 0;
};

// Producers who enqueue one event each time that a worker waits.
class Turns {
 public:
  void idle(const std::function<void()>& producer) {
    idle_.push_back(producer);
    match();
  }
  void waits() {
    ++waiting_;
    match();
  }

 private:
  void match() {
    while (waiting_ > 0 && !idle_.empty()) {
      const std::function<void()> producer = std::move(idle_.front());
      idle_.erase(idle_.begin());
      --waiting_;
      producer();
    }
  }
  size_t waiting_ = 0;
  std::vector<std::function<void()>> idle_;
};

class TurnProducer : public Worker {
 public:
  TurnProducer(uv_loop_t* loop, const Options& options, uint16_t port, const Setting& setting, Measure& measure,
               Shared& shared, Turns& turns)
      : Worker(loop, options, port, setting, measure, shared), turns_(turns) {}

  void start() {
    turns_.idle([this] { again(); });
  }
  void enqueued() override {
    measure().add(start_, 1);
    start();
  }

 private:
  void again() override {
    if (shared().stops) return;
    start_ = uv_hrtime();
    peer().enqueue();
  }

  Turns& turns_;
  uint64_t start_ = 0;
};

class Waiter : public Worker {
 public:
  Waiter(uv_loop_t* loop, const Options& options, uint16_t port, const Setting& setting, Measure& measure,
         Shared& shared, Turns& turns)
      : Worker(loop, options, port, setting, measure, shared), turn_(loop, [&turns] { turns.waits(); }) {}

  void start() {
    peer().receive();
    turn_.set(kPauseMs);
  }
  void event(uint64_t sent_ns) override { measure().add(sent_ns, 1); }
  void received(size_t events) override {
    if (events == 0)
      peer().receive();  // its turn goes on
    else
      peer().acknowledge();
  }
  void acknowledged() override { start(); }

 private:
  void again() override { peer().receive(); }
  Timer turn_;
};

// What the workers of a case refer to. It stays after the case, as their timers may still be set.
struct Case {
  Case(const std::string& name, const Options& options) : measure(name, options), writing(name + "_enqueue", options) {}
  Measure measure;
  Measure writing;  // of `wait`: the enqueues
  Shared shared;
  Turns turns;
};

struct Control : Listener {
  void ready() override { is_ready = true; }
  void refused(std::string_view why) override { fail("refused: " + std::string(why)); }
  bool is_ready = false;
};

class Run {
 public:
  Run(uv_loop_t* loop, const Options& options)
      : loop_(loop), options_(options), queue_("q" + std::to_string(uv_os_getpid())) {}

  void run() {
    Control control;
    const std::unique_ptr<Peer> peer =
        options_.make(loop_, options_.ports[0], setting(options_.batch, false, false), control);
    control_ = peer.get();
    run_until(
        loop_, [&] { return control.is_ready; }, 30, "connecting");
    peer->make_queue();
    for (const std::string& name : options_.cases) {
      if (name == "enqueue")
        enqueue(std::count(options_.cases.begin(), options_.cases.end(), "receive") > 0);
      else if (name == "receive")
        receive();
      else if (name == "wait")
        wait();
      else
        fail("unknown case " + name);
      (void)std::fflush(stdout);
    }
    peer->delete_queue();
  }

 private:
  Setting setting(size_t batch, bool consumes, bool waits) const {
    return {queue_, batch, options_.ports.size(), consumes, waits};
  }

  template <class T, class... More>
  std::vector<std::unique_ptr<T>> workers(const Setting& setting, Measure& measure, Shared& shared, More&... more) {
    std::vector<std::unique_ptr<T>> all;
    const size_t leader = options_.to_leader ? control_->leader(setting.consumes) : 0;
    if (leader >= options_.ports.size()) fail("the queue has no leader");
    const size_t ready = shared.ready;
    for (size_t i = 0; i < options_.workers; ++i) {
      const size_t node = options_.to_leader ? leader : i % options_.ports.size();
      all.push_back(std::make_unique<T>(loop_, options_, options_.ports[node], setting, measure, shared, more...));
    }
    run_until(
        loop_, [&] { return shared.ready == ready + options_.workers; }, 30, "connecting");
    return all;
  }

  // The connections are closed; they stay allocated, as the loop may still know them.
  template <class T>
  void close(std::vector<std::unique_ptr<T>>& all) {
    for (auto& worker : all) {
      worker->peer().close();
      gone_.push_back(std::move(worker));
    }
  }

  double warm_up() const { return std::min(options_.seconds / 10, 1.0); }
  static double since(uint64_t start) { return static_cast<double>(uv_hrtime() - start) / 1e9; }

  void enqueue(bool for_receive) {
    auto& [measure, unused, shared, turns] = cases_.emplace_back("enqueue", options_);
    auto all = workers<Producer>(setting(options_.batch, false, false), measure, shared);
    const uint64_t start = uv_hrtime();
    for (auto& worker : all) worker->start();
    // Those who receive need enough for several turns each.
    const size_t least = for_receive ? 8 * options_.workers * options_.batch : 0;
    const auto is_over = [&] {
      if (!measure.runs() && measure.seconds() == 0 && since(start) >= warm_up()) measure.begin();
      if (measure.runs() && measure.is_enough()) measure.end();
      const bool is_measured = measure.seconds() > 0 && !measure.runs();
      if (is_measured && (shared.events >= least || since(start) >= options_.seconds + kSlackS)) shared.stops = true;
      return shared.stops && (shared.active == 0 || since(start) >= options_.seconds + 3 * kSlackS);
    };
    run_until(loop_, is_over, options_.seconds + 4 * kSlackS, "enqueueing");
    close(all);
    stored_ = shared.events;
    measure.print();
  }

  void receive() {
    auto& [measure, unused, shared, turns] = cases_.emplace_back("receive", options_);
    auto all = workers<Consumer>(setting(options_.batch, true, false), measure, shared);
    const uint64_t start = uv_hrtime();
    for (auto& worker : all) worker->start();
    const auto is_over = [&] {
      if (measure.seconds() == 0 && (since(start) >= warm_up() || shared.events * 8 >= stored_)) measure.begin();
      // At the end of the queue workers would wait for each other.
      if (measure.is_enough() || shared.events + 2 * options_.workers * options_.batch >= stored_) {
        measure.end();
        shared.stops = true;
      }
      return shared.stops;
    };
    run_until(loop_, is_over, options_.seconds + 4 * kSlackS, "receiving");
    close(all);
    measure.print();
  }

  void wait() {
    auto& [waiting, writing, shared, turns] = cases_.emplace_back("wait", options_);
    auto waiters = workers<Waiter>(setting(1, true, true), waiting, shared, turns);
    auto producers = workers<TurnProducer>(setting(1, false, false), writing, shared, turns);
    for (auto& worker : waiters) worker->start();
    uint64_t start = uv_hrtime();
    run_until(
        loop_, [&] { return since(start) > 0.2; }, 5, "a pause");
    for (auto& worker : producers) worker->start();
    start = uv_hrtime();
    const auto is_over = [&] {
      if (!waiting.runs() && since(start) >= warm_up()) {
        waiting.begin();
        writing.begin();
      }
      return waiting.seconds() >= options_.seconds;
    };
    run_until(loop_, is_over, options_.seconds + kSlackS, "waiting");
    waiting.end();
    writing.end();
    shared.stops = true;
    close(producers);
    close(waiters);
    waiting.print();
    writing.print();
  }

  uv_loop_t* loop_;
  const Options& options_;
  std::string queue_;
  Peer* control_ = nullptr;
  size_t stored_ = 0;
  std::vector<std::unique_ptr<Worker>> gone_;
  std::list<Case> cases_;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

Options parse(const std::vector<std::string>& arguments) {
  const std::map<std::string, MakePeer> systems = {
      {"wormhole", make_wormhole}, {"rabbitmq", make_rabbitmq}, {"nats", make_nats}, {"beanstalkd", make_beanstalkd}};
  Options options;
  if (arguments.size() < 3 || arguments.size() % 2 == 0 || !systems.contains(arguments[0]))
    fail(
        "usage: queue_client SYSTEM PORT[,PORT...] CASE[,CASE] [--workers N] [--batch N] [--seconds N] [--to "
        "all|leader]");
  options.make = systems.at(arguments[0]);
  for (const std::string& port : split(arguments[1])) options.ports.push_back(static_cast<uint16_t>(number_at(port)));
  options.cases = split(arguments[2]);
  for (size_t i = 3; i < arguments.size(); i += 2) {
    const std::string& name = arguments[i];
    const std::string& value = arguments[i + 1];
    if (name == "--workers")
      options.workers = number_at(value);
    else if (name == "--batch")
      options.batch = number_at(value);
    else if (name == "--seconds")
      options.seconds = std::atof(value.c_str());
    else if (name == "--to" && (value == "all" || value == "leader"))
      options.to_leader = value == "leader";
    else if (name == "--pids")
      options.pids = split(value);
    else
      fail("unknown option " + name + " " + value);
  }
  if (options.ports.empty() || options.workers == 0 || options.batch == 0 || options.batch > 100 ||
      options.seconds <= 0)
    fail("these numbers make no sense; a batch is 100 at most");
  return options;
}

}  // namespace
}  // namespace wh::bench

int main(int argc, char** argv) {
  const wh::bench::Options options = wh::bench::parse({argv + 1, argv + argc});
  wh::bench::Run(uv_default_loop(), options).run();
  (void)std::fflush(stdout);
  std::_Exit(0);  // connections may be closing
}
