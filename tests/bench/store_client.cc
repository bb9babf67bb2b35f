// The cases of `make bench-store`, of one system:
//
//   put      each worker changes one key after the other
//   cas      each worker changes a key of its own, if its last change is the one before
//   txn      each worker changes four keys of its own, if the last change of the first is the one before
//   get      each worker reads one key after the other
//   range    each worker reads 100 items that follow each other
//   watch    streams of all changes of a prefix, each on a connection of its own; 16 writers, each of which writes
//   again
//            when all streams have told its change. Events are changes, operations what one stream told of one change
//   leases   puts as above, without leases (`leases_none`) and while leases are kept alive (`leases_held`) by as many
//            other connections, each lease three times within its time (`leases_keepalive`)
//
//   store_client SYSTEM PORT[,PORT...] CASE[,CASE] [--workers N] [--seconds N] [--streams N] [--leases N] [--pids
//   N,...]
//
// SYSTEM is wormhole or etcd. Connections are spread over the ports. Values have 256 bytes; 10,000 keys are there
// before the first case. Prints what was measured (measure.h), a line for each case. --pids are the servers' processes,
// whose processor time is counted.
#include "store_client.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <random>
#include <sys/resource.h>

#include "measure.h"

namespace wh::bench {
namespace {

constexpr uint64_t kRetryMs = 100;  // after a refusal
constexpr size_t kKeys = 10'000;
constexpr size_t kRange = 100;
constexpr size_t kWritersOfWatch = 16;
constexpr uint64_t kLeaseSeconds = 30;
constexpr size_t kConnectedAtOnce = 100;

struct Options {
  MakeStorePeer make = nullptr;
  std::vector<uint16_t> ports;
  std::vector<std::string> cases;
  size_t workers = 64;
  double seconds = 3;
  size_t streams = 1'000;
  size_t leases = 10'000;
  std::vector<std::string> pids;
};

// "key/00042"
std::string numbered(std::string_view prefix, size_t number) {
  const std::string digits = std::to_string(number);
  return std::string(prefix) + std::string(5 - std::min<size_t>(5, digits.size()), '0') + digits;
}

// What a case's workers share.
struct Shared {
  bool stops = false;  // no worker begins anything new
  size_t ready = 0;    // greeted
  size_t active = 0;   // in an operation
  size_t loaded = 0;   // keys
};

class Worker : public StoreListener {
 public:
  Worker(uv_loop_t* loop, const Options& options, size_t number, Shared& shared)
      : number_(number),
        peer_(options.make(loop, options.ports[number % options.ports.size()], *this)),
        retry_(loop, [this] { again(); }),
        shared_(shared) {}

  void ready() override { ++shared_.ready; }
  void refused(std::string_view why) override {
    if (measure_ != nullptr) measure_->refused(why);
    retry_.set(kRetryMs);
  }
  StorePeer& peer() { return *peer_; }
  // What it does counts here from now on.
  void count_in(Measure* measure) { measure_ = measure; }
  void start() {
    ++shared_.active;
    next();
  }

 protected:
  virtual void ask() = 0;
  void again() {
    if (!shared_.stops)
      next();
    else
      --shared_.active;
  }
  void finished() {
    if (measure_ != nullptr) measure_->add(start_, 1);
  }
  [[nodiscard]] size_t number() const { return number_; }
  Shared& shared() { return shared_; }

 private:
  void next() {
    start_ = uv_hrtime();
    ask();
  }

  size_t number_;
  std::unique_ptr<StorePeer> peer_;
  Timer retry_;
  Shared& shared_;
  Measure* measure_ = nullptr;
  uint64_t start_ = 0;
};

enum class Task { load, put, compare_and_set, transact, get, range };

// Begins its next operation as soon as the one before is over.
class Steady : public Worker {
 public:
  Steady(uv_loop_t* loop, const Options& options, size_t number, Shared& shared, Task task)
      : Worker(loop, options, number, shared), task_(task), random_(static_cast<unsigned>(number)) {
    const std::string_view prefix = task == Task::transact ? "txn/" : "cas/";
    for (size_t i = 0; i < 4; ++i) keys_.push_back(numbered(prefix, number * 4 + i));
  }

  void done(uint64_t number) override {
    if (task_ == Task::get && number != 1) fail("a key is not there");
    if (task_ == Task::range && number != kRange) fail("a range has " + std::to_string(number) + " items");
    changed_at_ = number;
    finished();
    again();
  }

 private:
  void ask() override {
    switch (task_) {
      case Task::load:
        peer().put(numbered("key/", shared().loaded++));
        shared().stops = shared().loaded >= kKeys;
        break;
      case Task::put:
        peer().put(numbered("key/", random_() % kKeys));
        break;
      case Task::compare_and_set:
        peer().compare_and_set(keys_[0], changed_at_);
        break;
      case Task::transact:
        peer().transact(keys_, changed_at_);
        break;
      case Task::get:
        peer().range(numbered("key/", random_() % kKeys), 1);
        break;
      case Task::range:
        peer().range(numbered("key/", random_() % (kKeys - kRange)), kRange);
        break;
    }
  }

  Task task_;
  std::minstd_rand random_;
  std::vector<std::string> keys_;
  uint64_t changed_at_ = 0;  // its keys
};

// Gets its part of the leases, then keeps one after the other alive, at even intervals.
class Keeper : public Worker {
 public:
  Keeper(uv_loop_t* loop, const Options& options, size_t number, Shared& shared, size_t leases)
      : Worker(loop, options, number, shared), timer_(loop, [this] { again(); }), wanted_(leases) {}

  void done(uint64_t number) override {
    if (leases_.size() < wanted_) {
      leases_.push_back(number);
      if (leases_.size() < wanted_) return again();
      due_ = uv_hrtime();
    } else {
      finished();
    }
    due_ += kLeaseSeconds * 1'000'000'000 / 3 / wanted_;
    const uint64_t now = uv_hrtime();
    timer_.set(due_ > now ? (due_ - now) / 1'000'000 : 0);
  }
  [[nodiscard]] bool has_all() const { return leases_.size() == wanted_; }

 private:
  void ask() override {
    if (!has_all())
      peer().grant(kLeaseSeconds);
    else
      peer().keep_alive(leases_[at_++ % leases_.size()]);
  }

  Timer timer_;
  size_t wanted_;
  std::vector<uint64_t> leases_;
  size_t at_ = 0;
  uint64_t due_ = 0;
};

class WatchWriter;

// What the case `watch` shares.
struct Watched {
  size_t streams = 0;
  size_t watching = 0;
  std::vector<std::unique_ptr<WatchWriter>> writers;
};

// Writes its key again when that is answered and all streams have told it.
class WatchWriter : public Worker {
 public:
  WatchWriter(uv_loop_t* loop, const Options& options, size_t number, Shared& shared, Watched& watched)
      : Worker(loop, options, number, shared), watched_(watched) {}

  void done(uint64_t) override {
    answered_ = true;
    go_on();
  }
  void told(Measure& measure) {
    if (++told_ == watched_.streams) measure.count(1);
    go_on();
  }

 private:
  void ask() override {
    answered_ = false;
    told_ = 0;
    peer().put("watch/" + std::to_string(number()));
  }
  void go_on() {
    if (answered_ && told_ == watched_.streams) again();
  }

  Watched& watched_;
  bool answered_ = false;
  size_t told_ = 0;
};

class Watcher : public StoreListener {
 public:
  Watcher(uv_loop_t* loop, const Options& options, size_t number, Shared& shared, Watched& watched, Measure& measure)
      : shared_(shared),
        watched_(watched),
        measure_(measure),
        peer_(options.make(loop, options.ports[number % options.ports.size()], *this)) {}

  void ready() override {
    ++shared_.ready;
    peer_->watch("watch/");
  }
  void watching() override { ++watched_.watching; }
  void done(uint64_t) override {}
  void changed(std::string_view key, std::string_view value) override {
    measure_.add(sent_of(value), 0);
    watched_.writers.at(number_at(key.substr(6)))->told(measure_);
  }
  void refused(std::string_view why) override { fail("a watch was refused: " + std::string(why)); }
  StorePeer& peer() { return *peer_; }

 private:
  Shared& shared_;
  Watched& watched_;
  Measure& measure_;
  std::unique_ptr<StorePeer> peer_;
};

class Run {
 public:
  Run(uv_loop_t* loop, const Options& options) : loop_(loop), options_(options) {}

  void run() {
    static const std::map<std::string, Task> steady = {{"put", Task::put},
                                                       {"get", Task::get},
                                                       {"cas", Task::compare_and_set},
                                                       {"txn", Task::transact},
                                                       {"range", Task::range}};
    load();
    for (const std::string& name : options_.cases) {
      if (const auto task = steady.find(name); task != steady.end())
        measure(name, task->second);
      else if (name == "watch")
        watch();
      else if (name == "leases")
        leases();
      else
        fail("unknown case " + name);
      (void)std::fflush(stdout);
    }
  }

 private:
  // Connections stay allocated, as the loop may still know them: so do those who listen, and what they share.
  template <class T, class... More>
  std::vector<std::unique_ptr<T>> connect(size_t count, Shared& shared, const More&... more) {
    std::vector<std::unique_ptr<T>> all;
    while (all.size() < count) {
      for (size_t i = 0; i < kConnectedAtOnce && all.size() < count; ++i)
        all.push_back(std::make_unique<T>(loop_, options_, all.size(), shared, more...));
      run_until(
          loop_, [&] { return shared.ready == all.size(); }, kSlackS, "connecting");
    }
    return all;
  }
  template <class T>
  void close(std::vector<std::unique_ptr<T>>& all) {
    for (auto& worker : all) worker->peer().close();
    for (auto& worker : all) gone_.push_back(std::move(worker));
    all.clear();
  }
  Shared& shared() { return shared_.emplace_back(); }
  Measure& measure_of(const std::string& name) {
    return measures_.emplace_back(name, options_.workers, options_.seconds, options_.pids);
  }
  static double since(uint64_t start) { return static_cast<double>(uv_hrtime() - start) / 1e9; }

  void pause(double seconds) {
    const uint64_t start = uv_hrtime();
    run_until(
        loop_, [&] { return since(start) >= seconds; }, seconds + kSlackS, "a pause");
  }
  [[nodiscard]] double warm_up() const { return std::min(options_.seconds / 5, 1.0); }
  void run_measured(const std::vector<Measure*>& measures) {
    for (Measure* measure : measures) measure->begin();
    run_until(
        loop_, [&] { return measures[0]->is_enough(); }, options_.seconds + 2 * kSlackS, "a case");
    for (Measure* measure : measures) measure->end();
  }
  void stop(Shared& shared) {
    shared.stops = true;
    run_until(
        loop_, [&] { return shared.active == 0; }, 2 * kSlackS, "the last operations");
  }

  void load() {
    Shared& shared = this->shared();
    auto all = connect<Steady>(options_.workers, shared, Task::load);
    for (auto& worker : all) worker->start();
    run_until(
        loop_, [&] { return shared.active == 0; }, 4 * kSlackS, "loading");
    close(all);
  }

  void measure(const std::string& name, Task task) {
    Shared& shared = this->shared();
    Measure& measure = measure_of(name);
    auto all = connect<Steady>(options_.workers, shared, task);
    for (auto& worker : all) {
      worker->count_in(&measure);
      worker->start();
    }
    pause(warm_up());
    run_measured({&measure});
    stop(shared);
    close(all);
    measure.print();
  }

  void watch() {
    Shared& shared = this->shared();
    Shared& of_watchers = this->shared();
    Measure& measure = measure_of("watch");
    Watched& watched = watched_.emplace_back();
    watched.streams = options_.streams;
    watched.writers = connect<WatchWriter>(kWritersOfWatch, shared, std::ref(watched));
    auto watchers = connect<Watcher>(options_.streams, of_watchers, std::ref(watched), std::ref(measure));
    run_until(
        loop_, [&] { return watched.watching == options_.streams; }, kSlackS, "opening the watches");
    for (auto& writer : watched.writers) writer->start();
    pause(warm_up());
    run_measured({&measure});
    stop(shared);
    close(watchers);
    for (auto& writer : watched.writers) writer->peer().close();
    measure.print();
  }

  void leases() {
    Shared& shared = this->shared();
    auto all = connect<Steady>(options_.workers, shared, Task::put);
    for (auto& worker : all) worker->start();
    const auto puts = [&](const std::string& name, const std::vector<Measure*>& beside) {
      std::vector<Measure*> measures{&measure_of(name)};
      measures.insert(measures.end(), beside.begin(), beside.end());
      for (auto& worker : all) worker->count_in(measures[0]);
      pause(warm_up());
      run_measured(measures);
      for (const Measure* measure : measures) measure->print();
    };
    puts("leases_none", {});
    Shared& of_keepers = this->shared();
    Measure& kept = measure_of("leases_keepalive");
    auto keepers =
        connect<Keeper>(options_.workers, of_keepers, (options_.leases + options_.workers - 1) / options_.workers);
    for (auto& keeper : keepers) keeper->start();
    const auto have_all = [&] {
      return std::all_of(keepers.begin(), keepers.end(), [](const auto& keeper) { return keeper->has_all(); });
    };
    run_until(loop_, have_all, 4 * kSlackS, "granting the leases");
    for (auto& keeper : keepers) keeper->count_in(&kept);
    puts("leases_held", {&kept});
    stop(shared);
    close(keepers);
    close(all);
  }

  uv_loop_t* loop_;
  const Options& options_;
  std::list<Shared> shared_;
  std::list<Measure> measures_;
  std::list<Watched> watched_;
  std::vector<std::unique_ptr<StoreListener>> gone_;
};

Options parse(const std::vector<std::string>& arguments) {
  const std::map<std::string, MakeStorePeer> systems = {{"wormhole", make_store_wormhole}, {"etcd", make_store_etcd}};
  Options options;
  if (arguments.size() < 3 || arguments.size() % 2 == 0 || !systems.contains(arguments[0]))
    fail(
        "usage: store_client SYSTEM PORT[,PORT...] CASE[,CASE] [--workers N] [--seconds N] [--streams N] [--leases N]");
  options.make = systems.at(arguments[0]);
  for (const std::string& port : split(arguments[1])) options.ports.push_back(static_cast<uint16_t>(number_at(port)));
  options.cases = split(arguments[2]);
  for (size_t i = 3; i < arguments.size(); i += 2) {
    const std::string& name = arguments[i];
    const std::string& value = arguments[i + 1];
    if (name == "--workers")
      options.workers = number_at(value);
    else if (name == "--seconds")
      options.seconds = std::atof(value.c_str());
    else if (name == "--streams")
      options.streams = number_at(value);
    else if (name == "--leases")
      options.leases = number_at(value);
    else if (name == "--pids")
      options.pids = split(value);
    else
      fail("unknown option " + name + " " + value);
  }
  if (options.ports.empty() || options.workers == 0 || options.streams == 0 || options.leases == 0 ||
      options.seconds <= 0)
    fail("these numbers make no sense");
  return options;
}

// A thousand streams are more than a process may open by default.
void raise_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace wh::bench

int main(int argc, char** argv) {
  const wh::bench::Options options = wh::bench::parse({argv + 1, argv + argc});
  wh::bench::raise_limit();
  wh::bench::Run(uv_default_loop(), options).run();
  (void)std::fflush(stdout);
  std::_Exit(0);  // connections may be closing
}
