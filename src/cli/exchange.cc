#include "cli/exchange.h"

#include <algorithm>
#include <chrono>
#include <curl/curl.h>
#include <sys/socket.h>

#include "base/base64.h"
#include "cli/signals.h"

namespace wh::cli {
namespace {

using Clock = std::chrono::steady_clock;

// An answer that is kept in memory is at most so long; a page of the server has 4 MiB of data.
constexpr size_t kLongestBody = 64u << 20;

Millis since(Clock::time_point start) {
  return static_cast<Millis>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
}

// What libcurl's callbacks fill in.
struct Transfer {
  const Request& request;
  Answer answer;
  bool head_done = false;
  bool had_enough = false;
  bool too_long = false;
  Clock::time_point last_byte = Clock::now();
};

// "Name: value", or an empty line at the end of the head.
size_t on_header(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string_view line(data, size * count);
  transfer.last_byte = Clock::now();
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    // An interim answer (100) is followed by another head.
    transfer.answer.headers.clear();
    transfer.head_done = false;
  } else if (line.empty()) {
    transfer.head_done = true;
  } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    transfer.answer.headers[std::move(name)] = value;
  }
  return size * count;
}

struct BodyContext {
  Transfer* transfer;
  CURL* easy;
  bool began = false;
};

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& context = *static_cast<BodyContext*>(user);
  Transfer& transfer = *context.transfer;
  const std::string_view piece(data, size * count);
  transfer.last_byte = Clock::now();
  long status = 0;
  curl_easy_getinfo(context.easy, CURLINFO_RESPONSE_CODE, &status);
  // What is not a Wormhole's is gathered, for the caller to judge.
  const bool ours = transfer.answer.headers.contains("wormhole-index") ||
                    transfer.answer.header("content-type").starts_with("text/event-stream");
  if (status == 200 && transfer.request.sink && ours) {
    if (!context.began && transfer.request.restart) {
      curl_off_t length = -1;
      curl_easy_getinfo(context.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
      transfer.request.restart(length < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(length)));
    }
    context.began = true;
    if (!transfer.request.sink(piece)) {
      transfer.had_enough = true;
      return 0;
    }
    return piece.size();
  }
  if (transfer.answer.body.size() + piece.size() > kLongestBody) {
    transfer.too_long = true;
    return 0;
  }
  transfer.answer.body += piece;
  return piece.size();
}

// libcurl's codes in words; the detail is libcurl's own sentence about this failure.
std::string reason_of(CURLcode code, const char* detail, const Transfer& transfer) {
  if (transfer.too_long) return "its answer is too long to be Wormhole's";
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "the name of the host cannot be resolved";
    case CURLE_COULDNT_CONNECT:
      return "cannot connect: nothing listens there, or it cannot be reached";
    case CURLE_PEER_FAILED_VERIFICATION:
      return std::string("its certificate is not accepted (") + detail + "); --cacert FILE names the CA to trust";
    case CURLE_SSL_CONNECT_ERROR:
      return std::string("TLS failed (") + detail + "); is it an http:// port?";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return "what answers there does not speak HTTP";
    case CURLE_GOT_NOTHING:
      return "the connection was closed without an answer; is it an https:// port?";
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
      return "the connection broke";
    default:
      return *detail != '\0' ? detail : curl_easy_strerror(code);
  }
}

}  // namespace

bool Request::stopped() const { return (!despite_signals && signals::ending() != 0) || (stop && stop()); }

std::string Answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

struct Exchange::Curl {
  Curl() {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    easy = curl_easy_init();
  }
  ~Curl() {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
  }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;

  CURLM* multi;
  CURL* easy;
};

Exchange::Exchange(Trust trust) : trust_(std::move(trust)) {}
Exchange::~Exchange() = default;

namespace {

void set_trust(CURL* easy, const Trust& trust) {
  if (!trust.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, trust.ca_file.c_str());
    // Nothing but that CA.
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  if (!trust.cert_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, trust.cert_file.c_str());
  if (!trust.key_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, trust.key_file.c_str());
  if (trust.insecure) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
}

// Lets the system take in no more than so much at once: what was sent is then about what has arrived.
int on_socket(void* /*user*/, curl_socket_t socket, curlsocktype /*purpose*/) {
  const int most = 128 * 1024;
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
  return CURL_SOCKOPT_OK;
}

void set_request(CURL* easy, const Request& request) {
  if (request.body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body->data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
  } else if (request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

// Owns a list of header lines.
struct HeaderList {
  curl_slist* first = nullptr;
  HeaderList() = default;
  ~HeaderList() { curl_slist_free_all(first); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  void add(const std::string& line) { first = curl_slist_append(first, line.c_str()); }
};

void add_headers(HeaderList& list, const Request& request, const std::string& key, const std::string& password) {
  bool typed = false;
  for (const std::string& line : request.headers) {
    // libcurl leaves out a header without a value, unless it is written so.
    list.add(line.ends_with(": ") ? line.substr(0, line.size() - 2) + ";" : line);
    typed = typed || line.starts_with("Content-Type:");
  }
  if (const std::string line = request.position ? request.position() : std::string(); !line.empty()) list.add(line);
  if (!typed) list.add("Content-Type:");  // libcurl would name a form's
  list.add("Expect:");
  if (!key.empty()) list.add("Idempotency-Key: " + key);
  if (!password.empty()) {
    std::string basic = "Authorization: Basic ";
    append_base64(basic, ":" + password);
    list.add(basic);
  }
}

// Runs the transfer to its end, or until a limit is reached. Returns why it was cut short, or an empty text.
struct Drive {
  CURLM* multi;
  CURL* easy;
  const Request& request;
  Transfer& transfer;
  Exchange::Limits limits;
  Clock::time_point start = Clock::now();
  Clock::time_point connected{};
  curl_off_t uploaded = 0;
  Clock::time_point last_sent{};

  std::optional<CURLcode> result{};
  bool stopped = false;
  std::string too_slow{};

  void note_connected() {
    curl_off_t handshake = 0;
    if (connected == Clock::time_point{} &&
        curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &handshake) == CURLE_OK && handshake > 0)
      connected = last_sent = Clock::now();
    curl_off_t now = 0;
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &now);
    if (now > uploaded) last_sent = Clock::now();
    uploaded = std::max(now, uploaded);
  }
  [[nodiscard]] bool all_sent() const {
    return !request.body || uploaded >= static_cast<curl_off_t>(request.body->size());
  }
  // What is left until the next limit; sets too_slow when one is over.
  Millis left() {
    const auto rest = [&](Millis limit, Clock::time_point from, std::string what) {
      const Millis gone = since(from);
      if (gone < limit) return limit - gone;
      too_slow = std::move(what);
      return Millis{0};
    };
    if (connected == Clock::time_point{})
      return rest(limits.connect, start, "cannot connect within " + std::to_string(limits.connect) + " ms");
    if (!transfer.head_done && !all_sent())
      return std::min(
          rest(limits.sending, start, "the request was not sent within " + std::to_string(limits.sending) + " ms"),
          rest(limits.answer, last_sent, "takes no more of the request, for " + std::to_string(limits.answer) + " ms"));
    if (!transfer.head_done)
      return rest(limits.answer, last_sent, "no answer within " + std::to_string(limits.answer) + " ms");
    return rest(request.silence, transfer.last_byte,
                "its answer stopped, for " + std::to_string(request.silence) + " ms");
  }
  void run() {
    for (;;) {
      int running = 0;
      curl_multi_perform(multi, &running);
      int left_over = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi, &left_over))
        if (message->msg == CURLMSG_DONE) result = message->data.result;
      if (result) return;
      stopped = request.stopped();
      if (stopped) return;
      if (request.waiting) request.waiting();
      note_connected();
      const Millis wait = left();
      if (!too_slow.empty()) return;
      curl_waitfd wake{.fd = signals::wake_fd(), .events = CURL_WAIT_POLLIN, .revents = 0};
      curl_multi_poll(multi, &wake, wake.fd < 0 ? 0 : 1, static_cast<int>(std::min<Millis>(wait, 1'000)) + 1, nullptr);
      if (wake.revents != 0) signals::drain();
    }
  }
};

}  // namespace

Attempt Exchange::attempt(const std::string& base, const Request& request, const std::string& key, Limits limits,
                          bool with_password) {
  if (!curl_) curl_ = std::make_unique<Curl>();
  CURL* easy = curl_->easy;
  curl_easy_reset(easy);
  const std::string url = base + request.target;
  char detail[CURL_ERROR_SIZE] = "";
  HeaderList headers;
  add_headers(headers, request, key, with_password ? trust_.password : std::string());
  Transfer transfer{.request = request, .answer = {}};
  BodyContext body{.transfer = &transfer, .easy = easy};
  set_trust(easy, trust_);
  set_request(easy, request);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.first);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "wormhole-cli/" WORMHOLE_VERSION);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
  // Drive decides; libcurl's own limit is only so much later that it never comes first.
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect + 1'000));
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);

  Drive drive{.multi = curl_->multi, .easy = easy, .request = request, .transfer = transfer, .limits = limits};
  curl_multi_add_handle(curl_->multi, easy);
  drive.run();
  Attempt out;
  long status = 0;
  long request_bytes = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
  curl_multi_remove_handle(curl_->multi, easy);
  out.sent = request_bytes > 0;
  out.flowed = body.began;
  out.answer = std::move(transfer.answer);
  out.answer.status = static_cast<int>(status);
  if (drive.stopped) {
    out.end = Attempt::End::stopped;
  } else if (!drive.too_slow.empty()) {
    out.reason = drive.too_slow;
  } else if (drive.result == CURLE_OK) {
    out.end = Attempt::End::answered;
  } else if (transfer.had_enough) {
    out.end = Attempt::End::refused;
  } else {
    out.reason = reason_of(drive.result.value_or(CURLE_FAILED_INIT), detail, transfer);
  }
  return out;
}

}  // namespace wh::cli
