// get, put, del, list, incr, txn, leases.
#include <algorithm>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/json_fields.h"
#include "http/json.h"

namespace wh::cli {
namespace {

// `name` or, for bytes that are not UTF-8, `name`_base64.
void bytes_member(http::JsonWriter& json, const std::string& name, std::string_view bytes) {
  if (http::json_quote(bytes))
    json.key(name).string(bytes);
  else
    json.key(name + "_base64").base64(bytes);
}

// "5" as the number it is, without the quotes of an ETag.
std::string index_of_tag(const std::string& tag) {
  return tag.size() > 2 && tag.starts_with('"') && tag.ends_with('"') ? tag.substr(1, tag.size() - 2) : std::string();
}

std::string or_null(const std::string& number) { return number.empty() ? "null" : number; }

// A condition of put and del: the index of the change that must be the key's last.
void add_if_match(Request& request, const Invocation& invocation) {
  if (invocation.has("--if-match")) request.headers.push_back("If-Match: \"" + invocation.text("--if-match") + "\"");
}

int delete_prefix(Cluster& cluster, const Invocation& invocation) {
  const Reply reply = cluster.ask(write_of("DELETE", Target("/kv").add("prefix", invocation.text("--prefix"))));
  if (!reply.done()) return report(reply);
  const auto fields = JsonFields::parse(reply.answer.body);
  const std::string deleted = fields ? fields->text("deleted") : std::string();
  put_line(invocation.json() ? reply.answer.body : deleted);
  return kDone;
}

std::string time_left(const JsonFields& item) {
  const auto ms = item.number("ttl_ms");
  return ms ? human_duration(*ms) : "-";
}

void add_item(Table& table, const JsonFields& item, bool keys_only) {
  const std::string key = shown(item.bytes("key"));
  if (keys_only) return put(key + "\n");
  table.row({key, shown(item.bytes("value"), kCellWidth), item.text("mod_index"), item.text("version"), time_left(item),
             item.has("lease") ? item.text("lease") : "-"});
}

}  // namespace

int run_get(Cluster& cluster, const Invocation& invocation) {
  const std::string& key = invocation.arguments[0];
  const Reply reply = cluster.ask(read_of(kv_target(key).staleness(invocation)));
  if (!reply.done()) return report(reply);
  if (!invocation.json()) {
    put_data(reply.answer.body, invocation.has("--raw"));
    return kDone;
  }
  http::JsonWriter json;
  json.begin_object();
  bytes_member(json, "key", key);
  bytes_member(json, "value", reply.answer.body);
  json.key("content_type").string(reply.answer.header("content-type"));
  json.key("create_index").raw(or_null(reply.answer.header("wormhole-create-index")));
  json.key("mod_index").raw(or_null(reply.answer.header("wormhole-mod-index")));
  json.end_object();
  put(json.take() + "\n");
  return kDone;
}

int run_put(Cluster& cluster, const Invocation& invocation) {
  if (invocation.has("--if-match") && invocation.has("--if-absent"))
    return misuse(invocation, "--if-match and --if-absent exclude each other");
  auto value = given_data(invocation, 1);
  if (const int* status = std::get_if<int>(&value)) return *status;
  Request request = write_of(
      "PUT",
      kv_target(invocation.arguments[0]).option(invocation, "--ttl", "ttl").option(invocation, "--lease", "lease"));
  const std::string type = invocation.text("--content-type");
  request.headers.push_back("Content-Type: " + (type.empty() ? "application/octet-stream" : type));
  add_if_match(request, invocation);
  if (invocation.has("--if-absent")) request.headers.emplace_back("If-None-Match: *");
  request.body = std::get<std::string>(std::move(value));
  const Reply reply = cluster.ask(request);
  if (!reply.done()) return report(reply);
  const std::string index = index_of_tag(reply.answer.header("etag"));
  if (invocation.json())
    put("{\"created\":" + std::string(reply.answer.status == 201 ? "true" : "false") +
        ",\"mod_index\":" + or_null(index) + "}\n");
  else
    put(index + "\n");
  return kDone;
}

int run_del(Cluster& cluster, const Invocation& invocation) {
  const bool of_prefix = invocation.has("--prefix");
  if (of_prefix == !invocation.arguments.empty()) return misuse(invocation, "'del' needs either a key or --prefix");
  if (of_prefix && invocation.has("--if-match")) return misuse(invocation, "--if-match is for a single key");
  if (of_prefix) return delete_prefix(cluster, invocation);
  Request request = write_of("DELETE", kv_target(invocation.arguments[0]));
  add_if_match(request, invocation);
  const Reply reply = cluster.ask(request);
  return reply.done() ? kDone : report(reply);
}

int run_list(Cluster& cluster, const Invocation& invocation) {
  if (invocation.number("--limit") == 0) return misuse(invocation, "--limit must be above 0");
  const bool keys_only = invocation.has("--keys");
  uint64_t left = invocation.number("--limit").value_or(UINT64_MAX);
  const bool endless = left == UINT64_MAX;
  Target target("/kv");
  target.add("prefix", invocation.arguments.empty() ? std::string() : invocation.arguments[0]);
  target.add("limit", std::to_string(std::min<uint64_t>(left, 1'000)));
  if (keys_only) target.flag("keys");
  Request request = read_of(target.staleness(invocation));
  Table table({"KEY", "VALUE", ">INDEX", ">VERSION", ">TTL", ">LEASE"});
  while (left > 0 && !request.target.empty()) {
    const Reply reply = cluster.ask(request);
    if (!reply.done()) return report(reply);
    const auto page = JsonFields::parse(reply.answer.body);
    if (!page) return kNobody;
    for (const JsonFields& item : page->objects("items")) {
      if (left == 0) break;
      if (!endless) --left;
      if (invocation.json())
        put(item.whole() + "\n");
      else
        add_item(table, item, keys_only);
    }
    table.print();
    flush_output();
    request.target = next_page(reply.answer);
  }
  return kDone;
}

int run_incr(Cluster& cluster, const Invocation& invocation) {
  const Reply reply = cluster.ask(
      write_of("POST", kv_target(invocation.arguments[0]).literal("/incr").option(invocation, "--by", "by")));
  if (!reply.done()) return report(reply);
  const auto fields = JsonFields::parse(reply.answer.body);
  put_line(invocation.json() || !fields ? reply.answer.body : fields->text("value"));
  return kDone;
}

int run_txn(Cluster& cluster, const Invocation& invocation) {
  const bool given = !invocation.arguments.empty();
  if (!given && is_terminal(0)) return misuse(invocation, "no transaction is given: a FILE, or '-' for standard input");
  auto text = read_input(given ? invocation.arguments[0] : "-");
  if (!text) return unread(text.error());
  if (const Status good = http::check_json(*text); !good)
    return misuse(invocation, "the transaction is not JSON: " + good.error());
  Request request = write_of("POST", Target("/txn"));
  request.headers = {"Content-Type: application/json"};
  request.body = *std::move(text);
  const Reply reply = cluster.ask(request);
  if (!reply.done()) return report(reply);
  put_line(reply.answer.body);
  const auto fields = JsonFields::parse(reply.answer.body);
  if (fields && fields->boolean("succeeded")) return kDone;
  note("a comparison did not hold: what stands under \"failure\" was done");
  return kRefused;
}

int run_leases(Cluster& cluster, const Invocation& invocation) {
  if (!invocation.arguments.empty()) {
    const Reply reply = cluster.ask(read_of(Target("/leases").segment(invocation.arguments[0]).staleness(invocation)));
    if (!reply.done()) return report(reply);
    put_line(reply.answer.body);
    return kDone;
  }
  Request request = read_of(Target("/leases").staleness(invocation));
  Table table({">LEASE", ">TTL", ">LEFT", ">KEYS"});
  while (!request.target.empty()) {
    const Reply reply = cluster.ask(request);
    if (!reply.done()) return report(reply);
    const auto page = JsonFields::parse(reply.answer.body);
    if (!page) return kNobody;
    for (const JsonFields& lease : page->objects("leases")) {
      if (invocation.json())
        put(lease.whole() + "\n");
      else
        table.row({lease.text("id"), human_duration(lease.number("ttl_ms").value_or(0)),
                   human_duration(lease.number("remaining_ms").value_or(0)), lease.text("keys")});
    }
    table.print();
    request.target = next_page(reply.answer);
  }
  return kDone;
}

}  // namespace wh::cli
