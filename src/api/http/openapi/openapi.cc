#include "api/http/openapi/openapi.h"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/openapi/openapi_rules.h"
#include "api/http/openapi/openapi_schemas.h"
#include "api/http/read_terms.h"
#include "http/json.h"

namespace wh::api {
namespace {

using http::JsonWriter;
using http::Method;

constexpr std::string_view kAbout =
    "A replicated event queue and key-value store. HEAD works wherever GET does; OPTIONS answers 204 with Allow. Every "
    "answer carries Cache-Control: no-store. A parameter, form field, member or precondition that is not described "
    "here "
    "is refused (400), not ignored. Durations are a number and ms, s, m, h or d; without a unit, seconds. "
    "Idempotency-Key "
    "makes a repeat of a write harmless. Paths begin at this node; any node answers.";

struct Served {
  const RouteSpec* row;
  Method method;
  const RouteSpec* variant = nullptr;  // the row of the same path that serves one of its parameters (`when`)
};

void write_text(JsonWriter& json, std::string_view text) {
  if (!text.empty()) json.key("description").string(text);
}

void write_ref(JsonWriter& json, std::string_view kind, std::string_view name, std::string_view text = {}) {
  json.begin_object().key("$ref").string("#/components/" + std::string(kind) + "/" + std::string(name));
  write_text(json, text);
  json.end_object();
}

void write_parameter(JsonWriter& json, const Parameter& parameter, std::string_view in, bool required) {
  json.begin_object().key("name").string(parameter.name).key("in").string(in);
  write_text(json, description_of(parameter));
  if (required) json.key("required").boolean(true);
  if (parameter.type == ParameterType::flag) json.key("allowEmptyValue").boolean(true);
  json.key("schema").raw(text_schema(parameter).json());
  if (!parameter.example.empty()) {
    const bool number = parameter.type == ParameterType::number || parameter.type == ParameterType::integer;
    json.key("example");
    if (number)
      json.raw(parameter.example);
    else
      json.string(parameter.example);
  }
  json.end_object();
}

void write_path_parameters(JsonWriter& json, std::string_view pattern) {
  const std::string path = openapi_path(pattern);
  for (size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1)) {
    const std::string name = path.substr(at + 1, path.find('}', at) - at - 1);
    write_parameter(json, path_parameter(pattern, name), "path", true);
  }
}

bool is_in(std::span<const Parameter* const> all, const Parameter* parameter) {
  return std::find(all.begin(), all.end(), parameter) != all.end();
}

bool is_shared(const Parameter* parameter) {
  return is_in({kReadParams.begin(), kReadParams.end()}, parameter) || is_in(header_parameters(), parameter);
}

void write_parameters(JsonWriter& json, const Served& served) {
  const RouteSpec& row = *served.row;
  json.key("parameters").begin_array();
  write_path_parameters(json, row.pattern);
  const bool in_form = served.method == Method::post && !row.inputs.form.empty();
  std::vector<const Parameter*> queries(row.inputs.query.begin(), row.inputs.query.end());
  std::vector<const Parameter*> fields = request_fields_of(row);
  if (served.variant != nullptr) {
    for (const Parameter* one : served.variant->inputs.query)
      if (!is_in(queries, one)) queries.push_back(one);
    for (const Parameter* one : request_fields_of(*served.variant)) fields.push_back(one);
  }
  for (const Parameter* one : queries) {
    if (is_shared(one))
      write_ref(json, "parameters", one->name);
    else
      write_parameter(json, *one, "query", one->required && !in_form);
  }
  for (const Parameter* one : fields) {
    if (is_shared(one))
      write_ref(json, "parameters", one->name);
    else
      write_parameter(json, *one, "header", false);
  }
  json.end_array();
}

void write_content(JsonWriter& json, const Content& content) {
  json.key(content.type).begin_object();
  if (content.type == "text/event-stream") {
    json.key("schema").raw(string_schema().json());
    json.key("x-event-data").raw(ref_schema(content.schema).json());
  } else if (!content.schema.empty()) {
    json.key("schema").raw(ref_schema(content.schema).json());
  }
  json.end_object();
}

void write_request_body(JsonWriter& json, const Served& served) {
  const RouteSpec& row = *served.row;
  if (served.method == Method::get || !row.inputs.reads_body()) return;
  const bool by_query = !row.inputs.form.empty() && !row.inputs.query.empty();
  json.key("requestBody").begin_object().key("required").boolean(!row.doc.body_optional && !by_query);
  json.key("content").begin_object();
  for (const auto& [type, members] : {std::pair{"application/x-www-form-urlencoded", &row.inputs.form},
                                      std::pair{"application/json", &row.inputs.json}}) {
    if (members->empty()) continue;
    json.key(type).begin_object().key("schema").raw(request_object(*members).json()).end_object();
  }
  for (const Content& content : row.doc.body) write_content(json, content);
  json.end_object().end_object();
}

void write_fields(JsonWriter& json, const std::vector<const Parameter*>& fields) {
  if (fields.empty()) return;
  json.key("headers").begin_object();
  for (const Parameter* field : fields) {
    json.key(field->name);
    write_ref(json, "headers", field->name);
  }
  json.end_object();
}

// The answers of a status, those of the variant too.
struct Answered {
  std::string text;
  std::vector<const Parameter*> fields;
  std::vector<Content> contents;
};

void add_answers(const RouteSpec& row, std::map<int, Answered>& all) {
  for (const AnswerDoc& answer : row.doc.answers) {
    Answered& one = all[answer.status];
    one.text += (one.text.empty() ? "" : " With " + std::string(row.when) + ": ") + std::string(answer.text);
    for (const Parameter* field : answer.fields) one.fields.push_back(field);
    for (const Parameter* field : fields_of(row))
      if (!is_in(one.fields, field)) one.fields.push_back(field);
    one.contents.insert(one.contents.end(), answer.body.begin(), answer.body.end());
  }
}

void write_responses(JsonWriter& json, const Served& served) {
  std::map<int, Answered> answers;
  add_answers(*served.row, answers);
  std::map<int, std::string_view> refusals = refusals_of(*served.row, served.method);
  if (served.variant != nullptr) {
    add_answers(*served.variant, answers);
    refusals.merge(refusals_of(*served.variant, served.method));
  }
  json.key("responses").begin_object();
  for (const auto& [status, answer] : answers) {
    json.key(std::to_string(status)).begin_object().key("description").string(answer.text);
    write_fields(json, answer.fields);
    if (!answer.contents.empty()) {
      json.key("content").begin_object();
      for (const Content& content : answer.contents) write_content(json, content);
      json.end_object();
    }
    json.end_object();
  }
  for (const auto& [status, text] : refusals) {
    json.key(std::to_string(status));
    write_ref(json, "responses", std::to_string(status), text);
  }
  json.end_object();
}

void write_operation(JsonWriter& json, const Served& served, std::string_view group) {
  const RouteSpec& row = *served.row;
  const bool also_post = served.method == Method::get && (row.methods & kPost) != 0;
  json.key(served.method == Method::get    ? "get"
           : served.method == Method::post ? "post"
           : served.method == Method::put  ? "put"
                                           : "delete");
  json.begin_object().key("operationId").string(std::string(row.doc.id) + (also_post ? "ByGet" : ""));
  json.key("tags").begin_array().string(group).end_array();
  json.key("summary").string(row.doc.summary);
  if (served.variant != nullptr) write_text(json, served.variant->doc.summary);
  write_parameters(json, served);
  write_request_body(json, served);
  write_responses(json, served);
  if (row.verb == security::Verb::open) json.key("security").begin_array().end_array();
  json.end_object();
}

// The operations of each path, in the order of the table.
void write_paths(JsonWriter& json) {
  std::vector<std::pair<std::string, std::vector<std::pair<Served, std::string_view>>>> paths;
  for (const RouteGroup& group : route_groups())
    for (const auto& rows : group.rows)
      for (const RouteSpec& row : rows) {
        if (!row.when.empty()) continue;
        const std::string path = openapi_path(row.pattern);
        auto at = std::find_if(paths.begin(), paths.end(), [&](const auto& one) { return one.first == path; });
        if (at == paths.end()) at = paths.insert(paths.end(), {path, {}});
        for (const Method method : {Method::get, Method::post, Method::put, Method::del}) {
          if ((row.methods & http::bit(method)) == 0) continue;
          Served served{&row, method};
          for (const RouteSpec& other : route_table())
            if (!other.when.empty() && other.pattern == row.pattern && (other.methods & http::bit(method)) != 0)
              served.variant = &other;
          at->second.emplace_back(served, group.name);
        }
      }
  json.key("paths").begin_object();
  for (const auto& [path, operations] : paths) {
    json.key(path).begin_object();
    for (const auto& [served, group] : operations) write_operation(json, served, group);
    json.end_object();
  }
  json.end_object();
}

// All that answers have in their headers.
std::map<std::string_view, const Parameter*> answer_fields() {
  std::map<std::string_view, const Parameter*> all;
  for (const StatusDoc& status : status_docs())
    for (const Parameter* field : status.fields) all[field->name] = field;
  for (const RouteSpec& row : route_table()) {
    for (const Parameter* field : fields_of(row)) all[field->name] = field;
    for (const AnswerDoc& answer : row.doc.answers)
      for (const Parameter* field : answer.fields) all[field->name] = field;
  }
  return all;
}

void write_components(JsonWriter& json) {
  json.key("components").begin_object().key("schemas").begin_object();
  for (const auto& [name, schema] : api_schemas()) json.key(name).raw(schema.json());
  json.end_object().key("parameters").begin_object();
  for (const Parameter* one : kReadParams) {
    json.key(one->name);
    write_parameter(json, *one, "query", false);
  }
  for (const Parameter* one : header_parameters()) {
    json.key(one->name);
    write_parameter(json, *one, "header", false);
  }
  json.end_object().key("headers").begin_object();
  for (const auto& [name, field] : answer_fields()) {
    json.key(name).begin_object();
    write_text(json, field->text);
    json.key("schema").raw(text_schema(*field).json()).end_object();
  }
  json.end_object().key("responses").begin_object();
  for (const auto& [status, text, fields] : status_docs()) {
    json.key(std::to_string(status)).begin_object().key("description").string(text);
    write_fields(json, {fields.begin(), fields.end()});
    if (status != 304) {
      json.key("content").begin_object();
      write_content(json, {"application/json", "Error"});
      json.end_object();
    }
    json.end_object();
  }
  json.end_object().key("securitySchemes");
  json.raw(R"({"bearer":{"type":"http","scheme":"bearer","description":"The directive requirepass."},)"
           R"("basic":{"type":"http","scheme":"basic","description":"Any name, and requirepass as password."}})");
  json.end_object();
}

std::string document() {
  JsonWriter json;
  json.begin_object().key("openapi").string("3.1.0");
  json.key("info").begin_object().key("title").string("Wormhole").key("version").string(WORMHOLE_VERSION);
  json.key("description").string(kAbout).end_object();
  json.key("servers").raw(R"([{"url":"/"}])");
  // The last: a node without a password needs none.
  json.key("security").raw(R"([{"bearer":[]},{"basic":[]},{}])");
  json.key("tags").begin_array();
  for (const RouteGroup& group : route_groups())
    json.begin_object().key("name").string(group.name).key("description").string(group.text).end_object();
  json.end_array();
  write_paths(json);
  write_components(json);
  json.end_object();
  return json.take() + "\n";
}

}  // namespace

const Bytes& openapi_document() {
  static const Bytes made(document());
  return made;
}

std::set<int> documented_statuses(const RouteSpec& route, Method method) {
  std::set<int> all;
  for (const AnswerDoc& answer : route.doc.answers) all.insert(answer.status);
  for (const auto& [status, text] : refusals_of(route, method == Method::head ? Method::get : method))
    all.insert(status);
  return all;
}

}  // namespace wh::api
