#include "benchmark/options.h"

#include <array>
#include <charconv>

#include "base/duration.h"
#include "benchmark/operations.h"

namespace wh::benchmark {
namespace {

constexpr uint16_t kHttpPort = 8080;
constexpr uint16_t kRespPort = 1113;
// A payload must fit into the largest command, and a request into memory many times.
constexpr uint64_t kMostData = 64ULL << 20;

// What is known only when the whole line is read.
struct Line {
  Parsed parsed{};
  std::string hosts = "127.0.0.1";
  std::string endpoints{};
  std::optional<uint16_t> port{};
};

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (comma > 0) out.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

template <typename Number>
Status take_number(std::string_view value, uint64_t least, uint64_t most, Number& out) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least || number > most)
    return Error{"needs a number from " + std::to_string(least) + " to " + std::to_string(most) + ", not '" +
                 std::string(value) + "'"};
  out = static_cast<Number>(number);
  return ok_status();
}

struct Row {
  std::string_view letter;    // "-c"; empty: none
  std::string_view name;      // "--clients"; empty: none
  std::string_view argument;  // empty: takes none
  std::string_view text;
  Status (*take)(Line& line, std::string_view value);
};

template <auto Member>
Status set_flag(Line& line, std::string_view) {
  line.parsed.options.*Member = true;
  return ok_status();
}
template <Output Kind>
Status set_output(Line& line, std::string_view) {
  line.parsed.options.output = Kind;
  return ok_status();
}

constexpr Row kRows[] = {
    {"-h", "--host", "HOST[,HOST...]", "the nodes' hosts, with :PORT where it is not that of -p; 127.0.0.1",
     [](Line& line, std::string_view value) {
       line.hosts = value;
       return ok_status();
     }},
    {"-p", "--port", "PORT", "their port; 8080, or 1113 with --resp",
     [](Line& line, std::string_view value) { return take_number(value, 1, 65'535, line.port.emplace()); }},
    {"", "--endpoints", "URL[,URL...]", "the same as http:// or https:// URLs; else WORMHOLE_ENDPOINTS",
     [](Line& line, std::string_view value) {
       line.endpoints = value;
       return ok_status();
     }},
    {"", "--resp", "", "speak the debug port's protocol, as redis-benchmark does, in place of HTTP",
     [](Line& line, std::string_view) {
       line.parsed.options.protocol = Protocol::resp;
       return ok_status();
     }},
    {"-c", "", "CONNECTIONS", "how many at once; 50",
     [](Line& line, std::string_view value) { return take_number(value, 1, 50'000, line.parsed.options.connections); }},
    {"-n", "", "REQUESTS", "how many in all, for each test; 100000",
     [](Line& line, std::string_view value) {
       return take_number(value, 1, 10'000'000'000, line.parsed.options.requests);
     }},
    {"", "--seconds", "SECONDS", "for so long, in place of a number of requests",
     [](Line& line, std::string_view value) {
       uint64_t seconds = 0;
       Status status = take_number(value, 1, 86'400, seconds);
       line.parsed.options.time = seconds * 1'000;
       return status;
     }},
    {"", "--rate", "RATE",
     "so many requests a second by the clock, whether answers come or not: a latency counts from when the request was "
     "due, so that a stall shows",
     [](Line& line, std::string_view value) { return take_number(value, 1, 10'000'000, line.parsed.options.rate); }},
    {"-d", "", "BYTES", "how large values and events are; 256",
     [](Line& line, std::string_view value) {
       return take_number(value, 1, kMostData, line.parsed.options.data_bytes);
     }},
    {"-t", "", "TEST[,TEST...]", "which operations, of those below",
     [](Line& line, std::string_view value) {
       line.parsed.options.tests = split(value);
       return ok_status();
     }},
    {"-P", "", "REQUESTS", "how many each connection sends at once before it awaits the answers; 1",
     [](Line& line, std::string_view value) { return take_number(value, 1, 10'000, line.parsed.options.pipeline); }},
    {"-k", "", "0|1", "0: a new connection for each operation, or as many as -P; 1",
     [](Line& line, std::string_view value) {
       unsigned keep = 1;
       Status status = take_number(value, 0, 1, keep);
       line.parsed.options.keep_alive = keep == 1;
       return status;
     }},
    {"-r", "", "KEYS", "how many keys, taken at random; 10000",
     [](Line& line, std::string_view value) {
       return take_number(value, 1, 1'000'000'000, line.parsed.options.keyspace);
     }},
    {"", "--batch", "ITEMS", "how many items where an operation takes many; 10",
     [](Line& line, std::string_view value) { return take_number(value, 1, 100, line.parsed.options.batch); }},
    {"", "--no-fill", "", "do not first put there what a test reads or takes",
     [](Line& line, std::string_view) {
       line.parsed.options.fill = false;
       return ok_status();
     }},
    {"", "--seed", "NUMBER", "for the random keys; 1",
     [](Line& line, std::string_view value) { return take_number(value, 0, UINT64_MAX, line.parsed.options.seed); }},
    {"-a", "", "PASSWORD", "the nodes' password; better in WORMHOLE_PASSWORD, as others see a command line",
     [](Line& line, std::string_view value) {
       line.parsed.options.password = value;
       return ok_status();
     }},
    {"", "--tls", "", "TLS, as --endpoints https://... does", set_flag<&Options::tls>},
    {"", "--cacert", "FILE", "the authority of the nodes' certificates, PEM",
     [](Line& line, std::string_view value) {
       line.parsed.options.tls_files.ca_file = value;
       return ok_status();
     }},
    {"", "--cert", "FILE", "this client's certificate, PEM",
     [](Line& line, std::string_view value) {
       line.parsed.options.tls_files.cert_file = value;
       return ok_status();
     }},
    {"", "--key", "FILE", "its key, PEM",
     [](Line& line, std::string_view value) {
       line.parsed.options.tls_files.key_file = value;
       return ok_status();
     }},
    {"", "--insecure", "", "accept any certificate", set_flag<&Options::insecure>},
    {"-q", "", "", "one line a test", set_output<Output::quiet>},
    {"", "--csv", "", "the results as CSV", set_output<Output::csv>},
    {"", "--json", "", "the results as JSON, one object a test", set_output<Output::json>},
    {"", "--help", "", "this text",
     [](Line& line, std::string_view) {
       line.parsed.help = true;
       return ok_status();
     }},
    {"", "--version", "", "the version",
     [](Line& line, std::string_view) {
       line.parsed.version = true;
       return ok_status();
     }},
};

const Row* find_row(std::string_view word) {
  for (const Row& row : kRows)
    if (word == row.letter || word == row.name) return &row;
  return nullptr;
}

Status add_endpoint(Options& options, const std::string& text, uint16_t port) {
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    options.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  }
  while (rest.ends_with('/')) rest.remove_suffix(1);
  auto endpoint = parse_endpoint(rest);
  if (!endpoint) endpoint = parse_endpoint(std::string(rest) + ":" + std::to_string(port));
  if (!endpoint) return Error{"'" + text + "' is no host, HOST:PORT or URL without a path"};
  options.endpoints.push_back(*endpoint);
  return ok_status();
}

Status finish(Line& line, const std::optional<std::string>& endpoints) {
  Options& options = line.parsed.options;
  const uint16_t usual = options.protocol == Protocol::resp ? kRespPort : kHttpPort;
  std::string list = line.endpoints;
  if (list.empty() && !line.port && options.protocol == Protocol::http && line.hosts == "127.0.0.1" && endpoints)
    list = *endpoints;
  for (const std::string& text : split(list.empty() ? line.hosts : list))
    if (Status status = add_endpoint(options, text, line.port.value_or(usual)); !status) return status;
  if (options.endpoints.empty()) return Error{"no node is named"};
  if (options.tls && options.tls_files.ca_file.empty() && !options.insecure)
    return Error{"TLS needs --cacert FILE, or --insecure"};
  if (options.tls_files.cert_file.empty() != options.tls_files.key_file.empty())
    return Error{"--cert and --key belong together"};
  if (options.tests.empty() && options.own.empty()) options.tests = usual_tests(options.protocol);
  if (!options.own.empty() && !options.tests.empty())
    return Error{"-t and an operation of your own exclude each other"};
  if (!options.own.empty() && options.protocol == Protocol::http && (options.own.size() < 2 || options.own.size() > 3))
    return Error{"an operation of your own is METHOD PATH [BODY], or with --resp a command and its arguments"};
  for (const std::string& test : options.tests)
    if (find_operation(options.protocol, test) == nullptr)
      return Error{"there is no test '" + test + "'" + (options.protocol == Protocol::resp ? " with --resp" : "") +
                   ": see --help"};
  return ok_status();
}

}  // namespace

Result<Parsed> parse_options(const std::vector<std::string>& words,
                             std::optional<std::string> (*variable)(const char* name)) {
  Line line;
  line.parsed.options.password = variable("WORMHOLE_PASSWORD").value_or("");
  for (size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (!word.starts_with('-') || word == "-") {
      line.parsed.options.own.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
      break;
    }
    const size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const Row* row = find_row(word.substr(0, equals));
    if (row == nullptr) return Error{"there is no option " + word.substr(0, equals)};
    std::string value;
    if (equals != std::string::npos) {
      if (row->argument.empty()) return Error{std::string(row->name) + " takes no value"};
      value = word.substr(equals + 1);
    } else if (!row->argument.empty()) {
      if (at + 1 == words.size()) return Error{word + " needs " + std::string(row->argument)};
      value = words[++at];
    }
    if (Status status = row->take(line, value); !status) return Error{word + " " + status.error()};
  }
  if (line.parsed.help || line.parsed.version) return line.parsed;
  if (Status status = finish(line, variable("WORMHOLE_ENDPOINTS")); !status) return Error{status.error()};
  return line.parsed;
}

std::string help_text() {
  std::string out =
      "usage: wormhole-benchmark [OPTION...] [METHOD PATH [BODY] | COMMAND [ARGUMENT...]]\n"
      "\n"
      "Puts load on a cluster and says how many requests it answered, and how soon. It writes keys that begin with\n"
      "'key:' and into the queue 'benchmark'; it removes neither.\n"
      "\n";
  for (const Row& row : kRows) {
    std::string left = "  " + std::string(row.letter.empty() ? "  " : row.letter);
    if (!row.name.empty()) left += (row.letter.empty() ? "  " : ", ") + std::string(row.name);
    if (!row.argument.empty()) left += " " + std::string(row.argument);
    out += left;
    constexpr size_t kColumn = 34;
    size_t column = left.size();
    std::string_view rest = row.text;
    if (column + 2 > kColumn) {
      out += '\n';
      column = 0;
    }
    while (!rest.empty()) {
      out += std::string(kColumn - column, ' ');
      size_t length = rest.size();
      if (length > 84) length = rest.rfind(' ', 84);
      out += std::string(rest.substr(0, length)) + "\n";
      rest.remove_prefix(std::min(length + 1, rest.size()));
      column = 0;
    }
  }
  for (const Protocol protocol : {Protocol::http, Protocol::resp}) {
    out += protocol == Protocol::http ? "\ntests over HTTP:\n" : "\ntests with --resp:\n";
    for (const Operation& operation : operations(protocol))
      out += "  " + std::string(operation.name) + std::string(16 - operation.name.size(), ' ') +
             std::string(operation.text) + "\n";
  }
  out +=
      "\nIn an operation of your own __rand_int__ becomes a number below -r, and __data__ the bytes of -d.\n"
      "Three nodes, 64 connections, values of 1 KiB:\n"
      "  wormhole-benchmark --endpoints http://10.0.0.1:8080,http://10.0.0.2:8080,http://10.0.0.3:8080 -c 64 -d 1024\n";
  return out;
}

}  // namespace wh::benchmark
