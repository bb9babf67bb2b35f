#include "measure.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include <uv.h>

namespace wh::bench {
namespace {

// Seconds of processor time that a process has used.
double used_by(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

void Measure::begin() {
  from_ = uv_hrtime();
  cpu_ = cpu();
}

void Measure::end() {
  if (from_ == 0 || to_ != 0) return;
  to_ = uv_hrtime();
  const Cpu now = cpu();
  cpu_ = {now.servers - cpu_.servers, now.client - cpu_.client};
}

bool Measure::is_enough() const {
  return seconds() >= wanted_seconds_ && (operations_ >= least_ || seconds() >= wanted_seconds_ + kSlackS);
}

double Measure::seconds() const {
  return from_ == 0 ? 0 : static_cast<double>((to_ != 0 ? to_ : uv_hrtime()) - from_) / 1e9;
}

void Measure::add(uint64_t start, size_t events) {
  if (!runs()) return;
  ++operations_;
  events_ += events;
  const double us = static_cast<double>(uv_hrtime() - start) / 1000;
  ++buckets_[us <= 1 ? 0 : static_cast<int>(std::log(us) / std::log(1.02))];
}

void Measure::print() const {
  std::string reason;
  for (const char c : reason_.substr(0, 200)) reason += c < ' ' || c == '"' || c == '\\' ? '\'' : c;
  (void)std::printf(
      R"({"case":"%s","events":%zu,"operations":%zu,"seconds":%.6f,"refusals":%zu,"reason":"%s","cpu_servers":%.3f,)"
      R"("cpu_client":%.3f,"buckets":{)",
      name_.c_str(), events_, operations_, seconds(), refusals_, reason.c_str(), cpu_.servers, cpu_.client);
  const char* comma = "";
  for (const auto& [bucket, count] : buckets_) {
    (void)std::printf("%s\"%d\":%zu", comma, bucket, count);
    comma = ",";
  }
  (void)std::printf("}}\n");
}

Measure::Cpu Measure::cpu() const {
  Cpu used{0, used_by(std::to_string(uv_os_getpid()))};
  for (const std::string& pid : pids_) used.servers += used_by(pid);
  return used;
}

}  // namespace wh::bench
