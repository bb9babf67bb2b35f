// The load client of `make bench-store`: one process and one event loop for both systems. store_client.cc has the cases
// that are measured; each system has a file for its protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connection.h"

namespace wh::bench {

// What a connection tells.
class StoreListener {
 public:
  StoreListener() = default;
  virtual ~StoreListener() = default;
  StoreListener(const StoreListener&) = delete;
  StoreListener& operator=(const StoreListener&) = delete;

  virtual void ready() {}  // the protocol's greetings are over
  // What was asked for is done; `number`: of a write the index or revision that made it, of a grant the lease, of a
  // range how many items came.
  virtual void done(uint64_t number) = 0;
  virtual void watching() {}  // every change from here on will be told
  virtual void changed(std::string_view /*key*/, std::string_view /*value*/) {}
  virtual void refused(std::string_view why) = 0;
};

// A connection with one operation under way, or a watch. Values are events (append_event), keys plain text.
class StorePeer : public Connection {
 public:
  StorePeer(uv_loop_t* loop, uint16_t port, StoreListener& listener) : Connection(loop, port), listener_(listener) {}

  virtual void put(std::string_view key) = 0;
  // Only if the key's last change is that; 0: it is not there.
  virtual void compare_and_set(std::string_view key, uint64_t changed_at) = 0;
  // All keys, if the first one's last change is that.
  virtual void transact(const std::vector<std::string>& keys, uint64_t changed_at) = 0;
  // Items from that key on, or with a count of 1 that key; keys have the prefix "key/".
  virtual void range(std::string_view from, size_t count) = 0;
  virtual void grant(uint64_t ttl_seconds) = 0;
  virtual void keep_alive(uint64_t lease) = 0;
  // From now on this connection tells the changes of keys with that prefix.
  virtual void watch(std::string_view prefix) = 0;

 protected:
  StoreListener& listener() { return listener_; }

 private:
  StoreListener& listener_;
};

using MakeStorePeer = std::unique_ptr<StorePeer> (*)(uv_loop_t*, uint16_t port, StoreListener&);
std::unique_ptr<StorePeer> make_store_wormhole(uv_loop_t*, uint16_t, StoreListener&);
std::unique_ptr<StorePeer> make_store_etcd(uv_loop_t*, uint16_t, StoreListener&);

}  // namespace wh::bench
