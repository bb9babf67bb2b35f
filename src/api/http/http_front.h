// HTTP as the server runs it: the connections, the access check, and the way from a request to a call and from its
// completion to the answer. The routes themselves are in routes*.cc.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/calls.h"
#include "api/client_admission.h"
#include "api/front_connections.h"
#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "api/slowlog.h"
#include "base/byte_stream.h"
#include "base/histogram.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/router.h"

namespace wh::api {

// Counts the requests with one route and one method.
struct RouteCounters {
  std::map<int, uint64_t> answers;  // by status
  Histogram took_us;                // from the whole request to its answer; not of requests refused before that
};

struct HttpCounters {
  uint64_t connections = 0;  // accepted since the start
  uint64_t turned_away = 0;  // of these, over maxclients; without health checks that were answered
  uint64_t requests = 0;
  std::array<uint64_t, 6> answers{};  // by hundred of the status
  uint64_t foreign = 0;               // connections that began with another protocol
  uint64_t failed_auth = 0;           // wrong passwords
  uint64_t streams = 0;               // begun
  uint64_t streams_cut = 0;           // of these, ended early by this side
  // By the route's place in the table and the method; -1 for no route, and for an unknown method. So the table bounds
  // the number of rows, whatever clients send.
  std::map<std::pair<int, int>, RouteCounters> routes;
};

class HttpFront final : public http::RequestHandler, public CallOwner, public ClientFront {
 public:
  // All arguments must outlive this object; the owner sets `now` at every turn.
  HttpFront(Calls& calls, Backups& backups, const ClusterEvents& cluster_events, const Millis& now,
            BufferBudget& buffers);

  void accept(std::unique_ptr<ByteStream> stream);
  // For a client over `maxclients`: reads one request, answers 503 unless it asks whether this node is alive, and
  // closes the connection. The oldest of these connections gives way when there are too many.
  void accept_probe(std::unique_ptr<ByteStream> stream);
  // The plain text for a client that does not speak TLS where it should (TlsStream::PlainAnswer): 400 to HTTP, else
  // nothing.
  static std::string plain_answer(std::string_view first_bytes);
  // Called about four times a second.
  void check_deadlines();
  // Answers the requests in progress, and one more on each of the other connections, then closes them.
  void close_when_answered();
  // Closes those on which no request came.
  void close_idle();
  // Called when the options changed.
  void reconfigure();
  // Frees connections that ended; called outside of their callbacks, once a turn.
  void reap() { connections_.reap(); }

  // Adds the connections that hold memory.
  void add_holders(std::vector<BufferHolder>& holders) const { connections_.add_holders(holders); }

  [[nodiscard]] size_t connections() const override { return connections_.size(); }
  void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const override;
  bool end_idle(const IdleClient& client) override;
  // Streams open now.
  [[nodiscard]] size_t streams() const { return streams_; }
  [[nodiscard]] const HttpCounters& counters() const { return counters_; }
  void reset_counters() { counters_ = {}; }

  std::optional<http::Response> check_headers(const http::Connection& connection, http::Request& request) override;
  http::Overlap classify(const http::Request& request) override;
  void on_request(http::RequestId id, http::Request&& request) override;
  void on_refused(http::Response& response) override;
  void on_foreign(const http::Connection& connection, std::string_view first_bytes) override;
  void on_half_closed(uint64_t call) override;
  void on_abandoned(uint64_t call) override;
  void on_stream_over(uint64_t call, http::StreamEnd end) override;
  void on_closed(uint64_t connection) override;
  [[nodiscard]] bool asks_much(node::Token token) const override;
  void on_answer(node::Token token, OrRefusal<Answer> answer) override;

 private:
  // A whole request on its way to its answer.
  struct Asked {
    http::RequestId id;
    const RouteSpec* route = nullptr;  // null: none
    http::Method method = http::Method::get;
    uint64_t at_us = 0;
    std::string path;  // its beginning, for SLOWLOG; empty when that is off
  };
  struct Pending {
    Asked asked;
    RouteState state;
    std::string target;         // for a redirect
    std::string local_address;  // and the address at which the client reached this node
    bool tls = false;
    bool stale = false;      // a read of this node's own state
    bool streaming = false;  // its answer is a stream that has begun
  };
  uint64_t open(std::unique_ptr<ByteStream> stream);
  bool end_waiting(const IdleClient& client);
  [[nodiscard]] int variant_of(size_t route, const http::Request& request) const;
  // The route that check_headers noted; null: none.
  [[nodiscard]] static const RouteSpec* route_of(const http::Request& request);
  void respond(const Asked& asked, http::Response&& response);
  void respond(const Pending& pending, http::Response&& response);
  void stream_told(node::Token token, Pending& pending, const OrRefusal<Answer>& answer);
  // Counts the answer and adds the date: every answer passes here. Returns the counters of its route.
  RouteCounters& finish(const RouteSpec* route, std::optional<http::Method> method, http::Response& response);
  [[nodiscard]] RouteCounters& counters_of(const RouteSpec* route, std::optional<http::Method> method);
  void log_limited(LogLimiter& limiter, std::string line) const;
  // From a whole request to its call.
  void ask(Asked asked, const http::Request& request, RouteRequest& route_request);
  // The answer when what the request carries is refused; a redirect instead, where the leader should judge it.
  [[nodiscard]] http::Response refused(const RouteSpec& route, const http::Request& request, const ByteStream& stream,
                                       const Refusal& refusal) const;
  [[nodiscard]] bool may_forward(const RouteSpec& route, const http::Request& request) const;
  // A redirect to the leader, for a request that came over TLS or not, at `local_address`.
  [[nodiscard]] http::Response redirect(bool tls, const std::string& local_address, const std::string& target) const;

  RouteContext context_;
  const config::Options& options_;
  const node::Node& node_;
  Calls& calls_;
  SlowLog& slow_log_;
  const Millis& now_;
  BufferBudget& buffers_;
  http::Router router_;
  std::vector<std::vector<int>> variants_;  // of each route: those that a parameter of the query chooses in its place
  http::ConnectionLimits limits_;
  FrontConnections<http::Connection> connections_;
  struct Probe {
    uint64_t connection;
    Millis since;
    uint64_t group;
  };
  static constexpr Millis kProbeMs = 5'000;
  std::vector<Probe> probes_;  // the oldest first
  [[nodiscard]] bool is_probe(uint64_t connection) const;
  std::unordered_map<node::Token, Pending> pending_;
  size_t streams_ = 0;
  HttpCounters counters_;
  LogLimiter foreign_log_{10'000};
  LogLimiter password_log_{10'000};
  int64_t date_at_ = -1;  // seconds since 1970
  std::string date_;
};

}  // namespace wh::api
