// What the system tells about this process and its machine, for the table of figures. Each reading is one or two system
// calls that do not block; 0 where the system does not tell.
#pragma once

#include <cstdint>
#include <string>

namespace wh::process {

struct CpuTimes {
  int64_t user_us = 0;
  int64_t system_us = 0;
};

CpuTimes cpu_times();
uint64_t resident_bytes();
uint64_t virtual_bytes();
uint64_t open_descriptors();
uint64_t max_descriptors();
// The system's clock, in seconds since 1970.
int64_t unix_seconds();
// The same in microseconds.
uint64_t unix_micros();
// "12.345678", as Redis shows CPU time.
std::string seconds_text(int64_t us);

}  // namespace wh::process
