// Which known name somebody meant who wrote another: "did you mean". For people only: nothing is decided by it. Pure;
// keeps views of the candidates, no copies. Called by the option table and by whoever refuses a name of a client's.
#pragma once

#include <cstddef>
#include <string_view>

namespace wh {

class Nearest {
 public:
  // `name` must outlive this. One over 40 bytes is near to nothing, which bounds the work.
  explicit Nearest(std::string_view name);

  // Looks at one known name; of two that are equally near, the first counts.
  void consider(std::string_view candidate);
  // The nearest so far, letters' case aside: at most a third of the letters are wrong, or one. Empty: none is near.
  [[nodiscard]] std::string_view found() const { return found_; }

 private:
  std::string_view name_;
  size_t least_;  // mistakes that are too many
  std::string_view found_;
};

}  // namespace wh
