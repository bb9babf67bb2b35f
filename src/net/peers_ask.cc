// PeerTransport's own questions: a connection for each, which ends with the answer; and name lookups.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/endpoint.h"
#include "net/peers.h"
#include "net/resolver.h"
#include "wire/ask_codec.h"

namespace wh::net {
namespace {

constexpr uint64_t kQuestionTimeoutMs = 3'000;
constexpr uint64_t kSlowQuestionTimeoutMs = 5'000;  // for questions whose answer waits for the other's disk

}  // namespace

Error PeerTransport::ask_error(const Question& question, const std::string& why) {
  return Error{"could not ask " + question.address + ": " + why};
}

void PeerTransport::ask(uint64_t request, const std::string& address, node::Ask question) {
  WH_ASSERT(!questions_.contains(request), "requests are unique");
  const bool slow = !std::holds_alternative<node::WhoAreYou>(question);
  const auto target = parse_endpoint(address);
  const bool too_many = questions_.size() >= kMaxQuestionsOut;
  std::unique_ptr<Question>& q = questions_[request];
  q = std::make_unique<Question>(loop_, address, std::move(question), [this, request] {
    finish_question(request, ask_error(*questions_.at(request), questions_.at(request)->failure));
  });
  if (!target || too_many) {
    // Told in the next turn: answers never come from inside ask().
    q->failure = too_many ? "too many questions are under way" : "that is not host:port";
    q->deadline.start(0);
    return;
  }
  q->failure = "no answer in time";
  q->deadline.start(slow ? kSlowQuestionTimeoutMs : kQuestionTimeoutMs);
  q->dial = tcp_connect(loop_, target->host, target->port, slow ? kSlowQuestionTimeoutMs : kQuestionTimeoutMs,
                        [this, request](DialResult result) { question_dialled(request, std::move(result)); });
}

void PeerTransport::question_dialled(uint64_t request, DialResult result) {
  Question& q = *questions_.at(request);
  q.dial.reset();
  if (!result.stream) {
    // The message names the address already.
    finish_question(request, Error{result.message});
    return;
  }
  note_address(raft::kNobody, result.stream->peer_address());
  q.link =
      PeerLink::make(loop_, secured(std::move(result.stream), {}),
                     {.on_frame = [this, request](const wire::Frame& frame) { question_frame(request, frame); },
                      .on_gone =
                          [this, request](const PeerLink::End& end) {
                            finish_question(request, ask_error(*questions_.at(request), dialled_end_text(end.why)));
                          }});
  if (!greet(*q.link, wire::Purpose::ask, raft::kNobody, {}, q.hello))
    finish_question(request, ask_error(q, "this node's name or addresses are too long"));
}

void PeerTransport::question_frame(uint64_t request, const wire::Frame& frame) {
  Question& q = *questions_.at(request);
  if (!q.accepted) {
    const Result<wire::HelloReply> reply = read_reply(*q.link, frame, q.hello);
    if (!reply || reply->refusal != wire::Refusal::none) {
      finish_question(request, ask_error(q, reply ? reply->sentence : reply.error()));
      return;
    }
    q.accepted = true;
    q.version = reply->version;
    send_proof(*q.link, q.hello, *reply);
    buffer_.clear();
    if (!wire::encode(buffer_, q.question, reply->version)) {
      finish_question(request, ask_error(q, "the question is too large"));
      return;
    }
    q.link->send(buffer_);
    return;
  }
  std::optional<node::Answer> answer = wire::decode_answer(frame);
  // Ask and Answer list their kinds in the same order.
  if (!answer || answer->index() != q.question.index()) {
    finish_question(request, ask_error(q, "its answer makes no sense"));
    return;
  }
  const std::string host = q.link->peer_address();
  if (auto* who = std::get_if<node::WhoIAm>(&*answer)) {
    fill_hosts(who->identity, host);
    fill_host(who->leader_address, host);
    who->identity.versions.highest = wire::cluster_version(q.version);
  } else if (auto* taken = std::get_if<node::TakenIn>(&*answer)) {
    fill_host(taken->leader_address, host);
  }
  // A node is there: a peer connection to this address that waits for its next try tries now.
  for (auto& [id, out] : peers_)
    if (out->peer.raft_address == q.address && !out->dial && !out->link) retry_now(*out);
  finish_question(request, *std::move(answer));
}

// --- names

void PeerTransport::resolve(uint64_t request, const std::string& address) {
  WH_ASSERT(!lookups_.contains(request), "requests are unique");
  std::unique_ptr<Lookup>& lookup = lookups_[request];
  lookup = std::make_unique<Lookup>(loop_, [this, request] { finish_lookup(request); });
  const auto target = parse_endpoint(address);
  if (!target) {
    lookup->result = Error{"that is not host:port"};
    lookup->deadline.start(0);
    return;
  }
  if (const std::optional<Address> literal = Address::parse(target->host, target->port)) {
    lookup->result = std::vector{literal->unmapped().text()};
    lookup->deadline.start(0);  // answers never come from inside resolve()
    return;
  }
  lookup->deadline.start(kQuestionTimeoutMs);
  const uint64_t id =
      loop_.resolver().resolve(target->host, [this, request, port = target->port](int error, const Addresses& found) {
        Lookup& done = *lookups_.at(request);
        done.id = 0;
        if (error != 0) {
          done.result = Error{std::string("the name was not found: ") + uv_strerror(error)};
        } else {
          std::vector<std::string> addresses;
          for (const Address& each : found) {
            std::string text = each.with_port(port).unmapped().text();
            if (addresses.size() < node::kMaxAddressesOfName &&
                std::find(addresses.begin(), addresses.end(), text) == addresses.end())
              addresses.push_back(std::move(text));
          }
          done.result = std::move(addresses);
        }
        done.deadline.start(0);
      });
  // 0: resolve() has called back already.
  lookup->id = id;
}

void PeerTransport::finish_lookup(uint64_t request) {
  const auto it = lookups_.find(request);
  WH_ASSERT(it != lookups_.end(), "a lookup ends once");
  if (it->second->id != 0) loop_.resolver().cancel(it->second->id);
  Result<std::vector<std::string>> result = std::move(it->second->result);
  lookups_.erase(it);
  events_.resolved(request, std::move(result));
}

// --- answers

void PeerTransport::finish_question(uint64_t request, Result<node::Answer> answer) {
  const auto it = questions_.find(request);
  WH_ASSERT(it != questions_.end(), "a question ends once");
  if (it->second->link) it->second->link->drop();
  if (!answer) invalidate(it->second->address);
  questions_.erase(it);
  events_.answered(request, std::move(answer));
}

}  // namespace wh::net
