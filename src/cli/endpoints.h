// The URLs that the program asks: reads lists of them, and compares what a redirection names with what a cluster says
// of its members. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wh::cli {

inline constexpr std::string_view kDefaultEndpoint = "http://127.0.0.1:8080";

// "URL[,URL...]": each `http[s]://HOST[:PORT][/PREFIX]`, or `HOST:PORT`, which is http. Without slashes at their ends;
// one that is there twice counts once. The error says which one is wrong, and how; it repeats no password.
Result<std::vector<std::string>> parse_endpoints(std::string_view list);

// Scheme, host and port of a URL, as parse_endpoints() gives it or longer: "http://host:80".
std::string origin_of(std::string_view url);
[[nodiscard]] inline bool is_https(std::string_view url) { return url.starts_with("https://"); }

}  // namespace wh::cli
