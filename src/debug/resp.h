// RESP, the answering half: builds replies as byte strings. Stateless; called by the connection, the command table and
// the server's commands, which know no version of RESP: the connection gives each reply its client's (in_protocol). A
// bulk string carries its bytes exactly; a simple string and an error are one line of text, in which bytes that could
// end the line or control a terminal are escaped (HAZARDS I5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wh::debug {

// The words that begin an error; each tells the client what to do (CONTRACT "The debug port").
enum class ErrorWord { err, noauth, denied, oom, notapplied, unknown, wrongpass, execabort, noproto };

std::string simple_reply(std::string_view text);
// `text` is one sentence, without the word and its dash.
std::string error_reply(ErrorWord word, std::string_view text);
std::string integer_reply(int64_t value);
std::string bulk_reply(std::string_view bytes);
std::string null_reply();        // the null bulk: an absent value
std::string null_array_reply();  // the null array: an absent list
// The header of an array; the caller appends its elements, each a whole reply.
std::string array_header(size_t elements);
// The header of a map; the caller appends each key and its value.
std::string map_header(size_t pairs);
std::string set_header(size_t elements);

enum class Protocol : uint8_t { resp2 = 2, resp3 = 3 };
// A reply as that version has it: RESP2 knows no maps and sets and has arrays in their place, RESP3 has one null.
std::string in_protocol(Protocol protocol, std::string reply);

}  // namespace wh::debug
