#include "net/dial.h"

#include <algorithm>
#include <utility>

#include "net/resolver.h"

namespace wh::net {

// One connect that libuv runs; `dial` is null once it is given up.
struct Dial::Attempt {
  uv_connect_t request{};
  TcpSocket* socket = nullptr;
  Dial* dial = nullptr;
};

std::unique_ptr<Dial> tcp_connect(Loop& loop, std::string host, uint16_t port, uint64_t timeout_ms,
                                  Dial::Callback callback, const TcpOptions& options) {
  return std::unique_ptr<Dial>(new Dial(loop, std::move(host), port, timeout_ms, std::move(callback), options));
}

Dial::Dial(Loop& loop, std::string host, uint16_t port, uint64_t timeout_ms, Callback callback,
           const TcpOptions& options)
    : loop_(loop),
      host_(std::move(host)),
      port_(port),
      give_up_at_(loop.now() + timeout_ms),
      callback_(std::move(callback)),
      options_(options),
      start_task_(
          loop, TurnTask::Phase::deferred, [](void* self) { static_cast<Dial*>(self)->start(); }, this),
      timer_(loop, [this] { failed(UV_ETIMEDOUT); }) {
  timer_.start(timeout_ms);
  start_task_.queue();
}

Dial::~Dial() {
  if (lookup_ != 0) loop_.resolver().cancel(lookup_);
  drop_attempt();
}

void Dial::start() {
  if (const std::optional<Address> literal = Address::parse(host_, port_)) {
    resolved(0, {*literal});
    return;
  }
  const uint64_t id = loop_.resolver().resolve(host_, [this](int error, const Addresses& addresses) {
    lookup_ = 0;
    resolved(error, addresses);
  });
  // 0: resolve() has called back already, and may have destroyed this object.
  if (id != 0) lookup_ = id;
}

void Dial::resolved(int error, const Addresses& addresses) {
  if (error != 0) {
    finish(error, nullptr);
    return;
  }
  for (const Address& address : addresses) addresses_.push_back(address.with_port(port_));
  try_next();
}

void Dial::try_next() {
  while (next_address_ < addresses_.size()) {
    const Millis time = loop_.now();
    const Millis left = give_up_at_ > time ? give_up_at_ - time : 0;
    const uint64_t share = left / (addresses_.size() - next_address_);
    const Address& address = addresses_[next_address_++];
    int error = UV_ENFILE;
    if (TcpSocket* socket = TcpSocket::make(loop_)) {
      auto attempt = std::make_unique<Attempt>();
      attempt->request.data = attempt.get();
      attempt->socket = socket;
      attempt->dial = this;
      error = uv_tcp_connect(&attempt->request, &socket->uv, address.raw(), [](uv_connect_t* request, int status) {
        const std::unique_ptr<Attempt> own(static_cast<Attempt*>(request->data));
        if (own->dial != nullptr) own->dial->connected(status);
      });
      if (error == 0) {
        attempt_ = attempt.release();
        timer_.start(share);
        return;
      }
      socket->discard();
    }
    if (error_ == 0 || error_ == UV_ECONNREFUSED) error_ = error;
  }
  finish(error_ != 0 ? error_ : UV_EADDRNOTAVAIL, nullptr);
}

void Dial::connected(int status) {
  TcpSocket* socket = attempt_->socket;
  attempt_ = nullptr;  // libuv's callback frees it
  if (status == 0) {
    auto stream = std::make_unique<TcpStream>(loop_, socket, options_);
    // A connect to a port outside the range for clients' ports can reach itself when nobody listens there.
    if (stream->peer_port() != stream->local_port() || stream->peer_address() != stream->local_address()) {
      finish(0, std::move(stream));
      return;
    }
    status = UV_ECONNREFUSED;
  } else {
    socket->discard();
  }
  failed(status);
}

// The connect to this address failed, or took too long.
void Dial::failed(int error) {
  drop_attempt();
  if (lookup_ != 0) {
    finish(error, nullptr);
    return;
  }
  if (error_ == 0 || error_ == UV_ECONNREFUSED) error_ = error;
  try_next();
}

void Dial::drop_attempt() {
  if (attempt_ == nullptr) return;
  attempt_->dial = nullptr;
  attempt_->socket->discard();
  attempt_ = nullptr;
}

void Dial::finish(int error, std::unique_ptr<TcpStream> stream) {
  timer_.stop();
  start_task_.cancel();
  DialResult result;
  result.stream = std::move(stream);
  result.error = error;
  if (error != 0)
    result.message = "could not connect to " + host_ + ":" + std::to_string(port_) + ": " + uv_strerror(error);
  const Callback callback = std::move(callback_);
  callback(std::move(result));
}

}  // namespace wh::net
