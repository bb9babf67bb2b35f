#include "api/http/inputs.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/nearest.h"
#include "config/option_values.h"
#include "http/shown.h"
#include "machine/command/command.h"

namespace wh::api {
namespace {

bool knows(const Parameters& known, std::string_view name) { return find_parameter(known, name) != nullptr; }

// `what`: "parameter".
std::string unknown_name(const std::string& what, const Parameters& known, std::string_view name) {
  std::string sentence = "the " + what + " " + http::shown(name) + " is not known here";
  if (known.empty()) return sentence + ": this path takes none";
  Nearest nearest(name);
  for (const Parameter* candidate : known) nearest.consider(candidate->name);
  if (!nearest.found().empty()) return sentence + ": did you mean '" + std::string(nearest.found()) + "'?";
  sentence += known.size() == 1 ? "; the only one is '" : "; those are '";
  std::string_view separator;
  for (const Parameter* one : known) {
    sentence += separator;
    sentence += one->name;
    separator = "', '";
  }
  return sentence + "'";
}

// Whether the field may be a precondition: a quick check that most fields fail.
bool looks_like_precondition(std::string_view name) {
  return name.size() > 3 && (name[0] == 'I' || name[0] == 'i') && (name[1] == 'F' || name[1] == 'f') && name[2] == '-';
}

}  // namespace

std::optional<Refusal> refuse_query(const RouteInputs& inputs, const http::Params& query) {
  if (inputs.anything) return std::nullopt;
  for (const auto& [name, value] : query) {
    if (knows(inputs.query, name)) continue;
    if (knows(inputs.form, name))
      return malformed("the parameter " + http::shown(name) + " belongs in a form in the body");
    if (knows(inputs.json, name))
      return malformed("the parameter " + http::shown(name) + " belongs in a JSON object in the body");
    return malformed(unknown_name("parameter", inputs.query, name));
  }
  return std::nullopt;
}

std::optional<Refusal> refuse_body(const RouteInputs& inputs, std::string_view body) {
  // Many clients send an empty object for nothing.
  if (inputs.anything || inputs.reads_body() || body.empty() || body == "{}") return std::nullopt;
  const std::string sentence = "this path reads no body, so the request is refused rather than done without it";
  if (inputs.query.empty()) return malformed(sentence + ": it takes no parameters either");
  std::string names;
  for (const Parameter* one : inputs.query) names += (names.empty() ? "'" : ", '") + std::string(one->name) + "'";
  return malformed(sentence + ": parameters belong in the query, ?" + std::string(inputs.query.front()->name) +
                   "=..., and are " + names);
}

std::optional<Refusal> refuse_coding(const RouteInputs& inputs, const http::Request& request) {
  if (inputs.anything || request.body.empty()) return std::nullopt;
  for (const http::Header& field : request.headers)
    if (http::equals_ignoring_case(field.name, "Content-Encoding") &&
        !http::equals_ignoring_case(config::trim_blanks(field.value), "identity"))
      return Refusal{RefusalKind::wrong_type, "the Content-Encoding " + printable(field.value) +
                                                  " is not undone here and would be lost: send the body without it"};
  return std::nullopt;
}

std::optional<Refusal> refuse_form(const RouteInputs& inputs, const http::Params& form) {
  for (const auto& [name, value] : form)
    if (!knows(inputs.form, name))
      return malformed(unknown_name("form field", inputs.form, name) +
                       " (within a value, & is written %26: curl's --data-urlencode)");
  return std::nullopt;
}

std::optional<Refusal> refuse_json(const RouteInputs& inputs, const http::Params& members) {
  if (inputs.any_members) return std::nullopt;
  for (const auto& [name, value] : members)
    if (!knows(inputs.json, name)) return malformed(unknown_name("member", inputs.json, name));
  return std::nullopt;
}

OrRefusal<std::optional<std::string>> idempotency_key_of(const RouteInputs& inputs, const http::Request& request) {
  const std::string* key = nullptr;
  for (const http::Header& field : request.headers) {
    if (!http::equals_ignoring_case(field.name, "Idempotency-Key")) continue;
    if (key != nullptr) return malformed("Idempotency-Key is given twice");
    key = &field.value;
  }
  if (key == nullptr) return std::optional<std::string>();
  if (!inputs.idempotency)
    return malformed("no answer is kept for this path, so it takes no Idempotency-Key: done twice it may do harm");
  const bool printable = std::all_of(key->begin(), key->end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (key->empty() || key->size() > machine::kMaxIdempotencyKeyBytes || !printable)
    return malformed("an Idempotency-Key has 1 to 255 printable ASCII characters");
  return std::optional(*key);
}

std::optional<Refusal> refuse_preconditions(const RouteInputs& inputs, const http::Request& request) {
  if (inputs.anything) return std::nullopt;
  for (const http::Header& field : request.headers) {
    if (!looks_like_precondition(field.name)) continue;
    const auto is = [&](std::string_view name) { return http::equals_ignoring_case(field.name, name); };
    const bool refused =
        (is("If-Match") && !inputs.entity_tags) || (is("If-None-Match") && !inputs.not_entity_tags) ||
        (is("If-Unmodified-Since") && !(inputs.entity_tags && request.header("If-Match") != nullptr)) ||
        (is("If-Modified-Since") && !(inputs.not_entity_tags && request.header("If-None-Match") != nullptr));
    if (refused)
      return malformed("the precondition " + printable(field.name) +
                       " is not evaluated here, so the request is refused rather than done without it");
  }
  return std::nullopt;
}

}  // namespace wh::api
