// What a line of the log means and what to do about it: the rows of docs/messages.md, which message_rows.py turns into
// a table at build time. Pure.
#pragma once

#include <span>
#include <string_view>

namespace wh::api {

struct MessageRow {
  std::string_view message;  // as in the document; `...` stands for anything
  std::string_view means;    // Markdown, one line
  std::string_view what_to_do;
};

// All rows, in the document's order; a row of several messages is there once for each.
std::span<const MessageRow> message_rows();
// The row that fits the line; of several the one that fixes most of its text. Null: none.
const MessageRow* help_for(std::string_view line);

}  // namespace wh::api
