// The load client of `make bench-queue`: one process and one event loop for all systems, with as little work for each
// as possible, as it shares the machine with the servers. queue_client.cc has the cases that are measured; each system
// has a file for its protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <uv.h>

#include "connection.h"

namespace wh::bench {

// What a worker hears from its connection.
class Listener {
 public:
  Listener() = default;
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  virtual void ready() {}                          // the protocol's greetings are over
  virtual void enqueued() {}                       // the whole batch is confirmed
  virtual void event(uint64_t /*sent_ns*/) {}      // one of those received
  virtual void received(size_t /*events*/) {}      // 0: none came, ask again
  virtual void acknowledged() {}                   // all that was received
  virtual void refused(std::string_view why) = 0;  // what was asked for; ask again later
};

struct Setting {
  std::string queue;
  size_t batch = 1;
  size_t nodes = 1;
  bool consumes = false;
  bool waits = false;  // receives one event after the other, each long after the one before
};

// A worker's connection. One operation at a time: a batch to enqueue, a batch to receive, those received to
// acknowledge.
class Peer : public Connection {
 public:
  Peer(uv_loop_t* loop, uint16_t port, Setting setting, Listener& listener)
      : Connection(loop, port), setting_(std::move(setting)), listener_(listener) {}

  virtual void enqueue() = 0;
  virtual void receive() = 0;
  virtual void acknowledge() = 0;

  // These run the loop until they are done. `leader` says which node leads the queue, or hands out its events.
  virtual void make_queue() = 0;
  virtual void delete_queue() = 0;
  virtual size_t leader(bool for_consumers) = 0;

 protected:
  const Setting& setting() const { return setting_; }
  Listener& listener() { return listener_; }

 private:
  Setting setting_;
  Listener& listener_;
};

using MakePeer = std::unique_ptr<Peer> (*)(uv_loop_t*, uint16_t port, const Setting&, Listener&);
std::unique_ptr<Peer> make_wormhole(uv_loop_t*, uint16_t, const Setting&, Listener&);
std::unique_ptr<Peer> make_rabbitmq(uv_loop_t*, uint16_t, const Setting&, Listener&);
std::unique_ptr<Peer> make_nats(uv_loop_t*, uint16_t, const Setting&, Listener&);
std::unique_ptr<Peer> make_beanstalkd(uv_loop_t*, uint16_t, const Setting&, Listener&);

}  // namespace wh::bench
