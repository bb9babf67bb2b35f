#include "metrics/metrics.h"

#include <array>
#include <variant>

#include "base/log.h"

namespace wh::metrics {
namespace {

// The buckets of a histogram, each a series of its own in Prometheus: from a tenth of a millisecond to ten seconds, or
// from 1 to 10,000. Quantiles are shown beside them, as these steps are wide.
constexpr std::array<uint64_t, 16> kTimes{100,       200,       500,       1'000,     2'000,   5'000,
                                          10'000,    20'000,    50'000,    100'000,   200'000, 500'000,
                                          1'000'000, 2'000'000, 5'000'000, 10'000'000};
constexpr std::array<uint64_t, 13> kSizes{1, 2, 5, 10, 20, 50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000};

struct Quantile {
  std::string_view name;
  unsigned permyriad;
};
constexpr std::array<Quantile, 5> kQuantiles{
    {{"0.5", 5'000}, {"0.9", 9'000}, {"0.99", 9'900}, {"0.999", 9'990}, {"1", 10'000}}};

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
  const auto bucket = [&](uint64_t bound, uint64_t count) {
    sample("_bucket", labels, {"le", in_base_unit(static_cast<int64_t>(bound), figure_.unit)}, std::to_string(count));
  };
  if (quantiles_) {
    for (const Quantile& each : kQuantiles)
      sample("", labels, {"quantile", each.name},
             in_base_unit(static_cast<int64_t>(values.permyriad(each.permyriad)), figure_.unit));
  } else {
    if (figure_.unit == Unit::microseconds)
      values.count_up_to(kTimes, bucket);
    else
      values.count_up_to(kSizes, bucket);
    sample("_bucket", labels, {"le", "+Inf"}, std::to_string(values.count()));
  }
  sample("_sum", labels, {}, in_base_unit(static_cast<int64_t>(values.sum()), figure_.unit));
  sample("_count", labels, {}, std::to_string(values.count()));
}

void Writer::sample(std::string_view suffix, std::initializer_list<Label> labels, const Label& more,
                    std::string_view value) {
  if (!begun_) head();
  begun_ = true;
  out_ += name();
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
  if (!more.name.empty()) label(more.name, more.value);
  if (separator == ',') out_ += '}';
  out_ += ' ';
  out_ += value;
  out_ += '\n';
}

std::string Writer::name() const { return std::string(figure_.metric) + (quantiles_ ? "_quantile" : ""); }

void Writer::head() {
  static constexpr std::array<std::string_view, 3> kTypes{"gauge", "counter", "histogram"};
  out_ += "# HELP " + name() + " ";
  out_ += figure_.help;
  if (quantiles_) out_ += ": what a share of them does not exceed, since the start or CONFIG RESETSTAT, within 3 %";
  out_ += "\n# TYPE " + name() + " ";
  out_ += quantiles_ ? "summary" : kTypes[static_cast<size_t>(figure_.type)];
  out_ += '\n';
}

namespace {

void write(const Figure& figure, const Sources& sources, Writer writer) {
  if (const auto* read = std::get_if<ReadNumber>(&figure.read)) {
    if (const std::optional<int64_t> value = (*read)(sources)) writer.plain(*value);
  } else if (const auto* samples = std::get_if<WriteSamples>(&figure.read)) {
    (*samples)(sources, writer);
  } else if (const auto* histogram = std::get_if<ReadHistogram>(&figure.read)) {
    writer.histogram({}, (*histogram)(sources));
  }
}

}  // namespace

std::string metrics_text(const Sources& sources) {
  std::string out;
  for (const Figure& figure : figure_table()) {
    if (figure.metric.empty()) continue;
    write(figure, sources, Writer(figure, out));
    if (figure.type == MetricType::histogram) write(figure, sources, Writer(figure, out, true));
  }
  return out;
}

}  // namespace wh::metrics
