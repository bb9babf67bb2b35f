#include "config/loader.h"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "../../rounds.h"
#include "base/prng.h"
#include "config/option_table.h"

using namespace wh;
using namespace wh::config;
using namespace std::string_literals;

namespace {
using Texts = std::map<std::string, std::string>;
using Environment = std::vector<std::pair<std::string, std::string>>;
using Given = std::vector<GivenDirective>;

std::variant<Loaded, ConfigError> load_texts(const Texts& texts, const Environment& environment = {},
                                             const Given& directives = {}) {
  Files files;
  files.read = [&](const std::string& path) -> Result<std::string> {
    const auto found = texts.find(path);
    if (found == texts.end()) return Error{"No such file or directory"};
    return found->second;
  };
  files.expand = [&](const std::string& pattern) {
    std::vector<std::string> paths;
    const std::string start = pattern.substr(0, pattern.find('*'));
    for (const auto& [path, text] : texts) {
      if (path.starts_with(start)) paths.push_back(path);
    }
    return paths;
  };
  Sources sources;
  sources.config = texts.contains("-") ? "-" : texts.contains("w.conf") ? "w.conf" : "";
  sources.environment = environment;
  sources.directives = directives;
  return config::load(sources, files);
}

Loaded good(const Texts& texts, const Environment& environment = {}, const Given& directives = {}) {
  auto loaded = load_texts(texts, environment, directives);
  if (const auto* error = std::get_if<ConfigError>(&loaded)) FAIL(error->to_string());
  return std::get<Loaded>(std::move(loaded));
}

std::string bad(const Texts& texts, const Environment& environment = {}, const Given& directives = {}) {
  const auto loaded = load_texts(texts, environment, directives);
  REQUIRE(std::holds_alternative<ConfigError>(loaded));
  const std::string text = std::get<ConfigError>(loaded).to_string();
  const std::string head = "*** FATAL CONFIG FILE ERROR ***\n";
  REQUIRE(text.starts_with(head));
  return text.substr(head.size());
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("load: nothing given is all defaults, without a notice") {
  const Loaded loaded = good({});
  CHECK(loaded.options.port == 8080);
  CHECK(loaded.notices.empty());
  CHECK(loaded.set_somewhere.empty());
}

TEST_CASE("load: file, then environment, then command line") {
  const Texts file = {{"w.conf", "port 1\nraft-port 2\ntimeout 3\nbind 127.0.0.2\n"}};
  const Environment environment = {{"WORMHOLE_RAFT_PORT", "20"}, {"WORMHOLE_TIMEOUT", "30"}, {"PATH", "/bin"}};
  const Loaded loaded = good(file, environment, {{"timeout", {"300"}}, {"join", {"a:1", "b:2"}}});
  CHECK(loaded.options.port == 1);
  CHECK(loaded.options.raft_port == 20);
  CHECK(loaded.options.timeout_s == 300);
  CHECK(loaded.options.bind == std::vector<std::string>{"127.0.0.2"});
  CHECK(loaded.options.join == std::vector<std::string>{"a:1", "b:2"});
  CHECK(loaded.notices.empty());
  CHECK(loaded.set_somewhere.contains("port"));
  CHECK(loaded.set_somewhere.contains("join"));
  CHECK_FALSE(loaded.set_somewhere.contains("debug-port"));
}

TEST_CASE("load: standard input is a file too") {
  CHECK(good({{"-", "port 9\n"}}).options.port == 9);
  CHECK(bad({{"-", "port 9\n\nprot 8\n"}}) ==
        "standard input:3: 'prot 8'\nunknown directive 'prot'; did you mean 'port'?");
}

TEST_CASE("load: a bad line stops, with file, number, line and what was expected") {
  CHECK(bad({{"w.conf", "\n\nprot 80\n"}}) == "w.conf:3: 'prot 80'\nunknown directive 'prot'; did you mean 'port'?");
  CHECK(bad({{"w.conf", "qqqqqq 80"}}) == "w.conf:1: 'qqqqqq 80'\nunknown directive 'qqqqqq'");
  CHECK(bad({{"w.conf", "port eighty"}}) == "w.conf:1: 'port eighty'\n'port' must be a whole number from 0 to 65535");
  CHECK(has(bad({{"w.conf", "port 80 # http"}}), "put a comment on a line of its own"));
  CHECK(has(bad({{"w.conf", "port"}}), "'port' needs a value"));
  CHECK(has(bad({{"w.conf", "min-free-disk lots"}}), "w.conf:1: 'min-free-disk lots'\n'min-free-disk' must be a size"));
  CHECK(bad({{"w.conf", "requirepass a hunter2"}}).find("hunter2") == std::string::npos);
  CHECK(has(bad({{"w.conf", "cluster-secret hunter2 hunter3"}}), "w.conf:1: 'cluster-secret ***"));
  CHECK(has(bad({{"w.conf", "\"a\\nb\" 1"}}), "unknown directive 'a\\x0ab'"));

  Sources missing;
  missing.config = "none.conf";
  const auto loaded =
      config::load(missing, {[](const std::string&) { return Result<std::string>(Error{"gone"}); }, {}});
  REQUIRE(std::holds_alternative<ConfigError>(loaded));
  CHECK(has(std::get<ConfigError>(loaded).to_string(), "none.conf\ncannot read the config file: gone"));
}

TEST_CASE("HAZARDS K7: a directive given twice counts as given last, and is pointed out") {
  const Loaded loaded = good({{"w.conf", "port 1\nbind ::1 127.0.0.1\nport 2\nbind 127.0.0.2\n"}});
  CHECK(loaded.options.port == 2);
  CHECK(loaded.options.bind == std::vector<std::string>{"127.0.0.2"});
  REQUIRE(loaded.notices.size() == 2);
  CHECK(loaded.notices[0] == "w.conf:3: 'port' was already set on line 1; the later one counts");
  CHECK(has(loaded.notices[1], "w.conf:4: 'bind'"));
}

TEST_CASE("load: include, where it stands") {
  const Texts texts = {{"w.conf", "port 1\ninclude sub/a.conf\ntimeout 9\n"},
                       {"sub/a.conf", "port 2\ntimeout 2\ninclude b.conf"},
                       {"sub/b.conf", "raft-port 3"}};
  const Loaded loaded = good(texts);
  CHECK(loaded.options.port == 2);
  CHECK(loaded.options.timeout_s == 9);
  CHECK(loaded.options.raft_port == 3);
  CHECK(loaded.notices.empty());
  CHECK(good({{"w.conf", "include /abs/x.conf"}, {"/abs/x.conf", "port 5"}}).options.port == 5);
  CHECK(good({{"w.conf", "include d/*.conf"}, {"d/1.conf", "port 5"}, {"d/2.conf", "port 6"}}).options.port == 6);
  CHECK(good({{"w.conf", "include none/*.conf"}}).options.port == 8080);
  CHECK(good({{"x.conf", "port 7"}}, {}, {{"include", {"x.conf"}}}).options.port == 7);
  CHECK(good({{"x.conf", "port 7"}}, {{"WORMHOLE_INCLUDE", "x.conf"}}).options.port == 7);
  // Twice is no circle.
  CHECK(good({{"w.conf", "include a\ninclude a"}, {"a", "port 7"}}).options.port == 7);
}

TEST_CASE("load: bad includes") {
  CHECK(bad({{"w.conf", "\ninclude none.conf"}}) ==
        "w.conf:2: 'include none.conf'\ncannot read 'none.conf': No such file or directory");
  CHECK(bad({{"w.conf", "include a.conf"}, {"a.conf", "\nprot 1"}}) ==
        "a.conf:2: 'prot 1'\nunknown directive 'prot'; did you mean 'port'?");
  CHECK(has(bad({{"w.conf", "include"}}), "'include' takes one path"));
  CHECK(has(bad({{"w.conf", "include a b"}}), "'include' takes one path"));
  CHECK(has(bad({{"w.conf", "include \"\""}}), "'include' takes one path"));
  CHECK(has(bad({{"w.conf", "include \"a\\x00b\""}}), "NUL"));
  CHECK(has(bad({{"w.conf", "include -"}}), "not standard input"));
  CHECK(has(bad({{"w.conf", "include ./w.conf"}}), "includes itself"));
  CHECK(has(bad({{"w.conf", "include d/b"}, {"d/b", "include ../w.conf"}}), "includes itself"));

  Texts chain = {{"w.conf", "include f1"}};
  for (int i = 1; i < 7; ++i) chain["f" + std::to_string(i)] = "include f" + std::to_string(i + 1);
  chain["f7"] = "port 77";
  CHECK(good(chain).options.port == 77);
  chain["f7"] = "include f8";
  chain["f8"] = "port 88";
  CHECK(has(bad(chain), "f7:1: 'include f8'\n'include' nests at most 8 deep"));

  std::string many;
  for (int i = 0; i < 300; ++i) many += "include a\n";
  CHECK(has(bad({{"w.conf", many}, {"a", "port 1"}}), "w.conf:257: 'include a'\nat most 256 files"));
}

TEST_CASE("environment: directives and the seeds' names, a WORMHOLE_ name before a seed's") {
  const Environment seeds = {{"WORMHOLE_BIND_INTERFACE", "eth0"},
                             {"HTTP_SERVER_PORT", "8000"},
                             {"RAFT_SERVER_PORT", "9000"},
                             {"RAFT_NODE_ID", "node1"},
                             {"RAFT_VOLUME_DIR", "/tmp/node1"}};
  const Options o = good({{"w.conf", "port 1\nnode-id file\n"}}, seeds).options;
  CHECK(o.bind_interface == "eth0");
  CHECK(o.port == 8000);
  CHECK(o.raft_port == 9000);
  CHECK(o.node_id == "node1");
  CHECK(o.dir == "/tmp/node1");
  CHECK(good({}, {{"WORMHOLE_PORT", "1"}, {"HTTP_SERVER_PORT", "2"}}).options.port == 1);
  CHECK(good({}, {{"HTTP_SERVER_PORT", "2"}, {"WORMHOLE_PORT", "1"}}).options.port == 1);
  CHECK(good({}, {{"HTTP_SERVER_PORT", "2"}}, {{"port", {"3"}}}).options.port == 3);
  // A value is taken whole, but for lists.
  CHECK(good({}, {{"WORMHOLE_REQUIREPASS", "a \"b' \\n"}}).options.requirepass == "a \"b' \\n");
  CHECK(good({}, {{"WORMHOLE_JOIN", " a:1  b:2 "}}).options.join == std::vector<std::string>{"a:1", "b:2"});
  CHECK(good({}, {{"WORMHOLE_BIND", "* -::*"}}).options.bind == std::vector<std::string>{"*", "-::*"});
}

TEST_CASE("environment: what is not meant for us is ignored with a notice") {
  const Environment kubernetes = {{"WORMHOLE_PORT", "tcp://10.0.0.1:8080"},
                                  {"WORMHOLE_SERVICE_HOST", "10.0.0.1"},
                                  {"WORMHOLE_PORT_8080_TCP_ADDR", "10.0.0.1"},
                                  {"HTTP_SERVER_PORT", "tcp://10.0.0.2:80"},
                                  {"WORMHOLE_REQUIREPASS", ""},
                                  {"WORMHOLE_", "x"},
                                  {"wormhole_port", "1"},
                                  {"WORMHOLE_port", "1"},
                                  {"WORMHOLE_ENDPOINTS", "http://127.0.0.1:8080"},  // wormhole-cli's
                                  {"OTHER", ""}};
  const Loaded loaded = good({{"w.conf", "requirepass hunter2"}}, kubernetes);
  CHECK(loaded.options.port == 8080);
  CHECK(loaded.options.requirepass == "hunter2");
  REQUIRE(loaded.notices.size() == 7);
  CHECK(has(loaded.notices[0], "WORMHOLE_PORT is ignored"));
  CHECK(has(loaded.notices[0], "tcp://"));
  CHECK(has(loaded.notices[1], "WORMHOLE_SERVICE_HOST is ignored: there is no such directive"));
  CHECK(has(loaded.notices[3], "HTTP_SERVER_PORT is ignored"));
  CHECK(has(loaded.notices[4], "WORMHOLE_REQUIREPASS is ignored: it is empty"));
  // An ignored WORMHOLE_ name does not hide the seed's.
  CHECK(good({}, {{"WORMHOLE_PORT", "tcp://x"}, {"HTTP_SERVER_PORT", "2"}}).options.port == 2);
}

TEST_CASE("environment and command line: errors say where, and show no secret") {
  CHECK(bad({}, {{"WORMHOLE_PORT", "x"}}) ==
        "environment: 'WORMHOLE_PORT=x'\n'port' must be a whole number from 0 to 65535");
  CHECK(has(bad({}, {{"HTTP_SERVER_PORT", "x"}}), "environment: 'HTTP_SERVER_PORT=x'"));
  const std::string long_secret = "hunter2" + std::string(5000, 'x');
  CHECK(has(bad({}, {{"WORMHOLE_CLUSTER_SECRET", long_secret}}), "'WORMHOLE_CLUSTER_SECRET=***'"));
  CHECK_FALSE(has(bad({}, {{"WORMHOLE_CLUSTER_SECRET", long_secret}}), "hunter2"));
  CHECK(bad({}, {}, {{"prot", {"80"}}}) == "command line: '--prot 80'\nunknown directive 'prot'; did you mean 'port'?");
  CHECK(has(bad({}, {}, {{"port", {}}}), "command line: '--port'\n'port' needs a value"));
  CHECK_FALSE(has(bad({}, {}, {{"requirepass", {"a", "hunter2"}}}), "hunter2"));
  CHECK_FALSE(has(bad({}, {}, {{"requirepas", {"hunter2"}}}), "hunter2"));
}

TEST_CASE("no error shows what stands in one word with a secret's name") {
  for (const std::string line :
       {"requirepass=hunter2", "requirepass:hunter2", "requirepass,hunter2", "requirepas=hunter2",
        "Cluster-Secret=hunter2", "port 1 requirepass=hunter2", "password=hunter2", "requirepass\"hunter2\"",
        "requirepass 'hunter2", "requirepass hunter2 hunter2"}) {
    CAPTURE(line);
    CHECK_FALSE(has(bad({{"w.conf", line}}), "hunter2"));
  }
  for (const char* name : {"requirepass:hunter2", "requirepas:hunter2", "requirepass,hunter2"}) {
    CAPTURE(name);
    CHECK_FALSE(has(bad({}, {}, {{name, {}}}), "hunter2"));
  }
  CHECK(has(bad({{"w.conf", "requirepass=hunter2"}}), "'requirepass ***'\nunknown directive 'requirepass***'"));
  CHECK(has(bad({{"w.conf", "port=80"}}), "unknown directive 'port=80'"));
}

TEST_CASE("environment: NAME_FILE names a file that holds a secret") {
  const Texts texts = {{"/run/pw", "hunter 2\r\n"}, {"/run/bare", "x"}};
  CHECK(good(texts, {{"WORMHOLE_REQUIREPASS_FILE", "/run/pw"}}).options.requirepass == "hunter 2");
  CHECK(good(texts, {{"WORMHOLE_CLUSTER_SECRET_FILE", "/run/bare"}}).options.cluster_secret == "x");
  CHECK(good(texts, {{"WORMHOLE_TLS_KEY_FILE_PASS_FILE", "/run/bare"}}).options.tls_key_file_pass == "x");
  CHECK(good(texts, {{"WORMHOLE_REQUIREPASS_FILE", "/run/pw"}}).notices.empty());
  // Every secret that there is, and that there will be.
  for (const OptionSpec& spec : option_table()) {
    if (spec.type != OptionType::secret) continue;
    std::string name = "WORMHOLE_";
    for (const char c : spec.name) name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
    CHECK(good(texts, {{name + "_FILE", "/run/bare"}}).set_somewhere.contains(spec.name));
  }
  // As from the environment: the command line goes before it, it goes before the file.
  const Texts with_file = {{"/run/pw", "b"}, {"w.conf", "requirepass a"}};
  CHECK(good(with_file, {{"WORMHOLE_REQUIREPASS_FILE", "/run/pw"}}).options.requirepass == "b");
  CHECK(good(with_file, {{"WORMHOLE_REQUIREPASS_FILE", "/run/pw"}}, {{"requirepass", {"c"}}}).options.requirepass ==
        "c");
  CHECK(good(with_file, {{"WORMHOLE_REQUIREPASS_FILE", "/run/pw"}, {"WORMHOLE_REQUIREPASS", ""}}).options.requirepass ==
        "b");
}

TEST_CASE("environment: a NAME_FILE that gives no secret stops the start") {
  const std::string name = "WORMHOLE_REQUIREPASS_FILE";
  const auto said = [&](const std::string& path, const std::string& text) {
    const std::string error = bad({{"/f", text}}, {{name, path}});
    CHECK(has(error, "environment: '" + name + "=" + path + "'\n"));
    CHECK_FALSE(has(error, "hunter2"));
    return error;
  };
  CHECK(has(said("/none", ""), "cannot read the file: No such file"));
  CHECK(has(said("/f", ""), "the file is empty"));
  CHECK(has(said("/f", "\n\n"), "the file is empty"));
  CHECK(has(said("/f", "hunter2\nmore\n"), "more than one line"));
  CHECK(has(said("/f", "hunter2" + std::string(5000, 'x')), "at most 4095 bytes"));
  CHECK(has(said("/f", "hunter2\0"s), "NUL"));
  CHECK(has(said("", ""), "it is empty"));
  CHECK(has(bad({{"/f", "x"}}, {{name, "/f"}, {"WORMHOLE_REQUIREPASS", "hunter2"}}),
            "WORMHOLE_REQUIREPASS is set as well"));
}

TEST_CASE("environment: an unknown name near a secret's stops the start, and shows no value") {
  struct Case {
    const char* name;
    const char* meant;
  };
  for (const Case& c :
       {Case{"WORMHOLE_REQUIREPAS", "WORMHOLE_REQUIREPASS"}, Case{"WORMHOLE_REQUIREPASSWORD", "WORMHOLE_REQUIREPASS"},
        Case{"WORMHOLE_REQUIREPAS_FILE", "WORMHOLE_REQUIREPASS_FILE"},
        Case{"WORMHOLE_REQUIREPASS_FILES", "WORMHOLE_REQUIREPASS_FILE"},
        Case{"WORMHOLE_PASSWORD", "WORMHOLE_REQUIREPASS"}, Case{"WORMHOLE_REQUIRE_PASS", "WORMHOLE_REQUIREPASS"},
        Case{"WORMHOLE_SECRET", "WORMHOLE_CLUSTER_SECRET"}, Case{"WORMHOLE_CLUSTERSECRET", "WORMHOLE_CLUSTER_SECRET"},
        Case{"WORMHOLE_CLUSTER_SECRT", "WORMHOLE_CLUSTER_SECRET"},
        Case{"WORMHOLE_CLUSTER_SECERT_FILE", "WORMHOLE_CLUSTER_SECRET_FILE"},
        Case{"WORMHOLE_TLS_KEY_FILE_PAS", "WORMHOLE_TLS_KEY_FILE_PASS"}}) {
    CAPTURE(c.name);
    const std::string error = bad({}, {{c.name, "hunter2"}});
    CHECK(has(error, "environment: '" + std::string(c.name) + "=***'\n"));
    CHECK(has(error, c.meant));
    CHECK_FALSE(has(error, "hunter2"));
  }
  // Others are not meant for us, or no secret's.
  for (const char* name :
       {"WORMHOLE_SERVICE_PORT_PASS", "WORMHOLE_SECRETS_SERVICE_HOST", "WORMHOLE_SECRETS_SERVICE_PORT",
        "WORMHOLE_SECRETS_PORT_80_TCP_ADDR", "WORMHOLE_PROT", "WORMHOLE_TEST_TIME", "WORMHOLE_VERSION"}) {
    CAPTURE(name);
    CHECK(good({}, {{name, "80"}}).notices.size() == 1);
  }
  CHECK(good({}, {{"WORMHOLE_SECRETS_PORT", "tcp://10.0.0.1:80"}}).notices.size() == 1);
}

TEST_CASE("load: contradictions are reported where they were written") {
  CHECK(
      has(bad({{"w.conf", "timeout 1\nraft-heartbeat-interval 400\n"}}), "w.conf:2: 'raft-heartbeat-interval 400'\n"));
  CHECK(has(bad({{"w.conf", "raft-port 8080"}}), "w.conf:1: 'raft-port 8080'\n'port' and 'raft-port' must differ"));
  CHECK(
      has(bad({}, {}, {{"tls-port", {"8443"}}}), "command line: '--tls-port 8443'\n'tls-port' needs 'tls-cert-file'"));
  CHECK(has(bad({{"w.conf", "port 1\nraft-port 2"}}, {{"WORMHOLE_RAFT_PORT", "1"}}),
            "environment: 'WORMHOLE_RAFT_PORT=1'"));
  // Only the outcome counts.
  CHECK(good({{"w.conf", "raft-port 8080"}}, {}, {{"port", {"81"}}}).options.raft_port == 8080);
}

TEST_CASE("load: a default debug port gives way, one that was asked for does not") {
  const Loaded loaded = good({{"w.conf", "raft-port 1113"}});
  CHECK(loaded.options.debug_port == 0);
  REQUIRE(loaded.notices.size() == 1);
  CHECK(has(loaded.notices[0], "runs without a debug port"));
  CHECK(has(bad({{"w.conf", "raft-port 1113\ndebug-port 1113"}}), "'raft-port' and 'debug-port' must differ"));
  CHECK(good({{"w.conf", "tls-debug-port 1113\ntls-cert-file c\ntls-key-file k"}}).options.debug_port == 0);
}

TEST_CASE("load: notices about what is set") {
  CHECK(has(good({{"w.conf", "appendfsync everysec"}}).notices.at(0), "appendfsync is 'everysec'"));
  CHECK(good({{"w.conf", "appendfsync always"}}).notices.empty());
  CHECK(has(good({{"w.conf", "bind ::1\nbind-interface lo"}}).notices.at(0), "'bind' has no effect"));
}

TEST_CASE("load: random lines of known names never crash") {
  Prng prng(11);
  const std::string names[] = {"port", "bind", "join", "include", "requirepass", "maxmemory", "dir", "x", "loglevel"};
  const std::string alphabet = "0123456789 \"'\\x:-*./#\n\r\0\xffkmb"s;
  for (unsigned round = 0, last = wh::testing::rounds(10000); round < last; ++round) {
    std::string text;
    for (uint64_t lines = prng.below(4); lines > 0; --lines) {
      text += names[prng.below(std::size(names))] + " ";
      for (uint64_t n = prng.below(12); n > 0; --n) text += alphabet[prng.below(alphabet.size())];
      text += "\n";
    }
    const auto loaded = load_texts({{"w.conf", text}}, {{"WORMHOLE_DIR", text}}, {{"node-id", {text}}});
    if (const auto* error = std::get_if<ConfigError>(&loaded)) CHECK_FALSE(error->expected.empty());
  }
}
