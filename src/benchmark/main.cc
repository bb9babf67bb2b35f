// wormhole-benchmark: reads the command line, runs one test after the other, and prints what each measured.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "benchmark/operations.h"
#include "benchmark/options.h"
#include "benchmark/report.h"
#include "benchmark/run.h"
#include "net/tls_context.h"

using namespace wh;
using namespace wh::benchmark;

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

int complain(int status, const std::string& text) {
  std::fprintf(stderr, "wormhole-benchmark: %s\n", text.c_str());
  return status;
}

void say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

Result<std::shared_ptr<net::TlsContext>> tls_of(const Options& options) {
  if (!options.tls) return std::shared_ptr<net::TlsContext>();
  auto material = net::TlsMaterial::read(options.tls_files);
  if (!material) return Error{material.error()};
  return options.insecure ? net::TlsContext::unverified_client(*material) : net::TlsContext::client(*material);
}

int run(const Options& options) {
  const auto tls = tls_of(options);
  if (!tls) return complain(kUsage, tls.error());
  std::vector<std::pair<const Operation*, std::string>> tests;
  for (const std::string& name : options.tests) tests.emplace_back(find_operation(options.protocol, name), name);
  if (!options.own.empty()) {
    std::string name;
    for (const std::string& word : options.own) name += (name.empty() ? "" : " ") + word;
    tests.emplace_back(&own_operation(options.protocol), name);
  }
  say(report_header(options));
  for (const auto& [operation, name] : tests) {
    Maker maker(options);
    if (options.fill)
      if (const Status filled = fill(*tls, maker, *operation); !filled)
        return complain(kFailed, name + ": cannot put there what is read: " + filled.error());
    const Result<Measure> measure = run_test(*tls, maker, *operation, name);
    if (!measure) return complain(kFailed, name + ": " + measure.error());
    say(report(*measure, options));
    if (measure->interrupted) return 128 + SIGINT;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  net::Loop::provide_lookup_threads();
  const Result<Parsed> parsed = parse_options(std::vector<std::string>(argv + 1, argv + argc), variable);
  if (!parsed) return complain(kUsage, parsed.error() + "; 'wormhole-benchmark --help' lists the options and tests");
  if (parsed->help) return say(help_text()), 0;
  if (parsed->version) return say("wormhole-benchmark " WORMHOLE_VERSION "\n"), 0;
  return run(parsed->options);
}
