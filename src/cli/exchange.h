// One request to one URL and its answer, by libcurl, the only file that uses it. Knows nothing of clusters, retries or
// commands: cluster.h does. Connections are kept for the next request. A wait ends early by a signal.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace wh::cli {

// What it takes to connect, from the command line and the environment.
struct Trust {
  std::string ca_file;    // PEM; empty: the system's
  std::string cert_file;  // a client's certificate, PEM; empty: none
  std::string key_file;
  bool insecure = false;  // accepts any certificate
  std::string password;   // empty: none
};

struct Request {
  std::string method = "GET";
  std::string target;                // path and query, percent-encoded
  std::vector<std::string> headers;  // "Name: value"
  std::optional<std::string> body;

  // A read may be asked again freely. A write is sent with one key for all attempts, unless `keyless`: then the path
  // takes no key, and doing it twice does no harm.
  bool keyless = false;
  // Set: one of several writes of a command, whose key is --idempotency-key with this behind it.
  std::string key_suffix;
  // What the answer may take beyond the usual, as the request itself waits.
  Millis waits{0};
  // For how long in all it is asked again, and how long one endpoint may take to answer; nothing: as the settings say.
  std::optional<Millis> timeout;
  std::optional<Millis> answer;
  // Set: takes the body of a 200 piece by piece, in place of Answer::body; false ends the exchange, which then counts
  // as done. `restart` comes before the first piece of each attempt, with the length that is announced, or nothing.
  std::function<bool(std::string_view piece)> sink;
  std::function<void(std::optional<uint64_t> length)> restart;
  // Set: one more header line for each attempt, or an empty text: where a stream that broke goes on.
  std::function<std::string()> position;
  // How long such a body may be silent.
  Millis silence{45'000};
  // Set: true ends the wait at once. Asked each time the wait wakes.
  std::function<bool()> stop;
  // Set: called each time the wait wakes, at least once a second: to show that it goes on.
  std::function<void()> waiting;
  // Is asked again for all of its time, also where no endpoint can be connected to.
  bool patient = false;
  // Goes on although a signal asked for the end: what releases something.
  bool despite_signals = false;

  // Whether the wait is to end.
  [[nodiscard]] bool stopped() const;
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; of one that comes twice, the last
  std::string body;

  // Empty when it is absent.
  [[nodiscard]] std::string header(const std::string& name) const;
};

// What became of an attempt.
struct Attempt {
  enum class End : uint8_t {
    answered,
    failed,   // no answer, or not all of it
    stopped,  // by a signal or by Request::stop
    refused,  // the sink had enough, or this side cannot go on
  };
  End end = End::failed;
  Answer answer;        // answered; with `failed` after the head had come, its status and headers
  std::string reason;   // failed: what happened, without the URL
  bool sent = false;    // the other side may have the request
  bool flowed = false;  // the sink was given something
};

class Exchange {
 public:
  explicit Exchange(Trust trust);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  struct Limits {
    Millis connect;  // until the connection is there, TLS included
    Millis sending;  // from the start until all of the request is sent, where there is a body
    Millis answer;   // from the last byte that was sent until the first one of the answer
  };
  // `base` is a URL without a slash at its end. `key` is the idempotency key; empty: none. Sends the password only if
  // `with_password`.
  Attempt attempt(const std::string& base, const Request& request, const std::string& key, Limits limits,
                  bool with_password);

 private:
  struct Curl;
  Trust trust_;
  std::unique_ptr<Curl> curl_;
};

}  // namespace wh::cli
