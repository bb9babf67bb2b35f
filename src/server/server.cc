#include "server/server.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <unistd.h>
#include <utility>

#include "api/member_view.h"
#include "base/log.h"
#include "config/option_checks.h"
#include "config/option_table.h"
#include "config/option_values.h"
#include "metrics/info.h"
#include "metrics/metrics.h"
#include "process/process_figures.h"
#include "process/program_code.h"
#include "server/identity.h"
#include "server/node_options.h"
#include "server/own_addresses.h"

namespace wh::server {
namespace {

Millis wall_clock_ms() {
  using namespace std::chrono;
  return static_cast<Millis>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

// The raft port accepts fewer in a turn, so that a crowd of strangers there takes less of it.
constexpr int kPeerAcceptsPerTurn = 4;
// Few, so that a crowd's arrival is spread over turns in which others are served too.
constexpr int kAcceptsPerTurn = 8;
constexpr Millis kShutdownMs = 4'000;
// During this time a kept-alive connection may still bring one last request.
constexpr Millis kIdleGraceMs = 1'000;
constexpr Millis kLookEveryMs = 1'000;

storage::AppendFsync fsync_mode(config::AppendFsync mode) {
  switch (mode) {
    case config::AppendFsync::always:
      return storage::AppendFsync::always;
    case config::AppendFsync::everysec:
      return storage::AppendFsync::everysec;
    case config::AppendFsync::no:
      return storage::AppendFsync::no;
  }
  return storage::AppendFsync::always;
}

}  // namespace

class Server::LoopWorker final : public storage::Worker {
 public:
  explicit LoopWorker(net::Loop& loop) : loop_(loop) {}
  void run(std::function<void()> work, std::function<void()> done) override {
    loop_.run_job(std::move(work), std::move(done));
  }

 private:
  net::Loop& loop_;
};

Server::Server(config::Loaded config, process::LogOutput& log, net::Descriptors& descriptors)
    : config_(std::move(config)),
      options_(config_.options),
      log_(log),
      descriptors_(descriptors),
      seed_(random_value<uint64_t>()) {
  now_ = started_at_ = loop_.now();
  started_unix_s_ = process::unix_seconds();
  worker_ = std::make_unique<LoopWorker>(loop_);
}

Server::~Server() = default;

// --- beginning

Status Server::start() {
  const bool named = !options_.node_id.empty();
  if (!named) options_.node_id = config::default_node_id(machine_name(), options_.raft_port);
  buffers_.set_limit(options_.client_buffer_limit_bytes);
  if (named)
    if (Status tls = certificates_.load(); !tls) return tls;
  tls_gate_.on_failure([this](net::HandshakeGate::Lane lane, const std::string& peer_address, uint16_t local_port,
                              std::string_view why) { handshake_failed(lane, peer_address, local_port, why); });
  // The directory comes before the ports: a second start then learns which process holds it. The node comes last: it
  // may found a cluster, which a failed start must not do.
  node::RecoveredNode recovered;
  if (Status opened = open_storage(recovered, named); !opened) return opened;
  options_.node_id = recovered.name;
  // A member's certificate carries its name: the disk's, where none is configured.
  if (!named)
    if (Status tls = certificates_.load(); !tls) return tls;
  if (Status ports = open_ports(); !ports) return ports;
  if (https_listener_) certificates_.check_address(announced_host(options_, https_listener_->addresses()));
  if (options_.pidfile.empty()) {
    if (options_.daemonize) pidfile_.write_default();
  } else if (Status written = pidfile_.write(options_.pidfile); !written) {
    return written;
  }
  supervisor_.begin(options_.supervised);
  make_node(std::move(recovered));
  loop_.set_turn_hook([this] { turn(); });
  loop_.set_turn_watch([this](const net::TurnTimes& times) { turn_ended(times); });
  loop_.set_sweep([this] { sweep(); });
  loop_.set_most_held(options_.raft_election_timeout_ms / 2);
  loop_.on_deadline([this](Millis) { node_->tick(loop_.now()); });
  for (const int signal : {SIGTERM, SIGINT}) loop_.on_signal(signal, [this] { signalled(); });
  loop_.on_signal(SIGHUP, [this] { reload(); });
  // Other servers reopen their log on SIGUSR1; neither signal may end this one.
  for (const int signal : {SIGUSR1, SIGUSR2})
    loop_.on_signal(signal, [] {
      log_line(LogLevel::notice,
               "SIGUSR1 and SIGUSR2 do nothing here: SIGHUP opens the log file and reads the certificates anew");
    });
  return ok_status();
}

Status Server::open_storage(node::RecoveredNode& recovered, bool named) {
  auto opened = storage::SqliteStorage::open({.directory = options_.dir,
                                              .node_name = named ? options_.node_id : std::string(),
                                              .default_node_name = options_.node_id,
                                              .fresh_instance = raft::NodeId{random_value<uint64_t>() | 1},
                                              .fsync = fsync_mode(options_.appendfsync),
                                              .version = version_limit(options_),
                                              .log_cache_bytes = options_.raft_log_cache_bytes,
                                              .fatal = {}},
                                             *worker_);
  if (!opened) return Error{opened.error()};
  if (const uint64_t limit = storage::file_size_limit(); limit != UINT64_MAX)
    logf(
        LogLevel::warning,
        "no file of this process may have more than %lu bytes (ulimit -f): a database that has no room left there is a "
        "disk that is full",
        limit);
  storage_ = std::move(opened->storage);
  transport_ = std::make_unique<net::PeerTransport>(loop_, *this, peer_access_.transport_options(seed_ ^ 1));
  recovered = std::move(opened->node);
  return ok_status();
}

void Server::make_node(node::RecoveredNode recovered) {
  const node::NodeOptions options = node_options(options_, {.listening = raft_listener_->addresses(),
                                                            .machine_name = machine_name(),
                                                            .fresh_cluster = random_value<node::ClusterId>(),
                                                            .seed = seed_});
  storage_->set_handler([this](node::StorageDone done) {
    ++storage_results_;
    node_->storage_done(std::move(done), loop_.now());
  });
  node_ = std::make_unique<node::Node>(options, std::move(recovered), *storage_, *transport_, loop_.now());
  node_->storage_done(storage_->space(), loop_.now());
  calls_ = std::make_unique<api::Calls>(
      api::Context{
          .options = options_,
          .node = *node_,
          .slow_log = slow_log_,
          .metrics = [this] { return metrics(); },
          .info = [this](std::span<const std::string> sections) { return info(sections); },
          .configure = [this](const std::string& name, const std::string& value) { return configure(name, value); },
          .reset_counters = [this] { reset_counters(); },
          .recent_lines = log_.recent()},
      [this] { return loop_.now(); });
  cluster_events_ = std::make_unique<api::ClusterEvents>(*node_, process::unix_micros());
  backups_ = std::make_unique<api::Backups>(options_, *node_, *worker_, storage_->directory());
  http_ = std::make_unique<api::HttpFront>(*calls_, *backups_, *cluster_events_, now_, buffers_);
  debug_ = std::make_unique<api::DebugFront>(*calls_, now_, buffers_);
  client_admission_ = std::make_unique<api::ClientAdmission>(options_, *http_, *debug_);
}

Status Server::open_ports() {
  const auto listen = [&](uint16_t port, net::Descriptors::Use use, net::Listener::AcceptFunction accept) {
    return net::Listener::listen(
        loop_,
        {.bind = options_.bind,
         .bind_interface = options_.bind_interface,
         .port = port,
         .backlog = static_cast<int>(options_.tcp_backlog),
         // Members come first: only clients share what a turn leaves for them.
         .tcp = {.keepalive_s = static_cast<unsigned>(options_.tcp_keepalive_s),
                 .clients = use == net::Descriptors::Use::peers ? nullptr : &client_turns_},
         .descriptors = &descriptors_,
         .use = use,
         .accepts_per_turn = use == net::Descriptors::Use::peers ? kPeerAcceptsPerTurn : kAcceptsPerTurn},
        std::move(accept));
  };
  const auto open = [&](const char* what, uint16_t port, std::unique_ptr<net::Listener>& listener,
                        net::Listener::AcceptFunction accept) -> Status {
    if (port == 0) return ok_status();
    auto opened =
        listen(port, &listener == &raft_listener_ ? net::Descriptors::Use::peers : net::Descriptors::Use::clients,
               std::move(accept));
    if (!opened) return Error{opened.error() + " (" + what + ")"};
    listener = std::move(*opened);
    for (const std::string& address : listener->addresses()) logf(LogLevel::notice, "%s on %s", what, address.c_str());
    return ok_status();
  };
  Status raft = open("peers", options_.raft_port, raft_listener_,
                     [this](std::unique_ptr<ByteStream> stream) { transport_->accept(std::move(stream)); });
  if (!raft) return raft;
  Status http = open("HTTP", options_.port, http_listener_,
                     [this](std::unique_ptr<ByteStream> stream) { accept_http(std::move(stream)); });
  if (!http) return http;
  const auto over_tls = [this](std::unique_ptr<ByteStream> stream, net::TlsStream::PlainAnswer plain_answer) {
    return net::TlsStream::accept(loop_, tls_gate_, net::HandshakeGate::Lane::client, certificates_.clients(),
                                  std::move(stream), std::move(plain_answer), &buffers_);
  };
  Status https =
      open("HTTPS", options_.tls_port, https_listener_, [this, over_tls](std::unique_ptr<ByteStream> stream) {
        accept_http(over_tls(std::move(stream), api::HttpFront::plain_answer));
      });
  if (!https) return https;
  Status tls_debug = open("debug protocol over TLS", options_.tls_debug_port, tls_debug_listener_,
                          [this, over_tls](std::unique_ptr<ByteStream> stream) {
                            accept_debug(over_tls(std::move(stream), api::DebugFront::plain_answer));
                          });
  if (!tls_debug) return tls_debug;
  Status debug = open("debug protocol", options_.debug_port, debug_listener_,
                      [this](std::unique_ptr<ByteStream> stream) { accept_debug(std::move(stream)); });
  if (!debug && config_.set_somewhere.contains("debug-port")) return debug;
  if (!debug) {
    logf(LogLevel::warning, "%s: this node runs without a debug port", debug.error().c_str());
    options_.debug_port = 0;
  }
  return ok_status();
}

// --- going on

void Server::run() {
  logf(LogLevel::notice, "wormhole %s, node %s, data in %s", WORMHOLE_VERSION, options_.node_id.c_str(),
       storage_->directory().c_str());
  supervisor_.ready();
  loop_.run();
  // The order of ending: first nobody asks any more, then nobody answers. The storage is freed only when idle; else the
  // process exits without freeing it.
  http_listener_.reset();
  https_listener_.reset();
  debug_listener_.reset();
  tls_debug_listener_.reset();
  raft_listener_.reset();
  client_admission_.reset();
  http_.reset();
  debug_.reset();
  backups_.reset();
  cluster_events_.reset();
  calls_.reset();
  transport_.reset();
  if (!storage_->idle()) {
    logf(LogLevel::warning, "the disk has not finished its last write: leaving without it");
    pidfile_.remove();
    _exit(0);
  }
  node_.reset();
  storage_.reset();
  logf(LogLevel::notice, "stopped");
  // Exits, so as not to wait for a name server or a file system that hangs: their results are not needed.
  if (loop_.busy()) {
    pidfile_.remove();
    _exit(0);
  }
}

// Called once a turn of the loop, just before it polls: everything that arrived is one batch.
void Server::turn() {
  now_ = loop_.now();
  node_->set_clock(wall_clock_ms(), now_);
  node_->drain(now_, !loop_.held());
  cluster_events_->turn();
  const bool delivered = calls_->deliver([this] { return client_turns_.has_room(net::ClientTurns::Part::answers); });
  if (delivered || node_->wants_turn()) loop_.defer([] {});
  backups_->turn();
  relieve_buffers();
  loop_.set_deadline(node_->next_deadline());
  http_->reap();
  debug_->reap();
  if (shutting_down_) maybe_finish();
}

void Server::turn_ended(const net::TurnTimes& times) {
  const net::LoopStats& loop = loop_.stats();
  const metrics::TurnWork counted{.peer_messages = peer_messages_,
                                  .http_requests = http_->counters().requests,
                                  .commands = debug_->counters().commands,
                                  .connections = http_->counters().connections + debug_->counters().connections,
                                  .entries_applied = node_->counters().entries_applied,
                                  .storage_results = storage_results_,
                                  .reads = node_->counters().reads,
                                  .bytes_received = loop.bytes_received,
                                  .bytes_sent = loop.bytes_sent};
  // Members notice a silence of one election timeout; a turn of a quarter of that is worth a warning.
  turn_watch_.turn_ended(times, counted, options_.raft_election_timeout_ms * 1000 / 4, loop_.now());
}

void Server::sweep() {
  now_ = loop_.now();
  cluster_events_->sweep();
  calls_->context().activity->sweep(now_, static_cast<int64_t>(wall_clock_ms()), node_->machine().applied());
  http_->check_deadlines();
  debug_->check_deadlines();
  certificates_.check_expiry(now_);
  supervisor_.sweep(api::status_line(*node_));
  storage_->rest();
  if (now_ < looked_at_ + kLookEveryMs) return;
  looked_at_ = now_;
  if (options_.appendfsync == config::AppendFsync::everysec) storage_->sync_soon();
  storage_->look_at_space();
  if (!started_ && node_->ready(nullptr)) {
    started_ = true;
    process::unmap_code();
  }
}

void Server::accept_http(std::unique_ptr<ByteStream> stream) {
  if (client_admission_->admit_http(stream->peer_group(), loop_.now()) == api::ClientAdmission::Entry::welcome)
    http_->accept(std::move(stream));
  else
    http_->accept_probe(std::move(stream));
}

void Server::accept_debug(std::unique_ptr<ByteStream> stream) {
  if (client_admission_->admit_debug(stream->peer_group(), stream->peer_is_loopback(), loop_.now()) ==
      api::ClientAdmission::Entry::welcome)
    debug_->accept(std::move(stream));
  else
    debug_->turn_away(std::move(stream));
}

void Server::handshake_failed(net::HandshakeGate::Lane lane, const std::string& peer_address, uint16_t local_port,
                              std::string_view why) {
  const bool client = lane == net::HandshakeGate::Lane::client;
  LogLimiter& limiter = client ? client_handshake_log_ : peer_handshake_log_;
  if (!limiter.allow(loop_.now())) return;
  const char* const client_port = local_port == options_.tls_debug_port ? "the TLS debug port" : "the HTTPS port";
  std::string line = "A connection from " + peer_address + " to " + (client ? client_port : "the raft port") +
                     " was closed: " + std::string(why);
  if (limiter.suppressed() != 0) line += " (and " + std::to_string(limiter.suppressed()) + " more like this before)";
  log_line(LogLevel::notice, line);
}

metrics::Sources Server::sources() const {
  return {.options = options_,
          .node = *node_,
          .loop = loop_,
          .storage = *storage_,
          .http = *http_,
          .debug = *debug_,
          .calls = *calls_,
          .turns = turn_watch_,
          .backups = *backups_,
          .started_at = started_at_,
          .started_unix_s = started_unix_s_,
          .log_lines_dropped = log_.dropped(),
          .certificates = certificates_,
          .peer_access = peer_access_,
          .tls_gate = tls_gate_,
          .buffers = buffers_,
          .relief = relief_,
          .client_turns = client_turns_,
          .descriptors = descriptors_,
          .client_admission = *client_admission_,
          .transport = *transport_};
}

void Server::relieve_buffers() {
  if (!relief_.due(now_)) return;
  std::vector<api::BufferHolder> holders;
  http_->add_holders(holders);
  debug_->add_holders(holders);
  relief_.relieve(std::move(holders), now_);
}

Bytes Server::metrics() {
  return metrics_.get("", loop_.turn(), loop_.now(), [this] { return metrics::metrics_text(sources()); });
}

std::string Server::info(std::span<const std::string> sections) {
  std::string key;
  for (const std::string& section : sections) key += config::to_lower(section) + " ";
  return std::string(
      info_.get(key, loop_.turn(), loop_.now(), [&] { return metrics::info_text(sources(), sections); }).view());
}

void Server::reset_counters() {
  loop_.reset_stats();
  storage_->reset_stats();
  node_->reset_counters();
  calls_->reset_counters();
  http_->reset_counters();
  debug_->reset_counters();
  client_admission_->reset_counters();
  turn_watch_.reset();
  relief_.reset_counters();
  client_turns_.reset_counters();
  metrics_.forget();
  info_.forget();
  peer_messages_ = storage_results_ = 0;
}

const Server::Appliers Server::kAppliers = {{
    {config::OptionPart::log, &Server::apply_to_log},
    {config::OptionPart::descriptors, &Server::apply_to_descriptors},
    {config::OptionPart::listeners, &Server::apply_to_listeners},
    {config::OptionPart::buffers, &Server::apply_to_buffers},
    {config::OptionPart::node, &Server::apply_to_node},
    {config::OptionPart::fronts, &Server::apply_to_fronts},
}};

Status Server::configure(const std::string& name, const std::string& value) {
  const config::Options before = options_;
  if (Status set = config::set_option(options_, name, value); !set) return set;
  const config::OptionSpec& spec = *config::find_option(name);
  for (const auto& [part, apply] : kAppliers) {
    if (part != spec.applied_by) continue;
    if (Status applied = (this->*apply)(); !applied) {
      options_ = before;
      return applied;
    }
  }
  info_.forget();
  metrics_.forget();
  logf(LogLevel::notice, "%s was changed by CONFIG SET%s", spec.name.data(),
       config::hides_value(name) ? "" : (": " + value).c_str());
  return ok_status();
}

Status Server::apply_to_log() {
  set_log_level(options_.loglevel);
  log_.set_format(options_.log_format);
  return ok_status();
}

Status Server::apply_to_descriptors() { return descriptors_.reserve_for(options_.maxclients); }

Status Server::apply_to_listeners() {
  for (const auto* listener : {&http_listener_, &https_listener_, &debug_listener_, &tls_debug_listener_})
    if (*listener) (*listener)->set_keepalive(static_cast<unsigned>(options_.tcp_keepalive_s));
  return ok_status();
}

Status Server::apply_to_buffers() {
  buffers_.set_limit(options_.client_buffer_limit_bytes);
  return ok_status();
}

Status Server::apply_to_node() {
  reconfigure(*node_, options_);
  return ok_status();
}

Status Server::apply_to_fronts() {
  http_->reconfigure();
  debug_->reconfigure();
  return ok_status();
}

void Server::reload() {
  if (shutting_down_) return;
  supervisor_.reloading();
  reopen_log();
  certificates_.reload();
  supervisor_.reloaded();
}

void Server::reopen_log() {
  // One at a time: a rename while the file system hangs takes effect at the next SIGHUP.
  if (log_.path().empty() || std::exchange(opening_log_, true)) return;
  auto opened = std::make_shared<std::optional<Result<process::LogOutput::File>>>();
  loop_.run_job([opened, path = log_.path()] { opened->emplace(process::LogOutput::open_file(path)); },
                [this, opened] {
                  opening_log_ = false;
                  Result<process::LogOutput::File>& file = **opened;
                  if (!file)
                    return logf(LogLevel::warning, "%s: the log goes on in the file that is open",
                                file.error().c_str());
                  log_.adopt(std::move(*file));
                  logf(LogLevel::notice, "SIGHUP: the log file %s was opened anew", log_.path().c_str());
                });
}

// --- ending

void Server::signalled() {
  if (shutting_down_) {
    logf(LogLevel::warning, "second signal: leaving at once");
    pidfile_.remove();
    _exit(0);
  }
  const raft::Raft* raft = node_->raft();
  const bool hands_over = raft != nullptr && raft->role() == raft::Role::leader && raft->configuration().voters() > 1;
  logf(LogLevel::notice, "shutting down: answering what is in progress%s",
       hands_over ? ", handing leadership over" : "");
  shutting_down_ = true;
  supervisor_.stopping();
  give_up_at_ = loop_.now() + kShutdownMs;
  close_idle_at_ = loop_.now() + kIdleGraceMs;
  for (auto* listener : {&http_listener_, &https_listener_, &debug_listener_, &tls_debug_listener_}) {
    if (*listener) (*listener)->take_waiting();
    listener->reset();
  }
  backups_->stop();
  http_->close_when_answered();
  debug_->close_when_answered();
  transport_->expect_losses();
  node_->begin_shutdown(loop_.now());
}

void Server::maybe_finish() {
  if (now_ >= close_idle_at_) http_->close_idle();
  if (node_->quiet()) storage_->settle();
  const bool done = node_->quiet() && http_->connections() == 0 && debug_->connections() == 0 && storage_->idle();
  if (done || now_ >= give_up_at_) loop_.stop();
}

// --- the transport's events

void Server::received(raft::NodeId from, node::PeerMessage message) {
  ++peer_messages_;
  node_->receive(from, std::move(message), loop_.now());
}
void Server::violated(raft::NodeId from, const std::string& what) { node_->violated(from, what, loop_.now()); }
void Server::peer_connected(raft::NodeId id) { node_->peer_connected(id, loop_.now()); }
void Server::peer_lost(raft::NodeId id) { node_->peer_lost(id, loop_.now()); }
void Server::peer_refused(raft::NodeId id, const std::string& sentence, const node::WhoIAm& theirs) {
  node_->peer_refused(id, sentence, theirs, loop_.now());
}
void Server::told_removed(raft::NodeId by, raft::Position as_of) { node_->told_removed(by, as_of, loop_.now()); }
void Server::peer_identity(raft::NodeId id, const node::Identity& identity) { node_->peer_identity(id, identity); }
void Server::asked(uint64_t question_id, node::Ask question, const std::string&) {
  node_->asked(question_id, std::move(question), loop_.now());
}
void Server::met(const node::Identity& member) { node_->met(member); }
void Server::answered(uint64_t request, Result<node::Answer> answer) { node_->answered(request, answer, loop_.now()); }
void Server::resolved(uint64_t request, Result<std::vector<std::string>> addresses) {
  node_->resolved(request, addresses, loop_.now());
}

}  // namespace wh::server
