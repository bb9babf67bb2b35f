// Monitoring: /metrics, checked by the rules of its format and by promtool, INFO, SLOWLOG, the causes of elections,
// log-format.
#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

// Samples by name and labels as they are written: `wormhole_keys`, `x_total{a="b"}`.
using Samples = std::map<std::string, double>;

struct Exposition {
  Samples samples;
  std::map<std::string, std::string> types;
  std::vector<std::string> problems;
};

// Reads text format 0.0.4 strictly: every line, HELP and TYPE once and before their samples, a metric's lines together,
// no sample twice, histograms cumulative and their +Inf equal to their count, a summary's values in the order of its
// quantiles, with sum and count.
Exposition parse(const std::string& text) {
  static const std::regex kComment("# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)");
  static const std::regex kSample(
      "([a-zA-Z_:][a-zA-Z0-9_:]*)"
      "(\\{[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\]|\\\\[\"\\\\n])*\"(,[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\]|\\\\[\"\\\\n])*"
      "\")*\\})?"
      " (-?[0-9]+(\\.[0-9]+)?)");
  static const std::regex kQuantile("[{,]quantile=\"([^\"]*)\"\\}$");  // of a summary's value: the last label
  static const std::regex kBound("[{,]le=\"([^\"]*)\"\\}$");           // of a bucket: the last label
  Exposition result;
  const auto problem = [&](const std::string& what, const std::string& line) {
    result.problems.push_back(what + ": " + line);
  };
  if (!text.ends_with('\n')) problem("no newline at the end", "");
  std::string family;
  std::set<std::string> families;
  std::set<std::string> helped;
  struct Series {
    double bound = -1;
    double count = -1;
    double infinite = -1;
  };
  std::map<std::string, Series> histograms;  // by family and labels but `le`
  struct Summary {
    double quantile = -1;
    double value = -1;
    int ends = 0;  // sum, count
  };
  std::map<std::string, Summary> summaries;  // by family and labels but `quantile`
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kComment)) {
      const std::string name = match[2];
      if (match[1] == "HELP") {
        if (!helped.insert(name).second) problem("a second HELP", line);
        if (!families.insert(name).second) problem("a metric in two places", line);
        family = name;
      } else {
        if (name != family) problem("TYPE without HELP before it", line);
        if (!result.types.emplace(name, match[3]).second) problem("a second TYPE", line);
      }
      continue;
    }
    if (!std::regex_match(line, match, kSample)) {
      problem("no line of the format", line);
      continue;
    }
    const std::string name = match[1];
    const std::string labels = match[2];
    const double value = std::stod(match[6]);
    if (!result.samples.emplace(name + labels, value).second) problem("a sample twice", line);
    if (!result.types.contains(family)) problem("a sample before its TYPE", line);
    if (result.types[family] == "summary") {
      std::smatch share;
      const bool one = std::regex_search(labels, share, kQuantile);
      const auto at = one ? static_cast<size_t>(share.position(0)) : labels.size();
      Summary& summary = summaries[family + (at == 0 ? "" : one ? labels.substr(0, at) + "}" : labels)];
      if (name == family && one) {
        const double quantile = std::stod(share[1]);
        if (quantile <= summary.quantile || quantile > 1) problem("quantiles out of order", line);
        if (value < summary.value) problem("a quantile below the one before", line);
        summary.quantile = quantile;
        summary.value = value;
      } else if (name == family + "_sum" || name == family + "_count") {
        ++summary.ends;
      } else {
        problem("no sample of a summary", line);
      }
      continue;
    }
    if (result.types[family] != "histogram") {
      if (name != family) problem("a sample of another metric", line);
      if (result.types[family] == "counter" && !name.ends_with("_total")) problem("a counter without _total", line);
      continue;
    }
    std::smatch bound;
    std::string others = labels;  // than `le`
    const bool bucket = std::regex_search(labels, bound, kBound);
    if (bucket) others = bound.position(0) == 0 ? "" : labels.substr(0, static_cast<size_t>(bound.position(0))) + "}";
    Series& series = histograms[family + others];
    if (name == family + "_bucket" && bucket) {
      const double le = bound[1] == "+Inf" ? INFINITY : std::stod(bound[1]);
      if (le <= series.bound) problem("buckets out of order", line);
      if (value < series.count) problem("buckets that do not add up", line);
      series.bound = le;
      series.count = value;
      if (std::isinf(le)) series.infinite = value;
    } else if (name == family + "_count") {
      if (series.infinite != value) problem("+Inf is not the count", line);
      series.infinite = -2;
    } else if (name != family + "_sum") {
      problem("no sample of a histogram", line);
    }
  }
  for (const auto& [name, series] : histograms)
    if (series.infinite != -2) result.problems.push_back("no +Inf and count: " + name);
  for (const auto& [name, summary] : summaries)
    if (summary.quantile != 1 || summary.ends != 2) result.problems.push_back("no whole summary: " + name);
  return result;
}

Samples scrape(const Server& server) {
  const Answer answer = server.get("/metrics");
  REQUIRE(answer.status == 200);
  CHECK(answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  const Exposition exposition = parse(answer.body);
  for (const std::string& problem : exposition.problems) CHECK_MESSAGE(false, problem);
  return exposition.samples;
}

double value(const Samples& samples, const std::string& name) {
  const auto it = samples.find(name);
  return it == samples.end() ? 0 : it->second;
}

}  // namespace

TEST_CASE("three nodes: counters grow by what was done, and say who leads; promtool has nothing to say") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader).front();

  const Samples before = scrape(follower);
  const Samples leader_before = scrape(leader);
  for (int i = 0; i < 3; ++i) CHECK(follower.get("/get?key=absent").status == 404);
  for (int i = 0; i < 2; ++i)
    CHECK(curl(nodes.dir, "-d '{\"value\":\"v\"}' " + follower.url("/keys/k" + std::to_string(i))).status == 200);
  CHECK(follower.get("/nothing/here").status == 404);
  CHECK(follower.get("/cluster/nothing").status == 404);
  CHECK(curl(nodes.dir, "-X PUT " + follower.url("/event")).status == 405);
  CHECK(curl(nodes.dir, "-d event=x " + leader.url("/event")).status == 201);
  CHECK(follower.redis("GET k0") == "v");
  const Samples after = scrape(follower);
  const auto grown = [&](const std::string& name) { return value(after, name) - value(before, name); };
  CHECK(grown(R"(wormhole_http_requests_total{route="/get",method="GET",code="404"})") == 3);
  CHECK(grown(R"(wormhole_http_request_duration_seconds_count{route="/get",method="GET"})") == 3);
  CHECK(grown(R"(wormhole_http_requests_total{route="/keys/{key}",method="POST",code="200"})") == 2);
  // Whatever is asked that is not there is one label.
  CHECK(grown(R"(wormhole_http_requests_total{route="none",method="GET",code="404"})") == 2);
  CHECK(grown(R"(wormhole_http_requests_total{route="none",method="PUT",code="405"})") == 1);
  CHECK(grown(R"(wormhole_http_requests_total{route="/metrics",method="GET",code="200"})") == 1);
  CHECK(grown("wormhole_forwarded_writes_total") == 2);
  CHECK(grown(R"(wormhole_requests_total{kind="write",outcome="applied"})") == 2);
  CHECK(grown(R"(wormhole_request_duration_seconds_count{kind="write"})") == 2);
  CHECK(grown(R"(wormhole_requests_total{kind="read",outcome="applied"})") == 4);
  CHECK(grown(R"(wormhole_debug_commands_total{command="get"})") == 1);
  CHECK(grown("wormhole_debug_command_duration_seconds_count") == 1);
  CHECK(grown("wormhole_storage_commit_duration_seconds_count") > 0);
  CHECK(eventually([&] {
    const double now = value(scrape(follower), "wormhole_storage_entries_written_total");
    return now >= value(before, "wormhole_storage_entries_written_total") + 3;
  }));
  const Samples leader_after = scrape(leader);
  CHECK(value(leader_after, "wormhole_raft_proposals_total") - value(leader_before, "wormhole_raft_proposals_total") ==
        3);

  // What is so on each node, and what only a leader knows.
  double leaders = 0;
  for (const Server* server : nodes.all) {
    CAPTURE(server->name);
    REQUIRE(eventually([&] { return value(scrape(*server), "wormhole_keys") == 2; }));
    const Samples samples = scrape(*server);
    const bool leads = server == &leader;
    leaders += value(samples, "wormhole_raft_is_leader");
    CHECK(value(samples, "wormhole_raft_is_leader") == (leads ? 1 : 0));
    CHECK(value(samples, leads ? R"(wormhole_raft_role{role="leader"})" : R"(wormhole_raft_role{role="follower"})") ==
          1);
    CHECK(value(samples, "wormhole_raft_has_leader") == 1);
    CHECK(value(samples, "wormhole_raft_voters") == 3);
    CHECK(value(samples, "wormhole_raft_failures_tolerated") == (leads ? 1 : 0));  // absent where it is not known
    CHECK(value(samples, "wormhole_queue_events") == 1);
    CHECK(value(samples, "wormhole_queues") == 1);
    for (const Server* member : nodes.all) {
      const std::string label = "{member=\"" + member->name + "\"}";
      CHECK(samples.contains("wormhole_raft_member_up" + label) == (leads && member != server));
      if (!leads || member == server) continue;
      CHECK(eventually([&] { return value(scrape(*server), "wormhole_raft_member_lag_entries" + label) == 0; }));
      CHECK(value(samples, "wormhole_raft_member_up" + label) == 1);
    }
    CHECK(value(samples, "process_open_fds") > 3);
    CHECK(value(samples, "process_max_fds") > value(samples, "process_open_fds"));
    CHECK(value(samples, "process_resident_memory_bytes") > 1e6);
    CHECK(value(samples, "process_start_time_seconds") > 1.6e9);
    CHECK(value(samples, "process_cpu_seconds_total") > 0);
    CHECK(value(samples, "wormhole_network_receive_bytes_total") > 1000);
    CHECK_FALSE(samples.contains("wormhole_tls_certificate_expiry_timestamp_seconds"));

    // The same figures in INFO.
    CHECK(server->info("role") == (leads ? "leader" : "follower"));
    CHECK(server->info("term") == std::to_string(std::lround(value(samples, "wormhole_raft_term"))));
    CHECK(server->info("keys") == "2");
    CHECK(server->info("proposals") == std::to_string(std::lround(value(samples, "wormhole_raft_proposals_total"))));
    CHECK(has(server->info("member0"), "id=node_1,address=127.0.0.1:"));
    CHECK(has(server->info(leader.name == "node_1" ? "member1" : "member0"), "state=replicate") == leads);
  }
  CHECK(leaders == 1);

  if (sh(nodes.dir, "command -v promtool").status != 0) {
    MESSAGE("skipped: promtool is not installed (utils/install-deps ci)");
    return;
  }
  for (const Server* server : nodes.all) {
    const Output checked = sh(nodes.dir, "curl -s " + server->url("/metrics") + " | promtool check metrics");
    CHECK_MESSAGE(checked.status == 0, checked.out << checked.err);
    CHECK((checked.out + checked.err).empty());
  }
}

// Against what this test wrote, and against the kernel's count of what the process gave to write(2) and its like; of
// that the sockets' and the log's part is small beside the events.
TEST_CASE("write_amplification: bytes written to the disk for each byte of entries, both as they were") {
  constexpr uint64_t kEvents = 40;
  constexpr uint64_t kEventBytes = 100'000;
  const TempDir dir;
  Server server(dir, "node_1");
  server.start_ready();
  struct Counts {
    uint64_t entries, entry_bytes, disk_bytes, kernel;
  };
  const std::string io_file = "/proc/" + std::to_string(server.pid()) + "/io";
  if (read_file(io_file).find("wchar: ") == std::string::npos) {
    MESSAGE("skipped: this kernel does not count what a process writes (" << io_file << ")");
    return;
  }
  const auto counts = [&] {
    const std::string io = read_file(io_file);
    const size_t at = io.find("wchar: ");
    const Samples samples = parse(server.get("/metrics").body).samples;
    const auto of = [&](const char* name) { return static_cast<uint64_t>(value(samples, name)); };
    return Counts{of("wormhole_storage_entries_written_total"), of("wormhole_storage_entry_bytes_written_total"),
                  of("wormhole_storage_bytes_written_total"), std::stoull(io.substr(at + 7))};
  };
  dir.write("event", std::string(kEventBytes, 'e'));
  // The first write brings the cluster's time with it.
  REQUIRE(curl(dir, "--data-urlencode event@event " + server.url("/event")).status == 201);
  REQUIRE(eventually([&] { return server.info("durable_index") == server.info("applied_index"); }));
  const Counts before = counts();
  for (uint64_t i = 0; i < kEvents; ++i)
    REQUIRE(curl(dir, "--data-urlencode event@event " + server.url("/event")).status == 201);
  Counts grown{};
  // The last batch's counts come with its result; a checkpoint may follow when there is time.
  CHECK(eventually([&] {
    const Counts now = counts();
    grown = {now.entries - before.entries, now.entry_bytes - before.entry_bytes, now.disk_bytes - before.disk_bytes,
             now.kernel - before.kernel};
    return grown.entries == kEvents && grown.disk_bytes <= grown.kernel && grown.kernel - grown.disk_bytes < 400'000;
  }));
  CAPTURE(grown.disk_bytes);
  CAPTURE(grown.kernel);
  CHECK(grown.entries == kEvents);
  // What stands around an event is less than 200 bytes.
  CHECK(grown.entry_bytes > kEvents * kEventBytes);
  CHECK(grown.entry_bytes < kEvents * (kEventBytes + 200));
  CHECK(grown.disk_bytes > grown.entry_bytes);
  CHECK(grown.disk_bytes < 4 * grown.entry_bytes);
  CHECK(grown.disk_bytes <= grown.kernel);
  CHECK(grown.kernel - grown.disk_bytes < 400'000);

  // The figure is the quotient of the two beside it.
  const std::string persistence = server.redis("INFO persistence");
  const auto figure = [&](const char* name) { return std::strtod(info_field(persistence, name).c_str(), nullptr); };
  const double quotient = figure("disk_bytes_written") / figure("entry_bytes_written");
  CHECK(std::abs(figure("write_amplification") - quotient) < 0.0051);
  CHECK(quotient > 1);
}

TEST_CASE("every election and every end of leading has its cause, in the log, INFO and /metrics") {
  ThreeNodes nodes;
  Server& first = await_leader(nodes.all);
  CHECK(value(scrape(first), "wormhole_raft_elections_won_total") >= 1);
  CHECK(has(first.log(), "elected leader of term"));

  // Asked for.
  Server& second = *others(nodes.all, first).front();
  REQUIRE(curl(nodes.dir, "-d '{\"id\":\"" + second.name + "\"}' " + first.url("/cluster/transfer")).status == 200);
  REQUIRE(&await_leader(nodes.all) == &second);
  CHECK(value(scrape(second), R"(wormhole_raft_elections_total{cause="transfer"})") >= 1);
  CHECK(value(scrape(first), R"(wormhole_raft_step_downs_total{cause="higher_term"})") >= 1);
  CHECK(has(second.info("last_election_cause"), "the leader, " + first.name + ", handed over"));
  CHECK(has(second.log(), "an election begins, for term "));
  CHECK(has(second.log(), ": the leader, " + first.name + ", handed over"));
  CHECK(has(first.log(), "stepping down in term "));
  CHECK(has(first.info("last_step_down_cause"), second.name));

  // Because the leader died; by its closed port, or by its silence.
  second.kill();
  Server& third = await_leader(others(nodes.all, second));
  Server& last = *others(others(nodes.all, second), third).front();
  double begun = 0;
  for (const Server* server : {&third, &last})
    for (const char* cause : {"process_gone", "silence"})
      begun += value(scrape(*server), "wormhole_raft_elections_total{cause=\"" + std::string(cause) + "\"}");
  CHECK(begun >= 1);
  const std::string logs = third.log() + last.log();
  CHECK((has(logs, ": the process of the leader, " + second.name + ", is gone") ||
         has(logs, ": nothing was heard from the leader, " + second.name + ", for ")));
  CHECK(has(third.info("last_election_cause"), "term "));
  CHECK(
      eventually([&] { return value(scrape(third), "wormhole_raft_member_up{member=\"" + second.name + "\"}") == 0; }));

  // Because nobody answers it any more.
  last.kill();
  CHECK(eventually([&] { return value(scrape(third), R"(wormhole_raft_step_downs_total{cause="no_quorum"})") >= 1; }));
  CHECK(has(third.log(), "no quorum of voters answered"));
  CHECK(value(scrape(third), "wormhole_raft_is_leader") == 0);
}

TEST_CASE("SLOWLOG: commands and HTTP requests, clipped, without secrets; CONFIG RESETSTAT; INFO by section") {
  const TempDir dir;
  Server server(dir, "only");
  server.more = {"--slowlog-log-slower-than", "0", "--slowlog-max-len", "5"};
  server.start_ready();
  const std::string value_text(300, 'v');
  CHECK(server.redis("SLOWLOG RESET") == "OK");
  CHECK(server.redis("SET a-key " + value_text) == "OK");
  CHECK(curl(dir, "-d value=body-of-it " + server.url("/set?key=in-the-query")).status == 200);
  CHECK(server.redis("CONFIG SET requirepass open-sesame") == "OK");
  const auto authenticated = [&](const std::string& commands) {
    return sh(dir, "printf 'AUTH open-sesame\\r\\n" + commands + "\\r\\nQUIT\\r\\n' | nc -w 10 127.0.0.1 " +
                       std::to_string(server.debug_port))
        .out;
  };
  const std::string entries = authenticated("SLOWLOG GET -1");
  CAPTURE(entries);
  CHECK(has(entries, std::string(128, 'v') + "... (172 more bytes)"));
  CHECK(has(entries, "POST\r\n"));
  CHECK(has(entries, "/set\r\n"));
  CHECK(has(entries, "http\r\n"));
  CHECK(has(entries, "127.0.0.1\r\n"));
  CHECK(has(entries, "(redacted)"));
  for (const char* secret : {"open-sesame", "body-of-it", "in-the-query"}) CHECK_FALSE(has(entries, secret));
  // The newest first: AUTH, CONFIG SET, the request, SET.
  CHECK(entries.find("AUTH") < entries.find("requirepass"));
  CHECK(entries.find("requirepass") < entries.find("/set\r\n"));
  CHECK(entries.find("/set\r\n") < entries.find("a-key"));
  CHECK(has(authenticated("PING\\r\\nPING\\r\\nSLOWLOG LEN"), ":5\r\n"));  // slowlog-max-len

  // The password counts for /metrics too.
  CHECK(server.get("/metrics").status == 401);
  CHECK(curl(dir, "-H 'Authorization: Bearer open-sesame' " + server.url("/metrics")).status == 200);
  CHECK(has(authenticated("CONFIG SET requirepass \"\""), "+OK\r\n+OK\r\n"));

  CHECK(server.redis("CONFIG SET slowlog-log-slower-than -1") == "OK");
  CHECK(server.redis("CONFIG GET slowlog-log-slower-than") == "slowlog-log-slower-than\n-1");
  CHECK(server.redis("SLOWLOG RESET") == "OK");
  CHECK(server.redis("GET a-key") == value_text);
  CHECK(server.redis("SLOWLOG LEN") == "0");
  CHECK(server.redis("SLOWLOG GET nonsense").starts_with("ERR"));
  CHECK(server.redis("CONFIG SET slowlog-log-slower-than -2").starts_with("ERR"));
  CHECK(has(server.redis("SLOWLOG HELP"), "RESET"));

  CHECK(value(scrape(server), R"(wormhole_http_requests_total{route="/metrics",method="GET",code="401"})") == 1);
  CHECK(server.redis("CONFIG RESETSTAT") == "OK");
  const Samples samples = scrape(server);
  CHECK(value(samples, R"(wormhole_http_requests_total{route="/metrics",method="GET",code="401"})") == 0);
  CHECK(value(samples, "wormhole_raft_proposals_total") == 0);
  CHECK(value(samples, "wormhole_keys") == 2);

  const std::string all = server.redis("INFO");
  CHECK_FALSE(has(all, "# Commandstats"));
  CHECK(has(all, "loop_longest_turn_work:"));
  CHECK(has(all, "write_usec_p99:"));
  CHECK(has(server.redis("INFO everything"), "cmdstat_info:calls="));
  CHECK(has(server.redis("INFO everything"), "httpstat_GET_/metrics:answers="));
  const std::string two = server.redis("INFO keyspace RAFT");
  CHECK(count_of(two, "# ") == 2);
  CHECK(has(two, "# Raft"));
  CHECK(has(two, "# Keyspace"));
  CHECK(server.redis("INFO nothing").empty());
}

TEST_CASE("log-format: logfmt from the start, plain again while it runs") {
  const TempDir dir;
  Server server(dir, "only");
  server.more = {"--log-format", "logfmt"};
  server.start_ready();
  std::istringstream lines(server.log());
  const std::regex logfmt(
      R"(ts=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z level=[a-z]+ pid=[0-9]+ msg="([^"\\]|\\["\\])*")");
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) CHECK_MESSAGE(std::regex_match(line, logfmt), line);
  CHECK(count > 2);
  CHECK(has(server.log(), "msg=\"an election begins, for term 2: this node is the only voter\""));
  CHECK(server.redis("CONFIG SET log-format plain") == "OK");
  CHECK(server.redis("CONFIG SET timeout 0") == "OK");
  CHECK(has(server.log(), " * timeout was changed by CONFIG SET: 0\n"));
}

}  // namespace wh::testing
