#include "config/parser.h"

#include <optional>
#include <utility>

#include "base/escapes.h"
#include "config/option_values.h"

namespace wh::config {
namespace {

// Takes one word off the front of `in`, which begins with it.
class WordReader {
 public:
  explicit WordReader(std::string_view& in) : in_(in) {}

  Result<std::string> read() {
    while (!in_.empty() && !is_blank(in_[0])) {
      const char quote = in_[0];
      if (quote != '"' && quote != '\'') {
        take(1, quote);
        continue;
      }
      in_.remove_prefix(1);
      while (!in_.empty() && in_[0] != quote) quote == '"' ? double_quoted() : single_quoted();
      if (in_.empty()) return Error{"unbalanced quotes: a closing " + std::string(1, quote) + " is missing"};
      in_.remove_prefix(1);
      if (!in_.empty() && !is_blank(in_[0])) return Error{"unbalanced quotes: a blank must follow a closing quote"};
    }
    return std::move(word_);
  }

 private:
  void take(size_t size, char meaning) {
    word_ += meaning;
    in_.remove_prefix(size);
  }
  void double_quoted() {
    if (in_[0] != '\\' || in_.size() < 2) return take(1, in_[0]);
    if (in_[1] == 'x')
      if (const std::optional<char> byte = hex_byte(in_.substr(2))) return take(4, *byte);
    take(2, unescaped(in_[1]));
  }
  void single_quoted() {
    if (in_.starts_with("\\'")) return take(2, '\'');
    take(1, in_[0]);
  }

  std::string_view& in_;
  std::string word_;
};

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  while (true) {
    while (!line.empty() && is_blank(line[0])) line.remove_prefix(1);
    if (line.empty()) return words;
    Result<std::string> word = WordReader(line).read();
    if (!word) return Error{word.error()};
    words.push_back(std::move(*word));
  }
}

std::variant<std::vector<Line>, ConfigError> parse(std::string_view source, std::string_view text) {
  const auto whole = [&](std::string expected) { return ConfigError{std::string(source), 0, "", std::move(expected)}; };
  if (text.size() > kMaxFileSize) return whole("a config file must not be larger than " + format_memory(kMaxFileSize));
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return whole("this is UTF-16; a config file must be plain text in UTF-8");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);

  std::vector<Line> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);

    const auto wrong = [&](std::string expected) {
      return ConfigError{std::string(source), number, shown_line(line), std::move(expected)};
    };
    if (line.size() > kMaxLineSize)
      return wrong("a line must not be longer than " + std::to_string(kMaxLineSize) + " bytes");
    if (line.find('\0') != std::string_view::npos) return wrong("a config file must not contain NUL bytes");
    if (line.find('\r') != std::string_view::npos)
      return wrong("a carriage return within a line: lines must end in LF or CRLF");
    line = trim_blanks(line);
    if (line.empty() || line[0] == '#') continue;
    Result<std::vector<std::string>> words = split_words(line);
    if (!words) return wrong(words.error());
    lines.push_back({number, std::string(line), std::move(*words)});
  }
  return lines;
}

}  // namespace wh::config
