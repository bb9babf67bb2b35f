#include "cli/settings.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/endpoints.h"

namespace wh::cli {
namespace {

// The option, else the variable that its row names; empty: neither.
std::string given(const Invocation& invocation, Environment environment, std::string_view name) {
  if (invocation.has(name)) return invocation.text(name);
  for (const OptionRow& option : global_options())
    if (option.name == name && !option.environment.empty())
      return environment(std::string(option.environment).c_str()).value_or(std::string());
  return {};
}

// The first line of the file.
Result<std::string> read_password(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{"cannot read the password from " + printable(path) + ": " + std::strerror(errno)};
  std::array<char, 4096> text{};
  const ssize_t got = read(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  if (got < 0) return Error{"cannot read the password from " + printable(path) + ": " + std::strerror(error)};
  std::string password(text.data(), static_cast<size_t>(got));
  password.erase(std::min(password.find('\n'), password.size()));
  if (password.ends_with('\r')) password.pop_back();
  if (password.empty()) return Error{"the password file " + printable(path) + " is empty"};
  return password;
}

Status check_readable(const std::string& option, const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return ok_status();
  return Error{option + ": cannot read " + printable(path) + ": " + std::strerror(errno)};
}

Result<Trust> trust_of(const Invocation& invocation, Environment environment) {
  Trust trust;
  trust.ca_file = given(invocation, environment, "--cacert");
  trust.cert_file = given(invocation, environment, "--cert");
  trust.key_file = given(invocation, environment, "--key");
  const std::string insecure = environment("WORMHOLE_INSECURE").value_or(std::string());
  trust.insecure = invocation.has("--insecure") || insecure == "1" || insecure == "yes";
  for (const auto& [option, path] :
       {std::pair{"--cacert", trust.ca_file}, {"--cert", trust.cert_file}, {"--key", trust.key_file}})
    if (const Status readable = check_readable(option, path); !readable) return Error{readable.error()};
  if (trust.cert_file.empty() != trust.key_file.empty())
    return Error{"--cert and --key go together: a certificate and its private key"};
  const std::string file = given(invocation, environment, "--password-file");
  if (!file.empty()) {
    auto password = read_password(file);
    if (!password) return Error{password.error()};
    trust.password = *std::move(password);
  } else {
    trust.password = environment("WORMHOLE_PASSWORD").value_or(std::string());
  }
  return trust;
}

}  // namespace

Result<ClusterSettings> settings_of(const Invocation& invocation, Environment environment) {
  ClusterSettings settings;
  const std::string list = given(invocation, environment, "--endpoints");
  settings.endpoints_from = invocation.has("--endpoints") ? "--endpoints"
                            : list.empty()                ? "the default"
                                                          : "WORMHOLE_ENDPOINTS";
  auto endpoints = parse_endpoints(list.empty() && !invocation.has("--endpoints") ? kDefaultEndpoint : list);
  if (!endpoints) return Error{endpoints.error() + " (from " + settings.endpoints_from + ")"};
  settings.endpoints = *std::move(endpoints);
  auto trust = trust_of(invocation, environment);
  if (!trust) return Error{trust.error()};
  settings.trust = *std::move(trust);
  settings.timeout = invocation.duration("--timeout").value_or(settings.timeout);
  settings.connect = invocation.duration("--connect-timeout").value_or(settings.connect);
  settings.answer = invocation.duration("--answer-timeout").value_or(settings.answer);
  for (const Millis time : {settings.timeout, settings.connect, settings.answer})
    if (time == 0) return Error{"a timeout must be above 0"};
  settings.idempotency = invocation.text("--idempotency-key");
  const auto& options = invocation.command->options;
  settings.repeatable =
      !invocation.child && !invocation.has("--lines") &&
      std::any_of(options.begin(), options.end(), [](const OptionRow& row) { return row.name == "--idempotency-key"; });
  return settings;
}

const std::vector<Variable>& other_variables() {
  static const std::vector<Variable> all{
      {"WORMHOLE_PASSWORD", "the password, where no file holds it"},
      {"NO_COLOR", "if set, no colours; there are none either unless standard output is a terminal"},
  };
  return all;
}

}  // namespace wh::cli
