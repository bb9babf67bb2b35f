#include "api/debug/debug_front.h"

#include <utility>

#include "base/protocol_guess.h"
#include "debug/resp.h"
#include "net/loop.h"
#include "security/password.h"
#include "security/protected_mode.h"

namespace wh::api {

DebugFront::DebugFront(Calls& calls, const Millis& now, BufferBudget& buffers)
    : calls_(calls),
      context_(calls.context()),
      slow_log_(context_.slow_log),
      now_(now),
      table_(debug_commands()),
      service_{.commands = table_, .handler = *this} {
  service_.buffers = &buffers;
  service_.settings.check_password = [this](std::string_view user, std::string_view password) {
    return user == "default" && security::same_secret(password, context_.options.requirepass);
  };
  reconfigure();
}

void DebugFront::reconfigure() {
  debug::Settings& settings = service_.settings;
  settings.idle_timeout_ms = context_.options.timeout_s * 1000;
  settings.password_required = !context_.options.requirepass.empty();
  if (password_ != context_.options.requirepass) ++settings.password_generation;
  password_ = context_.options.requirepass;
  // A value of the size of the largest HTTP body must fit here too, with its key and the command's name.
  settings.limits.bulk_bytes = context_.options.http_max_body_bytes;
  settings.limits.bytes_set_by = "directive http-max-body";
  settings.limits.request_bytes = context_.options.http_max_body_bytes + (64 << 10);
}

std::string DebugFront::plain_answer(std::string_view first_bytes) {
  if (protocol_guess(first_bytes) != "Redis's protocol") return {};
  return debug::error_reply(debug::ErrorWord::err,
                            "this port speaks TLS: connect with TLS, as redis-cli does with --tls --cacert FILE");
}

void DebugFront::accept(std::unique_ptr<ByteStream> stream) {
  // Nothing is read here before the handshake, which then lets nobody in without a certificate.
  const bool certified = stream->is_tls() && context_.options.tls_auth_clients == config::TlsAuthClients::yes;
  const Status mode = certified ? ok_status() : security::check_protected_mode(context_.options, *stream);
  connections_.open(std::move(stream), service_, now_, mode ? std::string() : mode.error());
}

void DebugFront::turn_away(std::unique_ptr<ByteStream> stream) {
  ++service_.counters.turned_away;
  ++service_.counters.error_replies;
  stream->write(debug::error_reply(debug::ErrorWord::err, "max number of clients reached"));
  stream->close();
  if (turned_away_.size() >= kTurnedAway) {
    connections_.end(turned_away_.front());
    turned_away_.erase(turned_away_.begin());
  }
  turned_away_.push_back(connections_.open(std::move(stream), service_, now_));
}

void DebugFront::list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const {
  connections_.list(
      groups, idle, [](uint64_t /*id*/) { return true; },
      [this](const debug::Connection& connection) {
        const auto awaited = connection.awaits();
        return awaited && context_.node.waits(awaited->call) ? std::optional(awaited->since) : std::nullopt;
      });
}

bool DebugFront::end_idle(const IdleClient& client) {
  if (!connections_.end_idle(client) && !end_waiting(client)) return false;
  std::erase(turned_away_, client.id);
  return true;
}

// As over HTTP.
bool DebugFront::end_waiting(const IdleClient& client) {
  debug::Connection* connection = connections_.find(client.id);
  const auto awaited = connection == nullptr ? std::nullopt : connection->awaits();
  if (client.arriving || !awaited || awaited->since != client.since) return false;
  const auto found = pending_.find(awaited->call);
  if (found == pending_.end() || !calls_.cancel_wait(awaited->call)) return false;
  const auto handle = pending_.extract(found);
  reply(*handle.mapped(),
        debug::error_reply(debug::ErrorWord::notapplied,
                           "this waited, and its place is needed: there are too many clients (directive maxclients)"));
  connections_.end(client.id);
  return true;
}

void DebugFront::check_deadlines() {
  connections_.each([this](debug::Connection& connection) { connection.check_deadlines(now_); });
}

bool DebugFront::asks_much(node::Token token) const {
  const auto call = pending_.find(token);
  if (call == pending_.end()) return false;
  const debug::Connection* connection = connections_.find(call->second->id.connection);
  return connection != nullptr && connection->asks_much();
}

void DebugFront::close_when_answered() {
  connections_.each([](debug::Connection& connection) { connection.close_when_answered(); });
}

void DebugFront::on_command(debug::CommandId id, const debug::Command& command, std::vector<std::string>&& arguments) {
  show_to_monitors(id, command, arguments);
  const CommandSpec& spec = command_specs()[static_cast<size_t>(command.tag)];
  const auto asked = std::make_shared<Asked>(id, &spec, net::Loop::micros(), slow_log_.clipped(arguments));
  const uint64_t generation = service_.settings.password_generation;
  CommandBegun begun = spec.begin(arguments);
  if (!begun) return reply(*asked, OrRefusal<Answer>(begun.error()));
  if (begun->operations.empty())
    return reply(*asked, begun->of_connections ? begun->of_connections(*connections_.find(id.connection), connections_)
                                               : std::move(begun->reply));
  if (begun->check)
    if (auto refusal = begun->check(context_, begun->operations))
      return reply(*asked, OrRefusal<Answer>(std::move(*refusal)));
  asked->finish = std::move(begun->finish);
  asked->of_connections = std::move(begun->of_connections);
  asked->for_client = std::move(begun->for_client);
  asked->none_where_absent = begun->none_where_absent;
  asked->left = begun->operations.size();
  for (Operation& operation : begun->operations) start(asked, std::move(operation));
  // The client that sets the password knows it; all others must give it from now on.
  if (generation != service_.settings.password_generation)
    if (debug::Connection* connection = connections_.find(id.connection)) connection->trust();
}

void DebugFront::start(const std::shared_ptr<Asked>& asked, Operation operation) {
  debug::Connection& connection = *connections_.find(asked->id.connection);
  const bool cancellable = is_cancellable(operation);
  asked->waits = std::holds_alternative<Take>(operation);
  CallOptions options{.client = connection.stream().peer_group()};
  options.read.stale = context_.options.read_consistency == config::ReadConsistency::stale;
  OrRefusal<Started> started = calls_.start(*this, asking(), std::move(operation), options);
  if (!started) return gather(*asked, OrRefusal<Answer>(started.error()));
  if (auto* answer = std::get_if<Answer>(&*started)) return gather(*asked, OrRefusal<Answer>(std::move(*answer)));
  const node::Token token = std::get<node::Token>(*started);
  pending_.emplace(token, asked);
  if (!cancellable) return;
  connection.name_call(asked->id.sequence, token);
  if (connection.input_ended()) on_half_closed(token);
}

// Where there is a password the connection lets no client in without it.
const security::Principal& DebugFront::asking() const {
  return context_.options.requirepass.empty() ? security::Principal::anonymous()
                                              : security::Principal::password_holder();
}

void DebugFront::on_answer(node::Token token, OrRefusal<Answer> answer) {
  const auto node = pending_.extract(token);
  gather(*node.mapped(), std::move(answer));
}

// One of several answers: the outcomes of all together, or a refusal if there is one.
void DebugFront::gather(Asked& asked, OrRefusal<Answer> answer) {
  if (!answer && asked.none_where_absent && answer.error().kind == RefusalKind::not_found)
    answer = Answer{answer.error().index.value_or(raft::Index{}), Settled{}};
  if (--asked.left == 0 && !asked.so_far) return reply(asked, answer);
  if (!asked.so_far) {
    asked.so_far.emplace(std::move(answer));
  } else if (*asked.so_far && answer) {
    auto& outcomes = std::get<Settled>((*asked.so_far)->body).outcomes;
    const auto& more = std::get<Settled>(answer->body).outcomes;
    outcomes.insert(outcomes.end(), more.begin(), more.end());
  } else if (*asked.so_far || answer) {
    const Refusal refusal = answer ? asked.so_far->error() : answer.error();
    asked.so_far.emplace(Refusal{RefusalKind::timed_out,
                                 refusal.sentence + "; this holds for some of the jobs, and others were settled",
                                 false});
  }
  if (asked.left == 0) reply(asked, *asked.so_far);
}

void DebugFront::reply(Asked& asked, const OrRefusal<Answer>& answer) {
  const CommandSpec& spec = *asked.spec;
  if (asked.multi) return reply(asked, reply_of_multi(*asked.multi, answer));
  if (!answer) return reply(asked, refusal_reply(answer.error(), is_write(spec.command)));
  if (asked.of_connections)
    return reply(asked, asked.of_connections(*connections_.find(asked.id.connection), connections_));
  if (asked.for_client) {
    debug::Connection* client = connections_.find(asked.id.connection);
    if (client != nullptr) reply(asked, asked.for_client(*client, context_, *answer));
    return;
  }
  reply(asked, asked.finish ? asked.finish(context_, *answer) : spec.finish(context_, *answer));
}

// What the connection answers itself takes no time worth counting.
void DebugFront::on_builtin(debug::CommandId id, const debug::Command& command,
                            const std::vector<std::string>& arguments) {
  // Shown with the commands of its transaction.
  if (command.builtin == debug::Builtin::exec) return;
  show_to_monitors(id, command, arguments);
  note(id, command, 0, slow_log_.is_slow(0) ? slow_log_.clipped(arguments) : std::string());
}

// A wait is not counted: it is as long as the client said.
void DebugFront::reply(Asked& asked, std::string resp) {
  const uint64_t took_us = asked.waits ? 0 : net::Loop::micros() - asked.at_us;
  if (!asked.waits) took_us_.add(took_us);
  note(asked.id, asked.spec->command, took_us, asked.shown);
  if (debug::Connection* connection = connections_.find(asked.id.connection))
    connection->reply(asked.id.sequence, std::move(resp));
}

void DebugFront::note(debug::CommandId id, const debug::Command& command, uint64_t took_us, std::string_view shown) {
  CommandCounters& counters = by_command_[command.name];
  ++counters.calls;
  counters.took_us += took_us;
  // Leaves out SLOWLOG itself, so that reading the log does not fill it.
  if (!slow_log_.is_slow(took_us) || command.name == "slowlog") return;
  const debug::Connection* connection = connections_.find(id.connection);
  std::vector<std::string> words = SlowLog::words_of(shown);
  hide_secrets(command, words);
  slow_log_.add(took_us, std::move(words), connection == nullptr ? "" : connection->peer_address(), "");
}

void DebugFront::reset_counters() {
  service_.counters = {};
  took_us_ = {};
  by_command_.clear();
}

void DebugFront::on_abandoned(uint64_t call) {
  if (calls_.cancel(call)) pending_.erase(call);
}

// What waits is not waited for: the client may be gone, and would lose what is removed for it.
void DebugFront::on_half_closed(uint64_t call) {
  const auto found = pending_.find(call);
  if (found == pending_.end() || !calls_.cancel_wait(call)) return;
  const auto handle = pending_.extract(found);
  reply(*handle.mapped(), debug::error_reply(debug::ErrorWord::notapplied,
                                             "the client closed its side of the connection, so it is not waited for"));
}

void DebugFront::on_closed(uint64_t connection) {
  connections_.closed(connection);
  std::erase(turned_away_, connection);
}

}  // namespace wh::api
