#include "benchmark/replies.h"

#include <array>
#include <charconv>
#include <utility>

#include <llhttp.h>

namespace wh::benchmark {
namespace {

class HttpReplies final : public Replies {
 public:
  HttpReplies(bool wants_body, Take take) : wants_body_(wants_body), take_(std::move(take)) {
    llhttp_settings_init(&settings_);
    settings_.on_message_begin = [](llhttp_t* parser) { return self(parser).begin(); };
    settings_.on_header_field = [](llhttp_t* parser, const char* at, size_t length) {
      return self(parser).field({at, length});
    };
    settings_.on_header_value = [](llhttp_t* parser, const char* at, size_t length) {
      return self(parser).value({at, length});
    };
    settings_.on_header_value_complete = [](llhttp_t* parser) { return self(parser).value_over(); };
    if (wants_body)
      settings_.on_body = [](llhttp_t* parser, const char* at, size_t length) {
        self(parser).body_.append(at, length);
        return 0;
      };
    settings_.on_message_complete = [](llhttp_t* parser) { return self(parser).complete(); };
    llhttp_init(&parser_, HTTP_RESPONSE, &settings_);
    parser_.data = this;
  }

  bool read(std::string_view bytes) override {
    const llhttp_errno_t error = llhttp_execute(&parser_, bytes.data(), bytes.size());
    return error == HPE_OK || error == HPE_USER || stopped_;
  }
  [[nodiscard]] bool last() const override { return last_; }

 private:
  static HttpReplies& self(llhttp_t* parser) { return *static_cast<HttpReplies*>(parser->data); }

  int begin() {
    name_.clear();
    body_.clear();
    etag_.clear();
    receipt_.clear();
    wanted_ = nullptr;
    return 0;
  }
  int field(std::string_view part) {
    name_ += part;
    return 0;
  }
  // Names of other lengths are no candidates, which is told without a comparison.
  int value(std::string_view part) {
    if (!name_.empty()) {
      const auto is = [&](std::string_view name) {
        for (size_t i = 0; i < name.size(); ++i)
          if ((name_[i] | 0x20) != name[i]) return false;
        return true;
      };
      wanted_ = name_.size() == 4 && is("etag")                ? &etag_
                : name_.size() == 16 && is("wormhole-receipt") ? &receipt_
                                                               : nullptr;
      name_.clear();
    }
    if (wanted_ != nullptr) *wanted_ += part;
    return 0;
  }
  int value_over() {
    name_.clear();
    wanted_ = nullptr;
    return 0;
  }
  int complete() {
    last_ = llhttp_should_keep_alive(&parser_) == 0;
    stopped_ = !take_({.status = parser_.status_code, .body = body_, .etag = etag_, .receipt = receipt_});
    return stopped_ ? -1 : 0;
  }

  bool wants_body_;
  Take take_;
  llhttp_settings_t settings_{};
  llhttp_t parser_{};
  std::string name_, body_, etag_, receipt_;
  std::string* wanted_ = nullptr;
  bool last_ = false;
  bool stopped_ = false;
};

class RespReplies final : public Replies {
 public:
  explicit RespReplies(Take take) : take_(std::move(take)) {}

  bool read(std::string_view bytes) override {
    // What is whole is read where it arrived.
    if (!in_.empty()) {
      in_ += bytes;
      bytes = in_;
    }
    while (!bytes.empty()) {
      const size_t length = resp_length(bytes);
      if (length == std::string_view::npos) return false;
      if (length == 0) break;
      const std::string_view reply = bytes.substr(0, length);
      bytes.remove_prefix(length);
      const bool nil = reply.starts_with("$-1") || reply.starts_with("*-1") || reply.starts_with("_");
      if (!take_({.status = nil ? 404 : reply[0] == '-' ? 500 : 200, .body = reply})) return true;
    }
    in_ = std::string(bytes);
    return true;
  }

 private:
  Take take_;
  std::string in_;
};

constexpr int kDeepest = 8;

size_t length_at(std::string_view in, int depth) {
  const size_t end = in.find("\r\n");
  if (end == std::string_view::npos) return 0;
  const std::string_view line = in.substr(0, end);
  const size_t after = end + 2;
  if (line.empty()) return std::string_view::npos;
  if (std::string_view("+-:_,#(").find(line[0]) != std::string_view::npos) return after;
  int64_t count = 0;
  const auto [stop, error] = std::from_chars(line.data() + 1, line.data() + line.size(), count);
  if (error != std::errc() || stop != line.data() + line.size()) return std::string_view::npos;
  switch (line[0]) {
    case '$':
    case '=':
      if (count < 0) return after;
      return in.size() < after + static_cast<size_t>(count) + 2 ? 0 : after + static_cast<size_t>(count) + 2;
    case '*':
    case '~':
    case '>':
    case '%': {
      if (depth == kDeepest) return std::string_view::npos;
      size_t at = after;
      for (int64_t i = 0; i < (line[0] == '%' ? 2 * count : count); ++i) {
        const size_t length = length_at(in.substr(at), depth + 1);
        if (length == 0 || length == std::string_view::npos) return length;
        at += length;
      }
      return at;
    }
    default:
      return std::string_view::npos;
  }
}

}  // namespace

size_t resp_length(std::string_view in) { return length_at(in, 0); }

std::unique_ptr<Replies> Replies::make(Protocol protocol, bool wants_body, Take take) {
  if (protocol == Protocol::http) return std::make_unique<HttpReplies>(wants_body, std::move(take));
  return std::make_unique<RespReplies>(std::move(take));
}

}  // namespace wh::benchmark
