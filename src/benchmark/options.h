// The command line of wormhole-benchmark: one table, of which the parser and the help are made. Pure. Called by main.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/result.h"
#include "net/tls_material.h"

namespace wh::benchmark {

enum class Protocol : uint8_t { http, resp };
enum class Output : uint8_t { text, quiet, csv, json };

struct Options {
  std::vector<Endpoint> endpoints;  // the nodes; connections are spread over them
  Protocol protocol = Protocol::http;
  bool tls = false;
  net::TlsFiles tls_files;
  bool insecure = false;
  std::string password;
  size_t connections = 50;
  uint64_t requests = 100'000;
  Millis time = 0;  // above 0: for so long, in place of a number of requests
  size_t data_bytes = 256;
  size_t pipeline = 1;  // requests sent at once on a connection
  bool keep_alive = true;
  uint64_t keyspace = 10'000;
  uint64_t rate = 0;  // requests a second, by the clock; 0: each follows an answer
  size_t batch = 10;  // items of operations that take many
  bool fill = true;   // whether what an operation needs is put there before
  uint64_t seed = 1;
  std::vector<std::string> tests;  // names of operations
  std::vector<std::string> own;    // an operation of the user's: METHOD PATH [BODY], or a command and its arguments
  Output output = Output::text;
};

struct Parsed {
  Options options;
  bool help = false;
  bool version = false;
};

// The error is a sentence for the user. `variable` gives a value of the environment: WORMHOLE_ENDPOINTS and
// WORMHOLE_PASSWORD are read.
Result<Parsed> parse_options(const std::vector<std::string>& words,
                             std::optional<std::string> (*variable)(const char* name));

// Usage, options and operations.
std::string help_text();

}  // namespace wh::benchmark
