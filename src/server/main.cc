// wormhole-server: reads the command line and the config, starts the server, runs it. Exit status 0 after an orderly
// end, 1 when it could not start or could not trust its disk.
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.h"
#include "config/command_line.h"
#include "config/files.h"
#include "config/loader.h"
#include "config/option_table.h"
#include "config/process_secrets.h"
#include "net/descriptors.h"
#include "net/peers.h"
#include "process/allocator.h"
#include "process/daemon.h"
#include "process/early_signals.h"
#include "process/log_output.h"
#include "process/supervisor.h"
#include "server/config_check.h"
#include "server/health_check.h"
#include "server/server.h"
#include "server/simulate.h"
#include "server/tools.h"

using namespace wh;

namespace {

int complain(const std::string& message) {
  std::fprintf(stderr, "%s%s", message.c_str(), message.ends_with('\n') ? "" : "\n");
  return 1;
}

// Returns nothing in the process in the background; else the exit status of the process that was started.
Result<std::optional<int>> go_into_background(process::Daemon& daemon, config::Options& options) {
  std::error_code error;
  const std::filesystem::path start = std::filesystem::current_path(error);
  if (error) return Error{"the directory it was started in is gone: " + error.message()};
  config::make_paths_absolute(options, start);
  return daemon.detach();
}

int run(config::Loaded config) {
  // Files of this process are for its user alone (HAZARDS C14).
  umask(077);
  process::keep_standard_descriptors();
  process::Daemon daemon;
  // A service manager follows the process it started, so that process must not exit.
  if (process::Supervisor::expected(config.options.supervised)) config.options.daemonize = false;
  if (config.options.daemonize) {
    const auto detached = go_into_background(daemon, config.options);
    if (!detached) return complain("wormhole-server: " + detached.error());
    if (*detached) return **detached;
  }
  process::LogOutput log;
  if (const Status opened = log.open(config.options.logfile, config.options.loglevel, config.options.daemonize);
      !opened)
    return complain(opened.error());
  log.set_format(config.options.log_format);
  if (const std::string too_few = net::Loop::provide_lookup_threads(); !too_few.empty())
    config.notices.push_back("UV_THREADPOOL_SIZE is " + printable(too_few) + ": " +
                             std::to_string(net::Loop::kLookupThreads) +
                             " are used, so that no name waits for the lookup of another");
  process::begin_giving_memory_back();
  const bool in_file = !config.options.logfile.empty();
  for (const std::string& notice : config.notices) log_line(LogLevel::warning, notice);
  // Before the loop, which itself needs descriptors.
  net::Descriptors descriptors(net::PeerTransport::kMaxInbound);
  const auto failed = [&](const std::string& error) {
    if (in_file) log_line(LogLevel::warning, error);
    return complain("wormhole-server: " + error);
  };
  if (const Status enough = descriptors.reserve_for(config.options.maxclients); !enough) return failed(enough.error());
  server::Server server(std::move(config), log, descriptors);
  if (const Status started = server.start(); !started) return failed(started.error());
  process::EarlySignals::handled();
  daemon.serves();
  server.run();
  process::EarlySignals::ending();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  process::EarlySignals::ignore_failed_writes();
  const auto line = config::parse_command_line(std::vector<std::string>(argv + 1, argv + argc));
  if (line && line->mode == config::CommandLine::Mode::run)
    process::EarlySignals::begin();
  else
    process::EarlySignals::release();
  config::hide_arguments(argc, argv);
  if (!line) return complain("wormhole-server: " + line.error());
  switch (line->mode) {
    case config::CommandLine::Mode::help:
      return std::fputs(config::help_text().c_str(), stdout) < 0 ? 1 : 0;
    case config::CommandLine::Mode::version:
      return std::fputs(config::version_text().c_str(), stdout) < 0 ? 1 : 0;
    default:
      break;
  }
  if (line->mode == config::CommandLine::Mode::simulate) return server::simulate(line->simulate);
  if (line->mode == config::CommandLine::Mode::verify) return server::verify_backup(*line);
  const auto environment = config::real_environment();
  config::hide_environment(environ);
  auto loaded = config::load({line->config, environment, line->directives}, config::real_files());
  if (auto* error = std::get_if<config::ConfigError>(&loaded)) {
    const std::string_view meant = config::argument_for_word(line->config);
    if (!meant.empty() && error->source == line->config && error->line == 0)
      error->expected += "; did you mean '--" + std::string(meant) + "'?";
    return complain(error->to_string());
  }
  auto& config = std::get<config::Loaded>(loaded);
  if (line->mode == config::CommandLine::Mode::check_config) {
    for (const std::string& notice : config.notices) std::fprintf(stderr, "%s\n", notice.c_str());
    if (const Status good = server::check_config_files(config.options); !good)
      return complain("the config is not good: " + good.error());
    return std::puts("the config is good") < 0 ? 1 : 0;
  }
  if (line->mode == config::CommandLine::Mode::check_health) {
    const auto health = server::check_health(config.options);
    if (!health) return complain("not healthy: " + health.error());
    return std::puts(health->c_str()) < 0 ? 1 : 0;
  }
  if (line->mode == config::CommandLine::Mode::restore || line->mode == config::CommandLine::Mode::recover) {
    for (const std::string& notice : config.notices) std::fprintf(stderr, "%s\n", notice.c_str());
    umask(077);
    return line->mode == config::CommandLine::Mode::restore ? server::restore_backup(*line, config.options)
                                                            : server::recover_node(*line, config.options);
  }
  return run(std::move(config));
}
