#include "process/program_code.h"

#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "process/process_figures.h"

using namespace wh::process;

namespace {

// Resident pages that a file backs.
unsigned long file_pages() {
  unsigned long all = 0, resident = 0, of_files = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  REQUIRE(file != nullptr);
  CHECK(std::fscanf(file, "%lu %lu %lu", &all, &resident, &of_files) == 3);
  std::fclose(file);
  return of_files;
}

}  // namespace

TEST_CASE("code that nobody runs leaves memory, and all of it still runs") {
  const unsigned long before = file_pages();
  unmap_code();
  CHECK(file_pages() < before);
  CHECK(seconds_text(1'500'000) == "1.500000");
  unmap_code();  // as often as one likes
  CHECK(seconds_text(2'500'000) == "2.500000");
}
