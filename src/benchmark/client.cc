#include "benchmark/client.h"

#include <utility>

namespace wh::benchmark {
namespace {

constexpr uint64_t kDialMs = 5'000;
// A node that refuses is asked again, or the next one.
constexpr uint64_t kPauseMs = 20;

}  // namespace

Client::Client(Network& network, Source& source, const Operation& operation, size_t number, size_t places)
    : network_(network),
      source_(source),
      operation_(operation),
      node_(number % network.options.endpoints.size()),
      places_(places),
      again_(network.loop, [this] { dial(); }) {
  for (size_t i = 0; i < places; ++i) {
    places_[i].number = number * places + i;
    free_.push_back(places - 1 - i);
  }
}

Client::~Client() = default;

void Client::dial() {
  dead_.reset();
  stream_.reset();
  const Endpoint& node = network_.options.endpoints[node_];
  dial_ = net::tcp_connect(network_.loop, node.host, node.port, kDialMs,
                           [this](net::DialResult result) { dialled(std::move(result)); });
}

void Client::dialled(net::DialResult result) {
  if (!result.stream) {
    source_.failed(result.message);
    node_ = (node_ + 1) % network_.options.endpoints.size();
    if (!source_.over()) again_.start(kPauseMs);
    return;
  }
  stream_ = std::move(result.stream);
  if (network_.tls)
    stream_ = net::TlsStream::connect(network_.loop, network_.gate, net::HandshakeGate::Lane::peer, network_.tls,
                                      std::move(stream_), {});
  stream_->set_handler(this);
  replies_ = Replies::make(network_.options.protocol, operation_.wants_body,
                           [this](const Answer& answer) { return take(answer); });
  connected_ = true;
  greeting_ = network_.options.protocol == Protocol::resp && !network_.options.password.empty();
  if (greeting_) {
    const std::string& password = network_.options.password;
    stream_->write("*2\r\n$4\r\nAUTH\r\n$" + std::to_string(password.size()) + "\r\n" + password + "\r\n");
    return;
  }
  source_.ready(*this);
}

size_t Client::free_place() {
  const size_t place = free_.back();
  free_.pop_back();
  return place;
}

void Client::send(Maker& maker, uint64_t since_us) {
  const size_t place = free_place();
  text_.clear();
  operation_.make(maker, places_[place], text_);
  in_flight_.push_back({place, since_us});
  stream_->write(text_);
}

void Client::send_text(std::string_view request, uint64_t since_us) {
  in_flight_.push_back({free_place(), since_us});
  stream_->write(request);
}

void Client::on_data(std::string_view bytes) {
  dropped_ = false;
  const bool good = replies_->read(bytes);
  if (dropped_) return;
  if (!good) drop("what came is no answer");
}

bool Client::take(const Answer& answer) {
  if (std::exchange(greeting_, false)) {
    if (answer.status == 200) {
      source_.ready(*this);
      return true;
    }
    const std::string why = "AUTH: " + std::string(answer.body.substr(1, answer.body.find('\r') - 1));
    drop(why);
    source_.shut_out(why);
    return false;
  }
  if (in_flight_.empty()) {
    drop("an answer to nothing");
    return false;
  }
  const Sent sent = in_flight_.front();
  in_flight_.pop_front();
  free_.push_back(sent.place);
  Place& place = places_[sent.place];
  const bool last = replies_->last();
  if (!source_.answered(*this, place, sent.since_us, answer)) {
    drop({});
    return false;
  }
  if (dropped_) return false;
  if (last || (!network_.options.keep_alive && in_flight_.empty())) {
    drop(in_flight_.empty() ? std::string() : "the node ended the connection");
    return false;
  }
  if (in_flight_.empty()) source_.ready(*this);
  return !dropped_;
}

// The stream may be calling, so it is only put aside. Without a reason it was to end.
void Client::drop(const std::string& why) {
  if (!connected_) return;
  connected_ = false;
  dropped_ = true;
  dead_ = std::move(stream_);
  dead_->abort();
  if (!why.empty()) {
    if (in_flight_.empty()) source_.failed(why);
    while (!in_flight_.empty()) {
      free_.push_back(in_flight_.front().place);
      in_flight_.pop_front();
      source_.lost(*this, why);
    }
    node_ = (node_ + 1) % network_.options.endpoints.size();
  }
  for (Place& place : places_) place.second = false;
  if (!source_.over()) again_.start(why.empty() ? 0 : kPauseMs);
}

}  // namespace wh::benchmark
