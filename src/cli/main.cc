// wormhole-cli: reads the command line, runs one command, and ends with its status.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "cli/arguments.h"
#include "cli/cluster.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/man_page.h"
#include "cli/output.h"
#include "cli/settings.h"
#include "cli/signals.h"

using namespace wh::cli;

namespace {

std::optional<std::string> real_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

std::string text_for(const SpecialRequest& request) {
  switch (request.what) {
    case Special::help:
      return request.word.empty() ? general_help() : command_help(*find_command(request.word));
    case Special::version:
      return "wormhole-cli " WORMHOLE_VERSION "\n";
    case Special::man_page:
      return man_page(request.word);
    case Special::completion:
      return request.word == "bash" ? bash_completion() : zsh_completion();
  }
  return {};
}

int usage_error(const UsageError& error) {
  std::string text = error.sentence + "\n";
  text += error.command == nullptr
              ? "usage: wormhole-cli [OPTION...] COMMAND [ARGUMENT...]; 'wormhole-cli help' lists the commands"
              : "usage: " + usage_of(*error.command) + "; 'wormhole-cli help " + std::string(error.command->name) +
                    "' says more";
  complain(text);
  return kUsage;
}

int run(const Invocation& invocation) {
  auto settings = settings_of(invocation, real_environment);
  if (!settings) {
    complain(settings.error());
    return kUsage;
  }
  Cluster cluster(*std::move(settings));
  return invocation.command->run(cluster, invocation);
}

}  // namespace

int main(int argc, char** argv) {
  signals::fill_standard_streams();
  signals::catch_all();
  const Parsed parsed = parse_arguments(std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* error = std::get_if<UsageError>(&parsed)) return usage_error(*error);
  if (const auto* special = std::get_if<SpecialRequest>(&parsed)) {
    put(text_for(*special));
    flush_output();
    return kDone;
  }
  const int status = run(std::get<Invocation>(parsed));
  flush_output();
  if (status == kInterrupted && signals::ending() != 0) signals::die_of(signals::ending());
  return status;
}
