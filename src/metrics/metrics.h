// /metrics: the table of figures in Prometheus's text format, version 0.0.4.
#pragma once

#include <string>
#include <string_view>

#include "metrics/figures.h"

namespace wh::metrics {

// One exposition: the rows that have a metric's name, in the table's order.
std::string metrics_text(const Sources& sources);

// Writes one metric: HELP and TYPE before its first sample; nothing without a sample.
class Writer final : public Samples {
 public:
  // Both arguments must outlive this object.
  Writer(const Figure& figure, std::string& out) : figure_(figure), out_(out) {}

  void plain(int64_t value);
  void number(std::initializer_list<Label> labels, uint64_t value) override;
  // Cumulative buckets from a tenth of a millisecond to ten seconds, or from 1 to 10,000; `+Inf`, sum and count.
  void histogram(std::initializer_list<Label> labels, const Histogram& values) override;

 private:
  // `bound`: of a bucket; empty for other samples.
  void sample(std::string_view suffix, std::initializer_list<Label> labels, std::string_view bound,
              std::string_view value);
  void head();

  const Figure& figure_;
  std::string& out_;
  bool begun_ = false;
};

}  // namespace wh::metrics
