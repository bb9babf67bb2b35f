// Finds the known name that a misspelt one probably meant: "did you mean". For people only: the program decides nothing
// by it. Pure; keeps views of the candidates, no copies. Called by the option table and by code that refuses a client's
// name.
#pragma once

#include <cstddef>
#include <string_view>

namespace wh {

class Nearest {
 public:
  // `name` must outlive this. A name over 40 bytes has no match, which bounds the work.
  explicit Nearest(std::string_view name);

  // Considers one known name; of two equally near ones, the first counts.
  void consider(std::string_view candidate);
  // The nearest so far, ignoring case: at most a third of the letters are wrong, or one. Empty: none is near.
  [[nodiscard]] std::string_view found() const { return found_; }

 private:
  std::string_view name_;
  size_t least_;  // a match has fewer errors than this
  std::string_view found_;
};

}  // namespace wh
