// CLIENT: what the debug port knows of its connections, and what a client says of its own.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "api/debug/commands.h"
#include "base/endpoint.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using Arguments = std::vector<std::string>;
using debug::Connection;
using debug::ErrorWord;

// Of a list of clients; an answer must stay below debug::kOutputHardBytes.
constexpr size_t kMaxListBytes = size_t{4} << 20;

std::string peer_of(const Connection& connection) {
  return endpoint_text(connection.stream().peer_address(), connection.stream().peer_port());
}
std::string local_of(const Connection& connection) {
  return endpoint_text(connection.stream().local_address(), connection.stream().local_port());
}

// Redis's line, field by field: clients read some of those that mean nothing here, too.
std::string line_of(const Connection& connection) {
  std::string line;
  const auto put = [&line](std::string_view name, std::string_view value) {
    if (!line.empty()) line += ' ';
    line += name;
    line += '=';
    line += value;
  };
  const auto put_number = [&put](std::string_view name, int64_t value) { put(name, std::to_string(value)); };
  put_number("id", static_cast<int64_t>(connection.id()));
  put("addr", peer_of(connection));
  put("laddr", local_of(connection));
  put("fd", "-1");
  put("name", connection.labels().name);
  put_number("age", connection.age() / 1000);
  put_number("idle", connection.idle() / 1000);
  const debug::Transaction* transaction = connection.transaction();
  put("flags", transaction == nullptr ? "N" : transaction->refused ? "xd" : "x");
  put("db", "0");
  put("sub", "0");
  put("psub", "0");
  put("ssub", "0");
  put_number("multi", transaction == nullptr ? -1 : static_cast<int64_t>(transaction->commands.size()));
  put_number("qbuf", static_cast<int64_t>(connection.input_bytes()));
  put("qbuf-free", "0");
  put_number("argv-mem", static_cast<int64_t>(connection.queued_bytes()));
  put_number("multi-mem", transaction == nullptr ? 0 : static_cast<int64_t>(transaction->bytes));
  put("rbs", "0");
  put("rbp", "0");
  put("obl", "0");
  put("oll", "0");
  put_number("omem", static_cast<int64_t>(connection.output_bytes()));
  put_number("tot-mem", static_cast<int64_t>(connection.held_bytes()));
  put("events", "r");
  put("cmd", connection.last_command().empty() ? "NULL" : connection.last_command());
  put("user", "default");
  put("redir", "-1");
  put_number("resp", static_cast<int64_t>(connection.protocol()));
  put("lib-name", connection.labels().library);
  put("lib-ver", connection.labels().library_version);
  return line + "\n";
}

std::vector<Connection*> open_ones(PortConnections& all) {
  std::vector<Connection*> open;
  all.each([&open](Connection& connection) {
    if (!connection.closing()) open.push_back(&connection);
  });
  std::sort(open.begin(), open.end(), [](const Connection* a, const Connection* b) { return a->id() < b->id(); });
  return open;
}

CommandBegun of_connections(ConnectionsFinish finish) {
  CommandCall call;
  call.of_connections = std::move(finish);
  return call;
}
CommandBegun of_connections(Local right, ConnectionsFinish finish) {
  CommandBegun call = begun(std::move(right));
  call->of_connections = std::move(finish);
  return call;
}

Refusal syntax_error() { return malformed("syntax error: try CLIENT HELP"); }

std::optional<uint64_t> id_of(std::string_view word) {
  const std::optional<int64_t> number = number_of(word);
  return number && *number > 0 ? std::optional(static_cast<uint64_t>(*number)) : std::nullopt;
}

// All clients here are normal ones: no replicas, no subscribers.
std::optional<bool> is_normal(std::string_view word) {
  const std::string type = debug::lower_case(word);
  if (type == "normal") return true;
  if (type == "master" || type == "replica" || type == "slave" || type == "pubsub") return false;
  return std::nullopt;
}

// LIST [TYPE type] [ID id ...]
CommandBegun begin_list(const Arguments& a) {
  bool normal = true;
  std::vector<uint64_t> ids;
  const std::string option = a.size() > 3 ? debug::lower_case(a[2]) : "";
  if (option == "id") {
    for (size_t i = 3; i < a.size(); ++i) {
      const auto id = id_of(a[i]);
      if (!id) return malformed("Invalid client ID");
      ids.push_back(*id);
    }
  } else if (option == "type" && a.size() == 4) {
    const auto type = is_normal(a[3]);
    if (!type) return malformed("Unknown client type: normal, master, replica or pubsub");
    normal = *type;
  } else if (a.size() != 2) {
    return syntax_error();
  }
  return of_connections(ShowClients{}, [normal, ids = std::move(ids)](Connection&, PortConnections& all) {
    std::string text;
    for (const Connection* one : open_ones(all)) {
      if (normal && (ids.empty() || std::find(ids.begin(), ids.end(), one->id()) != ids.end())) text += line_of(*one);
      if (text.size() > kMaxListBytes)
        return debug::error_reply(ErrorWord::err,
                                  "there are too many clients for one answer: ask for some by their ID");
    }
    return debug::bulk_reply(text);
  });
}

// Which connections are to be ended: those that all the filters fit.
struct Victims {
  std::optional<uint64_t> id;
  std::string peer;
  std::string local;
  bool all_types = true;
  bool spare_asking = true;

  [[nodiscard]] bool fit(const Connection& connection) const {
    return all_types && (!id || *id == connection.id()) && (peer.empty() || peer == peer_of(connection)) &&
           (local.empty() || local == local_of(connection));
  }
};

// How many there were. The one that asks ends once it is answered.
int64_t end(const Victims& victims, Connection& asking, PortConnections& all) {
  int64_t ended = 0;
  for (Connection* one : open_ones(all)) {
    if (!victims.fit(*one) || (one == &asking && victims.spare_asking)) continue;
    ++ended;
    if (one == &asking)
      one->close_when_answered();
    else
      one->kill();
  }
  return ended;
}

// KILL ip:port, or KILL filter value [filter value ...]
CommandBegun begin_kill(Arguments& a) {
  if (a.size() == 3) {
    return of_connections(EndClients{}, [peer = std::move(a[2])](Connection& asking, PortConnections& all) {
      Victims victims{.id = {}, .peer = peer, .local = {}, .spare_asking = false};
      return !peer.empty() && end(victims, asking, all) > 0 ? debug::simple_reply("OK")
                                                            : debug::error_reply(ErrorWord::err, "No such client");
    });
  }
  if (a.size() < 4 || a.size() % 2 != 0) return syntax_error();
  Victims victims;
  for (size_t i = 2; i < a.size(); i += 2) {
    const std::string filter = debug::lower_case(a[i]);
    const std::string value = debug::lower_case(a[i + 1]);
    if (filter == "id") {
      victims.id = id_of(value);
      if (!victims.id) return malformed("client-id should be greater than 0");
    } else if (filter == "addr" && !value.empty()) {
      victims.peer = value;
    } else if (filter == "laddr" && !value.empty()) {
      victims.local = value;
    } else if (filter == "type") {
      const auto type = is_normal(value);
      if (!type) return malformed("Unknown client type: normal, master, replica or pubsub");
      victims.all_types = *type;
    } else if (filter == "user") {
      if (a[i + 1] != "default") return malformed("No such user: there is only 'default'");
    } else if (filter == "skipme" && (value == "yes" || value == "no")) {
      victims.spare_asking = value == "yes";
    } else {
      return syntax_error();
    }
  }
  return of_connections(EndClients{}, [victims = std::move(victims)](Connection& asking, PortConnections& all) {
    return debug::integer_reply(end(victims, asking, all));
  });
}

CommandBegun set_label(std::string debug::Labels::*label, std::string value, std::string_view what) {
  if (!debug::is_label(value)) return answered(debug::bad_label_reply(what));
  return of_connections([label, value = std::move(value)](Connection& asking, PortConnections&) {
    asking.labels().*label = value;
    return debug::simple_reply("OK");
  });
}

CommandBegun begin_setinfo(Arguments& a) {
  const std::string option = debug::lower_case(a[2]);
  if (option == "lib-name") return set_label(&debug::Labels::library, std::move(a[3]), "lib-name");
  if (option == "lib-ver") return set_label(&debug::Labels::library_version, std::move(a[3]), "lib-ver");
  return malformed("Unrecognized option: LIB-NAME or LIB-VER");
}

// No client is spared where memory is short.
CommandBegun begin_no_evict(std::string_view word) {
  const std::string to = debug::lower_case(word);
  if (to == "off") return answered(debug::simple_reply("OK"));
  if (to != "on") return syntax_error();
  return malformed("no client is exempt from the limit on clients' memory (directive client-buffer-limit)");
}

// No read changes what is kept, with it or without.
CommandBegun begin_no_touch(std::string_view word) {
  const std::string to = debug::lower_case(word);
  return to == "on" || to == "off" ? answered(debug::simple_reply("OK")) : CommandBegun(syntax_error());
}

CommandBegun client_help() {
  static constexpr std::string_view kHelp[] = {
      "CLIENT <subcommand> [<arg> ...]. Subcommands are:",
      "GETNAME",
      "    Return the connection's name.",
      "ID",
      "    Return the connection's number.",
      "INFO",
      "    Describe the connection.",
      "KILL <ip:port> | <filter> <value> [<filter> <value> ...]",
      "    Disconnect clients. Filters: ID <id>, ADDR <ip:port>, LADDR <ip:port>,",
      "    TYPE <type>, USER <name>, SKIPME yes|no.",
      "LIST [TYPE <type> | ID <id> [<id> ...]]",
      "    Describe the clients of this port, a line each.",
      "NO-EVICT OFF",
      "    Do nothing: no client is exempt from the limit on memory.",
      "NO-TOUCH ON|OFF",
      "    Do nothing: no read changes what is kept.",
      "REPLY ON",
      "    Do nothing: every command is answered.",
      "SETINFO LIB-NAME|LIB-VER <text>",
      "    Say which library the client uses.",
      "SETNAME <name>",
      "    Name the connection.",
      "HELP",
      "    Print this help.",
  };
  std::string reply = debug::array_header(std::size(kHelp));
  for (const std::string_view line : kHelp) reply += debug::simple_reply(line);
  return answered(std::move(reply));
}

CommandBegun begin_client(Arguments& a) {
  const std::string verb = debug::lower_case(a[1]);
  if (verb == "id" && a.size() == 2)
    return of_connections(
        [](Connection& asking, PortConnections&) { return debug::integer_reply(static_cast<int64_t>(asking.id())); });
  if (verb == "info" && a.size() == 2)
    return of_connections([](Connection& asking, PortConnections&) { return debug::bulk_reply(line_of(asking)); });
  if (verb == "list") return begin_list(a);
  if (verb == "kill") return begin_kill(a);
  if (verb == "setname" && a.size() == 3) return set_label(&debug::Labels::name, std::move(a[2]), "Client names");
  if (verb == "getname" && a.size() == 2)
    return of_connections([](Connection& asking, PortConnections&) {
      return asking.labels().name.empty() ? debug::null_reply() : debug::bulk_reply(asking.labels().name);
    });
  if (verb == "setinfo" && a.size() == 4) return begin_setinfo(a);
  if (verb == "no-evict" && a.size() == 3) return begin_no_evict(a[2]);
  if (verb == "no-touch" && a.size() == 3) return begin_no_touch(a[2]);
  // OFF and SKIP end the connection before they come here (debug/refusals.h).
  if (verb == "reply" && a.size() == 3) return answered(debug::simple_reply("OK"));
  if (verb == "help" && a.size() == 2) return client_help();
  return malformed("unknown subcommand or wrong number of arguments: try CLIENT HELP");
}

const CommandSpec kCommandsOfClients[] = {
    {{.name = "client",
      .arity = -2,
      .overlap = debug::Overlap::immediate,
      .flags = "loading stale",
      .parameters = "ID | INFO | LIST | KILL filter value ... | SETNAME name | GETNAME | SETINFO option text | HELP",
      .summary = "The connections of this port, and this one's name",
      .group = "connection"},
     begin_client,
     finish_done},
};

}  // namespace

std::span<const CommandSpec> client_commands() { return kCommandsOfClients; }

}  // namespace wh::api
