// Who asks, and what he may do: by verb, and by the names of the keys and queues that he touches. A value; knows no
// protocol and no operation. Found by the protocols' fronts when they let somebody in, judged by api/access.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wh {

// What an operation does, as far as rights go.
enum class Verb : uint8_t {
  open,   // tells nothing that a stranger may not know
  read,   // looks at data, or at how the node fares
  write,  // changes data
  admin,  // changes or shows the cluster's or the node's own settings
};

struct Rights {
  bool read = false;
  bool write = false;
  bool admin = false;
  // The names that may be read or written: each a whole name, or the beginning of names and a `*` behind it. `*` alone:
  // all of them.
  std::vector<std::string> keys;
  std::vector<std::string> queues;
};

class Principal {
 public:
  Principal(std::string name, Rights rights);

  // Whoever is let in without a password, and whoever gave it: both may do everything.
  static const Principal& anonymous();
  static const Principal& password_holder();

  [[nodiscard]] const std::string& name() const { return name_; }
  // Whether nothing needs to be looked at further.
  [[nodiscard]] bool may_everything() const { return everything_; }
  [[nodiscard]] bool may(Verb verb) const;
  [[nodiscard]] bool may_touch_key(std::string_view key) const { return covers(rights_.keys, key); }
  [[nodiscard]] bool may_touch_queue(std::string_view queue) const { return covers(rights_.queues, queue); }
  // All keys and queues, whatever their names are.
  [[nodiscard]] bool may_touch_all() const { return all_names_; }

 private:
  static bool covers(const std::vector<std::string>& names, std::string_view name);

  std::string name_;
  Rights rights_;
  bool all_names_;
  bool everything_;
};

}  // namespace wh
