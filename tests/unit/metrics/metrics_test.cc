// The table of figures, and how each is written for Prometheus.
#include "metrics/metrics.h"

#include <functional>
#include <regex>
#include <set>
#include <string>
#include <utility>

#include <doctest/doctest.h>

namespace wh::metrics {
namespace {

std::string written(const Figure& figure, const std::function<void(Writer&)>& write) {
  std::string out;
  Writer writer(figure, out);
  write(writer);
  return out;
}

}  // namespace

TEST_CASE("a number in base units, exact") {
  const auto one = [](Unit unit, int64_t value) {
    return written({.metric = "m", .type = MetricType::gauge, .unit = unit, .help = "What it is"},
                   [&](Writer& writer) { writer.plain(value); });
  };
  CHECK(one(Unit::one, 5) == "# HELP m What it is\n# TYPE m gauge\nm 5\n");
  CHECK(one(Unit::bytes, 4096).ends_with("\nm 4096\n"));
  CHECK(one(Unit::milliseconds, 1500).ends_with("\nm 1.5\n"));
  CHECK(one(Unit::milliseconds, 7).ends_with("\nm 0.007\n"));
  CHECK(one(Unit::microseconds, 1'000'001).ends_with("\nm 1.000001\n"));
  CHECK(one(Unit::microseconds, 2'000'000).ends_with("\nm 2\n"));
  CHECK(one(Unit::milliseconds, -1500).ends_with("\nm -1.5\n"));
}

TEST_CASE("HELP and TYPE stand once, before the first sample, and not without one") {
  const Figure figure{.metric = "m_total", .type = MetricType::counter, .help = "What it is"};
  CHECK(written(figure, [](Writer&) {}).empty());
  CHECK(written(figure,
                [](Writer& writer) {
                  writer.number({{"a", "1"}, {"b", "x"}}, 1);
                  writer.number({{"a", "2"}, {"b", "y"}}, 2);
                }) ==
        "# HELP m_total What it is\n# TYPE m_total counter\nm_total{a=\"1\",b=\"x\"} 1\nm_total{a=\"2\",b=\"y\"} 2\n");
}

TEST_CASE("a label's value cannot end its quotes, its line or the encoding") {
  const Figure figure{.metric = "m", .help = "What it is"};
  CHECK(written(figure, [](Writer& writer) {
          writer.number({{"a", "x\" y\\ z\n \xff"}}, 1);
        }).ends_with("\nm{a=\"x\\\" y\\\\ z\\\\x0a \\\\xff\"} 1\n"));
}

TEST_CASE("a histogram: cumulative buckets, +Inf equal to the count") {
  Histogram values;
  for (const uint64_t us : {50, 150, 1'000, 20'000'000}) values.add(us);
  const std::string text =
      written({.metric = "m_seconds", .type = MetricType::histogram, .unit = Unit::microseconds, .help = "What it is"},
              [&](Writer& writer) {
                writer.histogram({{"a", "b"}}, values);
              });
  CAPTURE(text);
  CHECK(text.find("m_seconds_bucket{a=\"b\",le=\"0.0001\"} 1\n") != std::string::npos);
  CHECK(text.find("m_seconds_bucket{a=\"b\",le=\"0.0002\"} 2\n") != std::string::npos);
  CHECK(text.find("m_seconds_bucket{a=\"b\",le=\"0.002\"} 3\n") != std::string::npos);
  CHECK(text.find("m_seconds_bucket{a=\"b\",le=\"10\"} 3\n") != std::string::npos);
  CHECK(text.find("m_seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n") != std::string::npos);
  CHECK(text.find("m_seconds_sum{a=\"b\"} 20.0012\n") != std::string::npos);
  CHECK(text.find("m_seconds_count{a=\"b\"} 4\n") != std::string::npos);
  CHECK(text.find("le=\"0.00005\"") == std::string::npos);
}

TEST_CASE("a histogram's quantiles are shown beside it, within 3 %") {
  Histogram values;
  for (uint64_t us = 1'000; us <= 5'000; us += 4) values.add(us);
  const Figure figure{
      .metric = "m_seconds", .type = MetricType::histogram, .unit = Unit::microseconds, .help = "What it is"};
  std::string text;
  Writer(figure, text, true).histogram({{"a", "b"}}, values);
  CAPTURE(text);
  CHECK(text.starts_with("# HELP m_seconds_quantile What it is: "));
  CHECK(text.find("\n# TYPE m_seconds_quantile summary\n") != std::string::npos);
  CHECK(text.find("m_seconds_bucket") == std::string::npos);
  CHECK(text.find("\nm_seconds_quantile_count{a=\"b\"} 1001\n") != std::string::npos);
  for (const auto& [name, exact] : {std::pair("0.5", 0.003), std::pair("0.99", 0.00496), std::pair("1", 0.005)}) {
    const std::string head = std::string("m_seconds_quantile{a=\"b\",quantile=\"") + name + "\"} ";
    const size_t at = text.find(head);
    REQUIRE(at != std::string::npos);
    const double shown = std::stod(text.substr(at + head.size()));
    CHECK(shown >= exact);
    CHECK(shown <= exact * 1.032);
  }
}

TEST_CASE("every row of the table is well formed") {
  std::set<std::string_view> metrics;
  std::set<std::string_view> fields;
  const std::regex metric_name("(wormhole|process)_[a-z0-9_]+");
  const std::regex field_name("[a-z0-9_]+");
  for (const Figure& figure : figure_table()) {
    const std::string metric(figure.metric);
    const std::string field(figure.field);
    CAPTURE(metric);
    CAPTURE(field);
    const bool lines = std::holds_alternative<WriteLines>(figure.read);
    const bool samples = std::holds_alternative<WriteSamples>(figure.read);
    CHECK((!metric.empty() || !field.empty() || lines));
    CHECK((figure.section != InfoSection::none) == (!field.empty() || lines));
    if (!field.empty()) {
      CHECK(fields.insert(figure.field).second);
      CHECK(std::regex_match(field, field_name));
      CHECK_FALSE((lines || samples));
    }
    if (metric.empty()) continue;
    CHECK(metrics.insert(figure.metric).second);
    CHECK(std::regex_match(metric, metric_name));
    CHECK_FALSE((lines || std::holds_alternative<ReadText>(figure.read)));
    CHECK_FALSE(figure.help.empty());
    CHECK(figure.help.find_first_of("\n\\") == std::string_view::npos);
    CHECK_FALSE(figure.help.ends_with('.'));
    CHECK(metric.ends_with("_total") == (figure.type == MetricType::counter));
    CHECK((figure.type == MetricType::histogram || !std::holds_alternative<ReadHistogram>(figure.read)));
    const bool timed =
        figure.unit == Unit::seconds || figure.unit == Unit::milliseconds || figure.unit == Unit::microseconds;
    CHECK((metric.find("_seconds") != std::string::npos) == timed);
    CHECK((metric.find("_bytes") != std::string::npos) == (figure.unit == Unit::bytes));
  }
}

}  // namespace wh::metrics
