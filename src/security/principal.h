// Who sends a request, and what it may do, by verb and by the names of the keys and queues it touches. A value; knows
// no protocol and no operation. The protocols' fronts choose it for each client; api/access.h checks it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wh::security {

// What an operation does, as far as rights go.
enum class Verb : uint8_t {
  open,   // reveals nothing that a stranger may not know
  read,   // reads data, or how the node is doing
  write,  // changes data
  admin,  // changes or shows the cluster's or the node's own settings
};

struct Rights {
  bool read = false;
  bool write = false;
  bool admin = false;
  // The names that may be read or written: each is a whole name, or a prefix followed by `*`. `*` alone means all
  // names.
  std::vector<std::string> keys;
  std::vector<std::string> queues;
};

class Principal {
 public:
  Principal(std::string name, Rights rights);

  // A client admitted without a password, and one that gave it: both may do everything.
  static const Principal& anonymous();
  static const Principal& password_holder();

  [[nodiscard]] const std::string& name() const { return name_; }
  // Whether everything is allowed, so that no other check is needed.
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

}  // namespace wh::security
