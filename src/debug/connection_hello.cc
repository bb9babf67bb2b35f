// The connection's commands about who the client is: AUTH, HELLO, RESET.
#include <algorithm>
#include <optional>

#include "debug/connection.h"

namespace wh::debug {

bool is_label(std::string_view text) {
  return text.size() <= kMaxLabelBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::string bad_label_reply(std::string_view what) {
  return error_reply(ErrorWord::err, std::string(what) +
                                         " cannot contain spaces, newlines or special characters, nor " +
                                         "be longer than " + std::to_string(kMaxLabelBytes) + " bytes.");
}

// Like Redis with its one user, `default`: a failure does not take away what was granted before.
bool Connection::grant(std::string_view user, std::string_view password) {
  const Settings& settings = service_.settings;
  const bool granted = settings.password_required ? settings.check_password && settings.check_password(user, password)
                                                  : user == "default";
  if (granted) {
    trust();
    return true;
  }
  ++service_.counters.failed_auth;
  if (service_.password_log_limiter.allow(now_)) {
    const uint64_t more = service_.password_log_limiter.suppressed();
    logf(LogLevel::notice, "A wrong password came over the debug port from %s%s", stream_->peer_address().c_str(),
         more == 0 ? "" : (" (and " + std::to_string(more) + " more like this before)").c_str());
  }
  return false;
}

namespace {
std::string not_granted() {
  return error_reply(ErrorWord::wrongpass, "invalid username-password pair or user is disabled.");
}
}  // namespace

std::string Connection::authenticate(const std::vector<std::string>& arguments) {
  if (arguments.size() > 3) return error_reply(ErrorWord::err, "syntax error");
  if (!service_.settings.password_required && arguments.size() == 2)
    return error_reply(ErrorWord::err,
                       "AUTH <password> called without any password configured for the default user. "
                       "Are you sure your configuration is correct?");
  const std::string user = arguments.size() == 3 ? arguments[1] : "default";
  return grant(user, arguments.back()) ? simple_reply("OK") : not_granted();
}

// Changes nothing unless it changes all that it names.
std::string Connection::hello(const std::vector<std::string>& arguments) {
  if (arguments.size() > 1 && arguments[1] != "2" && arguments[1] != "3")
    return error_reply(ErrorWord::noproto, "unsupported protocol version");
  const std::string* user = nullptr;
  const std::string* name = nullptr;
  for (size_t i = 2; i < arguments.size(); ++i) {
    const std::string option = lower_case(arguments[i]);
    const size_t left = arguments.size() - i - 1;
    if (option == "auth" && left >= 2) {
      user = &arguments[i + 1];
      i += 2;
    } else if (option == "setname" && left >= 1) {
      name = &arguments[++i];
    } else {
      return error_reply(ErrorWord::err, "Syntax error in HELLO option '" + option.substr(0, 128) + "'");
    }
  }
  if (name != nullptr && !is_label(*name)) return bad_label_reply("Client names");
  if (user != nullptr && !grant(*user, *(user + 1))) return not_granted();
  if (!trusted())
    return error_reply(ErrorWord::noauth,
                       "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
                       "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
                       "version at the same time");
  if (name != nullptr) labels_.name = *name;
  if (arguments.size() > 1) protocol_ = arguments[1] == "3" ? Protocol::resp3 : Protocol::resp2;
  // Every node takes writes, so each is a master to clients, and none is part of a Redis Cluster.
  return map_header(7) + bulk_reply("server") + bulk_reply("redis") + bulk_reply("version") +
         bulk_reply(kRedisVersion) + bulk_reply("proto") + integer_reply(static_cast<int64_t>(protocol_)) +
         bulk_reply("id") + integer_reply(static_cast<int64_t>(id_)) + bulk_reply("mode") + bulk_reply("standalone") +
         bulk_reply("role") + bulk_reply("master") + bulk_reply("modules") + array_header(0);
}

void Connection::reset() {
  authenticated_ = false;
  protocol_ = Protocol::resp2;
  labels_.name.clear();
  transaction_.reset();
  forget_watched();
  stop_monitoring();
}

}  // namespace wh::debug
