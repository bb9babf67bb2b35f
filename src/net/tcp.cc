#include "net/tcp.h"

#include <algorithm>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <new>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utility>

#include "base/assert.h"

namespace wh::net {

namespace {

// A buffer up to this size is kept for the next turn; a larger one is freed once empty.
constexpr size_t kKeptCapacity = 4 * 1024;
// When the kernel takes not all of a client's output, libuv gets this much of the rest: it tells when the kernel takes
// more. The remainder waits for the client's place in the line, so that one poll does not send for a thousand clients.
constexpr size_t kProbeBytes = 4 * 1024;

// A node's connection is read no further in one turn: the rest waits for the next one. libuv would read 2 MiB, and
// 2 MiB of entries take 10 ms. It is more than one full message of entries.
constexpr size_t kMemberBytesPerTurn = 320 * 1024;

// The kernel keeps at most this much of a client's output that is not on its way: by default it takes megabytes for
// each client that reads nothing, which no budget of ours counts, and such a client would show only late.
constexpr int kUnsentBytes = 128 * 1024;

Address address_of(const uv_tcp_t& socket, int (*get)(const uv_tcp_t*, sockaddr*, int*)) {
  sockaddr_storage storage{};
  int size = sizeof storage;
  auto* raw = reinterpret_cast<sockaddr*>(&storage);
  return get(&socket, raw, &size) == 0 ? Address(raw) : Address();
}

}  // namespace

TcpSocket* TcpSocket::make(Loop& loop) {
  auto* socket = new TcpSocket;
  socket->uv.data = socket;
  if (uv_tcp_init(loop.uv(), &socket->uv) != 0) {
    delete socket;
    return nullptr;
  }
  return socket;
}

void TcpSocket::discard() {
  stream = nullptr;
  if (uv_is_closing(as_handle())) return;  // that close's callback deletes it
  slot.release();                          // libuv closes the descriptor here, and calls back later
  uv_close(as_handle(), [](uv_handle_t* handle) { delete static_cast<TcpSocket*>(handle->data); });
}

TcpStream::TcpStream(Loop& loop, TcpSocket* socket, const TcpOptions& options)
    : loop_(loop),
      socket_(socket),
      send_stall_ms_(options.send_stall_ms),
      clients_(options.clients),
      share_(options.clients == nullptr ? nullptr : &options.clients->buffers()),
      peer_(address_of(socket->uv, uv_tcp_getpeername)),
      local_(address_of(socket->uv, uv_tcp_getsockname)),
      flush_task_(
          loop, TurnTask::Phase::send, [](void* self) { static_cast<TcpStream*>(self)->flush(); }, this),
      turn_task_(
          loop, TurnTask::Phase::deferred, [](void* self) { static_cast<TcpStream*>(self)->take_turn(); }, this) {
  if (clients_ != nullptr)
    place_.emplace(
        *clients_, [](void* self) { static_cast<TcpStream*>(self)->take_turn(); }, this);
  socket_->stream = this;
  // No failure of these is worth losing the connection; on a broken one the first read fails.
  uv_tcp_nodelay(&socket_->uv, 1);
  if (options.keepalive_s != 0) uv_tcp_keepalive(&socket_->uv, 1, options.keepalive_s);
  uv_os_fd_t fd = -1;
  if (options.user_timeout_ms != 0 && uv_fileno(socket_->as_handle(), &fd) == 0)
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &options.user_timeout_ms, sizeof options.user_timeout_ms);
  if (clients_ != nullptr && uv_fileno(socket_->as_handle(), &fd) == 0)
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
}

TcpStream::~TcpStream() {
  if (socket_ != nullptr) socket_->discard();
}

void TcpStream::set_handler(StreamHandler* handler) {
  handler_ = handler;
  update_reading();
}

void TcpStream::write(std::string_view bytes) {
  if (state_ != State::open || bytes.empty()) return;
  out_.append(bytes);
  if (clients_ != nullptr) clients_->spend(bytes.size());
  if (pending_bytes() > kHighWater) above_high_ = true;
  count_held();
  flush_task_.queue();
}

void TcpStream::pause_reading() {
  paused_ = true;
  update_reading();
}

void TcpStream::resume_reading() {
  paused_ = false;
  update_reading();
}

size_t TcpStream::pending_bytes() const {
  return socket_ == nullptr ? 0 : out_.size() + uv_stream_get_write_queue_size(socket_->as_stream());
}

// ---- Turns

void TcpStream::request_turn() {
  turn_due_ = true;
  queue_turn();
}

void TcpStream::queue_turn() {
  if (place_)
    place_->queue();
  else
    turn_task_.queue();
}

// The handler may destroy this stream: each call of it must be the last action.
void TcpStream::take_turn() {
  if (state_ == State::closed) return;
  if (std::exchange(flush_due_, false)) {
    clients_->spend(std::min(out_.size(), kHighWater));
    flush_task_.queue();
  }
  if (std::exchange(read_held_, false)) {
    if (clients_ != nullptr) clients_->spend(Loop::kReadBufferSize);  // what the next read may bring
    update_reading();
  }
  if (state_ != State::open || handler_ == nullptr) return;
  if (std::exchange(drained_due_, false)) {
    if (turn_due_) queue_turn();
    handler_->on_drained();
  } else if (std::exchange(turn_due_, false)) {
    handler_->on_turn();
  }
}

// ---- Reading

void TcpStream::update_reading() {
  if (state_ == State::closed) return;
  // After close() everything is read and thrown away: a peer blocked in its own write would not read our answer.
  const bool wanted = !peer_ended_ && !read_held_ && (state_ != State::open || (handler_ != nullptr && !paused_));
  if (wanted == reading_) return;
  reading_ = wanted;
  if (!wanted) {
    uv_read_stop(socket_->as_stream());
    return;
  }
  const int error = uv_read_start(
      socket_->as_stream(),
      [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
        // Without a buffer libuv does not read, and asks again at the next poll.
        TcpStream* stream = static_cast<TcpSocket*>(handle->data)->stream;
        if (stream == nullptr || !stream->may_read())
          *buffer = {nullptr, 0};
        else
          *buffer = {static_cast<Loop*>(handle->loop->data)->read_buffer(), Loop::kReadBufferSize};
      },
      [](uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer) {
        TcpStream* stream = static_cast<TcpSocket*>(handle->data)->stream;
        const bool refused = size == UV_ENOBUFS && buffer->base == nullptr;
        if (stream != nullptr && size != 0 && !refused) stream->received(size, buffer->base);
      });
  if (error != 0) finish(uv_strerror(error));
}

// The handler may destroy this stream: each call of it must be the last action.
void TcpStream::received(ssize_t size, const char* bytes) {
  if (size > 0) {
    const auto length = static_cast<size_t>(size);
    loop_.note_received(length);
    if (clients_ != nullptr) {
      clients_->spend(length);
      if (length >= kLargeRead) {
        read_held_ = true;
        update_reading();
        queue_turn();
      }
    } else {
      if (std::exchange(turn_of_bytes_, loop_.turn()) != loop_.turn()) bytes_of_turn_ = 0;
      bytes_of_turn_ += length;
      if (bytes_of_turn_ >= kMemberBytesPerTurn) {
        left_some_in_ = loop_.turn() + 1;
        // What a closed connection still sends tells nothing, nor what comes before a peer has proved who it is: nobody
        // may hold up deadlines with it.
        if (state_ == State::open && member_) loop_.note_held();
        read_held_ = true;
        update_reading();
        queue_turn();
      }
    }
    if (state_ == State::open)
      handler_->on_data({bytes, length});
    else
      read_away(length);
    return;
  }
  reading_ = false;
  if (size == UV_EOF) {
    peer_ended_ = true;
    if (state_ == State::open)
      handler_->on_end();
    else if (state_ == State::lingering)
      finish("");
    return;
  }
  uv_read_stop(socket_->as_stream());
  finish(state_ == State::lingering ? "" : uv_strerror(static_cast<int>(size)));
}

// ---- Writing

void TcpStream::flush() {
  if (state_ == State::closed || writing_) return;
  if (!out_.empty()) {
    uv_buf_t buffer{out_.data(), out_.size()};
    const int result = uv_try_write(socket_->as_stream(), &buffer, 1);
    if (result < 0 && result != UV_EAGAIN) {
      finish(uv_strerror(result));
      return;
    }
    const size_t sent = result > 0 ? static_cast<size_t>(result) : 0;
    if (sent < out_.size()) {
      // The bytes not sent yet go next.
      const size_t next = clients_ == nullptr ? out_.size() - sent : std::min(out_.size() - sent, kProbeBytes);
      loop_.note_sent(sent + next);
      if (clients_ == nullptr) {
        socket_->in_flight = std::move(out_);
        out_.clear();
        buffer = {socket_->in_flight.data() + sent, next};
      } else {
        socket_->in_flight.assign(out_, sent, next);
        out_.erase(0, sent + next);
        buffer = {socket_->in_flight.data(), next};
      }
      writing_ = true;
      const int error = uv_write(&socket_->write, socket_->as_stream(), &buffer, 1, [](uv_write_t* write, int status) {
        TcpStream* stream = static_cast<TcpSocket*>(write->handle->data)->stream;
        if (stream != nullptr) stream->written(status);
      });
      if (error != 0) {
        finish(uv_strerror(error));
        return;
      }
    } else {
      loop_.note_sent(sent);
      if (out_.capacity() > kKeptCapacity)
        std::string().swap(out_);
      else
        out_.clear();
    }
  }
  count_held();
  sent_some();
}

void TcpStream::written(int status) {
  if (state_ == State::closed) return;
  writing_ = false;
  socket_->in_flight = {};
  if (status != 0) {
    finish(uv_strerror(status));
    return;
  }
  if (!out_.empty() && clients_ != nullptr) {
    flush_due_ = true;
    queue_turn();
  } else if (!out_.empty()) {
    flush_task_.queue();
  }
  count_held();
  sent_some();
}

void TcpStream::sent_some() {
  const size_t pending = pending_bytes();
  if (state_ == State::sending) {
    if (pending == 0) end_our_side();
    return;
  }
  if (above_high_ && pending <= kLowWater) {
    above_high_ = false;
    if (clients_ != nullptr) {
      drained_due_ = true;
      queue_turn();
    } else if (handler_ != nullptr) {
      handler_->on_drained();
    }
  }
}

// ---- Ending

void TcpStream::close() {
  if (state_ != State::open) return;
  state_ = State::sending;
  update_reading();
  if (state_ == State::closed) return;
  stall_pending_ = unacknowledged_bytes();
  close_timer_ = std::make_unique<Timer>(loop_, [this] { check_stall(); });
  close_timer_->start(send_stall_ms_, send_stall_ms_);
  flush_task_.queue();
}

void TcpStream::abort() { finish("aborted", true); }

void TcpStream::end_our_side() {
  state_ = State::lingering;
  const int error = uv_shutdown(&socket_->shutdown, socket_->as_stream(), [](uv_shutdown_t* shutdown, int status) {
    TcpStream* stream = static_cast<TcpSocket*>(shutdown->handle->data)->stream;
    if (stream == nullptr || stream->state_ == State::closed) return;
    if (status != 0 || stream->peer_ended_)
      stream->finish("");
    else
      stream->linger();
  });
  if (error != 0) finish("");
}

void TcpStream::linger() {
  lingering_since_ = loop_.now();
  read_away_seen_ = read_away_;
  close_timer_ = std::make_unique<Timer>(loop_, [this] {
    const bool silent = std::exchange(read_away_seen_, read_away_) == read_away_;
    if (silent || loop_.now() - lingering_since_ >= kLingerMs) finish("");
  });
  close_timer_->start(read_away_ == 0 ? kLingerIdleMs : kLingerSilenceMs, kLingerSilenceMs);
}

void TcpStream::read_away(size_t size) {
  read_away_ += size;
  if (read_away_ > kLingerBytes) finish("");
}

// Bytes that the peer has not acknowledged. Those in the kernel count too, as it takes our bytes in steps that a slow
// peer needs minutes for.
size_t TcpStream::unacknowledged_bytes() const {
  uv_os_fd_t fd = -1;
  int in_kernel = 0;
  if (uv_fileno(socket_->as_handle(), &fd) != 0 || ioctl(fd, SIOCOUTQ, &in_kernel) != 0) in_kernel = 0;
  return pending_bytes() + static_cast<size_t>(in_kernel);
}

void TcpStream::check_stall() {
  const size_t pending = unacknowledged_bytes();
  if (state_ == State::sending && pending >= stall_pending_) finish("the peer does not read", true);
  stall_pending_ = pending;
}

// Every way of ending a connection comes here; libuv's own callback calls on_close, so never from inside a method.
void TcpStream::finish(std::string why, bool reset) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  reading_ = false;
  close_reason_ = std::move(why);
  flush_task_.cancel();
  turn_task_.cancel();
  if (place_) place_->leave();
  if (close_timer_ != nullptr) close_timer_->stop();
  std::string().swap(out_);
  share_.set(0);
  const uv_close_cb closed = [](uv_handle_t* handle) {
    const std::unique_ptr<TcpSocket> socket(static_cast<TcpSocket*>(handle->data));
    TcpStream* stream = socket->stream;
    if (stream == nullptr) return;
    stream->socket_ = nullptr;
    const std::string reason = std::move(stream->close_reason_);
    if (stream->handler_ != nullptr) stream->handler_->on_close(reason);
  };
  socket_->slot.release();
  // A reset cannot follow a shutdown that is under way.
  if (!reset || uv_tcp_close_reset(&socket_->uv, closed) != 0) uv_close(socket_->as_handle(), closed);
}

}  // namespace wh::net
