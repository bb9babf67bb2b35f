#include "server/debug_front.h"

#include <utility>

#include "debug/resp.h"
#include "server/access.h"
#include "server/password.h"

namespace wh {

DebugFront::DebugFront(CommandContext context, Calls& calls, const Millis& now)
    : context_(std::move(context)),
      calls_(calls),
      now_(now),
      table_(debug_commands()),
      service_{.commands = table_, .handler = *this} {
  service_.settings.check_password = [this](std::string_view user, std::string_view password) {
    return user == "default" && same_secret(password, context_.options.requirepass);
  };
  reconfigure();
}

void DebugFront::reconfigure() {
  debug::Settings& settings = service_.settings;
  settings.idle_timeout_ms = context_.options.timeout_s * 1000;
  settings.password_required = !context_.options.requirepass.empty();
  if (password_ != context_.options.requirepass) ++settings.password_generation;
  password_ = context_.options.requirepass;
  // A value as large as an HTTP body may be must fit here too, with its key and the command's name.
  settings.limits.bulk_bytes = context_.options.http_max_body_bytes;
  settings.limits.request_bytes = context_.options.http_max_body_bytes + (64 << 10);
}

void DebugFront::accept(std::unique_ptr<ByteStream> stream) {
  const uint64_t id = next_connection_++;
  const std::string refusal = protected_mode_refusal(context_.options, *stream);
  connections_.emplace(id, std::make_unique<debug::Connection>(id, std::move(stream), service_, now_, refusal));
}

void DebugFront::turn_away(std::unique_ptr<ByteStream> stream) {
  stream->write(debug::error_reply(debug::ErrorWord::err, "max number of clients reached"));
  stream->close();
  const uint64_t id = next_connection_++;
  connections_.emplace(id, std::make_unique<debug::Connection>(id, std::move(stream), service_, now_));
}

void DebugFront::check_deadlines() {
  for (auto& [id, connection] : connections_) connection->check_deadlines(now_);
}

void DebugFront::drain() {
  std::vector<debug::Connection*> all;
  for (auto& [id, connection] : connections_) all.push_back(connection.get());
  for (debug::Connection* connection : all) connection->drain();
}

void DebugFront::on_command(debug::CommandId id, const debug::Command& command, std::vector<std::string>&& arguments) {
  const CommandSpec& spec = command_specs()[static_cast<size_t>(command.tag)];
  const uint64_t generation = service_.settings.password_generation;
  CommandBegun begun = spec.begin(context_, arguments);
  // Who sets the password knows it; all others must give it from now on.
  if (generation != service_.settings.password_generation) connections_.at(id.connection)->trust();
  if (auto* answer = std::get_if<std::string>(&begun)) return reply(id, std::move(*answer));
  auto& [call, memory] = std::get<0>(begun);
  const node::Token token = calls_.start(*this, std::move(call));
  pending_.emplace(token, Pending{id, &spec, std::move(memory)});
}

void DebugFront::on_completion(const node::Completion& completion) {
  auto node = pending_.extract(completion.token);
  const Pending& pending = node.mapped();
  reply(pending.id, completion.outcome == node::Outcome::applied
                        ? pending.spec->finish(context_, pending.memory, completion)
                        : outcome_reply(completion, pending.spec->command.overlap == debug::Overlap::write));
}

void DebugFront::reply(debug::CommandId id, std::string resp) {
  if (const auto it = connections_.find(id.connection); it != connections_.end())
    it->second->reply(id.sequence, std::move(resp));
}

void DebugFront::on_closed(uint64_t connection) {
  auto node = connections_.extract(connection);
  if (!node.empty()) ended_.push_back(std::move(node.mapped()));
}

}  // namespace wh
