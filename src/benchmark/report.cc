#include "benchmark/report.h"

#include <array>
#include <cstdarg>
#include <cstdio>

#include "http/json.h"

namespace wh::benchmark {
namespace {

[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
  std::array<char, 512> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  return text.data();
}

double ms(uint64_t micros) { return static_cast<double>(micros) / 1e3; }

struct Percentile {
  const char* name;
  unsigned permyriad;
};
constexpr std::array<Percentile, 6> kPercentiles{
    {{"p50", 5'000}, {"p90", 9'000}, {"p95", 9'500}, {"p99", 9'900}, {"p99.9", 9'990}, {"p99.99", 9'999}}};

double rate(const Measure& m) { return static_cast<double>(m.operations) * 1e6 / static_cast<double>(m.micros); }
double cores(const Measure& m) { return static_cast<double>(m.cpu_us) / static_cast<double>(m.micros); }
double average(const Measure& m) { return m.operations == 0 ? 0 : ms(m.total_us) / static_cast<double>(m.operations); }

std::string as_text(const Measure& m, const Options& options) {
  std::string out = "====== " + m.name + " ======\n";
  out += print("  %llu requests in %.2f s, %.0f a second\n", static_cast<unsigned long long>(m.operations),
               static_cast<double>(m.micros) / 1e6, rate(m));
  out += print("  %zu connections, %zu at once on each, %zu bytes", options.connections, options.pipeline,
               options.data_bytes);
  out +=
      options.rate > 0 ? print(", %llu a second by the clock\n", static_cast<unsigned long long>(options.rate)) : "\n";
  out += "  ms: ";
  out += print("min %.3f, mean %.3f", ms(m.operations == 0 ? 0 : m.least_us), average(m));
  for (const Percentile& each : kPercentiles)
    out += print(", %s %.3f", each.name, ms(m.took_us.permyriad(each.permyriad)));
  out += print(", max %.3f\n", ms(m.took_us.max()));
  out += print("  longest time without an answer: %.1f ms, %.2f s after the start\n", ms(m.gap_us),
               static_cast<double>(m.gap_at_us) / 1e6);
  if (m.missing > 0) out += print("  %llu found nothing\n", static_cast<unsigned long long>(m.missing));
  if (m.ran_dry) out += "  ended early: nothing was left to take\n";
  for (const auto& [why, count] : m.reasons)
    out += print("  %llu failed: %s\n", static_cast<unsigned long long>(count), why.c_str());
  out += print("  this program used %.2f of a core%s\n\n", cores(m),
               cores(m) > 0.85 ? ": it may be what was measured; run several" : "");
  return out;
}

std::string as_csv(const Measure& m) {
  std::string out =
      print("\"%s\",%.2f,%.3f,%.3f", m.name.c_str(), rate(m), average(m), ms(m.operations == 0 ? 0 : m.least_us));
  for (const Percentile& each : kPercentiles) out += print(",%.3f", ms(m.took_us.permyriad(each.permyriad)));
  return out + print(",%.3f,%llu,%.3f,%.3f\n", ms(m.took_us.max()), static_cast<unsigned long long>(m.errors),
                     ms(m.gap_us), cores(m));
}

std::string as_json(const Measure& m, const Options& options) {
  http::JsonWriter json;
  const auto real = [&](std::string_view name, double value) { json.key(name).raw(print("%.3f", value)); };
  json.begin_object().key("test").string(m.name);
  real("rps", rate(m));
  json.key("seconds").raw(print("%.6f", static_cast<double>(m.micros) / 1e6));
  json.key("requests").number(m.operations).key("errors").number(m.errors).key("found_nothing").number(m.missing);
  json.key("ended_early").boolean(m.ran_dry);
  json.key("connections").number(options.connections).key("pipeline").number(options.pipeline);
  json.key("bytes").number(options.data_bytes).key("rate").number(options.rate);
  json.key("latency_ms").begin_object();
  real("min", ms(m.operations == 0 ? 0 : m.least_us));
  real("mean", average(m));
  for (const Percentile& each : kPercentiles) real(each.name, ms(m.took_us.permyriad(each.permyriad)));
  real("max", ms(m.took_us.max()));
  json.end_object();
  real("gap_ms", ms(m.gap_us));
  real("gap_at_s", static_cast<double>(m.gap_at_us) / 1e6);
  real("client_cores", cores(m));
  json.key("failed").begin_object();
  for (const auto& [why, count] : m.reasons) json.key(http::json_quote(why) ? why : "not text").number(count);
  json.end_object().end_object();
  return json.take() + "\n";
}

}  // namespace

std::string report_header(const Options& options) {
  if (options.output != Output::csv) return {};
  std::string out = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\"";
  for (const Percentile& each : kPercentiles) out += print(",\"%s_latency_ms\"", each.name);
  return out + ",\"max_latency_ms\",\"errors\",\"gap_ms\",\"client_cores\"\n";
}

std::string report(const Measure& m, const Options& options) {
  switch (options.output) {
    case Output::text:
      return as_text(m, options);
    case Output::quiet:
      return print("%s: %.2f requests per second, p50=%.3f msec, p99=%.3f msec%s\n", m.name.c_str(), rate(m),
                   ms(m.took_us.permille(500)), ms(m.took_us.permille(990)),
                   m.errors > 0 ? print(", %llu failed", static_cast<unsigned long long>(m.errors)).c_str() : "");
    case Output::csv:
      return as_csv(m);
    case Output::json:
      return as_json(m, options);
  }
  return {};
}

}  // namespace wh::benchmark
