#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace wh {
namespace {

constexpr size_t kLongest = 40;  // longer than any known name with its typing errors

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same(char a, char b) { return lower(a) == lower(b); }

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, one each.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1)});
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

Nearest::Nearest(std::string_view name) : name_(name), least_(std::max<size_t>(1, name.size() / 3) + 1) {}

void Nearest::consider(std::string_view candidate) {
  if (name_.size() > kLongest) return;
  const size_t distance = edit_distance(name_, candidate);
  if (distance >= least_) return;
  least_ = distance;
  found_ = candidate;
}

}  // namespace wh
