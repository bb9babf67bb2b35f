#include "cli/cluster.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <poll.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/log.h"
#include "cli/endpoints.h"
#include "cli/json_fields.h"
#include "cli/output.h"
#include "cli/signals.h"

namespace wh::cli {
namespace {

constexpr Millis kFirstPause = 100;
constexpr Millis kLongestPause = 1'000;
constexpr int kMostRedirects = 2;

// The server's sentence of an error; nothing for an answer that is not a Wormhole's.
std::optional<std::string> sentence_of(const Answer& answer) {
  const auto fields = JsonFields::parse(answer.body);
  if (!fields || !fields->has("error")) return std::nullopt;
  return fields->text("error");
}

// Whether a success comes from a Wormhole, and not from whatever else serves HTTP at that port.
bool is_ours(const Request& request, const Answer& answer) {
  if (answer.headers.contains("wormhole-index")) return true;
  const std::string type = answer.header("content-type");
  // These paths have no index.
  if (request.target.starts_with("/cluster"))
    return answer.body.empty() ? !type.starts_with("text/html") : type.starts_with("application/json");
  return request.sink != nullptr && type.starts_with("text/event-stream");
}

// A refusal that holds for each further attempt.
bool refused_for_good(int status) { return status == 400 || status == 405 || status == 413; }

// Refusals that say nothing of an earlier attempt: those that are decided before the state is looked at, and all of a
// request without a key, as its first attempt may be why the second one is refused. What is removed is gone.
bool says_nothing_of_before(const Request& request, int status) {
  if (request.keyless) return status != 404 || request.method != "DELETE";
  return refused_for_good(status) || status == 401 || status == 403 || status == 429 || status == 431;
}

std::string seconds(Millis ms) {
  return ms % 1'000 == 0 ? std::to_string(ms / 1'000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

std::string random_key() {
  std::array<uint8_t, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string out;
  for (const uint8_t byte : bytes) append_hex(out, byte);
  return out;
}

int Reply::status() const {
  switch (kind) {
    case Kind::done:
      return kDone;
    case Kind::refused:
      return kRefused;
    case Kind::nobody:
      return kNobody;
    case Kind::unknown:
      return kUnknown;
    case Kind::interrupted:
      return kInterrupted;
  }
  return kNobody;
}

// One request on its way through the endpoints.
struct Cluster::Asking {
  const Request& request;
  std::string key;  // empty: the request has none
  Clock::time_point deadline;
  std::vector<Tried> tried;
  bool write = false;
  bool maybe_done = false;  // an earlier attempt may have taken effect, or may still
  Millis pause = kFirstPause;
  Reply reply;

  [[nodiscard]] Millis left() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return left > 0 ? static_cast<Millis>(left) : 0;
  }
};

Cluster::Cluster(ClusterSettings settings) : settings_(std::move(settings)), exchange_(settings_.trust) {}

void Cluster::move_on() { next_ = (next_ + 1) % settings_.endpoints.size(); }

Exchange::Limits Cluster::limits(const Asking& asking) const {
  const Millis left = std::max<Millis>(asking.left(), 1);
  return {.connect = std::min(settings_.connect, left),
          .sending = left,
          .answer = std::min(asking.request.answer.value_or(settings_.answer) + asking.request.waits, left)};
}

std::chrono::milliseconds Cluster::patience(const Request& request) const {
  return std::chrono::milliseconds(request.timeout.value_or(settings_.timeout) + request.waits);
}

Reply Cluster::ask(const Request& request) {
  Asking asking{.request = request,
                .key = {},
                .deadline = Clock::now() + patience(request),
                .tried = std::vector<Tried>(settings_.endpoints.size()),
                .write = request.method != "GET",
                .reply = {}};
  if (asking.write && !request.keyless)
    asking.key = settings_.idempotency.empty() ? random_key() : settings_.idempotency + request.key_suffix;
  for (;;) {
    for (size_t n = 0; n < settings_.endpoints.size(); ++n) {
      const size_t at = (next_ + n) % settings_.endpoints.size();
      Tried& tried = asking.tried[at];
      if (tried.hopeless || Clock::now() < tried.not_before) continue;
      if (try_one(asking, at)) {
        next_ = at;
        return std::move(asking.reply);
      }
      if (asking.left() == 0) return give_up(asking);
    }
    const bool waits = asking.maybe_done || request.patient;
    const auto over = [&](const Tried& tried) { return tried.hopeless || (!tried.connected && !waits); };
    // Where nothing can be connected to at all, waiting helps nobody.
    if (std::all_of(asking.tried.begin(), asking.tried.end(), over)) return give_up(asking);
    pause(asking);
    if (request.stopped() || asking.left() == 0) return give_up(asking);
  }
}

Reply Cluster::ask_only(const std::string& base, const Request& request) {
  Attempt attempt = exchange_.attempt(
      base, request, {},
      {.connect = settings_.connect, .sending = settings_.timeout, .answer = request.answer.value_or(settings_.answer)},
      true);
  Reply reply;
  reply.endpoint = base;
  if (attempt.end == Attempt::End::answered && attempt.answer.status == 200) reply.kind = Reply::Kind::done;
  reply.answer = std::move(attempt.answer);
  reply.sentence = base + ": " + shown(attempt.reason);
  return reply;
}

bool Cluster::try_one(Asking& asking, size_t at) {
  std::string base = settings_.endpoints[at];
  Tried& tried = asking.tried[at];
  Attempt attempt = exchange_.attempt(base, asking.request, asking.key, limits(asking), true);
  for (int n = 0; n < kMostRedirects && attempt.end == Attempt::End::answered && attempt.answer.status == 307; ++n)
    follow(asking, at, base, attempt);
  tried.connected = attempt.sent || base != settings_.endpoints[at];
  if (attempt.end == Attempt::End::answered && attempt.answer.status == 307) {
    attempt.end = Attempt::End::failed;
    attempt.sent = false;  // a 307 certainly had no effect
    attempt.reason = "sends on again, to " + origin_of(attempt.answer.header("location"));
  }
  return judge(asking, at, base, std::move(attempt));
}

// Sends the request to where a 307 points. The password goes only to members of the cluster, and never from TLS to
// plain text. Where it may not go, `attempt` becomes a failure.
void Cluster::follow(Asking& asking, size_t at, std::string& base, Attempt& attempt) {
  const std::string location = attempt.answer.header("location");
  const std::string origin = origin_of(location);
  const auto refuse = [&](const std::string& why) {
    attempt.end = Attempt::End::failed;
    attempt.sent = false;  // a 307 certainly had no effect
    attempt.reason = "sends on to " + printable(origin) + ", " + why;
    asking.tried[at].hopeless = true;
  };
  if (!location.starts_with("http://") && !location.starts_with("https://")) return refuse("which is no URL");
  if (is_https(base) && !is_https(location)) return refuse("which is not https: not followed");
  const bool same = origin == origin_of(base);
  if (!same && !settings_.trust.password.empty() && !is_member(base, origin))
    return refuse("which is no member of its cluster: the password is not sent there");
  base = origin;
  attempt = exchange_.attempt(base, asking.request, asking.key, limits(asking), true);
}

bool Cluster::is_member(const std::string& asked, const std::string& url) {
  Request request;
  request.target = "/cluster";
  request.answer = settings_.connect;
  const Reply reply = ask_only(asked, request);
  const auto cluster = reply.done() ? JsonFields::parse(reply.answer.body) : std::nullopt;
  if (!cluster) return false;
  for (const JsonFields& member : cluster->objects("members")) {
    const std::string name = is_https(url) ? "https_address" : "http_address";
    const std::string scheme = is_https(url) ? "https://" : "http://";
    if (!member.text(name).empty() && origin_of(scheme + member.text(name)) == url) return true;
  }
  return false;
}

bool Cluster::judge(Asking& asking, size_t at, const std::string& base, Attempt attempt) {
  Reply& reply = asking.reply;
  reply.endpoint = base;
  reply.repeated = asking.maybe_done;
  if (attempt.end == Attempt::End::stopped) {
    reply.kind = Reply::Kind::interrupted;
    if (asking.write && (attempt.sent || asking.maybe_done)) reply.sentence = "interrupted: it may have taken effect";
    return true;
  }
  if (attempt.end == Attempt::End::refused) {
    reply.kind = Reply::Kind::done;
    reply.answer = std::move(attempt.answer);
    return true;
  }
  if (attempt.end == Attempt::End::failed) {
    asking.maybe_done = asking.maybe_done || (asking.write && attempt.sent);
    // It was alive until now.
    if (attempt.flowed) asking.deadline = Clock::now() + patience(asking.request);
    const std::string& endpoint = settings_.endpoints[at];
    asking.tried[at].reason = (base == endpoint ? "" : "sends on to " + shown(base) + ": ") + shown(attempt.reason);
    return false;
  }
  const int status = attempt.answer.status;
  const bool success = (status >= 200 && status < 300) || status == 304;
  const auto sentence = success ? std::nullopt : sentence_of(attempt.answer);
  if (success ? is_ours(asking.request, attempt.answer) : sentence && status < 500) {
    if (!success && asking.maybe_done && says_nothing_of_before(asking.request, status))
      return unserved(asking, at, attempt);
    reply.kind = success ? Reply::Kind::done : Reply::Kind::refused;
    reply.answer = std::move(attempt.answer);
    if (sentence) reply.sentence = *sentence + " (" + std::to_string(status) + ")";
    return true;
  }
  if (sentence && (status == 507 || status == 501) && !asking.maybe_done) {
    reply.kind = Reply::Kind::refused;
    reply.answer = std::move(attempt.answer);
    reply.sentence = *sentence + " (" + std::to_string(status) + ")";
    return true;
  }
  return unserved(asking, at, attempt);
}

// An answer that settles nothing: 503, 504, something that is not ours.
bool Cluster::unserved(Asking& asking, size_t at, const Attempt& attempt) {
  const Answer& answer = attempt.answer;
  Tried& tried = asking.tried[at];
  const auto sentence = sentence_of(answer);
  tried.reason =
      std::to_string(answer.status) + ": " +
      (sentence ? shown(*sentence) : "what answers there is not a Wormhole, or a proxy that cannot reach one");
  const bool certain = answer.header("wormhole-outcome") == "not-applied" ||
                       (sentence && answer.status != 504 && answer.header("wormhole-outcome") != "unknown");
  if (asking.write && !certain) asking.maybe_done = true;
  // A foreign server is one tomorrow too; a proxy's 5xx may pass.
  if (!sentence ? answer.status < 500 : refused_for_good(answer.status)) tried.hopeless = true;
  const std::string after = answer.header("retry-after");
  uint32_t wanted = 0;
  if (std::from_chars(after.data(), after.data() + after.size(), wanted).ec == std::errc() && wanted > 0)
    tried.not_before = Clock::now() + std::chrono::seconds(wanted);
  return false;
}

void Cluster::pause(Asking& asking) const {
  auto until = Clock::now() + std::chrono::milliseconds(asking.pause);
  // All of them may have asked for time.
  auto earliest = Clock::time_point::max();
  for (const Tried& tried : asking.tried)
    if (!tried.hopeless) earliest = std::min(earliest, tried.not_before);
  if (earliest != Clock::time_point::max()) until = std::max(until, earliest);
  until = std::min(until, asking.deadline);
  asking.pause = std::min(asking.pause * 2, kLongestPause);
  while (Clock::now() < until && !asking.request.stopped()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd wake{.fd = signals::wake_fd(), .events = POLLIN, .revents = 0};
    if (poll(&wake, 1, static_cast<int>(left) + 1) > 0) signals::drain();
  }
}

Reply Cluster::give_up(const Asking& asking) const {
  Reply reply;
  if (asking.request.stopped()) {
    reply.kind = Reply::Kind::interrupted;
    if (asking.maybe_done) reply.sentence = "interrupted: it may have taken effect";
    return reply;
  }
  const auto timeout = static_cast<Millis>(patience(asking.request).count());
  if (asking.maybe_done) {
    reply.kind = Reply::Kind::unknown;
    reply.sentence = "unknown whether it took effect: no endpoint said so within " + seconds(timeout);
  } else {
    reply.kind = Reply::Kind::nobody;
    reply.sentence = asking.left() == 0 ? "nobody answered within " + seconds(timeout) : std::string("nobody answered");
  }
  for (size_t n = 0; n < settings_.endpoints.size(); ++n)
    reply.sentence += "\n  " + settings_.endpoints[n] + ": " +
                      (asking.tried[n].reason.empty() ? "not asked" : asking.tried[n].reason);
  if (asking.maybe_done && !asking.key.empty() && settings_.repeatable && asking.request.key_suffix.empty())
    reply.sentence +=
        "\nrepeat it with --idempotency-key " + asking.key + ": it then takes effect once, whatever became of this";
  else if (asking.maybe_done && asking.key.empty())
    reply.sentence += "\nlook what there is, and repeat it if needed: doing it twice does no harm";
  else if (asking.maybe_done)
    reply.sentence += "\nlook what there is before it is repeated";
  else
    reply.sentence += "\nthe endpoints are from " + settings_.endpoints_from + "; is a node running there?";
  return reply;
}

}  // namespace wh::cli
