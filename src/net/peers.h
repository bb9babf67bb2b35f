// The node's Transport over TCP. Owns every connection between this node and others: those it dials (one to each peer,
// for messages; one for each question) and those that the raft listener accepts (messages come in; questions come in,
// answers go out). Each node dials every peer it was told of and sends only on connections it dialled, so two nodes
// hold two one-way connections and never have to choose between them. Does not know what messages mean. Made by
// server/, called by the node (as Transport) and by the listener; reports events through PeerEvents. The files:
// peers.cc (the interface, refusals), peers_outbound.cc, peers_inbound.cc, peers_ask.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_stream.h"
#include "base/log.h"
#include "base/prng.h"
#include "base/result.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/peer_link.h"
#include "node/ports.h"
#include "wire/hello.h"

namespace wh::net {

// What the transport reports. All calls come from the loop, never from inside a method of PeerTransport; each may call
// any of its methods, and even destroy it.
class PeerEvents {
 public:
  virtual ~PeerEvents() = default;
  virtual void received(raft::NodeId from, node::PeerMessage message) = 0;
  // The peer sent something that is no message, and its connection to this node was closed. `what`: one sentence.
  virtual void violated(raft::NodeId from, const std::string& what) = 0;
  // A connection to this peer is established: messages reach it from now on; those sent before may be lost.
  virtual void peer_connected(raft::NodeId id) = 0;
  // The connection died and nobody listens at the peer's address: its process is gone. Told once for each death.
  virtual void peer_lost(raft::NodeId id) = 0;
  // The node that listens at the peer's address refuses our messages, or is not the peer. Told at each try.
  virtual void peer_refused(raft::NodeId id, const std::string& sentence, const node::WhoIAm& theirs) = 0;
  // A peer of our own cluster says that this node was removed from it. Told in place of peer_refused, at each try.
  virtual void told_removed(raft::NodeId by, raft::Position as_of) = 0;
  // This peer connected to us, and says that it can be reached at these addresses (no empty hosts).
  virtual void peer_identity(raft::NodeId id, const node::Identity& identity) = 0;
  // The node answers by PeerTransport::answer. `from_address` is numeric, without port and brackets; it replaces empty
  // hosts in the question's addresses.
  virtual void asked(uint64_t question_id, node::Ask question, const std::string& from_address) = 0;
  // Told before `asked`: the asker belongs to a cluster, and has proved it by cluster-secret or certificate. Never told
  // where neither is set, as anybody could claim it.
  virtual void met(const node::Identity& member) = 0;
  virtual void answered(uint64_t request, Result<node::Answer> answer) = 0;
  virtual void resolved(uint64_t request, Result<std::vector<std::string>> addresses) = 0;
};

struct PeerOptions {
  // For the jitter of redials.
  uint64_t seed = 0;
  // Directive `cluster-secret`: when not empty, a node that does not prove to hold it is neither heard nor sent to.
  std::string secret;
  // Puts a dialled connection under TLS; `name` is the peer's, empty for a question to any node there. Empty: plain.
  std::function<std::unique_ptr<ByteStream>(std::unique_ptr<ByteStream> stream, const std::string& name)> secure;
  // The same for an accepted connection. `plain_answer` gives the answer to a dialler that does not speak TLS, by its
  // first bytes; `from_member`: it comes from a member's address. Either both functions are set or neither.
  using PlainAnswer = std::function<std::string(std::string_view first_bytes)>;
  std::function<std::unique_ptr<ByteStream>(std::unique_ptr<ByteStream> stream, PlainAnswer plain_answer,
                                            bool from_member)>
      secure_accepted;
  // An error: the caller that says it is `sender` is not let in over this connection, because of its certificate or its
  // address. No function: all are let in.
  std::function<Status(const ByteStream& stream, const node::Identity& sender)> authorize_dialer;
  // An error: the node that answers on a dialled connection is not believed to be `receiver`; likewise.
  std::function<Status(const ByteStream& stream, const node::Identity& receiver)> verify_listener;
};

class PeerTransport final : public node::Transport {
 public:
  static constexpr uint64_t kDialTimeoutMs = 3'000;
  static constexpr uint64_t kHelloTimeoutMs = 5'000;
  static constexpr uint64_t kMinBackoffMs = 50;
  static constexpr uint64_t kMaxBackoffMs = 2'000;
  // A connection that lasted less than this gets no immediate redial: two that throw each other out would spin.
  static constexpr uint64_t kStableMs = 1'000;
  // A peer that takes no byte of what waits for this long is cut off (half-open peers, HAZARDS G9).
  static constexpr uint64_t kStallMs = 3'000;
  static constexpr size_t kMaxPendingBytes = size_t{64} << 20;  // to one peer (slow peers, HAZARDS G10)
  // Accepted connections that have not proved who they are; those from members' addresses count separately, so that
  // strangers take nothing from them. Of each kind at most kMaxGreeting that have not greeted (TLS handshake included),
  // and kMaxProving that have and owe a proof, or are being closed. One more takes the place of the oldest.
  static constexpr size_t kMaxGreeting = 104;
  static constexpr size_t kMaxProving = 88;  // more than the questions that may be answered in one turn
  // Accepted connections that carry messages of nodes that this one does not know as members: its knowledge may be old.
  // One more takes the place of the oldest.
  static constexpr size_t kMaxUnknownPeers = 32;
  static constexpr size_t kMaxQuestionsIn = 64;
  // What the listener may keep open at once; each known member has one connection.
  static constexpr size_t kMaxInbound =
      2 * (kMaxGreeting + kMaxProving) + kMaxUnknownPeers + kMaxQuestionsIn + /* members */ 32;
  static constexpr uint64_t kFirstByteMs = 2'500;  // for a greeting without TLS
  static constexpr size_t kMaxQuestionsOut = 256;
  // Closes questions that the node leaves unanswered after this time; askers give up earlier.
  static constexpr uint64_t kAnswerTimeoutMs = 10'000;

  // `loop` and `events` must outlive this object.
  PeerTransport(Loop& loop, PeerEvents& events, PeerOptions options);
  ~PeerTransport() override;
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;

  // A connection from the raft listener.
  void accept(std::unique_ptr<ByteStream> stream);

  // The addresses are "host:port", IPv6 in brackets; names are resolved again at each dial. Before the first
  // set_identity this node dials nobody and lets nobody in.
  void set_peers(std::vector<node::Peer> peers) override;
  void set_membership(node::Membership membership) override;
  void set_identity(const node::Identity& identity, node::Standing standing) override;
  // Also false when the message exceeds the bounds of wire/frame.h (logged), or kMaxPendingBytes wait before it.
  bool send(raft::NodeId to, node::PeerMessage message) override;
  void cut_off(raft::NodeId from) override;
  [[nodiscard]] bool left_some(raft::NodeId from) const override;
  // `request` must not be under way. Takes 3 s at most; 5 s for questions that need the other's disk.
  void ask(uint64_t request, const std::string& address, node::Ask question) override;
  // Names go through the loop's Resolver, which caches answers for a while. Takes 3 s at most.
  void resolve(uint64_t request, const std::string& address) override;
  void answer(uint64_t question_id, node::Answer answer) override;

  // From now on a peer that goes away is no news (verbose): this node is shutting down, and so may be the others.
  void expect_losses() { losses_level_ = LogLevel::verbose; }

  // Whether a connection to that peer is established now.
  [[nodiscard]] bool connected(raft::NodeId id) const;
  // Accepted connections that lost their place to another one, since the start.
  [[nodiscard]] uint64_t evicted() const { return evicted_; }

 private:
  // A peer that this node dials. At any time it waits for `retry`, or `dial` runs, or `link` exists.
  struct Outbound {
    Outbound(Loop& loop, node::Peer who, std::function<void()> redial)
        : peer(std::move(who)), retry(loop, std::move(redial)) {}
    node::Peer peer;
    std::unique_ptr<Dial> dial;
    std::shared_ptr<PeerLink> link;
    std::string hello;                     // the payload of the greeting sent
    bool accepted = false;                 // the other side's HelloReply accepted us
    uint16_t version = wire::kMinVersion;  // the version agreed on, once accepted
    bool died = false;                     // an established connection is gone, and nothing is known of the peer since
    Timer retry;
    uint64_t backoff_ms = kMinBackoffMs;
    Millis accepted_at = 0;
    // To watch progress: what the kernel had taken at the last look, and for how many looks it was the same.
    uint64_t taken = 0;
    uint64_t looks_without_progress = 0;
    LogLimiter loss_log{60'000};
    LogLimiter refusal_log{60'000};
    LogLimiter failure_log{60'000};
  };
  // An accepted connection.
  struct Inbound {
    enum class State { hello, proof, ask, answering, peer, closing };
    std::shared_ptr<PeerLink> link;
    State state = State::hello;
    wire::Hello hello;                     // in state proof: accepted if the proof holds
    wire::Proof expected{};                // in state proof
    uint16_t version = wire::kMinVersion;  // the version agreed on
    raft::NodeId from;                     // in state peer: the sender
    raft::Position member_as_of;
    bool from_member = false;  // comes from a member's address
  };
  // A question of this node.
  struct Question {
    Question(Loop& loop, std::string where, node::Ask what, std::function<void()> out_of_time)
        : address(std::move(where)), question(std::move(what)), deadline(loop, std::move(out_of_time)) {}
    std::string address;
    node::Ask question;
    std::unique_ptr<Dial> dial;
    std::shared_ptr<PeerLink> link;
    std::string hello;
    bool accepted = false;
    uint16_t version = wire::kMinVersion;  // the version agreed on, once accepted
    Timer deadline;
    std::string failure;  // the error when the deadline passes
  };
  // A name that this node looks up.
  struct Lookup {
    Lookup(Loop& loop, std::function<void()> out_of_time) : deadline(loop, std::move(out_of_time)) {}
    uint64_t id = 0;  // the Resolver's id; 0: it has answered
    Result<std::vector<std::string>> result = Error{"no answer from the name server in time"};
    Timer deadline;
  };
  using InboundMap = std::map<uint64_t, Inbound>;

  // peers.cc
  std::unique_ptr<ByteStream> secured(std::unique_ptr<ByteStream> stream, const std::string& name) const;
  // Greets; keeps what was sent in `payload`. False when this node's own identity is too long to send.
  bool greet(PeerLink& link, wire::Purpose purpose, raft::NodeId instance, const std::string& name,
             std::string& payload);
  // The reply to a greeting, its addresses filled in; an error when it is malformed or does not prove what it must.
  Result<wire::HelloReply> read_reply(const PeerLink& link, const wire::Frame& frame,
                                      const std::string& greeting) const;
  // Why a dialled connection ended, with advice where the cause is missing TLS.
  [[nodiscard]] std::string dialled_end_text(const std::string& why) const;
  void send_proof(PeerLink& link, const std::string& greeting, const wire::HelloReply& reply);
  // The next dial of this address looks up its host's name again.
  void invalidate(const std::string& address);
  void log_limited(LogLimiter& limiter, const std::string& line, LogLevel level = LogLevel::notice);
  void look_for_progress();

  // peers_outbound.cc
  Outbound* find_peer(raft::NodeId id);
  void dial(raft::NodeId id);
  void dialled(raft::NodeId id, DialResult result);
  void peer_frame(raft::NodeId id, const wire::Frame& frame);
  void peer_gone(Outbound& out, const std::string& why);
  void refused(raft::NodeId id, Outbound& out, const std::string& sentence, const wire::HelloReply& reply);
  void disconnect(Outbound& out);
  void retry_later(Outbound& out);
  void retry_now(Outbound& out);

  // peers_inbound.cc
  void inbound_frame(uint64_t id, const wire::Frame& frame);
  void inbound_hello(uint64_t id, Inbound& in, const wire::Frame& frame);
  void inbound_gone(uint64_t id, const PeerLink::End& end);
  [[nodiscard]] std::string plain_answer(std::string_view first_bytes) const;
  // The reason to refuse, and the sentence; Refusal::none to let the caller in.
  [[nodiscard]] std::pair<wire::Refusal, std::string> judge(const PeerLink& link, const wire::Hello& hello) const;
  [[nodiscard]] std::string version_conflict(const std::string& us, const wire::Hello& hello) const;
  [[nodiscard]] bool was_removed(raft::NodeId id, raft::Position member_as_of) const;
  void admit(uint64_t id, Inbound& in, const wire::Hello& hello);
  // Returns the proof that the dialler must send.
  wire::Proof reply(PeerLink& link, std::string_view greeting, uint16_t version, wire::Refusal refusal,
                    const std::string& sentence);
  void close_inbound(Inbound& in);
  void drop_inbound(uint64_t id);
  // Drops the oldest connection for which `which` is true, if there are `most` or more of them.
  template <typename Which>
  void make_place(size_t most, Which which);
  [[nodiscard]] size_t count(Inbound::State state) const { return counts_[static_cast<size_t>(state)]; }
  void move_to(Inbound& in, Inbound::State state);
  // When there is one too many, the oldest of the same kind gives way.
  void move_to_unproved(Inbound& in, Inbound::State state);
  [[nodiscard]] bool is_members_address(const std::string& host);
  void note_address(raft::NodeId id, const std::string& host);

  // peers_ask.cc
  void question_dialled(uint64_t request, DialResult result);
  void question_frame(uint64_t request, const wire::Frame& frame);
  void finish_lookup(uint64_t request);
  void finish_question(uint64_t request, Result<node::Answer> answer);
  [[nodiscard]] static Error ask_error(const Question& question, const std::string& why);

  Loop& loop_;
  PeerEvents& events_;
  PeerOptions options_;
  Prng prng_;
  bool identified_ = false;
  node::Identity identity_;
  node::Standing standing_ = node::Standing::seeking;
  std::map<raft::NodeId, std::unique_ptr<Outbound>> peers_;
  node::Membership membership_;
  InboundMap inbound_;
  size_t counts_[6] = {};                        // of inbound_, by state
  std::map<raft::NodeId, uint64_t> inbound_of_;  // the one connection of each peer that delivers messages
  std::map<uint64_t, std::unique_ptr<Question>> questions_;
  std::map<uint64_t, std::unique_ptr<Lookup>> lookups_;
  uint64_t next_inbound_ = 1;
  uint64_t evicted_ = 0;
  LogLevel losses_level_ = LogLevel::notice;
  // Where members last connected from, and where the nodes are that this one asks and that may become members.
  std::map<raft::NodeId, std::string> seen_at_;
  std::vector<std::string> asked_at_;
  // All these addresses and those of the configuration, as of members_addresses_at_.
  std::set<std::string> members_addresses_;
  Millis members_addresses_at_ = 0;
  Timer progress_timer_;
  std::string buffer_;  // frames are written here before they go to a stream; kept for its capacity
  LogLimiter stranger_log_{60'000};
  LogLimiter evicted_log_{60'000};
  LogLimiter refused_log_{60'000};
  LogLimiter broken_log_{60'000};
  LogLimiter oversize_log_{60'000};
};

// Gives an address without a host (":1112") this host, in brackets when it is IPv6; likewise an address on loopback
// that another machine sent, where it means nothing. Other addresses stay as they are.
void fill_host(std::string& address, const std::string& host);
void fill_hosts(node::Identity& identity, const std::string& host);

}  // namespace wh::net
