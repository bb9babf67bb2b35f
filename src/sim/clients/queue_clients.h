// Clients of the queues as of the cluster's version 3: producers, consumers and operators that use every verb, through
// any node. Consumers wait, go away while they wait or before the answer reaches them, settle with receipts that are
// good, old or made up, or forget what they hold. Checks what they are told: one answer each, in time, none after they
// went away; an answer is what the log did, within the time of the request; a delivery is told to one client, and is
// not taken back from it; nothing is said to be there only if that may be. queue_audit.h checks the log.
//
// As of version 4, operators remove events by id; they draw from random numbers of their own.
//
// At the end they drain the queues: all that is left must come, and a receive that waits must be served.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/prng.h"
#include "machine/command/command.h"
#include "machine/command/reply.h"
#include "node/node.h"
#include "raft/types.h"

namespace wh::sim {

class World;
struct Host;

class QueueClients {
 public:
  QueueClients(World& world, uint64_t seed) : world_(world), operators_(seed ^ 0x72656d6f7665ULL) {}

  void start(const node::ClusterId& cluster);
  void stop() { running_ = false; }
  // Begins to empty all queues, through the hosts that `host` gives; null: none now.
  void drain(std::function<Host*()> host);
  // Whether they are empty. They are never filled again.
  [[nodiscard]] bool drained() const;
  // What is left.
  [[nodiscard]] std::string left() const;

  // --- called by the world
  [[nodiscard]] static bool owns(node::Token token) { return token >= kFirstToken && token < 2 * kFirstToken; }
  void completed(Host& host, const node::Completion& completion);
  // An entry of the cluster's log; true: it is of these clients, or of the node on behalf of one that is gone.
  bool committed(const raft::Entry& entry, const machine::Command& command, const machine::Reply& reply);
  // Called after each entry.
  void applied(const node::ClusterId& cluster, raft::Index index);
  void host_died(const Host& host);
  // Its connection to another member is new: it may ask once more for what waits there and only reserves.
  void reconnected(const Host& host);
  void check_overdue();
  // --- for transactions that settle what a consumer was given (store_clients.h)
  struct Delivered {
    std::string queue;
    machine::Receipt receipt;
    bool operator<(const Delivered& other) const {
      return std::tie(queue, receipt.id, receipt.delivery) <
             std::tie(other.queue, other.receipt.id, other.receipt.delivery);
    }
  };
  // What a consumer holds, if any does; it goes on holding it, or gives it away.
  [[nodiscard]] std::optional<Delivered> show_held(Prng& prng);
  [[nodiscard]] std::optional<Delivered> take_held(Prng& prng);
  // What somebody was given once.
  [[nodiscard]] std::optional<Delivered> show_old(Prng& prng) const;
  void give_back(const Delivered& delivered);
  [[nodiscard]] bool drains() const { return drain_host_ != nullptr; }

  // Whether receives wait for these queues on this node.
  [[nodiscard]] bool waits_at(const Host& host) const;
  // After a turn: a leader lets nobody wait for what is there.
  void looked(const Host& host);

 private:
  static constexpr node::Token kFirstToken = node::Token{1} << 50;
  static constexpr const char* kProbe = "q.probe";
  // A receive may still take something so long after its client knows nothing of it any more.
  static constexpr Millis kStrayMs = 10'000;
  static constexpr size_t kMostOld = 80;
  // What tells requests apart, whoever proposes them: the body. Takes that differ only in how much they take may share
  // an entry.
  [[nodiscard]] static std::string request_of(std::string_view command);

  struct Op {
    uint64_t id = 0;
    size_t client = 0;
    std::string command;  // encoded
    std::string queue;
    bool receives = false;  // or takes, which removes at once
    bool removes = false;
    bool by_operator = false;
    uint32_t max = 0;  // of a receive, or of a removal with a count: these may share an entry
    bool keyed = false;
    std::string key;
    Millis wait_ms = 0;
    std::vector<Delivered> settles;  // that it acknowledges, to be tried again in a drain
    size_t host = 0;
    uint64_t life = 0;
    uint64_t attempts = 1;
    uint64_t invoked = 0;  // the event of the request
    Millis invoked_at = 0;
    Millis by_its_clock = 0;  // of the node that was asked
    raft::Index committed;    // by then
    bool done = false;
    bool gone = false;       // its client went away
    bool abandoned = false;  // when its answer was on the way already
    bool loses = false;      // in a drain: its answer will not reach its client, and a node must take it back
    node::Outcome outcome = node::Outcome::unknown;
    Millis competes_until = kNever;  // a receive may take events until then, whatever its client knows
  };
  struct Asked {
    uint64_t times = 0;
    uint64_t wanted = 0;  // events, of takes
    uint64_t committed = 0;
    uint64_t given = 0;
    uint64_t refused = 0;
    bool receives = false;  // or takes: one that finds nothing may be proposed again
    bool removes = false;
    bool keyed = false;  // its member forwards it again to the next leader, relying on the key
  };
  struct Client {
    std::vector<uint64_t> open;
    std::deque<uint64_t> again;
    std::vector<Delivered> holds;
  };

  // --- what they ask for (queue_requests.cc)
  void loop(size_t client);
  [[nodiscard]] machine::Body draw(Op& op, Client& client);
  machine::Body draw_receive(Op& op);
  machine::Body draw_removal(Op& op);
  machine::Body draw_settle(Op& op, Client& client);
  machine::Body draw_settings(Op& op);
  machine::Body draw_rare(Op& op);
  [[nodiscard]] std::vector<machine::NewEvent> draw_events(uint64_t op);
  std::string_view keep(std::string text);
  std::string draw_queue();
  std::string draw_any_queue();
  void issue(size_t client, Host& host);
  Op& repeat(size_t client, uint64_t before);
  void ask_again(size_t client, Host& host, uint64_t before);
  void operate(uint64_t last);
  Op& draw_removal_by_id();
  void over(Client& client, const Op& op);
  void drain_step();
  void drain_through(Host& host);
  void probe(Host& host);
  uint64_t ask(size_t client, Host& host, const std::string& queue, const machine::Body& body, Millis wait_ms);
  uint64_t drain_receive(Host& host, const std::string& queue, Millis wait_ms);

  void send(Host& host, Op& op);
  void go_away(Op& op);
  [[nodiscard]] Host* usable(Host& host) const;
  [[nodiscard]] Op& op(uint64_t number) { return ops_[number - 1]; }
  [[nodiscard]] const machine::Machine& log_state() const;
  // --- checks
  void received(Host& host, Op& op, const node::Completion& completion);
  void nothing_found(Host& host, const Op& op);
  void told(Host& host, Op& op, const machine::Reply& reply);
  bool check_entry(const Op& op, raft::Index index, const machine::Reply& reply);
  [[nodiscard]] bool is_part(const Op& op, uint64_t index, const machine::Reply& part);
  void must_come_back(const raft::Entry& entry, const machine::Receive& receive, const machine::Reply& reply);
  void check_come_back();
  void took_back(const machine::Settle& settle, const machine::Reply& reply);
  void fail(const Op& op, const std::string& what);
  [[nodiscard]] bool certain() const;

  World& world_;
  Prng operators_;
  node::ClusterId cluster_{};
  bool running_ = false;
  std::function<Host*()> drain_host_;
  std::deque<Op> ops_;  // by number, beginning at 1
  std::vector<Client> clients_;
  std::vector<Delivered> old_;  // receipts that somebody had
  std::set<uint64_t> open_;
  std::map<std::string, Asked, std::less<>> asked_;        // by request_of()
  std::map<uint64_t, machine::Reply> replies_;             // by index
  std::map<uint64_t, uint64_t> answered_;                  // the operation, by index
  std::map<uint64_t, std::vector<bool>> parts_;            // by index of a receive: which deliveries were told
  std::map<Delivered, uint64_t> told_;                     // the operation whose client has it
  std::set<Delivered> taken_back_;                         // in the log
  std::map<std::string, raft::Index> ready_since_;         // the entry since which something is ready
  std::map<std::string, std::vector<uint64_t>> receives_;  // by queue: that may take events
  std::map<size_t, uint64_t> keeps_waiting_;               // the process that did so in its last turn, by host
  std::deque<std::string> text_;                           // of the command that is made
  uint64_t probe_ = 0;                                     // in a drain: the receive that is to be served
  uint64_t probe_put_ = 0;
  bool probe_served_ = false;
  // What nobody was told of, for a node to take back: since when, the request, and the entry's term.
  struct Lost {
    Millis since = 0;
    uint64_t op = 0;
    raft::Term term;
  };
  std::map<Delivered, Lost> lost_;
};

}  // namespace wh::sim
