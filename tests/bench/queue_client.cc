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
// what was measured (measure.h), a line for each case. --pids are the servers' processes, whose processor time is
// counted.
#include "queue_client.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>

#include "measure.h"

namespace wh::bench {
namespace {

constexpr uint64_t kRetryMs = 100;  // after a refusal
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
  Case(const std::string& name, const Options& options)
      : measure(name, options.workers, options.seconds, options.pids),
        writing(name + "_enqueue", options.workers, options.seconds, options.pids) {}
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
