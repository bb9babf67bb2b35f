#include "metrics/info.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <variant>

#include "config/option_values.h"

namespace wh::metrics {
namespace {

// In the order of InfoSection.
struct SectionName {
  std::string_view name;   // as asked for
  std::string_view title;  // as shown
};
constexpr SectionName kSections[] = {
    {"server", "Server"},
    {"clients", "Clients"},
    {"memory", "Memory"},
    {"persistence", "Persistence"},
    {"stats", "Stats"},
    {"raft", "Raft"},
    {"cpu", "CPU"},
    {"keyspace", "Keyspace"},
    {"queues", "Queues"},
    {"commandstats", "Commandstats"},
    {"httpstats", "Httpstats"},
};
static_assert(std::size(kSections) == static_cast<size_t>(InfoSection::none));
constexpr auto kFirstByNameOnly = static_cast<size_t>(InfoSection::queues);

class InfoText final : public InfoLines {
 public:
  void field(std::string_view name, std::string_view value) override {
    out += name;
    out += ':';
    out += value;
    out += "\r\n";
  }
  std::string out;
};

void write(const Figure& figure, const Sources& sources, InfoText& text) {
  if (const auto* read = std::get_if<ReadNumber>(&figure.read)) {
    if (const std::optional<int64_t> value = (*read)(sources)) text.field(figure.field, std::to_string(*value));
  } else if (const auto* read_text = std::get_if<ReadText>(&figure.read)) {
    if (const std::optional<std::string> value = (*read_text)(sources)) text.field(figure.field, *value);
  } else if (const auto* lines = std::get_if<WriteLines>(&figure.read)) {
    (*lines)(sources, text);
  } else if (const auto* histogram = std::get_if<ReadHistogram>(&figure.read)) {
    const Histogram& values = (*histogram)(sources);
    const std::string name(figure.field);
    text.field(name + "_p50", std::to_string(values.percentile(50)));
    text.field(name + "_p99", std::to_string(values.percentile(99)));
    text.field(name + "_max", std::to_string(values.max()));
  }
}

}  // namespace

std::string info_text(const Sources& sources, std::span<const std::string> sections) {
  std::set<size_t> wanted;
  const auto want_up_to = [&](size_t end) {
    for (size_t i = 0; i < end; ++i) wanted.insert(i);
  };
  if (sections.empty()) want_up_to(kFirstByNameOnly);
  for (const std::string& section : sections) {
    const std::string name = config::to_lower(section);
    if (name == "default") want_up_to(kFirstByNameOnly);
    if (name == "all" || name == "everything") want_up_to(std::size(kSections));
    const auto* found = std::find_if(std::begin(kSections), std::end(kSections),
                                     [&](const SectionName& known) { return known.name == name; });
    if (found != std::end(kSections)) wanted.insert(static_cast<size_t>(found - kSections));
  }
  InfoText text;
  for (const size_t section : wanted) {
    if (!text.out.empty()) text.out += "\r\n";
    text.out += "# " + std::string(kSections[section].title) + "\r\n";
    for (const Figure& figure : figure_table())
      if (figure.section == static_cast<InfoSection>(section)) write(figure, sources, text);
  }
  return text.out;
}

}  // namespace wh::metrics
