#include "server/tools.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>
#include <unistd.h>
#include <utility>

#include "backup/reader.h"
#include "backup/restore.h"
#include "base/hex.h"
#include "base/log.h"
#include "config/option_checks.h"
#include "server/identity.h"
#include "storage/survivor.h"

namespace wh::server {
namespace {

int complain(const std::string& message) {
  std::fprintf(stderr, "wormhole-server: %s\n", message.c_str());
  return 1;
}

std::string counted(uint64_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

std::string contents(const backup::Backup& backup) {
  std::string out = counted(backup.info.keys, "key", "keys") + ", " + counted(backup.info.events, "event", "events");
  if (const size_t queues = backup.state.queues.by_name().size(); queues > 0)
    out += " in " + counted(queues, "queue", "queues");
  return out;
}

// "index 7 in term 2"
std::string place(raft::Index index, raft::Term term) {
  return "index " + std::to_string(index.value) + " in term " + std::to_string(term.value);
}

void print_members(const storage::Survivor& survivor, const raft::Configuration& configuration) {
  for (const raft::Member& member : configuration.members())
    std::printf("    %-16s %-8s %s%s\n", printable(member.name).c_str(),
                member.suffrage == raft::Suffrage::voter ? "voter" : "learner", printable(member.raft_address).c_str(),
                member.id == survivor.node().instance ? "  (this node)" : "");
}

void print_found(const storage::Survivor& survivor) {
  const node::RecoveredNode& node = survivor.node();
  const raft::Log::Recovered& log = node.raft.log;
  const raft::Log::ConfigurationAt configuration = survivor.configuration();
  std::printf("Found in %s: node %s of cluster %s\n", survivor.directory().c_str(), printable(node.name).c_str(),
              node::to_hex(node.cluster).c_str());
  std::printf("  last entry        %s\n", place(log.last_index, survivor.last_log_term()).c_str());
  std::printf("  current term      %" PRIu64 "\n", node.raft.hard_state.current_term.value);
  if (node.raft.snapshot)
    std::printf("  snapshot          %s: up to here all was committed\n",
                place(node.raft.snapshot->index, node.raft.snapshot->term).c_str());
  else
    std::printf("  snapshot          none: the log goes back to its beginning\n");
  std::printf("  members           as of index %" PRIu64 "\n", configuration.index.value);
  print_members(survivor, configuration.configuration);
  if (!configuration.configuration.contains(node.instance))
    std::printf("  NOTE: this node was removed from the cluster: what was written later is not here.\n");
  else if (configuration.configuration.is_learner(node.instance))
    std::printf("  NOTE: this node is a learner: it may lack what the voters had acknowledged.\n");
}

void print_danger(const storage::Survivor& survivor) {
  std::printf(
      "\n"
      "Recovering makes a new cluster of this node alone. Kept is all that is in its log, also\n"
      "what was never acknowledged. Lost is what was acknowledged and is not in this log: only\n"
      "the other members had it. So do this only when a quorum of the voters is gone for good,\n"
      "and on one node only: compare the others that are left with --recover --dry-run, and take\n"
      "the one whose last entry has the highest term, and of equal terms the highest index; here\n"
      "it is %s.\n"
      "Never start the other members on their old directories again: they would go on as the\n"
      "old cluster. With empty directories they can join this one.\n",
      place(survivor.node().raft.log.last_index, survivor.last_log_term()).c_str());
}

// Asks on the terminal; the operator must type `yes` in full.
bool confirmed() {
  std::printf("\nType yes to make a new cluster of this node alone: ");
  std::fflush(stdout);
  char answer[16] = {};
  return std::fgets(answer, sizeof answer, stdin) != nullptr && std::strcmp(answer, "yes\n") == 0;
}

}  // namespace

int verify_backup(const config::CommandLine& line) {
  const Result<backup::Backup> backup = backup::read_backup(line.file);
  if (!backup) return complain(backup.error());
  const backup::BackupInfo& info = backup->info;
  std::printf("%s is good: %" PRIu64 " bytes\n", line.file.c_str(), backup->file_bytes);
  std::printf("  state    of cluster %s at %s\n", printable(info.cluster_id).c_str(),
              place(info.index, info.term).c_str());
  std::printf("  made     %s by node %s, wormhole %s\n", printable(info.made_at).c_str(),
              printable(info.node_id).c_str(), printable(info.version).c_str());
  std::printf("  holds    %s\n", contents(*backup).c_str());
  std::printf("  digest   %s, state_digest in INFO of every node at that index\n", to_hex(info.digest).c_str());
  return 0;
}

int restore_backup(const config::CommandLine& line, const config::Options& options) {
  Result<backup::Backup> backup = backup::read_backup(line.file);
  if (!backup) return complain(backup.error() + "; nothing was touched");
  const backup::BackupInfo info = backup->info;
  const std::string holds = contents(*backup);
  const std::string id =
      options.node_id.empty() ? config::default_node_id(machine_name(), options.raft_port) : options.node_id;
  const backup::Founder founder{.name = id,
                                .instance = raft::NodeId{random_value<uint64_t>() | 1},
                                .cluster = random_value<node::ClusterId>(),
                                .raft_address = ":" + std::to_string(options.raft_port)};
  const Result<raft::Index> index = backup::restore_backup(std::move(*backup), options.dir, founder);
  if (!index) return complain(index.error());
  std::printf("Restored %s into %s: %s, as of index %" PRIu64 " of cluster %s\n", line.file.c_str(),
              options.dir.c_str(), holds.c_str(), info.index.value, printable(info.cluster_id).c_str());
  std::printf("  It is a new cluster, %s, of node %s alone. Indexes and the ids of events go on\n",
              node::to_hex(founder.cluster).c_str(), printable(id).c_str());
  std::printf("  behind %" PRIu64 ".\n", index->value);
  std::printf(
      "Start it as this command was started, without --restore. Then start the others, each with\n"
      "an empty directory and with join naming this node: they are taken in and catch up.\n");
  if (::geteuid() == 0)
    std::fprintf(stderr,
                 "What is in the directory belongs to root. For a server that runs as another user: chown -R USER %s\n",
                 options.dir.c_str());
  return 0;
}

int recover_node(const config::CommandLine& line, const config::Options& options) {
  const Result<std::unique_ptr<storage::Survivor>> opened = storage::Survivor::examine(options.dir, options.node_id);
  if (!opened) return complain(opened.error());
  storage::Survivor& survivor = **opened;
  if (survivor.node().cluster == node::kNoCluster)
    return complain("the node in " + survivor.directory() + " was never in a cluster: there is nothing to recover");
  const raft::Configuration members = survivor.configuration().configuration;
  if (members.empty())
    return complain("the node in " + survivor.directory() +
                    " had just been taken into its cluster and has nothing of it yet: there is nothing to recover");
  print_found(survivor);
  if (members.voters() == 1 && members.is_voter(survivor.node().instance)) {
    std::printf("\nThis node is the only voter: it needs nobody, and nothing was changed. Start it.\n");
    return 0;
  }
  print_danger(survivor);
  if (line.dry_run) {
    std::printf("\nThis was --dry-run: nothing was changed.\n");
    return 0;
  }
  if (!line.yes) {
    if (::isatty(STDIN_FILENO) == 0)
      return complain("there is no terminal to ask on: nothing was changed (--yes says yes beforehand)");
    if (!confirmed()) return complain("the answer was not yes: nothing was changed");
  }
  const auto fresh = random_value<node::ClusterId>();
  if (const Status done = survivor.take_over(fresh); !done) return complain(done.error());
  std::printf(
      "\nDone: node %s is cluster %s, alone in it. Start it as before; then start the\n"
      "others, each with an empty directory and with join naming this node.\n",
      printable(survivor.node().name).c_str(), node::to_hex(fresh).c_str());
  return 0;
}

}  // namespace wh::server
