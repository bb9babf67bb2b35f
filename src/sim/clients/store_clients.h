// Clients of the store as of the cluster's version 4, through any node: transactions over several keys and queues with
// comparisons of all kinds, changes on condition, counters, keys with a ttl, and leases: kept alive as a client would,
// revoked, or left to end. They read single keys, keys by prefix and leases, from the leader's state and from a node's
// own. Checks what they are told at once: one answer each, in time, and it is what its entry in the log did; what was
// refused never took effect, and nothing did more often than it was asked for. The model checks the entries and the
// reads at the end (history.h), store_audit.h each entry, txn_graph.h what the clients saw, without the log.
//
// They draw from random numbers of their own: a seed that has none of them does what it did before there were any.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "machine/command/command.h"
#include "machine/command/reply.h"
#include "node/node.h"
#include "sim/clients/queue_clients.h"
#include "sim/opinion/history.h"
#include "sim/opinion/txn_graph.h"

namespace wh::sim {

class World;
struct Host;

// Adds what a command read and wrote. `reply`: null when nobody was told.
void add_change(TxnCall& call, const machine::Body& body, const machine::Reply* reply);

class StoreClients {
 public:
  // Their operations have numbers from here on, so that no report takes one for another client's.
  static constexpr uint64_t kFirstId = 1'000'000;
  static constexpr const char* kKeys[] = {"s", "s/1", "s/2", "s/2/x", "s3", "s4", "n", "n1"};

  StoreClients(World& world, uint64_t seed) : world_(world), prng_(seed ^ 0x73746f7265ULL) {}

  void start(const node::ClusterId& cluster);
  void stop() { running_ = false; }
  // Whether a request is unanswered.
  [[nodiscard]] bool waits() const { return !open_.empty(); }

  // --- called by the world
  [[nodiscard]] static bool owns(node::Token token) { return token >= kFirstToken && token < 2 * kFirstToken; }
  void completed(Host& host, const node::Completion& completion);
  // An entry of the cluster's log; true: it is of these clients.
  bool committed(const raft::Entry& entry, const machine::Command& command, const machine::Reply& reply);
  void host_died(const Host& host);
  void check_overdue();

  // --- for the verdict
  void add_to(std::vector<const Op*>& ops) const;
  // The first operation that requested exactly this command; null: none of these.
  [[nodiscard]] const Op* asker(std::string_view body) const;
  // Whether transactions happened one after another, by what the clients saw; empty: they did.
  [[nodiscard]] std::string second_opinion() const;

 private:
  static constexpr node::Token kFirstToken = node::Token{1} << 51;
  struct Request {
    Op op;
    size_t client = 0;
    uint64_t lease_ttl = 0;                          // of a grant
    uint64_t keeps = 0;                              // the lease that a keeper keeps alive
    std::optional<QueueClients::Delivered> settles;  // what a transaction acknowledges or releases
    raft::Term term;                                 // of the log's last entry when it was asked
    raft::Index newest;                              // the highest index in any answer by then
  };
  struct Asked {
    uint64_t first = 0;
    uint64_t times = 0;
    uint64_t committed = 0;
    uint64_t refused = 0;
  };
  struct Client {
    std::vector<uint64_t> open;
    std::deque<uint64_t> again;
  };
  struct Lease {
    uint64_t id = 0;
    Millis ttl = 0;
  };

  // --- what they ask for (store_requests.cc)
  void loop(size_t client);
  void issue(size_t client, Host& host);
  void ask_again(size_t client, Host& host, uint64_t before);
  [[nodiscard]] machine::Body draw(Request& request);
  machine::Body draw_transaction(Request& request);
  machine::Body draw_put_if();
  machine::Body draw_lease(Request& request);
  machine::Body draw_plain();
  machine::Compare draw_compare();
  machine::Op draw_op(Request& request);
  machine::Op draw_queue_op(Request& request);
  void draw_read(Request& request);
  [[nodiscard]] machine::PutKey draw_put();
  [[nodiscard]] machine::Expiry draw_expiry();
  [[nodiscard]] uint64_t draw_lease_id();
  std::string_view keep(std::string text);
  std::string_view draw_key();
  std::string_view draw_value();
  std::string_view draw_queue();
  // Keeps a lease alive until then, asking any node each third of its ttl.
  void keeper(Lease lease, Millis until);

  void send(Host& host, Request& request);
  void read(Host& host, Request& request);
  void look(Host& host, Request& request);
  void over(Client& client, Request& request);
  void answered(Request& request);
  bool check_entry(const Request& request);
  [[nodiscard]] Host* usable(Host& host) const;
  [[nodiscard]] Request& request(uint64_t id) { return requests_[id - kFirstId - 1]; }
  [[nodiscard]] const machine::Machine& log_state() const;
  void fail(const Request& request, const std::string& what);
  [[nodiscard]] bool certain() const;

  World& world_;
  Prng prng_;
  node::ClusterId cluster_{};
  bool running_ = false;
  std::deque<Request> requests_;  // by number
  std::vector<Client> clients_;
  std::deque<Lease> leases_;  // the last that were granted
  std::set<uint64_t> open_;
  std::map<std::string, Asked, std::less<>> asked_;             // by the command's body
  std::map<uint64_t, machine::Reply> replies_;                  // by index
  std::map<uint64_t, uint64_t> answered_;                       // the operation, by index
  std::map<std::pair<size_t, uint64_t>, raft::Index> seen_at_;  // the last read's index, by host and process
  raft::Index newest_;                                          // the highest in any answer
  std::deque<std::string> text_;                                // of the command that is made
  uint64_t next_value_ = 1;
};

}  // namespace wh::sim
