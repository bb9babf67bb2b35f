// The rows of the table: its commands of the cluster and of keys, and the options of every command, with the texts of
// --help and the man page. The queues' are in command_table_queues.cc.
#include "cli/commands.h"
#include "cli/option_rows.h"

namespace wh::cli {
namespace {

const std::vector<CommandRow> kCluster{
    {.group = "The cluster",
     .name = "status",
     .line = "shows all members, who leads, who is silent, and how many more may fail",
     .more =
         "Any endpoint answers. The status is 1 when a member is silent, when no leader is known, or when not one more "
         "voter may fail, which is always so with fewer than three.\n\n"
         "LAG counts the entries of the log that the leader does not know a member to have.",
     .example = "wormhole-cli status || echo 'the cluster needs somebody'",
     .options = {},
     .run = run_status},
    {.group = "The cluster",
     .name = "members",
     .line = "lists the members and their addresses",
     .more = "Unlike status it asks only what any node knows.",
     .example = "wormhole-cli members -o json",
     .options = {},
     .run = run_members},
    {.group = "The cluster",
     .name = "add",
     .arguments = "ID RAFT_ADDRESS",
     .least = 2,
     .most = 2,
     .line = "adds a node, and waits until it votes",
     .more = "ID is the node's node-id, RAFT_ADDRESS its HOST:RAFT_PORT as the other members reach it. The node must "
             "run, and "
             "hold no data. To repeat it does no harm.",
     .example = "wormhole-cli add node4 10.0.0.4:1112",
     .options = {},
     .run = run_add},
    {.group = "The cluster",
     .name = "remove",
     .arguments = "ID",
     .least = 1,
     .most = 1,
     .line = "removes a member",
     .more = "Refused where the rest would have no quorum of voters that are there.",
     .example = "wormhole-cli remove node2",
     .options = {},
     .run = run_remove},
    {.group = "The cluster",
     .name = "transfer",
     .arguments = "ID",
     .least = 1,
     .most = 1,
     .line = "hands leadership to a member, and waits until it leads",
     .example = "wormhole-cli transfer node1",
     .options = {},
     .run = run_transfer},
    {.group = "The cluster",
     .name = "settings",
     .arguments = "[NAME=VALUE...]",
     .most = 64,
     .line = "shows the settings of the cluster, or of a queue, or changes those that are named",
     .more = "An array stands in quotes. A queue that is not there is made.",
     .example = "wormhole-cli settings --queue orders max_deliveries=5 'backoff=[\"1s\",\"1m\"]'",
     .options = {{"--queue", "QUEUE", "the settings of this queue"}},
     .run = run_settings},
    {.group = "The cluster",
     .name = "backup",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .line = "saves all keys and queues, as of one moment, as FILE",
     .more = "FILE appears only once it is whole and on the disk. wormhole-server --restore makes a new cluster of it.",
     .example = "wormhole-cli backup --verify /backups/wormhole.db",
     .options = {{"--force", "", "replace FILE if it exists"}, {"--verify", "", "verify it too; see verify"}, kStale},
     .run = run_backup},
    {.group = "The cluster",
     .name = "verify",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .line = "verifies a backup: every row, checksum and count of it",
     .more = "No node is asked. The reading is done by wormhole-server --verify, which must be beside wormhole-cli or "
             "in PATH.",
     .example = "wormhole-cli verify /backups/wormhole.db",
     .options = {},
     .run = run_verify},
};

const std::vector<CommandRow> kStore{
    {.group = "Keys",
     .name = "get",
     .arguments = "KEY",
     .least = 1,
     .most = 1,
     .line = "writes the bytes of a key's value to standard output",
     .more = "With -o json the numbers of its changes too. The status is 1 when there is no such key.",
     .example = "wormhole-cli get app/color",
     .options = {kRaw, kStale},
     .run = run_get},
    {.group = "Keys",
     .name = "put",
     .arguments = "KEY [VALUE]",
     .least = 1,
     .most = 2,
     .line = "sets a key, and prints the index of the change",
     .more =
         "VALUE may be '-', for standard input, which is also read when neither VALUE nor --file is given and it is no "
         "terminal. Unlike an argument it may hold any bytes. Refused with status 1 when --if-match or --if-absent "
         "does "
         "not hold.",
     .example = "wormhole-cli put app/color blue\nwormhole-cli put app/logo --file logo.png --content-type image/png",
     .options = {kFile,
                 {"--content-type", "TYPE", "the media type that is kept with it"},
                 {"--if-match", "N", "only if the key's last change is that of index N"},
                 {"--if-absent", "", "only if there is no such key"},
                 kTtl,
                 {"--lease", "N", "end with this lease"},
                 kKey},
     .run = run_put},
    {.group = "Keys",
     .name = "del",
     .arguments = "[KEY]",
     .most = 1,
     .line = "deletes a key, or all keys with a prefix",
     .more = "A key that is not there is no error. With --prefix it prints how many were deleted.",
     .example = "wormhole-cli del app/color\nwormhole-cli del --prefix sessions/",
     .options = {{"--prefix", "PREFIX", "all keys that begin with PREFIX"},
                 {"--if-match", "N", "only if the key's last change is that of index N"},
                 kKey},
     .run = run_del},
    {.group = "Keys",
     .name = "list",
     .arguments = "[PREFIX]",
     .most = 1,
     .line = "lists the keys, of all pages, in the order of their bytes",
     .more = "A table shows at most 60 characters of a value; with -o json each line is an object with all of it.",
     .example = "wormhole-cli list services/ --keys",
     .options = {{"--keys", "", "only the keys, one on each line"}, {"--limit", "N", "at most N keys"}, kStale},
     .run = run_list},
    {.group = "Keys",
     .name = "watch",
     .arguments = "[KEY]",
     .most = 1,
     .line = "prints every change of a key, or of a prefix, as it comes",
     .more = "When a node ends or dies it goes on at the next endpoint, after the last change that it printed. When "
             "changes are "
             "not kept any more it says so on standard error, and goes on with what there is.",
     .example = "wormhole-cli watch --prefix services/ --initial -o json",
     .options = {{"--prefix", "PREFIX", "all keys that begin with PREFIX"},
                 {"--from", "N", "begin with the changes of index N"},
                 {"--initial", "", "print the items that there are first"},
                 {"--prev", "", "with -o json: the item before each change too"},
                 kCount},
     .run = run_watch},
    {.group = "Keys",
     .name = "incr",
     .arguments = "KEY",
     .least = 1,
     .most = 1,
     .line = "adds to a number, and prints the sum",
     .example = "wormhole-cli incr visits --by 5",
     .options = {{"--by", "NUMBER", "how much, may be negative; 1 if not given"}, kKey},
     .run = run_incr},
    {.group = "Keys",
     .name = "txn",
     .arguments = "[FILE]",
     .most = 1,
     .line = "does a transaction, given as JSON in a file or on standard input",
     .more = "The JSON is that of POST /txn: compare, success, failure. The answer is printed as JSON. The status is 1 "
             "when a "
             "comparison did not hold, and the operations under failure were done.",
     .example = "echo "
                "'{\"compare\":[{\"key\":\"a\",\"exists\":false}],\"success\":[{\"put\":{\"key\":\"a\",\"value\":\"1\"}"
                "}]}' |\n"
                "  wormhole-cli txn",
     .options = {kKey},
     .run = run_txn},
    {.group = "Keys",
     .name = "lock",
     .arguments = "KEY",
     .least = 1,
     .most = 1,
     .runs = RunsCommand::must,
     .line = "runs a command while it holds the lock KEY; waits for the lock first",
     .more = "COMMAND finds KEY in $LOCK and its fencing token in $TOKEN. The status is that of COMMAND; 75 when the "
             "lock was lost "
             "meanwhile: COMMAND then gets SIGTERM a fifth of the ttl before another one may have the lock, and "
             "SIGKILL at its "
             "end. A write that the lock guards compares the token: {\"key\": \"$LOCK\", \"create_index\": $TOKEN} in "
             "a transaction.\n\n"
             "The lock is free again when COMMAND ends or wormhole-cli gets a signal, and a ttl after wormhole-cli was "
             "killed, "
             "which kills COMMAND too, but not what COMMAND has started: end a script with 'exec PROGRAM'. All other "
             "signals reach all that it has started.",
     .example = "wormhole-cli lock jobs/report --ttl 15s -- ./write-report",
     .options = {{"--ttl", "TIME", "how long a holder that died keeps it; 10s if not given"},
                 {"--wait", "TIME",
                  "give up after TIME, with status 1, or 3 or 4 where no node answers; for ever if not given"},
                 {"--value", "TEXT", "what those who wait are shown; the host and process if not given"}},
     .run = run_lock},
    {.group = "Keys",
     .name = "leases",
     .arguments = "[ID]",
     .most = 1,
     .line = "lists the leases, or shows one with its keys",
     .example = "wormhole-cli leases",
     .options = {kStale},
     .run = run_leases},
};

}  // namespace

const std::vector<CommandRow>& commands() {
  static const std::vector<CommandRow> all = [] {
    std::vector<CommandRow> rows = kCluster;
    rows.insert(rows.end(), kStore.begin(), kStore.end());
    rows.insert(rows.end(), queue_commands().begin(), queue_commands().end());
    return rows;
  }();
  return all;
}

const std::vector<OptionRow>& global_options() {
  static const std::vector<OptionRow> all{
      {"--endpoints", "URL[,URL...]", "the nodes to ask, tried in this order; http://127.0.0.1:8080 if not given", "",
       "WORMHOLE_ENDPOINTS"},
      {"--output", "table|json",
       "how answers are printed: as tables for people, or as JSON, exact, a value on each line", "-o"},
      {"--password-file", "FILE", "a file that holds the password (requirepass)", "", "WORMHOLE_PASSWORD_FILE"},
      {"--cacert", "FILE", "the CA (PEM) that the nodes' certificates must be of; the system's if not given", "",
       "WORMHOLE_CACERT"},
      {"--cert", "FILE", "a client's certificate (PEM), where nodes ask for one", "", "WORMHOLE_CERT"},
      {"--key", "FILE", "its private key (PEM)", "", "WORMHOLE_KEY"},
      {"--insecure", "", "accept any certificate: whoever is in between can read and change everything", "",
       "WORMHOLE_INSECURE"},
      {"--timeout", "TIME",
       "give up a request after TIME in all; 30s if not given, what a request waits by itself comes on top"},
      {"--connect-timeout", "TIME", "a node that is not connected to within TIME counts as gone; 2s if not given"},
      {"--answer-timeout", "TIME",
       "a node that has not answered within TIME counts as gone; 6s if not given, what a request waits by itself comes "
       "on top"},
      {"--help", "", "help, of a command too", "-h"},
      {"--version", "", "the version"},
  };
  return all;
}

}  // namespace wh::cli
