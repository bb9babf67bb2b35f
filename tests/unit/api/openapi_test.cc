// GET /openapi.json beside the served table: nothing is served that is not described, and nothing described that is not
// served. What the document says of values is tried out.
#include "api/http/openapi/openapi.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../api_document.h"
#include "api/http/receipts.h"
#include "fixture.h"

namespace wh::api {
namespace {

using http::Method;
using testing::ApiDocument;
using testing::Json;

const ApiDocument& document() {
  static const ApiDocument read(openapi_document().view());
  return read;
}

std::string described_path(std::string_view pattern) {
  std::string path(pattern);
  if (const size_t dots = path.find("..."); dots != std::string::npos) path.erase(dots, 3);
  return path;
}

// The rows that serve a path and method, by the document's names.
std::map<std::pair<std::string, std::string>, std::vector<const RouteSpec*>> served() {
  std::map<std::pair<std::string, std::string>, std::vector<const RouteSpec*>> all;
  for (const RouteSpec& row : route_table())
    for (const Method method : {Method::get, Method::post, Method::put, Method::del})
      if ((row.methods & http::bit(method)) != 0)
        all[{described_path(row.pattern), std::string(http::method_name(method))}].push_back(&row);
  return all;
}

Method method_of(const std::string& name) {
  for (const Method method : {Method::get, Method::post, Method::put, Method::del})
    if (http::method_name(method) == name) return method;
  return Method::head;
}

// The names of an operation's parameters in one place: "query".
std::multiset<std::string> names_in(const Json& operation, std::string_view place) {
  std::multiset<std::string> names;
  for (const Json& listed : operation.at("parameters").items) {
    const Json& parameter = document().resolved(listed);
    if (parameter.at("in").text == place) names.insert(parameter.at("name").text);
  }
  return names;
}

bool is_sentence(const std::string& text) { return text.size() > 5 && (text.ends_with('.') || text.ends_with(".*")); }

template <typename Use>
void each_object(const Json& value, Use use) {
  use(value);
  for (const Json& item : value.items) each_object(item, use);
  for (const auto& [name, member] : value.members) each_object(member, use);
}

// A value that the parameter's description allows.
std::string example_of(const Json& parameter) {
  const Json& schema = parameter.at("schema");
  for (const Json* given : {parameter.find("example"), schema.find("default"), schema.find("minimum")})
    if (given != nullptr) return given->text;
  const Json& choices = schema.at("enum");
  return choices.items.empty() ? "1" : choices.items[0].text;
}

// The path with its examples; and the query of those parameters that must be there.
std::string target_of(const std::string& path, const Json& operation, const std::string& more = {}) {
  std::string target = path;
  std::string query = more;
  for (const Json& listed : operation.at("parameters").items) {
    const Json& parameter = document().resolved(listed);
    const std::string& name = parameter.at("name").text;
    if (parameter.at("in").text == "path") {
      const std::string braces = "{" + name + "}";
      target.replace(target.find(braces), braces.size(), example_of(parameter));
    } else if (parameter.at("required").text == "true" && !more.starts_with(name + "=")) {
      query += (query.empty() ? "" : "&") + name + "=" + http::percent_encode(example_of(parameter));
    }
  }
  return target + (query.empty() ? "" : "?" + query);
}

// A body of the operation's first media type that says how it looks; its fields of the header.
std::pair<std::string, std::string> body_of(const Json& operation) {
  static const std::map<std::string, std::string> kBodies{
      {"postEvent", "event=e"},
      {"setKey", ""},
      {"removeKey", ""},
      {"join", ""},
      {"enqueueBatch", R"([{"data":"e"}])"},
      {"acknowledgeEvents", R"([{"id":1,"receipt":"x"}])"},
      {"extendEvents", R"([{"id":1,"receipt":"x"}])"},
      {"releaseEvents", R"([{"id":1,"receipt":"x"}])"},
      {"setKeys", R"({"color":"blue"})"},
      {"setKeyByJson", R"({"value":"blue"})"},
      {"transact", R"({"success":[{"put":{"key":"k","value":"v"}}]})"},
      {"putClusterSettings", R"({"dedup_max_keys":5})"},
      {"addMember", R"({"id":"n","raft_address":"h:1"})"},
      {"transferLeadership", R"({"id":"n"})"}};
  const Json& content = operation.at("requestBody").at("content");
  if (content.members.empty()) return {};
  const std::string& type = content.members[0].first;
  const auto known = kBodies.find(operation.at("operationId").text);
  const std::string body = known != kBodies.end() ? known->second : type == "*/*" ? "e" : "";
  return {body, body.empty() ? "" : "Content-Type: " + (type == "*/*" ? "text/plain" : type) + "\r\n"};
}

// Whether the sentence is about a name that is not known.
bool says_unknown(const http::test::Answer& answer) {
  return test::sentence_of(answer).find("not known here") != std::string::npos;
}

// Operations that a lone node in a test cannot carry out, or whose answers do not end.
bool is_apart(const Json& operation) {
  static const std::set<std::string> kApart{"join",      "joinByGet",     "addMember",   "removeMember",
                                            "getBackup", "streamCluster", "streamQueue", "transferLeadership"};
  return kApart.contains(operation.at("operationId").text);
}

// A member's value that its schema allows.
Json value_for(const Json& given) {
  const Json& schema = document().resolved(given);
  if (const Json* forms = schema.find("oneOf")) return value_for(forms->items[0]);
  if (const Json* choices = schema.find("enum")) return choices->items[0];
  if (const Json* examples = schema.find("examples")) return examples->items[0];
  const Json& type = schema.at("type");
  const std::string kind = type.items.empty() ? type.text : type.items[0].text;
  if (kind == "integer") {
    const Json* least = schema.find("minimum");
    const std::string& says = schema.at("description").text;
    // Of a size: the bound stands in its description.
    const size_t from = says.find("From ");
    if (from != std::string::npos)
      return testing::read_json(says.substr(from + 5, says.find(' ', from + 5) - from - 5));
    return least == nullptr ? testing::read_json("1") : *least;
  }
  if (kind == "boolean") return testing::read_json("true");
  if (kind == "array") return testing::read_json("[]");
  if (kind == "object") return testing::read_json(R"({"type":"a"})");
  if (schema.at("format").text == "date-time") return testing::read_json(R"("2026-11-30T18:00:00Z")");
  if (schema.find("contentEncoding") != nullptr) return testing::read_json(R"("YQ==")");
  return testing::read_json(schema.find("pattern") == nullptr ? R"("a")" : R"("10s")");
}

}  // namespace

TEST_CASE("OpenAPI: each path and method that is served is described, and no other; ids and sentences") {
  auto rows = served();
  std::set<std::string> ids;
  std::set<std::string> tags;
  for (const Json& tag : document().root().at("tags").items) tags.insert(tag.at("name").text);
  document().each_operation([&](const std::string& path, const std::string& method, const Json& operation) {
    CAPTURE(path);
    CAPTURE(method);
    CHECK(rows.erase({path, method}) == 1);
    CHECK(ids.insert(operation.at("operationId").text).second);
    CHECK(operation.at("operationId").text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
          std::string::npos);
    CHECK(!operation.at("operationId").text.empty());
    CHECK(is_sentence(operation.at("summary").text));
    CHECK(tags.contains(operation.at("tags").items.at(0).text));
    for (const Json& listed : operation.at("parameters").items)
      CHECK(is_sentence(document().resolved(listed).at("description").text));
    for (const auto& [status, listed] : operation.at("responses").members)
      CHECK(is_sentence(document().resolved(listed).at("description").text));
  });
  for (const auto& [name, row] : rows) FAIL_CHECK("served, and not described: " << name.second << " " << name.first);
  CHECK(ids.size() > 60);
  CHECK(document().root().at("openapi").text == "3.1.0");
  CHECK(document().root().at("info").at("version").text == WORMHOLE_VERSION);
  CHECK(document().root().at("servers").json() == R"([{"url":"/"}])");
}

TEST_CASE("OpenAPI: each parameter that a route takes is described, and no other; so are preconditions and bodies") {
  const auto rows = served();
  document().each_operation([&](const std::string& path, const std::string& method, const Json& operation) {
    CAPTURE(path);
    CAPTURE(method);
    std::set<std::string> queries;
    std::set<std::string> fields;
    std::set<std::string> forms;
    std::set<std::string> members;
    bool reads_body = false;
    for (const RouteSpec* row : rows.at({path, method})) {
      const RouteInputs& inputs = row->inputs;
      for (const Parameter* one : inputs.query) queries.emplace(one->name);
      for (const Parameter* one : inputs.form) forms.emplace(one->name);
      for (const Parameter* one : inputs.json) members.emplace(one->name);
      if (inputs.entity_tags) fields.emplace("If-Match");
      if (inputs.not_entity_tags) fields.emplace("If-None-Match");
      if (inputs.idempotency) fields.emplace("Idempotency-Key");
      if (row->stream) fields.emplace("Last-Event-ID");
      for (const Parameter* one : row->doc.fields) fields.emplace(one->name);
      reads_body |= inputs.reads_body() && method != "GET";
    }
    CHECK(names_in(operation, "query") == std::multiset<std::string>(queries.begin(), queries.end()));
    CHECK(names_in(operation, "header") == std::multiset<std::string>(fields.begin(), fields.end()));
    std::multiset<std::string> in_path;
    for (size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1))
      in_path.insert(path.substr(at + 1, path.find('}', at) - at - 1));
    CHECK(names_in(operation, "path") == in_path);
    CHECK((operation.find("requestBody") != nullptr) == reads_body);
    const Json& content = operation.at("requestBody").at("content");
    if (reads_body) {
      CHECK(!content.members.empty());
      for (const auto& [type, names] :
           {std::pair{"application/x-www-form-urlencoded", &forms}, std::pair{"application/json", &members}}) {
        if (names->empty()) continue;
        std::set<std::string> described;
        for (const auto& [name, schema] : content.at(type).at("schema").at("properties").members)
          described.insert(name);
        CHECK(described == *names);
      }
    }
  });
}

TEST_CASE("OpenAPI: the example of a receipt is one of the example of an event") {
  document().each_operation([&](const std::string& path, const std::string& method, const Json& operation) {
    if (path != "/queues/{q}/events/{id}" || method != "DELETE") return;
    CHECK(target_of(path, operation) == "/queues/orders/events/1?receipt=" + format_receipt({1, 1}, "orders"));
  });
}

TEST_CASE("OpenAPI: every reference leads somewhere, and every component is used") {
  std::set<std::string> used;
  each_object(document().root(), [&](const Json& value) {
    const Json* ref = value.find("$ref");
    if (ref == nullptr) return;
    CAPTURE(ref->text);
    used.insert(ref->text);
    CHECK(document().resolved(value).kind == http::JsonKind::object);
  });
  for (const auto& [kind, components] : document().root().at("components").members) {
    if (kind == "securitySchemes") continue;
    for (const auto& [name, component] : components.members) {
      CAPTURE(name);
      CHECK(used.contains("#/components/" + kind + "/" + name));
    }
  }
}

TEST_CASE("OpenAPI: the statuses of each operation are those of its rows") {
  const auto rows = served();
  document().each_operation([&](const std::string& path, const std::string& method, const Json& operation) {
    CAPTURE(path);
    CAPTURE(method);
    std::set<int> statuses;
    for (const RouteSpec* row : rows.at({path, method})) statuses.merge(documented_statuses(*row, method_of(method)));
    std::set<int> described;
    for (const auto& [status, answer] : operation.at("responses").members) described.insert(std::stoi(status));
    CHECK(described == statuses);
    for (const int status : described) CHECK(http::reason_phrase(status) != "Unknown");
  });
}

TEST_CASE("OpenAPI: each parameter that is described is taken, with each of its values and at its bounds; others not") {
  test::Fronts fronts(kLatestVersion);
  size_t tried = 0;
  document().each_operation([&](const std::string& path, const std::string& method, const Json& operation) {
    if (is_apart(operation)) return;
    CAPTURE(path);
    CAPTURE(method);
    const auto [body, fields] = body_of(operation);
    const auto ask = [&](const std::string& query, const std::string& more = {}) {
      ++tried;
      return fronts.ask(method, target_of(path, operation, query), body, fields + more);
    };
    if (operation.at("security").kind != http::JsonKind::array && path != "/metrics") {
      const http::test::Answer unknown = ask("zzz=1");
      CHECK(unknown.status == 400);
      CHECK(says_unknown(unknown));
    }
    for (const Json& listed : operation.at("parameters").items) {
      const Json& parameter = document().resolved(listed);
      const std::string& name = parameter.at("name").text;
      CAPTURE(name);
      const std::string& in = parameter.at("in").text;
      if (in == "header" && name != "Last-Event-ID") {
        const http::test::Answer answer = ask("", name + ": " + example_of(parameter) + "\r\n");
        CAPTURE(answer.body);
        CHECK((answer.status != 400 || test::sentence_of(answer).find(name) == std::string::npos));
      }
      // Those of a watch make a stream of the answer.
      if (in != "query" || name == "watch" || name == "from" || name == "initial" || name == "prev") continue;
      const Json& schema = parameter.at("schema");
      // A wait waits for a change after an index.
      const std::string needed = name == "wait" && path == "/kv/{key}" ? "&index=0" : "";
      const auto taken = [&](const std::string& value) {
        CAPTURE(value);
        const http::test::Answer answer = ask(name + "=" + http::percent_encode(value) + needed);
        CAPTURE(answer.body);
        CHECK(!says_unknown(answer));
        return answer.status != 400 || !test::sentence_of(answer).starts_with(name + " ");
      };
      CHECK(taken(example_of(parameter)));
      for (const Json& choice : schema.at("enum").items) CHECK(taken(choice.text));
      if (schema.find("enum") != nullptr) CHECK_FALSE(taken("zzz"));
      if (const Json* least = schema.find("minimum")) {
        CHECK(taken(least->text));
        if (least->text != "0") CHECK_FALSE(taken(std::to_string(std::stoull(least->text) - 1)));
        CHECK_FALSE(taken("x"));
      }
      if (const Json* most = schema.find("maximum")) {
        CHECK(taken(most->text));
        CHECK_FALSE(taken(std::to_string(std::stoull(most->text) + 1)));
      }
      if (parameter.at("description").text.find("From ") != std::string::npos) {
        const std::string says = parameter.at("description").text;
        const size_t from = says.find("From ") + 5;
        const size_t to = says.find(" to ", from);
        CHECK(taken(says.substr(from, to - from)));
        if (name != "wait") CHECK(taken(says.substr(to + 4, says.size() - to - 5)));
        CHECK_FALSE(taken("100000000d"));
        CHECK_FALSE(taken("1 fortnight"));
      }
    }
  });
  CHECK(tried > 400);
}

TEST_CASE("OpenAPI: each member of a body that is described is taken, and no other") {
  test::Fronts fronts(kLatestVersion);
  const std::string json = "Content-Type: application/json\r\n";
  const Json& schemas = document().root().at("components").at("schemas");
  const auto put = [&](const std::string& target, const std::string& body) {
    return fronts.ask(target.starts_with("/queues/q/") ? "POST" : "PUT", target, body, json);
  };
  for (const auto& [name, schema] : schemas.at("NewEvent").at("properties").members) {
    CAPTURE(name);
    const bool data = name.starts_with("data");
    const std::string item =
        std::string("{") + (data ? "" : R"("data":"e",)") + '"' + name + "\":" + value_for(schema).json() + "}";
    CHECK(put("/queues/q/batch", "[" + item + "]").status == 201);
    CHECK(document().faults(schemas.at("NewEvent"), testing::read_json(item)) == "");
  }
  CHECK(put("/queues/q/batch", R"([{"data":"e","zzz":1}])").status == 400);
  for (const auto& [name, schema] : schemas.at("QueueSettingsChange").at("properties").members) {
    CAPTURE(name);
    for (const std::string& value : {value_for(schema).json(), std::string("null")}) {
      const std::string change = "{\"" + name + "\":" + value + "}";
      CAPTURE(change);
      CHECK(put("/queues/s", change).status == 200);
      CHECK(document().faults(schemas.at("QueueSettingsChange"), testing::read_json(change)) == "");
    }
  }
  CHECK(put("/queues/s", R"({"zzz":1})").status == 400);
  document().each_operation([&](const std::string& path, const std::string& method, const Json& operation) {
    if (operation.at("operationId").text != "putClusterSettings") return;
    const Json& content = operation.at("requestBody").at("content").at("application/json");
    for (const auto& [name, schema] : content.at("schema").at("properties").members) {
      const std::string change = "{\"" + name + "\":" + value_for(schema).json() + "}";
      CAPTURE(change);
      CHECK(fronts.ask(method, path, change, json).status == 200);
    }
  });
}

TEST_CASE("OpenAPI: each form of a comparison and of an operation is taken, with all its members; no other member is") {
  test::Fronts fronts(kLatestVersion);
  const Json& schemas = document().root().at("components").at("schemas");
  const std::string json = "Content-Type: application/json\r\n";
  CHECK(fronts.ask("POST", "/queues/q/events", "e", "Content-Type: text/plain\r\n").status == 201);
  const std::string receipt = *fronts.ask("POST", "/queues/q/receive").header("Wormhole-Receipt");
  const std::string id = receipt.substr(0, receipt.find('-'));
  // Of each object all members, but one of each that exclude each other.
  const auto object_of = [&](const Json& schema, bool base64) {
    std::string members;
    const std::set<std::string> other_times{"deliver_at"};
    for (const auto& [name, member] : schema.at("properties").members) {
      const std::string plain = name.ends_with("_base64") ? name.substr(0, name.size() - 7) : name;
      const bool has_both =
          schema.at("properties").find(plain) != nullptr && schema.at("properties").find(plain + "_base64") != nullptr;
      if ((has_both && name.ends_with("_base64") != base64) || other_times.contains(name)) continue;
      std::string value = value_for(member).json();
      if (name == "queue") value = "\"q\"";
      if (name == "id") value = id;
      if (name == "receipt") value = "\"" + receipt + "\"";
      if (name == "ttl") value = "\"1h\"";
      members += (members.empty() ? "\"" : ",\"") + name + "\":" + value;
    }
    return "{" + members + "}";
  };
  const auto ask = [&](const std::string& transaction) {
    CAPTURE(transaction);
    const http::test::Answer answer = fronts.ask("POST", "/txn", transaction, json);
    CAPTURE(answer.body);
    CHECK(document().faults(schemas.at("Transaction"), testing::read_json(transaction)) == "");
    if (answer.status == 200)
      CHECK(document().faults(schemas.at("TransactionResult"), testing::read_json(answer.body)) == "");
    CHECK((answer.status == 200 || answer.status == 404 || answer.status == 409));
    return answer.status;
  };
  for (const Json& form : schemas.at("Comparison").at("oneOf").items)
    for (const bool base64 : {false, true})
      CHECK(ask(R"({"compare":[)" + object_of(form, base64) + R"(],"failure":[{"get":{"key":"k"}}],)" +
                R"("success":[{"get":{"key":"k"}}]})") == 200);
  size_t operations = 0;
  for (const Json& kind : schemas.at("Operation").at("oneOf").items) {
    const auto& [name, schema] = kind.at("properties").members.at(0);
    const std::vector<Json> one{schema};
    for (const Json& form :
         schema.find("oneOf") != nullptr && schema.find("type") == nullptr ? schema.at("oneOf").items : one)
      for (const bool base64 : {false, true}) {
        ++operations;
        const std::string body = object_of(form, base64);
        // The lease is none; of "a" no number is made; the receipt counts once.
        ask(R"({"success":[{")" + name + "\":" + body + "}]}");
        const std::string more = body.substr(0, body.size() - 1) + R"(,"zzz":1})";
        CHECK(fronts.ask("POST", "/txn", R"({"success":[{")" + name + "\":" + more + "}]}", json).status == 400);
      }
  }
  CHECK(operations >= 14);
}

TEST_CASE("OpenAPI: a list in a body is taken with as many items as its schema says, and with no more") {
  test::Fronts fronts(kLatestVersion);
  const std::string json = "Content-Type: application/json\r\n";
  CHECK(fronts.ask("PUT", "/queues/q", "{}", json).status == 200);
  const Json& schemas = document().root().at("components").at("schemas");
  const Json& transaction = schemas.at("Transaction").at("properties");
  struct List {
    const Json& schema;
    std::string target;
    std::string before, item, after;  // of the body
  };
  const std::string get = R"({"get":{"key":"k"}})";
  const List lists[] = {{transaction.at("compare"), "/txn", R"({"compare":[)", R"({"key":"k","exists":false})",
                         R"(],"success":[)" + get + "]}"},
                        {transaction.at("success"), "/txn", R"({"success":[)", get, "]}"},
                        {transaction.at("failure"), "/txn", R"({"failure":[)", get, "]}"},
                        {schemas.at("NewEvents"), "/queues/q/batch", "[", R"({"data":"e"})", "]"},
                        {schemas.at("Receipts"), "/queues/q/ack", "[", R"({"id":1,"receipt":"1-1"})", "]"},
                        {schemas.at("EventIds"), "/queues/q/remove", "[", R"({"id":1})", "]"}};
  for (const List& list : lists) {
    CAPTURE(list.before);
    const size_t most = std::stoul(list.schema.at("maxItems").text);
    const auto status_of = [&](size_t count) {
      std::string body = list.before;
      for (size_t i = 0; i < count; ++i) body += (i == 0 ? "" : ",") + list.item;
      return fronts.ask("POST", list.target, body + list.after, json).status;
    };
    CHECK(status_of(most) < 300);
    CHECK(status_of(most + 1) == 400);
  }
}

TEST_CASE("OpenAPI: the document is served like other reads") {
  test::Fronts fronts;
  const http::test::Answer answer = fronts.ask("GET", "/openapi.json");
  CHECK(answer.status == 200);
  CHECK(answer.body == openapi_document().view());
  CHECK(*answer.header("Content-Type") == "application/json");
  CHECK(*answer.header("Cache-Control") == "no-store");
  CHECK(http::check_json(answer.body));
  CHECK(answer.body.ends_with("}\n"));
  const http::test::Answer head = fronts.ask("HEAD", "/openapi.json");
  CHECK(head.status == 200);
  CHECK(*head.header("Content-Length") == std::to_string(answer.body.size()));
  CHECK(fronts.ask("GET", "/openapi.json?x=1").status == 400);
  CHECK(fronts.ask("POST", "/openapi.json").status == 405);
  fronts.options.requirepass = "secret";
  CHECK(fronts.ask("GET", "/openapi.json").status == 401);
  // It is one piece of memory, whoever asks.
  CHECK(openapi_document().view().data() == openapi_document().view().data());
  // A larger one would cost a turn of the loop more than other answers do.
  CHECK(answer.body.size() < size_t{256} << 10);
}

}  // namespace wh::api
