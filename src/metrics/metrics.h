// /metrics: the table of figures in Prometheus's text format, version 0.0.4.
#pragma once

#include <string>
#include <string_view>

#include "metrics/figures.h"

namespace wh::metrics {

// One exposition: the rows that have a metric's name, in the table's order.
std::string metrics_text(const Sources& sources);

// Writes one metric: HELP and TYPE before its first sample; nothing without a sample. With `quantiles` that of a
// histogram's quantiles, NAME_quantile, in place of the histogram.
class Writer final : public Samples {
 public:
  // Both arguments must outlive this object.
  Writer(const Figure& figure, std::string& out, bool quantiles = false)
      : figure_(figure), out_(out), quantiles_(quantiles) {}

  void plain(int64_t value);
  void number(std::initializer_list<Label> labels, uint64_t value) override;
  // Cumulative buckets; `+Inf`, sum and count. Or the quantiles.
  void histogram(std::initializer_list<Label> labels, const Histogram& values) override;

 private:
  // `more`: one more label, where it has a name.
  void sample(std::string_view suffix, std::initializer_list<Label> labels, const Label& more, std::string_view value);
  void head();
  [[nodiscard]] std::string name() const;

  const Figure& figure_;
  std::string& out_;
  bool quantiles_;
  bool begun_ = false;
};

}  // namespace wh::metrics
