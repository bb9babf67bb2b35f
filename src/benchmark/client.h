// One connection of the benchmark: dials, sends what Run gives it, matches answers to requests, and dials again, the
// next node, when the connection is lost. Owned by Run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_stream.h"
#include "benchmark/operations.h"
#include "benchmark/replies.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/tls.h"

namespace wh::benchmark {

// What all connections share, and TLS needs.
struct Network {
  net::Loop& loop;
  net::HandshakeGate& gate;
  std::shared_ptr<net::TlsContext> tls;  // null: none
  const Options& options;
};

class Client;

// Where requests come from and answers go.
class Source {
 public:
  virtual ~Source() = default;
  // The connection is free, and may send() and end with flush().
  virtual void ready(Client& client) = 0;
  // The answer to the oldest request; false: it ends here, and the connection is dropped.
  virtual bool answered(Client& client, Place& place, uint64_t since_us, const Answer& answer) = 0;
  // The oldest request will have no answer.
  virtual void lost(Client& client, const std::string& why) = 0;
  // A connection could not be made or was lost while nothing was asked.
  virtual void failed(const std::string& why) = 0;
  // The password is not right: nothing can be asked.
  virtual void shut_out(const std::string& why) = 0;
  [[nodiscard]] virtual bool over() const = 0;
};

class Client final : private StreamHandler {
 public:
  Client(Network& network, Source& source, const Operation& operation, size_t number, size_t places);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void dial();
  // How many requests may be sent now.
  [[nodiscard]] size_t free_places() const { return connected_ ? places_.size() - in_flight_.size() : 0; }
  [[nodiscard]] bool idle() const { return connected_ && in_flight_.empty(); }
  // Sends one more request that began, or was due, at that time.
  void send(Maker& maker, uint64_t since_us);
  // The same for a request that is made elsewhere.
  void send_text(std::string_view request, uint64_t since_us);
  void drop(const std::string& why);

 private:
  struct Sent {
    size_t place;
    uint64_t since_us;
  };
  void on_data(std::string_view bytes) override;
  void on_end() override { drop("the node ended the connection"); }
  void on_drained() override {}
  void on_close(std::string_view why) override { drop(why.empty() ? "the connection was lost" : std::string(why)); }
  void dialled(net::DialResult result);
  void begin();
  bool take(const Answer& answer);
  size_t free_place();

  Network& network_;
  Source& source_;
  const Operation& operation_;
  size_t node_;
  std::vector<Place> places_;
  std::vector<size_t> free_;
  std::deque<Sent> in_flight_;
  std::string text_;  // a request in the making
  std::unique_ptr<net::Dial> dial_;
  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<ByteStream> dead_;  // destroyed by the next dial, as it may be in the midst of a call
  std::unique_ptr<Replies> replies_;
  net::Timer again_;
  bool connected_ = false;
  bool greeting_ = false;  // the answer to AUTH is awaited
  bool dropped_ = false;   // while answers are read
};

}  // namespace wh::benchmark
