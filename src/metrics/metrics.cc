#include "metrics/metrics.h"

#include <array>
#include <variant>

#include "base/log.h"

namespace wh::metrics {
namespace {

// Which of a histogram's buckets are shown. Each is a series of its own in Prometheus, and buckets below the first or
// above the last shown are seldom of use.
struct Shown {
  uint64_t first;
  uint64_t last;
};
constexpr Shown shown(Unit unit) {
  switch (unit) {
    case Unit::microseconds:
      return {100, 10'000'000};
    default:
      return {1, 10'000};
  }
}

// How many of the unit make one of Prometheus's base unit.
constexpr uint64_t divisor(Unit unit) {
  switch (unit) {
    case Unit::milliseconds:
      return 1'000;
    case Unit::microseconds:
      return 1'000'000;
    default:
      return 1;
  }
}

// A decimal fraction, exact: no rounding, no exponent, no locale.
std::string in_base_unit(int64_t value, Unit unit) {
  const uint64_t by = divisor(unit);
  const bool negative = value < 0;
  const uint64_t magnitude = negative ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string text = (negative ? "-" : "") + std::to_string(magnitude / by);
  if (magnitude % by == 0) return text;
  std::string fraction = std::to_string(by + magnitude % by).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + "." + fraction;
}

}  // namespace

void Writer::plain(int64_t value) { sample("", {}, {}, in_base_unit(value, figure_.unit)); }

void Writer::number(std::initializer_list<Label> labels, uint64_t value) {
  sample("", labels, {}, in_base_unit(static_cast<int64_t>(value), figure_.unit));
}

void Writer::histogram(std::initializer_list<Label> labels, const Histogram& values) {
  const auto [first, last] = shown(figure_.unit);
  for (size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    const uint64_t bound = Histogram::kBounds[i];
    if (bound < first || bound > last) continue;
    sample("_bucket", labels, in_base_unit(static_cast<int64_t>(bound), figure_.unit),
           std::to_string(values.count_up_to(i)));
  }
  sample("_bucket", labels, "+Inf", std::to_string(values.count()));
  sample("_sum", labels, {}, in_base_unit(static_cast<int64_t>(values.sum()), figure_.unit));
  sample("_count", labels, {}, std::to_string(values.count()));
}

void Writer::sample(std::string_view suffix, std::initializer_list<Label> labels, std::string_view bound,
                    std::string_view value) {
  if (!begun_) head();
  begun_ = true;
  out_ += figure_.metric;
  out_ += suffix;
  char separator = '{';
  const auto label = [&](std::string_view name, std::string_view text) {
    out_ += separator;
    separator = ',';
    out_ += name;
    out_ += "=\"";
    // printable() gives valid UTF-8 without control bytes; then the format's own escapes.
    for (const char c : printable(text)) {
      if (c == '\\' || c == '"') out_ += '\\';
      out_ += c;
    }
    out_ += '"';
  };
  for (const Label& each : labels) label(each.name, each.value);
  if (!bound.empty()) label("le", bound);
  if (separator == ',') out_ += '}';
  out_ += ' ';
  out_ += value;
  out_ += '\n';
}

void Writer::head() {
  static constexpr std::array<std::string_view, 3> kTypes{"gauge", "counter", "histogram"};
  out_ += "# HELP ";
  out_ += figure_.metric;
  out_ += ' ';
  out_ += figure_.help;
  out_ += "\n# TYPE ";
  out_ += figure_.metric;
  out_ += ' ';
  out_ += kTypes[static_cast<size_t>(figure_.type)];
  out_ += '\n';
}

std::string metrics_text(const Sources& sources) {
  std::string out;
  for (const Figure& figure : figure_table()) {
    if (figure.metric.empty()) continue;
    Writer writer(figure, out);
    if (const auto* read = std::get_if<ReadNumber>(&figure.read)) {
      if (const std::optional<int64_t> value = (*read)(sources)) writer.plain(*value);
    } else if (const auto* samples = std::get_if<WriteSamples>(&figure.read)) {
      (*samples)(sources, writer);
    } else if (const auto* histogram = std::get_if<ReadHistogram>(&figure.read)) {
      writer.histogram({}, (*histogram)(sources));
    }
  }
  return out;
}

}  // namespace wh::metrics
