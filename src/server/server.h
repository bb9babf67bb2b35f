// The whole server, wired together: loop, storage, node, transport, listeners, the two client surfaces. Owns them all
// and begins and ends them in order. main.cc makes one.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "api/buffer_relief.h"
#include "api/calls.h"
#include "api/client_admission.h"
#include "api/debug/debug_front.h"
#include "api/http/http_front.h"
#include "api/http/streams/backups.h"
#include "api/http/streams/cluster_events.h"
#include "api/slowlog.h"
#include "base/buffer_budget.h"
#include "config/loader.h"
#include "config/option_table.h"
#include "metrics/figures.h"
#include "metrics/shared_text.h"
#include "metrics/turn_watch.h"
#include "net/client_turns.h"
#include "net/descriptors.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/peers.h"
#include "net/tls.h"
#include "node/node.h"
#include "process/log_output.h"
#include "process/pidfile.h"
#include "process/supervisor.h"
#include "security/certificates.h"
#include "security/peer_access.h"
#include "storage/sqlite_storage.h"

namespace wh::server {

class Server final : public net::PeerEvents {
 public:
  // `log` and `descriptors`, reserved for the config's maxclients, must outlive it.
  Server(config::Loaded config, process::LogOutput& log, net::Descriptors& descriptors);
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Opens the directory, then the ports. The error is for the operator; main() then exits with status 1.
  Status start();
  // Runs until SIGTERM or SIGINT.
  void run();

 private:
  class LoopWorker;

  // Beginning.
  // `named`: node-id is configured; else the disk's name counts, and on an empty disk the default.
  Status open_storage(node::RecoveredNode& recovered, bool named);
  Status open_ports();
  void make_node(node::RecoveredNode recovered);

  // Going on.
  void turn();
  void turn_ended(const net::TurnTimes& times);
  void sweep();
  void accept_http(std::unique_ptr<ByteStream> stream);
  void accept_debug(std::unique_ptr<ByteStream> stream);
  void handshake_failed(net::HandshakeGate::Lane lane, const std::string& peer_address, uint16_t local_port,
                        std::string_view why);
  // Made for one INFO or one scrape.
  [[nodiscard]] metrics::Sources sources() const;
  // Cuts off clients that hold too much memory, when it is time to.
  void relieve_buffers();
  Bytes metrics();
  std::string info(std::span<const std::string> sections);
  // CONFIG RESETSTAT.
  void reset_counters();
  // CONFIG SET: changes the option, and applies it to the part that its row names.
  Status configure(const std::string& name, const std::string& value);
  // By part, all except `fixed` and `use`; an error leaves everything as it was.
  using Applier = Status (Server::*)();
  using Appliers = std::array<std::pair<config::OptionPart, Applier>, config::kOptionParts - 2>;
  static const Appliers kAppliers;
  Status apply_to_log();
  Status apply_to_descriptors();
  Status apply_to_listeners();
  Status apply_to_buffers();
  Status apply_to_node();
  Status apply_to_fronts();
  // SIGHUP.
  void reload();
  void reopen_log();

  // Ending.
  void signalled();
  void maybe_finish();

  // PeerEvents
  void received(raft::NodeId from, node::PeerMessage message) override;
  void violated(raft::NodeId from, const std::string& what) override;
  void peer_connected(raft::NodeId id) override;
  void peer_lost(raft::NodeId id) override;
  void peer_refused(raft::NodeId id, const std::string& sentence, const node::WhoIAm& theirs) override;
  void told_removed(raft::NodeId by, raft::Position as_of) override;
  void peer_identity(raft::NodeId id, const node::Identity& identity) override;
  void asked(uint64_t question_id, node::Ask question, const std::string& from_address) override;
  void met(const node::Identity& member) override;
  void answered(uint64_t request, Result<node::Answer> answer) override;
  void resolved(uint64_t request, Result<std::vector<std::string>> addresses) override;

  config::Loaded config_;
  config::Options& options_;
  process::LogOutput& log_;
  net::Descriptors& descriptors_;
  uint64_t seed_;
  process::Pidfile pidfile_;

  net::Loop loop_;
  BufferBudget buffers_;
  api::BufferRelief relief_{buffers_};
  net::ClientTurns client_turns_{loop_, buffers_};
  metrics::SharedText metrics_;
  metrics::SharedText info_;
  process::Supervisor supervisor_{loop_};
  Millis now_ = 0;
  Millis started_at_ = 0;
  int64_t started_unix_s_ = 0;
  Millis looked_at_ = 0;  // when the disk was last looked at
  bool opening_log_ = false;
  bool started_ = false;  // it was ready once
  bool shutting_down_ = false;
  Millis give_up_at_ = 0;
  Millis close_idle_at_ = 0;

  std::unique_ptr<LoopWorker> worker_;
  std::unique_ptr<storage::SqliteStorage> storage_;
  security::Certificates certificates_{options_, loop_};
  net::HandshakeGate tls_gate_{loop_};
  security::PeerAccess peer_access_{options_, loop_, tls_gate_, certificates_};
  LogLimiter peer_handshake_log_{10'000};
  LogLimiter client_handshake_log_{10'000};
  std::unique_ptr<net::PeerTransport> transport_;
  std::unique_ptr<node::Node> node_;
  std::unique_ptr<api::Calls> calls_;
  std::unique_ptr<api::Backups> backups_;
  std::unique_ptr<api::ClusterEvents> cluster_events_;
  api::SlowLog slow_log_{options_};
  metrics::TurnWatch turn_watch_;
  uint64_t peer_messages_ = 0;  // received
  uint64_t storage_results_ = 0;
  std::unique_ptr<api::HttpFront> http_;
  std::unique_ptr<api::DebugFront> debug_;
  std::unique_ptr<api::ClientAdmission> client_admission_;
  std::unique_ptr<net::Listener> raft_listener_;
  std::unique_ptr<net::Listener> http_listener_;
  std::unique_ptr<net::Listener> https_listener_;
  std::unique_ptr<net::Listener> debug_listener_;
  std::unique_ptr<net::Listener> tls_debug_listener_;
};

}  // namespace wh::server
