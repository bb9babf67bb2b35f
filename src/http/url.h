// Percent-encoding (RFC 3986), paths and forms. Everything is decoded exactly once, here (HAZARDS H17); the result is
// bytes, which need not be UTF-8 and may hold '/' and NUL.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace wh::http {

// The most parameters in a query or a form.
inline constexpr size_t kMaxParams = 256;

// Decodes %XX; a '+' stays a '+'. An error when two hexadecimal digits do not follow a '%'.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);

// Encodes all but RFC 3986's unreserved bytes (letters, digits, - . _ ~) as %XX, in capitals.
[[nodiscard]] std::string percent_encode(std::string_view bytes);
// Encodes all bytes but those for which `stays` is true.
[[nodiscard]] std::string percent_encode(std::string_view bytes, bool (*stays)(char));

// The segments of a raw path between its slashes, decoded; `/a/b/` gives "a", "b", "" and `/` gives "". A %2F is data
// of a segment. The path must begin with '/' (else an error), "." and ".." are names like any others.
[[nodiscard]] Result<std::vector<std::string>> split_path(std::string_view path);
// The same as views, without a copy of what needs no decoding; the rest is put into `decoded`.
[[nodiscard]] Result<std::vector<std::string_view>> split_path(std::string_view path, std::list<std::string>& decoded);

using Params = std::vector<std::pair<std::string, std::string>>;

// Reads a query or an application/x-www-form-urlencoded body: pairs in the order sent, '+' is a space, `a` means `a=`,
// empty pairs (`a=1&&b=2`) are skipped. Errors: an invalid escape, an empty name, a name given twice, too many pairs.
[[nodiscard]] Result<Params> parse_form(std::string_view text);

// The value of a parameter, or nullptr.
[[nodiscard]] const std::string* find_param(const Params& params, std::string_view name);

// The same target in canonical encoding, for a Location: decoded, checked and encoded again, so that it holds nothing
// but unreserved bytes, %XX, '/', '?', '&' and '=' (HAZARDS H14). `query` may be empty; a trailing slash stays.
[[nodiscard]] Result<std::string> canonical_target(std::string_view path, std::string_view query);

// Whether a Content-Type is this media type, whatever its parameters (RFC 9110 8.3.1).
[[nodiscard]] bool is_media_type(std::string_view content_type, std::string_view media_type);

}  // namespace wh::http
