// Makes TCP connections: resolves the name, tries its addresses one after the other, within one time limit. Owns a
// connection only until it hands it over. Called to dial a peer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "net/tcp.h"

namespace wh::net {

struct DialResult {
  // Null when it failed.
  std::unique_ptr<TcpStream> stream;
  // 0, or libuv's code. UV_ECONNREFUSED only when every address refused: nobody listens there. UV_ETIMEDOUT: the time
  // is up.
  int error = 0;
  // "could not connect to host:port: connection refused"
  std::string message;
};

class Dial {
 public:
  using Callback = std::function<void(DialResult)>;
  // Cancels: the callback is not called. Allowed inside the callback.
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

 private:
  friend std::unique_ptr<Dial> tcp_connect(Loop& loop, std::string host, uint16_t port, uint64_t timeout_ms,
                                           Callback callback, const TcpOptions& options);
  struct Attempt;
  Dial(Loop& loop, std::string host, uint16_t port, uint64_t timeout_ms, Callback callback, const TcpOptions& options);
  void start();
  void resolved(int error, const Addresses& addresses);
  void try_next();
  void connected(int status);
  void failed(int error);
  void drop_attempt();
  void finish(int error, std::unique_ptr<TcpStream> stream);

  Loop& loop_;
  std::string host_;
  uint16_t port_;
  Millis give_up_at_;
  Callback callback_;
  TcpOptions options_;
  TurnTask start_task_;
  Timer timer_;
  uint64_t lookup_ = 0;
  Addresses addresses_;
  size_t next_address_ = 0;
  Attempt* attempt_ = nullptr;
  int error_ = 0;  // the first one that is not a refusal, else a refusal
};

// Connects to `host`, a name or a numeric address without brackets. Calls back exactly once, never from inside this
// function, unless the Dial is destroyed before. Each address gets an equal share of the remaining time.
[[nodiscard]] std::unique_ptr<Dial> tcp_connect(Loop& loop, std::string host, uint16_t port, uint64_t timeout_ms,
                                                Dial::Callback callback, const TcpOptions& options = {});

}  // namespace wh::net
