#include "api/http/openapi/openapi_schemas.h"

#include <string>

#include "api/http/formats/event_http.h"
#include "api/http/formats/setting_values.h"
#include "api/http/formats/store_json.h"
#include "machine/command/transaction.h"
#include "machine/queue/queue_settings.h"
#include "machine/settings.h"

namespace wh::api {
namespace {

using NamedSchemas = std::vector<std::pair<std::string_view, Schema>>;

Schema settled(const char* what) { return object_schema({{what, integer_schema()}}); }

std::vector<SchemaMember> joined(std::vector<SchemaMember> first, const std::vector<SchemaMember>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// --- queues

// Of an event that an answer shows.
std::vector<SchemaMember> event_members() {
  return with_bytes("data", {{"id", integer_schema()},
                             {"deliveries", integer_schema(), "How often it was delivered."},
                             {"enqueued_at", or_null(time_schema())},
                             {"content_type", or_null(string_schema())},
                             {"attributes", map_schema(string_schema())},
                             {"group", or_null(string_schema())},
                             {"priority", integer_schema(0, machine::kPriorities - 1)}});
}

// Of an event that a request brings.
std::vector<SchemaMember> item_members() {
  std::vector<SchemaMember> members;
  for (const Parameter* one : kItemMembers) members.push_back({std::string(one->name) + "?", member_schema(*one)});
  return members;
}

void add_events(NamedSchemas& all) {
  all.emplace_back("NewEvent", has_bytes(closed(object_schema(item_members())), "data"));
  all.emplace_back("NewEvents", array_schema(ref_schema("NewEvent"), 1, machine::kMaxBatch));
  all.emplace_back("Ids", object_schema({{"ids", array_schema(integer_schema())}}));
  all.emplace_back(
      "Event",
      has_bytes(object_schema(joined(event_members(),
                                     {{"state", choice_schema({"ready", "delayed", "reserved"})},
                                      {"visible_at", or_null(time_schema()), "When it may be delivered again."},
                                      {"reason?", string_schema(), "Of a dead letter: why it is one."},
                                      {"source_queue?", string_schema(), "Of a dead letter: the queue it came from."},
                                      {"source_queue_base64?", base64_schema(), "Where that is no UTF-8."}})),
                "data"));
  all.emplace_back("Events", array_schema(ref_schema("Event")));
  all.emplace_back(
      "Delivery",
      has_bytes(object_schema(joined(event_members(), {{"receipt", string_schema()}, {"visible_at", time_schema()}})),
                "data"));
  all.emplace_back("Deliveries", array_schema(ref_schema("Delivery")));
  const Schema word = string_schema();
  Schema cloud_event = object_schema({{"specversion", choice_schema({"1.0"})},
                                      {"id", word},
                                      {"source", word},
                                      {"type", word},
                                      {"subject?", word},
                                      {"time?", time_schema()},
                                      {"datacontenttype?", word},
                                      {"dataschema?", word},
                                      {"partitionkey?", word, "The group of the event."},
                                      {"data?", {}, "Any JSON."},
                                      {"data_base64?", base64_schema()}});
  cloud_event.members += R"(,"additionalProperties":true)";  // extensions
  all.emplace_back("CloudEvent", cloud_event);
  all.emplace_back("CloudEvents", array_schema(ref_schema("CloudEvent")));
  const Schema receipt = closed(object_schema({{"id", integer_schema(1)}, {"receipt", word}}));
  all.emplace_back("Receipts", array_schema(receipt, 1, machine::kMaxBatch));
  all.emplace_back(
      "Outcomes",
      array_schema(object_schema(
          {{"id", integer_schema()},
           {"outcome", choice_schema({"acknowledged", "extended", "released", "gone", "stale", "invalid"})}})));
  all.emplace_back("EventIds", array_schema(closed(object_schema({{"id", integer_schema(1)}})), 1, machine::kMaxBatch));
  all.emplace_back("Removals",
                   array_schema(object_schema(
                       {{"id", integer_schema()}, {"outcome", choice_schema({"removed", "reserved", "gone"})}})));
  all.emplace_back("VisibleAt", object_schema({{"visible_at", time_schema()}}));
}

void add_queues(NamedSchemas& all) {
  std::vector<SchemaMember> change;
  std::vector<SchemaMember> shown;
  for (const machine::QueueSettingRow& row : machine::kQueueSettings) {
    const Parameter parameter = setting_parameter(row);
    change.push_back({std::string(row.name) + "?", or_null(member_schema(parameter))});
    shown.push_back({std::string(row.name), setting_schema(parameter)});
  }
  change.push_back({"dead_letter_queue?", or_null(string_schema()), "A queue; empty: none."});
  change.push_back({"backoff?", or_null(array_schema(string_schema(), 0, machine::kMaxBackoff)),
                    "Delays before the 2nd, 3rd, ... delivery; the last one is repeated."});
  shown.push_back({"dead_letter_queue", string_schema()});
  shown.push_back({"backoff", array_schema(duration_schema())});
  Schema changes = closed(object_schema(change));
  changes.members += R"(,"description":"What is null goes back to the cluster's setting.")";
  all.emplace_back("QueueSettingsChange", changes);
  all.emplace_back("QueueSettings", object_schema(shown));
  const Schema count = integer_schema();
  all.emplace_back(
      "Queue",
      has_bytes(object_schema(with_bytes(
                    "name",
                    {{"ready", count},
                     {"delayed", count},
                     {"reserved", count},
                     {"bytes", count},
                     {"oldest_age_ms", or_null(count), "Since its first event was stored; 0 of an empty one."},
                     {"enqueued_total", count},
                     {"acknowledged_total", count},
                     {"redelivered_total", count},
                     {"expired_total", count},
                     {"dead_lettered_total", count},
                     {"dropped_total", count},
                     {"waiting", or_null(count), "How many receive requests wait; null where this node does not lead."},
                     {"paused", choice_schema({"", "in", "out", "all"})},
                     {"settings", ref_schema("QueueSettings")}})),
                "name"));
  all.emplace_back("Queues", array_schema(ref_schema("Queue")));
  all.emplace_back("Removed", settled("removed"));
  all.emplace_back("Moved", settled("moved"));
  const Schema filter = map_schema(string_schema());
  all.emplace_back("Binding", closed(object_schema({{"filter?", filter, "Attributes and glob patterns: order.*"}})));
  all.emplace_back(
      "Topic",
      object_schema({{"name", string_schema()},
                     {"queues", array_schema(object_schema({{"name", string_schema()}, {"filter", filter}}))}}));
  all.emplace_back("Topics", array_schema(ref_schema("Topic")));
}

// --- the store

std::vector<SchemaMember> item_numbers() {
  return {{"content_type", or_null(string_schema())},
          {"create_index", integer_schema()},
          {"mod_index", integer_schema()},
          {"version", integer_schema(), "Counts the changes from 1 on."},
          {"lease", or_null(integer_schema())},
          {"ttl_ms", or_null(integer_schema())}};
}

void add_items(NamedSchemas& all) {
  all.emplace_back("KeysAndValues", map_schema(string_schema()));
  all.emplace_back("Value", object_schema({{"value", string_schema()}}));
  all.emplace_back("Item", has_bytes(object_schema(with_bytes("key", with_bytes("value", item_numbers()))), "key"));
  all.emplace_back("Items", object_schema({{"index", integer_schema()}, {"items", array_schema(ref_schema("Item"))}}));
  // A put is an item; what is gone has its key and index alone.
  std::vector<SchemaMember> change{{"prev_value?", or_null(string_schema()), "With prev: null where there was none."},
                                   {"prev_value_base64?", base64_schema()}};
  for (SchemaMember& member : item_numbers()) change.push_back({member.name + "?", member.schema});
  all.emplace_back("ItemChange", has_bytes(object_schema(with_bytes("key", with_bytes("value", change))), "key"));
  all.emplace_back("Counter", object_schema({{"value", {R"("type":"integer","format":"int64")"}}}));
  all.emplace_back("Deleted", settled("deleted"));
  const Schema number = integer_schema();
  all.emplace_back("Lease", object_schema({{"id", number}, {"ttl_ms", number}}));
  const std::vector<SchemaMember> times{{"id", number}, {"ttl_ms", number}, {"remaining_ms", number}};
  const Schema keys = array_schema(string_schema());
  all.emplace_back("ShownLease",
                   object_schema(joined(
                       times, {{"keys", keys}, {"keys_base64?", array_schema(base64_schema()), "Those not UTF-8."}})));
  all.emplace_back(
      "Leases",
      object_schema({{"index", number},
                     {"leases", array_schema(object_schema(joined(times, {{"keys", number, "How many."}})))}}));
}

// --- transactions

Schema of_key(std::vector<SchemaMember> members) {
  return has_bytes(closed(object_schema(with_bytes("key", std::move(members)))), "key");
}

Schema of_receipt(const std::vector<SchemaMember>& more = {}) {
  return closed(object_schema(
      joined({{"queue", string_schema()}, {"id", integer_schema(1)}, {"receipt", string_schema()}}, more)));
}

void add_comparison(NamedSchemas& all) {
  const SchemaMember op{"op?", choice_schema({"=", "!=", "<", ">"})};
  std::vector<Schema> kinds{of_key({{"exists", boolean_schema()}})};
  for (const char* number : {"mod_index", "create_index", "version"})
    kinds.push_back(of_key({{number, integer_schema()}, op}));
  kinds.push_back(of_key({{"value", string_schema()}, op}));
  kinds.push_back(of_key({{"value_base64", base64_schema()}, op}));
  kinds.push_back(closed(object_schema({{"queue", string_schema()}, {"length", integer_schema()}, op})));
  kinds.push_back(of_receipt());
  all.emplace_back("Comparison", one_of(kinds));
}

// Of an operation that takes a key, or all with a prefix.
Schema key_or_prefix(const std::vector<SchemaMember>& of_prefix) {
  return one_of({of_key({}), has_bytes(closed(object_schema(with_bytes("prefix", of_prefix))), "prefix")});
}

void add_operation(NamedSchemas& all) {
  const auto duration = [](Millis least) {
    return member_schema({.name = {}, .type = ParameterType::duration, .least = least, .most = machine::kMaxDelayMs});
  };
  // The request's own key counts for all that it does.
  std::vector<SchemaMember> enqueue = item_members();
  std::erase_if(enqueue, [](const SchemaMember& member) { return member.name == "idempotency_key?"; });
  enqueue.push_back({"queue", string_schema()});
  const std::vector<std::pair<std::string, Schema>> kinds{
      {"put", of_key(with_bytes("value", {{"content_type?", member_schema(kItemContentType)},
                                          {"ttl?", duration(1)},
                                          {"lease?", integer_schema()}}))},
      {"delete", key_or_prefix({})},
      {"get", key_or_prefix({{"limit?", integer_schema(1, machine::kMaxListed)}})},
      {"incr", of_key({{"by?", {R"("type":"integer","format":"int64")"}}})},
      {"enqueue", has_bytes(closed(object_schema(enqueue)), "data")},
      {"acknowledge", of_receipt()},
      {"release", of_receipt({{"delay?", duration(0)}})}};
  std::vector<Schema> objects;
  objects.reserve(std::size(kinds));
  for (const auto& [name, schema] : kinds) objects.push_back(closed(object_schema({{name, schema}})));
  all.emplace_back("Operation", one_of(objects));
}

void add_transactions(NamedSchemas& all) {
  add_comparison(all);
  add_operation(all);
  const Schema operations = array_schema(ref_schema("Operation"), 0, kMaxTransactionItems);
  all.emplace_back("Transaction",
                   closed(object_schema({{"compare?", array_schema(ref_schema("Comparison"), 0, kMaxTransactionItems)},
                                         {"success?", operations},
                                         {"failure?", operations}})));
  const Schema number = integer_schema();
  all.emplace_back("Result",
                   one_of({object_schema({{"created", boolean_schema()}, {"mod_index", number}}), settled("deleted"),
                           object_schema({{"item", or_null(ref_schema("Item"))}}),
                           object_schema({{"items", array_schema(ref_schema("Item"))}, {"more", boolean_schema()}}),
                           ref_schema("Counter"), settled("id"), closed(object_schema({}))}));
  all.emplace_back("TransactionResult",
                   object_schema({{"succeeded", boolean_schema()},
                                  {"index", number},
                                  {"results", or_null(array_schema(ref_schema("Result"))),
                                   "One for each operation; null to a repeat whose results were too large to keep."}}));
}

// --- the cluster and the node

void add_cluster(NamedSchemas& all) {
  const Schema word = string_schema();
  const Schema number = integer_schema();
  const Schema role = choice_schema({"leader", "follower", "candidate", "learner"});
  const Schema suffrage = choice_schema({"voter", "learner"});
  const Schema status = or_null(choice_schema({"alive", "failed"}));
  all.emplace_back("Member", object_schema({{"id", word},
                                            {"raft_address", word},
                                            {"http_address", or_null(word)},
                                            {"https_address", or_null(word)},
                                            {"suffrage", suffrage},
                                            {"status", status, "Only the leader knows."},
                                            {"version", or_null(number), "The highest that it can do."},
                                            {"match_index", or_null(number), "Only the leader knows."}}));
  all.emplace_back("Cluster", object_schema({{"cluster_id", or_null(word)},
                                             {"node_id", word},
                                             {"role", role},
                                             {"term", or_null(number)},
                                             {"leader_id", or_null(word)},
                                             {"commit_index", or_null(number)},
                                             {"applied_index", or_null(number)},
                                             {"last_log_index", or_null(number)},
                                             {"tolerates", or_null(number), "How many more voters may fail."},
                                             {"cluster_version", number},
                                             {"removed", boolean_schema(), "This node was taken out of the cluster."},
                                             {"members", array_schema(ref_schema("Member"))},
                                             {"leader_view", or_null(ref_schema("LeaderView"))}}));
  all.emplace_back(
      "LeaderView",
      object_schema({{"told_by", or_null(word), "The leader that said so."},
                     {"age_ms", number, "How long ago; 0 on the leader itself."},
                     {"may_fail", number, "How many more voters may fail."},
                     {"members", array_schema(object_schema(
                                     {{"id", word}, {"silent", boolean_schema()}, {"match_index", number}}))}}));
  const Schema us = or_null(number);
  all.emplace_back("History", object_schema({{"node_id", word},
                                             {"interval_ms", number},
                                             {"now", word, "This machine's clock."},
                                             {"samples", array_schema(object_schema({{"at", word},
                                                                                     {"lasted_ms", number},
                                                                                     {"writes", number},
                                                                                     {"reads", number},
                                                                                     {"errors", number},
                                                                                     {"commits", number},
                                                                                     {"write_p50_us", us},
                                                                                     {"write_p99_us", us},
                                                                                     {"write_max_us", us},
                                                                                     {"read_p50_us", us},
                                                                                     {"read_p99_us", us},
                                                                                     {"read_max_us", us}}))}}));
  all.emplace_back(
      "Messages",
      object_schema({{"node_id", word},
                     {"messages", array_schema(object_schema({{"id", number},
                                                              {"at", word},
                                                              {"level", choice_schema({"notice", "warning"})},
                                                              {"text", word},
                                                              {"means", or_null(word)},
                                                              {"do", or_null(word)}}))}}));
  std::vector<SchemaMember> settings;
  settings.reserve(std::size(machine::kSettings));
  for (const machine::SettingRow& row : machine::kSettings)
    settings.push_back({std::string(row.name), setting_schema(setting_parameter(row))});
  all.emplace_back("ClusterSettings", object_schema(settings));
  all.emplace_back(
      "ClusterChange",
      one_of({object_schema({{"node_id", word}, {"role", role}, {"term", number}}),
              object_schema({{"leader_id", or_null(word)}, {"term", number}}),
              object_schema({{"cluster_version", number}}),
              object_schema(
                  {{"change", choice_schema({"present", "added", "removed", "promoted", "demoted", "alive", "failed"})},
                   {"id", word},
                   {"suffrage", suffrage},
                   {"status", status}})}));
  all.emplace_back("Health", object_schema({{"status", choice_schema({"alive", "ready"})}}));
  all.emplace_back("Description", object_schema({{"openapi", word},
                                                 {"info", map_schema({})},
                                                 {"servers", array_schema({})},
                                                 {"security", array_schema({})},
                                                 {"tags", array_schema({})},
                                                 {"paths", map_schema({})},
                                                 {"components", map_schema({})}}));
  all.emplace_back("Error", object_schema({{"error", word, "One sentence."}}));
}

}  // namespace

std::vector<std::pair<std::string_view, Schema>> api_schemas() {
  NamedSchemas all;
  add_events(all);
  add_queues(all);
  add_items(all);
  add_transactions(all);
  add_cluster(all);
  return all;
}

}  // namespace wh::api
