// Percent-encoding (RFC 3986), paths and forms. Everything is decoded exactly once, here (HAZARDS H17); what comes out
// is bytes, which need not be UTF-8 and may hold '/' and NUL.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace wh::http {

// At most so many parameters in a query or a form.
inline constexpr size_t kMaxParams = 256;

// Decodes %XX; a '+' stays one. An error when a '%' is not followed by two hexadecimal digits.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);

// Everything but RFC 3986's unreserved bytes (letters, digits, - . _ ~) becomes %XX, in capitals.
[[nodiscard]] std::string percent_encode(std::string_view bytes);

// The segments of a raw path between its slashes, decoded; `/a/b/` gives "a", "b", "" and `/` gives "". A %2F is data
// of a segment. The path must begin with '/' (else an error), "." and ".." are names like any others.
[[nodiscard]] Result<std::vector<std::string>> split_path(std::string_view path);

using Params = std::vector<std::pair<std::string, std::string>>;

// Reads a query or an application/x-www-form-urlencoded body: pairs in the order sent, '+' is a space, `a` is `a=`,
// empty pairs (`a=1&&b=2`) are passed over. An error: an invalid escape, an empty name, a name given twice, too many.
[[nodiscard]] Result<Params> parse_form(std::string_view text);

// The value of a parameter, or nullptr.
[[nodiscard]] const std::string* find_param(const Params& params, std::string_view name);

// The same target in canonical encoding, for a Location: decoded, checked, encoded again, so that nothing but
// unreserved bytes, %XX, '/', '?', '&' and '=' is in it (HAZARDS H14). `query` may be empty; a trailing slash stays.
[[nodiscard]] Result<std::string> canonical_target(std::string_view path, std::string_view query);

// Whether a Content-Type is this media type, whatever its parameters (RFC 9110 8.3.1).
[[nodiscard]] bool is_media_type(std::string_view content_type, std::string_view media_type);

}  // namespace wh::http
