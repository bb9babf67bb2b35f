// The operations of the product, each typed once: its arguments, the right it needs (Verb), the keys and queues it
// touches, its answer, and its errors in words. The protocols (http/, debug/) decode a request into one of these and
// word its answer; they know no more of the node. Values and pure functions; calls.h carries them out.
//
// A new operation: its struct here, its traits below, a case in access.cc if it touches keys or queues, a case in
// operations.cc that answers it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/queue_operations.h"
#include "api/refusal.h"
#include "api/slowlog.h"
#include "api/store_operations.h"
#include "base/bytes.h"
#include "machine/command/command.h"
#include "machine/machine.h"
#include "node/node.h"
#include "raft/types.h"
#include "security/principal.h"

namespace wh::api {

// --- writes: commands for the log. They hold views of what the protocol read, which must live until Calls::start
// returns.
using Write = std::variant<machine::Set, machine::Delete, machine::Enqueue, machine::Dequeue, machine::PutSettings,
                           machine::PutEvents, machine::Publish, machine::Receive, machine::Settle,
                           machine::ConfigureQueue, machine::DeleteQueue, machine::PauseQueue, machine::PurgeQueue,
                           machine::Redrive, machine::Bind, machine::Unbind, machine::Transact, machine::GrantLease,
                           machine::KeepLease, machine::RevokeLease, machine::RemoveEvents>;

// --- reads: of the state, as of a time that the call's consistency decides. They own their names.

// The right to make a backup of the state at the answer's index.
struct MakeBackup {};
// /metrics: the figures, in Prometheus's form. Never waits for the cluster.
struct ShowMetrics {};
// The cluster's settings.
struct ShowSettings {};

using Read = std::variant<GetKey, GetKeys, ListKeys, PickKey, ShowLease, ListLeases, CountExisting, CountKeys, GetFront,
                          GetLength, MakeBackup, ShowMetrics, ShowSettings, ShowQueue, ListQueues, ListEvents,
                          ListReady, GetEvent, ShowTopic, ListTopics>;

using Take = std::variant<PopFirst, ReceiveFirst>;

// --- streams: completed again and again, the first time at once

// The cluster's own changes (http/cluster_events.h).
struct WatchCluster {};

using Watch = std::variant<WatchCluster, WatchQueue, WatchKeys>;
inline const node::Topic kClusterTopic{node::Topic::Kind::cluster, {}};

// --- changes of the cluster

struct AddMember {
  std::string name;          // node-id
  std::string raft_address;  // host:port
};
struct RemoveMember {
  std::string name;
};
struct TransferLeadership {
  std::string name;
};

using Change = std::variant<AddMember, RemoveMember, TransferLeadership>;

// --- of this node alone: answered at once

struct AskAlive {};
struct AskReady {};
struct ShowCluster {};
// GET /openapi.json.
struct DescribeApi {};
// GET / and /ui.
struct ShowPage {};
// GET /node/history and /node/messages.
struct ShowActivity {};
struct ShowMessages {};
// INFO: these sections, or the default ones.
struct ShowInfo {
  std::vector<std::string> sections;
};
struct GetDirectives {
  std::string pattern;  // config/glob_pattern.h
};
struct SetDirective {
  std::string name;
  std::string value;
};
struct ResetCounters {};
struct ShowSlowRequests {
  size_t count = 0;  // at most
};
struct CountSlowRequests {};
struct ForgetSlowRequests {};
// CLIENT LIST and KILL: rights to what the debug port does with its own connections.
struct ShowClients {};
struct EndClients {};

using Local = std::variant<AskAlive, AskReady, ShowCluster, DescribeApi, ShowPage, ShowActivity, ShowMessages, ShowInfo,
                           GetDirectives, SetDirective, ResetCounters, ShowSlowRequests, CountSlowRequests,
                           ForgetSlowRequests, ShowClients, EndClients>;

using Operation = std::variant<Write, Read, Take, Watch, Change, Local>;

// Whether the operation has no effect once its client is gone, so that it can be cancelled.
[[nodiscard]] inline bool is_cancellable(const Operation& operation) {
  const auto* write = std::get_if<Write>(&operation);
  return std::holds_alternative<Read>(operation) || std::holds_alternative<Watch>(operation) ||
         std::holds_alternative<Take>(operation) ||
         (write != nullptr && std::holds_alternative<machine::Receive>(*write));
}

// --- what a principal needs for an operation

struct OperationTraits {
  std::string_view words;  // "set keys", in a sentence
  security::Verb verb;
};

template <typename T>
inline constexpr OperationTraits kTraits = T::an_operation_without_traits;

template <>
inline constexpr OperationTraits kTraits<machine::Set>{"set keys", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Delete>{"remove keys", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Enqueue>{"enqueue", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Dequeue>{"dequeue", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::PutSettings>{"change the cluster's settings", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<machine::PutEvents>{"enqueue", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Publish>{"publish", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Receive>{"receive", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Settle>{"acknowledge", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::ConfigureQueue>{"configure queues", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::DeleteQueue>{"delete queues", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::PauseQueue>{"pause queues", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::PurgeQueue>{"purge queues", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Redrive>{"redrive", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Bind>{"bind queues to topics", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Unbind>{"unbind queues from topics", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::Transact>{"change keys and queues", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::GrantLease>{"grant leases", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::KeepLease>{"keep leases", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::RevokeLease>{"revoke leases", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<machine::RemoveEvents>{"remove events", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<GetKeys>{"read keys", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ListKeys>{"list keys", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<PickKey>{"list keys", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowLease>{"read leases", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ListLeases>{"list leases", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowQueue>{"read queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ListQueues>{"list queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ListEvents>{"read queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ListReady>{"read queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<PopFirst>{"dequeue", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<ReceiveFirst>{"receive", security::Verb::write};
template <>
inline constexpr OperationTraits kTraits<GetEvent>{"read queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowTopic>{"read topics", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ListTopics>{"list topics", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowSettings>{"see the cluster's settings", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<GetKey>{"read keys", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<CountExisting>{"read keys", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<CountKeys>{"count keys", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<GetFront>{"read queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<GetLength>{"read queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<MakeBackup>{"make a backup", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowMetrics>{"see the figures", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<WatchCluster>{"watch the cluster", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<WatchQueue>{"read queues", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<WatchKeys>{"read keys", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<AddMember>{"add members", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<RemoveMember>{"remove members", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<TransferLeadership>{"hand leadership over", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<AskAlive>{"ask whether the node lives", security::Verb::open};
template <>
inline constexpr OperationTraits kTraits<AskReady>{"ask whether the node can serve", security::Verb::open};
template <>
inline constexpr OperationTraits kTraits<ShowCluster>{"see the members", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<DescribeApi>{"see the paths", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowPage>{"see the page", security::Verb::open};
template <>
inline constexpr OperationTraits kTraits<ShowActivity>{"see the figures", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowMessages>{"see the log", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<ShowInfo>{"see the figures", security::Verb::read};
template <>
inline constexpr OperationTraits kTraits<GetDirectives>{"see the directives", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<SetDirective>{"change directives", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<ResetCounters>{"reset the counters", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<ShowSlowRequests>{"see others' requests", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<CountSlowRequests>{"see others' requests", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<ForgetSlowRequests>{"forget others' requests", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<ShowClients>{"see other clients", security::Verb::admin};
template <>
inline constexpr OperationTraits kTraits<EndClients>{"disconnect other clients", security::Verb::admin};

[[nodiscard]] OperationTraits traits_of(const Operation& operation);

// --- answers

struct Done {};
struct Count {
  uint64_t count = 0;
};
// INFO, /metrics.
struct Report {
  Bytes text;
};
struct Directives {
  std::vector<std::pair<std::string, std::string>> values;  // by name
};
struct SlowRequests {
  std::vector<SlowLog::Entry> entries;  // the newest first
};

struct Answer {
  raft::Index index;  // a write's own, or that of the state a read saw; 0 where no state was read
  std::variant<Done, Count, Enqueued, Dequeued, Value, Front, Report, Directives, SlowRequests, machine::Settings,
               Stored, Published, Received, Taken, Settled, Configured, ShownEvent, ShownEvents, ReadyEvents,
               ShownQueues, ShownTopics, Values, ShownKeys, ShownLeases, Transacted, Leased>
      body;
  bool replayed = false;  // the first answer to a request under this idempotency key, including its index
};

// --- how an operation is checked, encoded and answered

// A client's own name for its request: sent again, the request gets the first answer (CONTRACT, Asking again).
struct Idempotency {
  std::string key;
  std::string request;  // what tells it from other requests besides the command: method and path
  // In place of the command's own and `request`: of one event, which is the same on every path and in every form.
  std::optional<machine::Fingerprint> fingerprint{};
};

// The command of a write, for Node::submit_write. The one place where a write becomes bytes.
[[nodiscard]] std::string encode(const Write& write, const std::optional<Idempotency>& idempotency);

// Tells requests, or events, under one idempotency key apart.
[[nodiscard]] machine::Fingerprint fingerprint_of(std::span<const std::string_view> parts);
// By all that it means, but not its own key.
[[nodiscard]] machine::Fingerprint fingerprint_of(const machine::NewEvent& event);

// Whether the state is already as the write would leave it.
[[nodiscard]] bool changes_nothing(const machine::Machine& machine, const Write& write);
// The bound that an operation breaks, if any.
[[nodiscard]] std::optional<Refusal> check_bounds(const Operation& operation);

// The command of a take from the first of its queues. It holds a view of the take.
[[nodiscard]] Write command_of(const Take& take);
[[nodiscard]] const std::vector<std::string>& queues_of(const Take& take);
[[nodiscard]] Millis wait_of(const Take& take);
// The answer to its command, as that to the take; `queue`: which it took from.
[[nodiscard]] Taken taken(Answer&& answer, std::string queue);

// The answer to an applied write of this kind (its position in Write), or why it changed nothing.
[[nodiscard]] OrRefusal<Answer> answer_of_write(size_t kind, raft::Index index, machine::Reply&& reply);

// What a read sees in the state now. The answer to MakeBackup is Done; the caller makes that to ShowMetrics.
[[nodiscard]] Answer look(const machine::Machine& machine, Read&& read);

// Why a call was not applied; `completion.outcome` is not `applied`.
[[nodiscard]] Refusal refusal_of(const node::Completion& completion);

[[nodiscard]] node::AdminRequest admin_request(Change&& change);
// Why a stream cannot begin, as the state is now.
[[nodiscard]] std::optional<Refusal> check_watch(const machine::Machine& machine, const Watch& watch);
// The topic that a stream waits on.
[[nodiscard]] node::Topic topic_of(const Watch& watch);

}  // namespace wh::api
