// What the program prints: data on standard output, everything else on standard error; tables, colours, and numbers as
// people read them. Bytes that others wrote reach a terminal only through shown(). Called by the commands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"

namespace wh::cli {

// Whether that standard stream is a terminal: 0, 1 or 2.
bool is_terminal(int fd);
// Decides about colours: none unless standard output is a terminal, NO_COLOR is unset or empty and TERM is not "dumb".
bool colours_wanted();

// Writes all of it to standard output, to a terminal as json_escaped() makes it harmless. Ends the process when nobody
// reads there any more (quietly, as by SIGPIPE), and when it cannot be written (with a sentence and status 1), and by a
// signal where nobody reads.
void put(std::string_view text);
// The same, but bytes go to a terminal too as they are.
void put_raw(std::string_view bytes);
// A value, as it is to a file or pipe; to a terminal as shown() makes it harmless, with a line end and, where that
// changed something, a note. `raw`: as it is in any case.
void put_data(std::string_view bytes, bool raw);
// put(), and a line end where there is none.
void put_line(std::string_view text);
// Writes what put() holds back. Called before each wait.
void flush_output();
// "wormhole-cli: " and the text, on standard error.
void complain(std::string_view text);
// A line on standard error without that prefix.
void note(std::string_view text);

// How much of a value a row of a table shows, in characters.
inline constexpr size_t kCellWidth = 60;

// Text that is safe to show: control characters, those that change the direction of writing or are invisible, and what
// is not UTF-8 become \xNN. `most` characters at most, then "..."; 0: all.
std::string shown(std::string_view bytes, size_t most = 0);
// The same in the way of JSON, as \uNNNN (RFC 8259 7), so that a document stays one; line ends and tabs stay.
std::string json_escaped(std::string_view text);
// Whether shown() would change more than line ends and tabs.
bool harms_terminal(std::string_view bytes);

// "831 B", "1.5 KiB", "12 MiB".
std::string human_size(uint64_t bytes);
// "350 ms", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
std::string human_duration(Millis ms);

enum class Tone : uint8_t { plain, strong, good, bad, faint };
struct Cell {
  std::string text;  // must be safe to show
  Tone tone = Tone::plain;
  Cell(std::string value, Tone how = Tone::plain) : text(std::move(value)), tone(how) {}  // NOLINT
  Cell(const char* value) : text(value) {}                                                // NOLINT
};

// Aligned columns. print() may be called several times, as rows come: the columns never become narrower, and the header
// is printed once.
class Table {
 public:
  // A name that begins with '>' makes its column align to the right.
  explicit Table(std::vector<std::string> names);
  void row(std::vector<Cell> cells);
  // Prints and forgets the rows so far; the header too when there is any row, or `always`.
  void print(bool always = false);
  [[nodiscard]] bool empty() const { return rows_.empty() && !header_done_; }

 private:
  void print_row(const std::vector<Cell>& cells) const;

  std::vector<std::string> names_;
  std::vector<bool> right_;
  std::vector<size_t> widths_;
  std::vector<std::vector<Cell>> rows_;
  bool header_done_ = false;
};

}  // namespace wh::cli
