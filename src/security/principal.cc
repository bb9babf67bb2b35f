#include "security/principal.h"

#include <algorithm>
#include <utility>

namespace wh::security {
namespace {

Rights all_rights() { return {.read = true, .write = true, .admin = true, .keys = {"*"}, .queues = {"*"}}; }

bool names_all(const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), "*") != names.end();
}

}  // namespace

Principal::Principal(std::string name, Rights rights)
    : name_(std::move(name)),
      rights_(std::move(rights)),
      all_names_(names_all(rights_.keys) && names_all(rights_.queues)),
      everything_(all_names_ && rights_.read && rights_.write && rights_.admin) {}

const Principal& Principal::anonymous() {
  static const Principal principal("anonymous", all_rights());
  return principal;
}

const Principal& Principal::password_holder() {
  static const Principal principal("default", all_rights());
  return principal;
}

bool Principal::may(Verb verb) const {
  switch (verb) {
    case Verb::open:
      return true;
    case Verb::read:
      return rights_.read;
    case Verb::write:
      return rights_.write;
    case Verb::admin:
      return rights_.admin;
  }
  return false;
}

bool Principal::covers(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view covered) {
    if (!covered.ends_with('*')) return covered == name;
    covered.remove_suffix(1);
    return name.starts_with(covered);
  });
}

}  // namespace wh::security
