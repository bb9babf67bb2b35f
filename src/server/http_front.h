// HTTP as the server speaks it: the connections, who may ask what, and the way from a request to a call and from its
// completion to the answer. The routes themselves are in routes*.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_stream.h"
#include "http/connection.h"
#include "http/router.h"
#include "server/calls.h"
#include "server/routes.h"

namespace wh {

struct HttpCounters {
  uint64_t connections = 0;  // accepted since the start
  uint64_t requests = 0;
  uint64_t answers[6] = {};  // by hundred of the status
};

class HttpFront final : public http::RequestHandler, public CallOwner {
 public:
  // All must outlive it; `now` is set by the owner at every turn.
  HttpFront(const Options& options, node::Node& node, Calls& calls, const Millis& now);

  void accept(std::unique_ptr<ByteStream> stream);
  // Answers 503 and closes: there are `maxclients` already.
  void turn_away(std::unique_ptr<ByteStream> stream);
  // About four times a second.
  void check_deadlines();
  // Answers what is in progress, and on the other connections one more request each, then closes them.
  void drain();
  // Closes those on which none came.
  void close_idle();
  // The options changed.
  void reconfigure();
  // Frees connections that ended; called outside of their callbacks, once a turn.
  void bury();

  [[nodiscard]] size_t connections() const { return connections_.size(); }
  [[nodiscard]] const HttpCounters& counters() const { return counters_; }

  std::optional<http::Response> check_headers(const http::Connection& connection,
                                              const http::Request& request) override;
  http::Overlap classify(const http::Request& request) override;
  void on_request(http::RequestId id, http::Request&& request) override;
  void on_refused(http::Response& response) override;
  void on_closed(uint64_t connection) override;
  void on_completion(const node::Completion& completion) override;

 private:
  struct Pending {
    http::RequestId id;
    const RouteSpec* route;
    RouteMemory memory;
    std::string target;         // for a redirect
    std::string local_address;  // and where this node was reached
    bool tls;
  };
  [[nodiscard]] const RouteSpec* route_of(const http::RouteMatch& match) const;
  void respond(http::RequestId id, const RouteSpec* route, http::Response response);
  // Counts it and dates it: every answer passes here.
  [[nodiscard]] http::Response finished(http::Response response);
  [[nodiscard]] bool may_forward(const RouteSpec& route, const http::Request& request) const;
  [[nodiscard]] http::Response outcome_response(const Pending& pending, const node::Completion& completion) const;
  [[nodiscard]] http::Response redirect(const Pending& pending) const;

  const Options& options_;
  node::Node& node_;
  Calls& calls_;
  const Millis& now_;
  RouteContext context_;
  http::Router router_;
  http::ConnectionLimits limits_;
  std::unordered_map<uint64_t, std::unique_ptr<http::Connection>> connections_;
  std::vector<std::unique_ptr<http::Connection>> ended_;
  std::unordered_map<node::Token, Pending> pending_;
  uint64_t next_connection_ = 1;
  HttpCounters counters_;
  int64_t date_at_ = -1;  // seconds since 1970
  std::string date_;
};

}  // namespace wh
