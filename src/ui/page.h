// The page that a browser shows at /ui: one HTML document, made at build time by embed.py from the files of this
// folder. Holds bytes only; api/http serves them. What the page does, it does by the public paths.
#pragma once

#include <string_view>

namespace wh::ui {

// The document, UTF-8.
std::string_view page();
// The value of its Content-Security-Policy: only the document's own scripts and styles run, by their hashes.
std::string_view content_security_policy();

}  // namespace wh::ui
