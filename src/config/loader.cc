#include "config/loader.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include "base/log.h"
#include "config/option_checks.h"
#include "config/option_table.h"
#include "config/option_values.h"
#include "config/parser.h"

namespace wh::config {
namespace {

constexpr size_t kMaxIncludeDepth = 8;
constexpr size_t kMaxIncludedFiles = 256;  // in all: eight levels alone would allow exponentially many
constexpr std::string_view kEnvironmentPrefix = "WORMHOLE_";
constexpr std::string_view kFileSuffix = "_FILE";  // ends the name of a variable that names a secret's file

std::string in_quotes(std::string_view text) { return "'" + printable(text) + "'"; }

// The directive's variable in the environment: WORMHOLE_RAFT_PORT.
std::string environment_name(std::string_view directive) {
  std::string out(kEnvironmentPrefix);
  for (const char c : directive) {
    if (c == '-') {
      out += '_';
    } else {
      out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return out;
}

class Loader {
 public:
  explicit Loader(const Files& files) : files_(files) {}

  std::variant<Loaded, ConfigError> load(const Sources& sources) {
    if (!sources.config.empty()) apply_file(sources.config, {"", 0, ""});
    if (!error_) apply_environment(sources.environment);
    for (const GivenDirective& given : sources.directives) {
      if (error_) break;
      std::string text = "--" + given.name;
      for (const std::string& value : given.values) text += " " + value;
      apply({"command line", 0, shown_line(text)}, given.name, given.values, "");
    }
    if (!error_) finish();
    if (error_) return std::move(*error_);
    return std::move(loaded_);
  }

 private:
  // Where a directive was given; `text` in the form that errors may show.
  struct Place {
    std::string source;
    size_t line = 0;
    std::string text;
  };

  void fail(const Place& place, std::string expected) {
    error_ = ConfigError{place.source, place.line, place.text, std::move(expected)};
  }

  // `from` is the line that includes the file; its source is empty for the config file itself.
  void apply_file(const std::string& path, const Place& from) {
    const bool included = !from.source.empty();
    const std::string name = path == "-" ? "standard input" : path;
    const Result<std::string> text = files_.read(path);
    if (!text) {
      return included ? fail(from, "cannot read " + in_quotes(path) + ": " + text.error())
                      : fail({name, 0, ""}, "cannot read the config file: " + text.error());
    }
    std::variant<std::vector<Line>, ConfigError> parsed = parse(name, *text);
    if (auto* error = std::get_if<ConfigError>(&parsed)) {
      error_ = std::move(*error);
      return;
    }
    open_files_.push_back(std::filesystem::path(path).lexically_normal().string());
    const std::string folder = path == "-" ? "" : std::filesystem::path(path).parent_path().string();
    for (const Line& line : std::get<std::vector<Line>>(parsed)) {
      apply({name, line.number, shown_line(line.text)}, line.words[0], {line.words.begin() + 1, line.words.end()},
            folder);
      if (error_) return;
    }
    open_files_.pop_back();
  }

  void apply(const Place& place, std::string_view name, const std::vector<std::string>& words,
             const std::string& folder) {
    const OptionSpec* spec = find_option(name);
    if (spec == nullptr) {
      const std::string_view nearest = nearest_option(name);
      return fail(place, "unknown directive '" + shown_name(name) + "'" +
                             (nearest.empty() ? "" : "; did you mean " + in_quotes(nearest) + "?"));
    }
    if (spec->type == OptionType::include) return include(place, words, folder);
    if (const Status status = assign_option(loaded_.options, *spec, words); !status) return fail(place, status.error());
    note_place(*spec, place);
  }

  void note_place(const OptionSpec& spec, const Place& place) {
    const auto [found, first] = places_.try_emplace(spec.name, place);
    if (first) {
      loaded_.set_somewhere.insert(spec.name);
      return;
    }
    // Sources are meant to override each other; the same directive twice in one file is most often a mistake.
    if (place.line != 0 && found->second.source == place.source && found->second.line != place.line) {
      loaded_.notices.push_back(place.source + ":" + std::to_string(place.line) + ": '" + std::string(spec.name) +
                                "' was already set on line " + std::to_string(found->second.line) +
                                "; the later one counts");
    }
    found->second = place;
  }

  void include(const Place& place, const std::vector<std::string>& words, const std::string& folder) {
    if (words.size() != 1 || words[0].empty()) return fail(place, "'include' takes one path");
    if (words[0].find('\0') != std::string::npos) return fail(place, "'include' must not contain a NUL byte");
    // operator/ leaves an absolute path as it is.
    const std::string path = (std::filesystem::path(folder) / words[0]).string();
    if (path == "-") return fail(place, "'include' takes a file, not standard input");
    const bool is_pattern = path.find_first_of("*?[") != std::string::npos;
    const std::vector<std::string> paths = is_pattern ? files_.expand(path) : std::vector<std::string>{path};
    for (const std::string& one : paths) {
      const std::string normal = std::filesystem::path(one).lexically_normal().string();
      if (std::find(open_files_.begin(), open_files_.end(), normal) != open_files_.end())
        return fail(place, in_quotes(one) + " includes itself");
      if (open_files_.size() >= kMaxIncludeDepth)
        return fail(place, "'include' nests at most " + std::to_string(kMaxIncludeDepth) + " deep");
      if (++included_files_ > kMaxIncludedFiles)
        return fail(place, "at most " + std::to_string(kMaxIncludedFiles) + " files can be included");
      apply_file(one, place);
      if (error_) return;
    }
  }

  void apply_environment(const std::vector<std::pair<std::string, std::string>>& environment) {
    std::map<std::string_view, std::string_view> usable;
    std::map<std::string_view, std::string_view> secret_files;  // NAME_FILE
    for (const auto& [name, value] : environment) {
      const bool ours = name.starts_with(kEnvironmentPrefix);
      if ((!ours && !is_seed_name(name)) || is_for_clients(name)) continue;
      // Kubernetes sets such variables for a service named "wormhole" (or "http-server").
      if (value.starts_with("tcp://")) {
        note_ignored(name, "its value is an address of a service (tcp://...), as Kubernetes sets it");
      } else if (value.empty() && is_secret_file_name(name)) {
        return fail({"environment", 0, name + "="}, "it is empty: it must name a file that holds the secret");
      } else if (value.empty()) {
        note_ignored(name, "it is empty");
      } else if (is_secret_file_name(name)) {
        secret_files[name] = value;
      } else if (ours && !is_directive_name(name)) {
        if (const std::string_view secret = meant_secret(name); !secret.empty()) return fail_near_secret(name, secret);
        note_ignored(name, "there is no such directive");
      } else {
        usable[name] = value;
      }
    }
    for (const OptionSpec& spec : option_table()) {
      auto found = usable.find(environment_name(spec.name));
      if (found == usable.end() && !spec.seed_environment.empty()) found = usable.find(spec.seed_environment);
      if (found == usable.end()) continue;
      const bool hidden = spec.type == OptionType::secret;
      const std::string text =
          std::string(found->first) + "=" + (hidden ? std::string(kSecretMask) : shown_line(found->second));
      apply({"environment", 0, text}, spec.name, option_words(spec, found->second), "");
      if (error_) return;
    }
    for (const auto& [name, path] : secret_files) {
      apply_secret_file(name, std::string(path), usable);
      if (error_) return;
    }
  }

  // Reads the file in which a container platform gives a secret: one line, whose line end is not part of the secret.
  void apply_secret_file(std::string_view name, const std::string& path,
                         const std::map<std::string_view, std::string_view>& usable) {
    const std::string_view direct = name.substr(0, name.size() - kFileSuffix.size());
    const Place place{"environment", 0, std::string(name) + "=" + printable(path)};
    if (usable.contains(direct)) return fail(place, std::string(direct) + " is set as well: set one of the two");
    const Result<std::string> text = files_.read(path);
    if (!text) return fail(place, "cannot read the file: " + text.error());
    std::string_view secret = *text;
    while (secret.ends_with('\n') || secret.ends_with('\r')) secret.remove_suffix(1);
    if (secret.empty()) return fail(place, "the file is empty: it must hold the secret");
    if (secret.find('\n') != std::string_view::npos)
      return fail(place, "the file has more than one line: it must hold the secret and nothing else");
    apply(place, secret_file_spec(name)->name, {std::string(secret)}, "");
  }

  // The secret that the variable NAME_FILE gives a file for; null when NAME is no secret.
  static const OptionSpec* secret_file_spec(std::string_view name) {
    if (!name.ends_with(kFileSuffix)) return nullptr;
    name.remove_suffix(kFileSuffix.size());
    const auto found = std::find_if(option_table().begin(), option_table().end(), [&](const OptionSpec& spec) {
      return spec.type == OptionType::secret && environment_name(spec.name) == name;
    });
    return found == option_table().end() ? nullptr : &*found;
  }
  static bool is_secret_file_name(std::string_view name) { return secret_file_spec(name) != nullptr; }

  // The secret nearest to a name that is no directive; empty when none is near. A misspelt name of the password must
  // not start a server without a password.
  static std::string_view meant_secret(std::string_view name) {
    if (is_service_name(name)) return {};
    std::string wanted = to_lower(name.substr(kEnvironmentPrefix.size()));
    std::replace(wanted.begin(), wanted.end(), '_', '-');
    for (const bool as_file : {false, true}) {
      if (as_file && wanted.ends_with("-file")) wanted.resize(wanted.size() - 5);
      const std::string_view nearest = nearest_option(wanted);
      if (!nearest.empty() && find_option(nearest)->type == OptionType::secret) return nearest;
    }
    if (!hides_value(wanted)) return {};
    return wanted.find("secret") != std::string::npos ? "cluster-secret" : "requirepass";
  }
  // Variables that Kubernetes sets beside the address: WORMHOLE_SERVICE_PORT_PASS for a port named "pass",
  // WORMHOLE_SECRETS_SERVICE_HOST and WORMHOLE_SECRETS_PORT_80_TCP_ADDR for a service named "wormhole-secrets".
  static bool is_service_name(std::string_view name) {
    if (name.find("_SERVICE_HOST") != std::string_view::npos || name.find("_SERVICE_PORT") != std::string_view::npos)
      return true;
    const size_t port = name.find("_PORT_");
    return port != std::string_view::npos && port + 6 < name.size() && name[port + 6] >= '0' && name[port + 6] <= '9';
  }
  void fail_near_secret(std::string_view name, std::string_view secret) {
    const std::string meant = environment_name(secret);
    fail({"environment", 0, printable(name.substr(0, 128)) + "=" + std::string(kSecretMask)},
         "there is no such directive; did you mean " + meant + ", or " + meant + std::string(kFileSuffix) +
             ", which names a file that holds it?");
  }

  // What wormhole-cli reads, in a shell that may start a server too. Its WORMHOLE_PASSWORD is not among them: whoever
  // gives that to a server most likely means requirepass.
  static bool is_for_clients(std::string_view name) {
    constexpr std::array<std::string_view, 5> kNames{"WORMHOLE_ENDPOINTS", "WORMHOLE_CACERT", "WORMHOLE_CERT",
                                                     "WORMHOLE_KEY", "WORMHOLE_INSECURE"};
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
  }

  static bool is_seed_name(std::string_view name) {
    return std::any_of(option_table().begin(), option_table().end(),
                       [&](const OptionSpec& spec) { return spec.seed_environment == name; });
  }
  static bool is_directive_name(std::string_view name) {
    return std::any_of(option_table().begin(), option_table().end(),
                       [&](const OptionSpec& spec) { return environment_name(spec.name) == name; });
  }
  void note_ignored(std::string_view name, std::string_view why) {
    loaded_.notices.push_back("environment: " + printable(name.substr(0, 128)) + " is ignored: " + std::string(why));
  }

  void finish() {
    Options& options = loaded_.options;
    // The default debug port gives way to a directive with the same port, as it does to another process.
    const bool taken = options.debug_port == options.port || options.debug_port == options.tls_port ||
                       options.debug_port == options.tls_debug_port || options.debug_port == options.raft_port;
    if (options.debug_port != 0 && taken && !loaded_.set_somewhere.contains("debug-port")) {
      loaded_.notices.push_back("the default debug-port " + std::to_string(options.debug_port) +
                                " is used by another directive: this node runs without a debug port");
      options.debug_port = 0;
    }
    if (!options.bind_interface.empty() && loaded_.set_somewhere.contains("bind"))
      loaded_.notices.emplace_back("'bind' has no effect: 'bind-interface' is set");
    for (std::string& notice : option_notices(options)) loaded_.notices.push_back(std::move(notice));

    const std::vector<OptionProblem> problems = check_options(options);
    if (problems.empty()) return;
    const OptionProblem& problem = problems.front();
    for (const std::string_view directive : problem.directives) {
      const auto found = places_.find(directive);
      if (found != places_.end()) return fail(found->second, problem.message);
    }
    fail({"defaults", 0, ""}, problem.message);
  }

  const Files& files_;
  Loaded loaded_;
  std::optional<ConfigError> error_;
  std::map<std::string_view, Place> places_;  // where each directive was set last
  std::vector<std::string> open_files_;       // the chain of includes, outermost first
  size_t included_files_ = 0;
};

}  // namespace

std::variant<Loaded, ConfigError> load(const Sources& sources, const Files& files) {
  return Loader(files).load(sources);
}

}  // namespace wh::config
