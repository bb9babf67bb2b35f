// Producers and consumers of queues, each a thread of its own, that try one node after the other and note in books what
// they were told (queue_books.h). What a body begins with says what its consumer does with it: `plain` is acknowledged,
// `long` extended first; of `slow` the first delivery is held beyond its time, of `forgotten` nothing is ever heard;
// `poison` is released each time, `bury` buried.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "load_client.h"
#include "queue_books.h"

namespace wh::testing {

// What both have: a thread that asks the nodes in turn.
class QueueClient {
 public:
  QueueClient(std::string name, std::vector<uint16_t> ports, unsigned seed)
      : name_(std::move(name)), ports_(std::move(ports)), random_(seed) {}
  virtual ~QueueClient() = default;
  QueueClient(const QueueClient&) = delete;
  QueueClient& operator=(const QueueClient&) = delete;

  void stop() { stop_ = true; }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 protected:
  // Asks one node; the next one is asked next when this one did not serve.
  HttpReply ask(std::string_view method, const std::string& target, const std::string& headers = {},
                std::string_view body = {});
  // Whether such an answer says nothing final, so that the request is to be repeated.
  static bool again(const HttpReply& reply);
  bool one_in(unsigned n) { return random_() % n == 0; }

  std::string name_;
  std::vector<uint16_t> ports_;
  size_t at_ = 0;
  std::minstd_rand random_;
  HttpClient http_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct ProducerPlan {
  std::string queue;
  std::string group;  // of all its events; empty: none
  size_t batch = 1;   // so many in one request
  int pause_ms = 8;   // between requests
};

// Enqueues events with a key each, until it is told to stop, and repeats each request until it is acknowledged.
class Producer : public QueueClient {
 public:
  Producer(std::string name, std::vector<uint16_t> ports, ProducerPlan plan);
  ~Producer() override;

  [[nodiscard]] const std::string& queue() const { return plan_.queue; }
  [[nodiscard]] size_t acknowledged() const { return acknowledged_; }

  ProducerBook book;  // after join()

 private:
  void run();
  void one();
  void many();
  std::string next_body();

  ProducerPlan plan_;
  size_t sequence_ = 0;
  std::atomic<size_t> acknowledged_{0};
};

// Receives events, works on them, and says what became of them.
class Consumer : public QueueClient {
 public:
  // `max`: of one receive; `keyed`: a receive has a key and is repeated when its answer was lost.
  Consumer(std::string name, std::vector<uint16_t> ports, std::string queue, size_t max, bool keyed);
  ~Consumer() override;

  [[nodiscard]] size_t settled() const { return settled_; }

  ConsumerBook book;  // after join()

 private:
  void run();
  std::vector<Delivery> receive();
  void work(std::vector<Delivery>& deliveries);
  // Sends one verb about one delivery until its answer is final.
  void settle(Delivery& delivery, std::string_view method, const std::string& verb, Delivery::End end);
  void acknowledge(std::vector<Delivery*>& deliveries);
  bool extend(Delivery& delivery);

  std::string queue_;
  size_t max_;
  bool keyed_;
  size_t receives_ = 0;
  std::atomic<size_t> settled_{0};
};

}  // namespace wh::testing
