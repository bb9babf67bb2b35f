#include "server/health_check.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "api/http/node_digest.h"
#include "base/byte_stream.h"
#include "base/log.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/tls.h"
#include "server/own_addresses.h"
#include "storage/directory.h"

namespace wh::server {
namespace {

constexpr Millis kPatienceMs = 5'000;  // for all questions together
constexpr size_t kMaxAnswer = 16 * 1024;

enum class Protocol : uint8_t { http, https, debug, tls_debug };

bool is_tls(Protocol protocol) { return protocol == Protocol::https || protocol == Protocol::tls_debug; }
bool is_debug(Protocol protocol) { return protocol == Protocol::debug || protocol == Protocol::tls_debug; }

// One question to one address: connects, sends, and reads the answer until the other side ends it or it is long enough.
class Question final : public StreamHandler {
 public:
  Question(net::Loop& loop, net::HandshakeGate& gate, const net::Address& address,
           std::shared_ptr<net::TlsContext> context, std::string request, Millis patience)
      : loop_(loop),
        gate_(gate),
        address_(address),
        context_(std::move(context)),
        request_(std::move(request)),
        timer_(loop, [this] { end("no answer from " + address_.text()); }) {
    timer_.start(patience);
    dial_ = net::tcp_connect(loop, address.host(), address.port(), patience,
                             [this](net::DialResult result) { dialled(std::move(result)); });
  }

  // Runs the loop until the question ends. The error is empty when the other side ended in an orderly way.
  std::pair<std::string, std::string> run() {
    loop_.run();
    stream_.reset();
    dial_.reset();
    return {std::move(answer_), std::move(error_)};
  }

 private:
  void dialled(net::DialResult result) {
    if (!result.stream) return end(result.message);
    stream_ = std::move(result.stream);
    if (context_)
      stream_ = net::TlsStream::connect(loop_, gate_, net::HandshakeGate::Lane::peer, context_, std::move(stream_), {});
    stream_->set_handler(this);
    stream_->write(request_);
  }
  void end(std::string error) {
    error_ = std::move(error);
    loop_.stop();
  }
  void on_data(std::string_view bytes) override {
    answer_ += bytes;
    if (answer_.size() >= kMaxAnswer) end({});
  }
  void on_end() override { end({}); }
  void on_drained() override {}
  void on_close(std::string_view why) override {
    end(answer_.empty() ? address_.text() + ": " + std::string(why) : std::string());
  }

  net::Loop& loop_;
  net::HandshakeGate& gate_;
  net::Address address_;
  std::shared_ptr<net::TlsContext> context_;
  std::string request_;
  net::Timer timer_;
  std::unique_ptr<net::Dial> dial_;
  std::unique_ptr<ByteStream> stream_;
  std::string answer_;
  std::string error_;
};

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string request_for(Protocol protocol, const config::Options& options) {
  if (!is_debug(protocol)) return "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  std::string request;
  if (!options.requirepass.empty()) request += "*2\r\n" + bulk("AUTH") + bulk(options.requirepass);
  return request + "*2\r\n" + bulk("INFO") + bulk("raft") + "*1\r\n" + bulk("QUIT");
}

// The text after `name` up to the end of its line; nothing when no line begins with `name`.
std::optional<std::string_view> line_of(std::string_view answer, const std::string& name) {
  const size_t at = answer.find("\r\n" + name);
  if (at == std::string_view::npos) return std::nullopt;
  answer.remove_prefix(at + 2 + name.size());
  return answer.substr(0, answer.find("\r\n"));
}

// Checks that the node that answered is alive and is the one of this config.
Status judge(Protocol protocol, std::string_view answer, const config::Options& options) {
  const bool debug = is_debug(protocol);
  const std::string first(answer.substr(0, answer.find_first_of("\r\n")));
  const bool alive = debug ? first.starts_with('+') || first.starts_with('-') || first.starts_with('$')
                           : first.starts_with("HTTP/1.1 200 ");
  if (!alive) return Error{" answered: " + (first.empty() ? "nothing" : printable(first))};
  const std::optional<std::string_view> who =
      debug ? line_of(answer, "node_id:") : line_of(answer, std::string(api::kNodeDigestHeader) + ": ");
  const std::string expected = debug ? options.node_id : api::node_digest(options.node_id);
  if (!options.node_id.empty() && who && *who != expected)
    return Error{" is another node, not " + printable(options.node_id)};
  return ok_status();
}

Result<std::shared_ptr<net::TlsContext>> tls_context(const config::Options& options) {
  const auto material = net::TlsMaterial::read({.cert_file = options.tls_cert_file,
                                                .key_file = options.tls_key_file,
                                                .key_pass = options.tls_key_file_pass,
                                                .ca_file = {}});
  if (!material) return Error{material.error()};
  return net::TlsContext::unverified_client(*material);
}

}  // namespace

Result<std::string> check_health(const config::Options& options) {
  std::vector<std::pair<Protocol, uint16_t>> ports;
  if (options.port != 0) {
    ports = {{Protocol::http, options.port}};
  } else {
    if (options.tls_port != 0) ports.emplace_back(Protocol::https, options.tls_port);
    if (options.debug_port != 0) ports.emplace_back(Protocol::debug, options.debug_port);
    if (options.tls_debug_port != 0) ports.emplace_back(Protocol::tls_debug, options.tls_debug_port);
  }
  if (ports.empty())
    return Error{"'port', 'tls-port', 'debug-port' and 'tls-debug-port' are all 0: there is nothing to ask"};
  if (storage::in_use(options.dir) == false) return Error{"no process uses the data directory " + options.dir};
  const Result<net::Addresses> addresses = reachable_addresses(options);
  if (!addresses) return Error{addresses.error()};

  net::Loop loop;
  net::HandshakeGate gate(loop);
  const Millis until = loop.now() + kPatienceMs;
  std::string problems;
  for (const auto& [protocol, port] : ports) {
    std::shared_ptr<net::TlsContext> context;
    if (is_tls(protocol)) {
      auto made = tls_context(options);
      if (!made) {
        problems += (problems.empty() ? "" : "; ") + made.error();
        continue;
      }
      context = *std::move(made);
    }
    for (const net::Address& host : *addresses) {
      const net::Address address = host.with_port(port);
      const Millis now = loop.now();
      if (now >= until) break;
      auto [answer, error] = Question(loop, gate, address, context, request_for(protocol, options), until - now).run();
      if (answer.empty() && error.empty()) error = address.text() + " hung up";
      if (error.empty()) {
        const Status good = judge(protocol, answer, options);
        if (good) return address.text() + " lives";
        error = address.text() + good.error();
      }
      problems += (problems.empty() ? "" : "; ") + error;
    }
  }
  return Error{problems};
}

}  // namespace wh::server
