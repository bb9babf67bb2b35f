// Wormhole's HTTP: one request at a time on a connection that is kept, or one stream of changes.
#include <charconv>

#include "store_client.h"

namespace wh::bench {
namespace {

class StoreWormhole : public StorePeer {
 public:
  using StorePeer::StorePeer;

  void put(std::string_view key) override { put_with(key, ""); }

  void compare_and_set(std::string_view key, uint64_t changed_at) override {
    put_with(key, changed_at == 0 ? "If-None-Match: *\r\n" : "If-Match: \"" + std::to_string(changed_at) + "\"\r\n");
  }

  void transact(const std::vector<std::string>& keys, uint64_t changed_at) override {
    body_ = R"({"compare":[{"key":")" + keys[0] + "\",";
    body_ += changed_at == 0 ? R"("exists":false)" : R"("mod_index":)" + std::to_string(changed_at);
    body_ += R"(}],"success":[)";
    const uint64_t now = uv_hrtime();
    for (const std::string& key : keys) {
      body_ += (&key == keys.data() ? R"({"put":{"key":")" : R"(,{"put":{"key":")") + key + R"(","value":")";
      append_event(body_, now);
      body_ += "\"}}";
    }
    body_ += "]}";
    request("POST", "/txn", "Content-Type: application/json\r\n", body_, Asked::kTransact);
  }

  void range(std::string_view from, size_t count) override {
    if (count == 1) return request("GET", "/kv/" + std::string(from), "", "", Asked::kGet);
    request("GET", "/kv?prefix=key/&after=" + std::string(from) + "&limit=" + std::to_string(count), "", "",
            Asked::kRange);
  }

  void grant(uint64_t ttl_seconds) override {
    request("POST", "/leases?ttl=" + std::to_string(ttl_seconds) + "s", "", "", Asked::kGrant);
  }

  void keep_alive(uint64_t lease) override {
    request("POST", "/leases/" + std::to_string(lease) + "/keepalive", "", "", Asked::kKeepAlive);
  }

  void watch(std::string_view prefix) override {
    request("GET", "/kv?watch&prefix=" + std::string(prefix), "", "", Asked::kWatch);
  }

 protected:
  void connected() override { listener().ready(); }

  size_t take(std::string_view in) override {
    size_t taken = 0;
    while (!streams_) {
      std::optional<HttpAnswer> whole = http_answer(in.substr(taken));
      if (!whole) return taken;
      if (whole->chunked && asked_ != Asked::kWatch && !read_chunks(in.substr(taken), *whole)) return taken;
      taken += whole->size;
      answer(*whole);
      if (closed()) return in.size();
    }
    while (const std::optional<HttpChunk> chunk = http_chunk(in.substr(taken))) {
      take_frames(chunk->data);
      taken += chunk->size;
    }
    return taken;
  }

 private:
  enum class Asked { kNothing, kPut, kTransact, kGet, kRange, kGrant, kKeepAlive, kWatch };

  void put_with(std::string_view key, std::string_view headers) {
    body_.clear();
    append_event(body_, uv_hrtime());
    request("PUT", "/kv/" + std::string(key), headers, body_, Asked::kPut);
  }

  void request(std::string_view method, std::string_view target, std::string_view headers, std::string_view body,
               Asked asked) {
    asked_ = asked;
    out_ = method;
    out_ += ' ';
    out_ += target;
    out_ += " HTTP/1.1\r\nHost: localhost\r\n";
    out_ += headers;
    if (method != "GET") out_ += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    out_ += "\r\n";
    out_ += body;
    send(out_);
  }

  void answer(const HttpAnswer& whole) {
    const Asked asked = std::exchange(asked_, Asked::kNothing);
    size_t at = 0;
    if (asked == Asked::kWatch && whole.status == 200) {
      streams_ = true;
    } else if (asked == Asked::kPut && (whole.status == 201 || whole.status == 204)) {
      listener().done(number_at(between(whole.head, "\r\nETag: \"", '"', at)));
    } else if (asked == Asked::kTransact && whole.status == 200 && whole.body.starts_with(R"({"succeeded":true)")) {
      listener().done(number_at(between(whole.body, R"("index":)", ',', at)));
    } else if (asked == Asked::kGet && whole.status == 200) {
      listener().done(1);
    } else if (asked == Asked::kRange && whole.status == 200) {
      size_t items = 0;
      while (!between(whole.body, R"("key":")", '"', at).empty()) ++items;
      listener().done(items);
    } else if (asked == Asked::kGrant && whole.status == 201) {
      listener().done(number_at(between(whole.body, R"("id":)", ',', at)));
    } else if (asked == Asked::kKeepAlive && whole.status == 200) {
      listener().done(0);
    } else {
      listener().refused(std::string(whole.head.substr(0, whole.head.find('\r'))) + ": " + std::string(whole.body));
    }
  }

  // Reads the body of an answer in chunks, as of a long page; false: it is not complete.
  bool read_chunks(std::string_view in, HttpAnswer& whole) {
    chunks_.clear();
    for (;;) {
      const std::optional<HttpChunk> chunk = http_chunk(in.substr(whole.size));
      if (!chunk) return false;
      whole.size += chunk->size;
      chunks_ += chunk->data;
      if (chunk->data.empty()) break;
    }
    whole.body = chunks_;
    return true;
  }

  // The frames of one chunk, which are whole.
  void take_frames(std::string_view frames) {
    if (frames.empty()) fail("a watch ended");
    if (!frames.ends_with("\n\n")) fail("a chunk ends within a frame");
    if (!std::exchange(began_, true)) listener().watching();
    for (size_t at = 0;;) {
      const std::string_view key = between(frames, R"("key":")", '"', at);
      if (at == std::string_view::npos) break;
      listener().changed(key, between(frames, R"("value":")", '"', at));
    }
  }

  Asked asked_ = Asked::kNothing;
  std::string out_;
  std::string body_;
  std::string chunks_;
  bool streams_ = false;
  bool began_ = false;
};

}  // namespace

std::unique_ptr<StorePeer> make_store_wormhole(uv_loop_t* loop, uint16_t port, StoreListener& listener) {
  return std::make_unique<StoreWormhole>(loop, port, listener);
}

}  // namespace wh::bench
