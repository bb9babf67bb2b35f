// What the commands share, and their names. Each command reads its Invocation, asks the Cluster, prints, and returns
// the exit status; they are in commands_*.cc by subject, and arguments.h's table leads to them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/cluster.h"
#include "cli/output.h"

namespace wh::cli {

// Says why there is no success, and returns the exit status.
int report(const Reply& reply);
// A sentence for the user, and kUsage: a command line that fits the table but makes no sense.
int misuse(const Invocation& invocation, const std::string& sentence);

// A path and its query, percent-encoded as it grows.
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}
  // A segment: a slash, then `name` with every slash in it encoded.
  Target& segment(std::string_view name);
  Target& literal(std::string_view text);
  Target& add(std::string_view name, std::string_view value);
  // A parameter without a value.
  Target& flag(std::string_view name);
  // The option's value under that name, if it is given.
  Target& option(const Invocation& invocation, std::string_view option, std::string_view name);
  // consistency=stale, if --stale is given.
  Target& staleness(const Invocation& invocation);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool query_ = false;
};
[[nodiscard]] Target kv_target(std::string_view key);
[[nodiscard]] Target queue_target(std::string_view queue);

// A GET of that.
[[nodiscard]] Request read_of(const Target& target);
// A write without a body.
[[nodiscard]] Request write_of(std::string method, const Target& target);

// The path and query of `Link: <...>; rel="next"`; empty when it was the last page.
std::string next_page(const Answer& answer);

// Reads a file to its end, "-" for standard input; the error names it. Standard input: an error too when a signal ended
// it.
Result<std::string> read_input(const std::string& path);
// Reads what is there next, at most `most` bytes; empty at the end. Waits when nothing is there, if `wait`; else
// nothing.
Result<std::optional<std::string>> read_some_input(size_t most, bool wait);

// Tells why input cannot be read, unless a signal ended it; the exit status.
int unread(const std::string& sentence);

// The value of a command: what is given as `argument` ("-": standard input), by --file, or, with neither, standard
// input unless that is a terminal; or the exit status once the reason was told.
std::variant<std::string, int> given_data(const Invocation& invocation, size_t argument);

int run_status(Cluster& cluster, const Invocation& invocation);
int run_members(Cluster& cluster, const Invocation& invocation);
int run_add(Cluster& cluster, const Invocation& invocation);
int run_remove(Cluster& cluster, const Invocation& invocation);
int run_transfer(Cluster& cluster, const Invocation& invocation);
int run_settings(Cluster& cluster, const Invocation& invocation);
int run_backup(Cluster& cluster, const Invocation& invocation);
int run_verify(Cluster& cluster, const Invocation& invocation);

int run_get(Cluster& cluster, const Invocation& invocation);
int run_put(Cluster& cluster, const Invocation& invocation);
int run_del(Cluster& cluster, const Invocation& invocation);
int run_list(Cluster& cluster, const Invocation& invocation);
int run_watch(Cluster& cluster, const Invocation& invocation);
int run_incr(Cluster& cluster, const Invocation& invocation);
int run_txn(Cluster& cluster, const Invocation& invocation);
int run_lock(Cluster& cluster, const Invocation& invocation);
int run_leases(Cluster& cluster, const Invocation& invocation);

int run_enqueue(Cluster& cluster, const Invocation& invocation);
int run_receive(Cluster& cluster, const Invocation& invocation);
int run_ack(Cluster& cluster, const Invocation& invocation);
int run_release(Cluster& cluster, const Invocation& invocation);
int run_extend(Cluster& cluster, const Invocation& invocation);
int run_bury(Cluster& cluster, const Invocation& invocation);
int run_queues(Cluster& cluster, const Invocation& invocation);
int run_peek(Cluster& cluster, const Invocation& invocation);
int run_redrive(Cluster& cluster, const Invocation& invocation);
int run_stream(Cluster& cluster, const Invocation& invocation);
int run_pause(Cluster& cluster, const Invocation& invocation);
int run_resume(Cluster& cluster, const Invocation& invocation);
int run_purge(Cluster& cluster, const Invocation& invocation);
int run_remove_events(Cluster& cluster, const Invocation& invocation);
int run_delete_queue(Cluster& cluster, const Invocation& invocation);

}  // namespace wh::cli
