// Shared code of the net tests: running the loop until a condition holds, a handler that records its calls, and a
// connected pair of streams over loopback.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "net/dial.h"
#include "net/listener.h"
#include "net/loop.h"

namespace wh::net::test {

// Runs the loop until `done` holds; false when that takes longer than the bound.
inline bool run_until(Loop& loop, const std::function<bool()>& done, uint64_t bound_ms = 20'000) {
  bool held = false;
  Timer check(loop, [&] {
    held = done();
    if (held) loop.stop();
  });
  Timer bound(loop, [&] { loop.stop(); });
  check.start(0, 1);
  bound.start(bound_ms);
  loop.run();
  return held;
}

// Runs about so long: for showing that something does not happen.
inline void run_for(Loop& loop, uint64_t ms) {
  run_until(
      loop, [] { return false; }, ms);
}

// Keeps the thread busy, as a long callback does.
inline void stall(const Loop& loop, uint64_t ms) {
  const Millis end = loop.now() + ms;
  while (loop.now() < end) {
  }
}

struct Recorder : StreamHandler {
  std::string data;
  size_t size = 0;
  bool keep = true;
  int ends = 0;
  int drains = 0;
  int closes = 0;
  std::string why;
  std::function<void(std::string_view)> data_hook;
  std::function<void()> end_hook;
  std::function<void()> drained_hook;
  std::function<void()> close_hook;

  void on_data(std::string_view bytes) override {
    size += bytes.size();
    if (keep) data.append(bytes);
    if (data_hook) data_hook(bytes);
  }
  void on_end() override {
    ++ends;
    if (end_hook) end_hook();
  }
  void on_drained() override {
    ++drains;
    if (drained_hook) drained_hook();
  }
  void on_close(std::string_view reason) override {
    ++closes;
    why = reason;
    if (close_hook) close_hook();
  }
};

// Bytes whose order a mistake would show in.
inline std::string pattern(size_t size) {
  std::string result(size, '\0');
  uint32_t x = 1;
  for (char& c : result) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return result;
}

// A listener on 127.0.0.1 and one connection to it, both ends in this process.
struct Pair {
  explicit Pair(Loop& loop) {
    ListenOptions options;
    options.bind = {"127.0.0.1"};
    auto made =
        Listener::listen(loop, options, [this](std::unique_ptr<ByteStream> stream) { server = std::move(stream); });
    REQUIRE(made.ok());
    listener = std::move(*made);
    dial = tcp_connect(loop, "127.0.0.1", listener->port(), 5'000, [this](DialResult result) {
      REQUIRE(result.error == 0);
      client = std::move(result.stream);
    });
    REQUIRE(run_until(loop, [this] { return server != nullptr && client != nullptr; }));
  }
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Dial> dial;
  std::unique_ptr<ByteStream> server;
  std::unique_ptr<ByteStream> client;
};

}  // namespace wh::net::test
