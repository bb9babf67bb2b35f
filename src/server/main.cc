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

namespace {

int complain(const std::string& message) {
  std::fprintf(stderr, "%s%s", message.c_str(), message.ends_with('\n') ? "" : "\n");
  return 1;
}

// Returns nothing in the process in the background; else the exit status of the process that was started.
wh::Result<std::optional<int>> go_into_background(wh::Daemon& daemon, wh::Options& options) {
  std::error_code error;
  const std::filesystem::path start = std::filesystem::current_path(error);
  if (error) return wh::Error{"the directory it was started in is gone: " + error.message()};
  wh::make_paths_absolute(options, start);
  return daemon.detach();
}

int run(wh::LoadedConfig config) {
  // Files of this process are for its user alone (HAZARDS C14).
  umask(077);
  wh::keep_standard_descriptors();
  wh::Daemon daemon;
  // A service manager follows the process it started, so that process must not exit.
  if (wh::Supervisor::expected(config.options.supervised)) config.options.daemonize = false;
  if (config.options.daemonize) {
    const auto detached = go_into_background(daemon, config.options);
    if (!detached) return complain("wormhole-server: " + detached.error());
    if (*detached) return **detached;
  }
  wh::LogOutput log;
  if (const wh::Status opened = log.open(config.options.logfile, config.options.loglevel, config.options.daemonize);
      !opened)
    return complain(opened.error());
  log.set_format(config.options.log_format);
  if (const std::string too_few = wh::net::Loop::provide_workers(); !too_few.empty())
    config.notices.push_back("UV_THREADPOOL_SIZE is " + wh::printable(too_few) + ": " +
                             std::to_string(wh::net::Loop::kWorkers) +
                             " are used, so that the disk waits for no name server");
  wh::begin_giving_memory_back();
  const bool in_file = !config.options.logfile.empty();
  for (const std::string& notice : config.notices) wh::log_line(wh::LogLevel::warning, notice);
  // Before the loop, which itself needs descriptors.
  wh::net::Descriptors descriptors(wh::net::PeerTransport::kMaxInbound);
  const auto failed = [&](const std::string& error) {
    if (in_file) wh::log_line(wh::LogLevel::warning, error);
    return complain("wormhole-server: " + error);
  };
  if (const wh::Status enough = descriptors.reserve_for(config.options.maxclients); !enough)
    return failed(enough.error());
  wh::Server server(std::move(config), log, descriptors);
  if (const wh::Status started = server.start(); !started) return failed(started.error());
  wh::EarlySignals::handled();
  daemon.serves();
  server.run();
  wh::EarlySignals::ending();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  wh::EarlySignals::ignore_failed_writes();
  const auto line = wh::parse_command_line(std::vector<std::string>(argv + 1, argv + argc));
  if (line && line->mode == wh::CommandLine::Mode::run)
    wh::EarlySignals::begin();
  else
    wh::EarlySignals::release();
  wh::hide_arguments(argc, argv);
  if (!line) return complain("wormhole-server: " + line.error());
  switch (line->mode) {
    case wh::CommandLine::Mode::help:
      return std::fputs(wh::help_text().c_str(), stdout) < 0 ? 1 : 0;
    case wh::CommandLine::Mode::version:
      return std::fputs(wh::version_text().c_str(), stdout) < 0 ? 1 : 0;
    default:
      break;
  }
  if (line->mode == wh::CommandLine::Mode::simulate) return wh::simulate(line->simulate);
  if (line->mode == wh::CommandLine::Mode::verify) return wh::verify_backup(*line);
  const auto environment = wh::real_environment();
  wh::hide_environment(environ);
  auto loaded = wh::load_config({line->config, environment, line->directives}, wh::real_config_files());
  if (auto* error = std::get_if<wh::ConfigError>(&loaded)) {
    const std::string_view meant = wh::argument_for_word(line->config);
    if (!meant.empty() && error->source == line->config && error->line == 0)
      error->expected += "; did you mean '--" + std::string(meant) + "'?";
    return complain(error->to_string());
  }
  auto& config = std::get<wh::LoadedConfig>(loaded);
  if (line->mode == wh::CommandLine::Mode::check_config) {
    for (const std::string& notice : config.notices) std::fprintf(stderr, "%s\n", notice.c_str());
    if (const wh::Status good = wh::check_config_files(config.options); !good)
      return complain("the config is not good: " + good.error());
    return std::puts("the config is good") < 0 ? 1 : 0;
  }
  if (line->mode == wh::CommandLine::Mode::check_health) {
    const auto health = wh::check_health(config.options);
    if (!health) return complain("not healthy: " + health.error());
    return std::puts(health->c_str()) < 0 ? 1 : 0;
  }
  if (line->mode == wh::CommandLine::Mode::restore || line->mode == wh::CommandLine::Mode::recover) {
    for (const std::string& notice : config.notices) std::fprintf(stderr, "%s\n", notice.c_str());
    umask(077);
    return line->mode == wh::CommandLine::Mode::restore ? wh::restore_backup(*line, config.options)
                                                        : wh::recover_node(*line, config.options);
  }
  return run(std::move(config));
}
