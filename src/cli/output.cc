#include "cli/output.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "cli/signals.h"

namespace wh::cli {
namespace {

constexpr size_t kHeldBack = 64 * 1024;

std::string held;  // for standard output

void write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    // Who does not read keeps nobody from ending.
    pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    if (signals::ending() != 0 && poll(&out, 1, 0) == 0) signals::die_of(signals::ending());
    const ssize_t written = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      // Another program that has the same pipe or terminal made it non-blocking.
      poll(&out, 1, 1'000);
    } else if (errno == EPIPE) {
      _exit(141);  // as a program that SIGPIPE ended
    } else if (errno != EINTR) {
      complain(std::string("cannot write to standard output: ") + std::strerror(errno));
      _exit(1);
    }
  }
}

// The length of the character at the start, and whether it may be shown as it is.
struct Character {
  size_t bytes;
  bool safe;
};

uint32_t code_point(std::string_view text, size_t length) {
  const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<unsigned char>(text[at])); };
  if (length == 1) return byte(0);
  uint32_t value = byte(0) & (0xFFU >> (length + 1));
  for (size_t at = 1; at < length; ++at) value = (value << 6) | (byte(at) & 0x3F);
  return value;
}

// Characters that show nothing, or change how their neighbours are shown.
bool is_tricky(uint32_t c) {
  return (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         c == 0x061C || (c >= 0xFFF9 && c <= 0xFFFB) || c >= 0xE0000;
}

Character character(std::string_view text) {
  const size_t length = utf8_sequence(text);
  if (length == 0) return {1, false};
  const std::string_view one = text.substr(0, length);
  return {length, !has_control_or_noncharacter(one) && !is_tricky(code_point(one, length))};
}

size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string_view code_of(Tone tone) {
  switch (tone) {
    case Tone::strong:
      return "\x1b[1m";
    case Tone::good:
      return "\x1b[32m";
    case Tone::bad:
      return "\x1b[1;31m";
    case Tone::faint:
      return "\x1b[2m";
    case Tone::plain:
      return "";
  }
  return "";
}

}  // namespace

bool is_terminal(int fd) { return isatty(fd) == 1; }

bool colours_wanted() {
  static const bool wanted = [] {
    const char* no_color = std::getenv("NO_COLOR");
    return is_terminal(STDOUT_FILENO) && (no_color == nullptr || *no_color == '\0') && term_knows_escapes();
  }();
  return wanted;
}

void put(std::string_view text) {
  static const bool terminal = is_terminal(STDOUT_FILENO);
  if (terminal && harms_terminal(text))
    put_raw(json_escaped(text));
  else
    put_raw(text);
}

void put_raw(std::string_view bytes) {
  held += bytes;
  if (held.size() >= kHeldBack) flush_output();
}

void put_data(std::string_view bytes, bool raw) {
  if (raw || !is_terminal(STDOUT_FILENO)) return put_raw(bytes);
  if (!harms_terminal(bytes)) return put_line(bytes);
  put_line(shown(bytes));
  note("(bytes that are not text are shown as \\xNN; --raw, or a pipe or file, gets them as they are)");
}

void put_line(std::string_view text) {
  put(text);
  if (!text.ends_with('\n')) put("\n");
}

void flush_output() {
  std::string now;
  now.swap(held);
  write_out(now);
}

void complain(std::string_view text) {
  flush_output();
  std::fprintf(stderr, "wormhole-cli: %.*s\n", static_cast<int>(text.size()), text.data());
}

void note(std::string_view text) {
  flush_output();
  std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

std::string shown(std::string_view bytes, size_t most) {
  std::string out;
  for (size_t count = 0; !bytes.empty(); ++count) {
    if (most > 0 && count == most) return out + "...";
    const Character c = character(bytes);
    if (c.safe) {
      out += bytes.substr(0, c.bytes);
    } else {
      for (const char byte : bytes.substr(0, c.bytes)) {
        out += "\\x";
        append_hex(out, static_cast<uint8_t>(byte));
      }
    }
    bytes.remove_prefix(c.bytes);
  }
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  const auto unit = [&out](uint32_t value) {
    out += "\\u";
    append_hex(out, static_cast<uint8_t>(value >> 8));
    append_hex(out, static_cast<uint8_t>(value));
  };
  while (!text.empty()) {
    const Character c = character(text);
    const std::string_view one = text.substr(0, c.bytes);
    text.remove_prefix(c.bytes);
    if (c.safe || one == "\n" || one == "\t") {
      out += one;
    } else if (utf8_sequence(one) == 0) {
      unit(0xFFFD);
    } else if (const uint32_t value = code_point(one, c.bytes); value < 0x10000) {
      unit(value);
    } else {
      unit(0xD800 + ((value - 0x10000) >> 10));
      unit(0xDC00 + ((value - 0x10000) & 0x3FF));
    }
  }
  return out;
}

bool harms_terminal(std::string_view bytes) {
  while (!bytes.empty()) {
    const Character c = character(bytes);
    if (!c.safe && bytes[0] != '\n' && bytes[0] != '\t') return true;
    bytes.remove_prefix(c.bytes);
  }
  return false;
}

std::string human_size(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array<const char*, 5> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), value < 9.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return text.data();
}

std::string human_duration(Millis ms) {
  if (ms < 1'000) return std::to_string(ms) + " ms";
  const uint64_t s = ms / 1'000;
  const auto two = [](uint64_t big, const char* big_unit, uint64_t small, const char* small_unit) {
    std::string out = std::to_string(big) + " " + big_unit;
    if (small > 0) out += " " + std::to_string(small) + " " + small_unit;
    return out;
  };
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3'600) return two(s / 60, "min", s % 60, "s");
  if (s < 86'400) return two(s / 3'600, "h", s % 3'600 / 60, "min");
  return two(s / 86'400, "d", s % 86'400 / 3'600, "h");
}

Table::Table(std::vector<std::string> names) : names_(std::move(names)) {
  for (std::string& name : names_) {
    right_.push_back(name.starts_with('>'));
    if (right_.back()) name.erase(0, 1);
    widths_.push_back(width_of(name));
  }
}

void Table::row(std::vector<Cell> cells) {
  for (Cell& cell : cells) cell.text = shown(cell.text);
  for (size_t at = 0; at < cells.size(); ++at) widths_[at] = std::max(widths_[at], width_of(cells[at].text));
  rows_.push_back(std::move(cells));
}

void Table::print(bool always) {
  if (!header_done_ && (always || !rows_.empty())) {
    std::vector<Cell> header;
    for (const std::string& name : names_) header.emplace_back(name, Tone::strong);
    print_row(header);
    header_done_ = true;
  }
  for (const auto& cells : rows_) print_row(cells);
  rows_.clear();
}

void Table::print_row(const std::vector<Cell>& cells) const {
  std::string line;
  for (size_t at = 0; at < cells.size(); ++at) {
    const Cell& cell = cells[at];
    const std::string blanks(widths_[at] - width_of(cell.text), ' ');
    const bool coloured = cell.tone != Tone::plain && colours_wanted();
    if (at > 0) line += "  ";
    if (right_[at]) line += blanks;
    if (coloured) line += code_of(cell.tone);
    line += cell.text;
    if (coloured) line += "\x1b[0m";
    if (!right_[at] && at + 1 < cells.size()) line += blanks;
  }
  put_raw(line + "\n");
}

}  // namespace wh::cli
