// One real node, and tables of requests with their expected answers.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

// For one test case; bodies of up to 64 KiB.
struct OneNode {
  TempDir dir;
  Server server{dir, "api"};
  OneNode() {
    server.more = {"--http-max-body", "64kb"};
    server.start_ready();
  }
  Answer ask(const std::string& arguments, const std::string& path) const {
    return curl(dir, arguments + " '" + server.url(path) + "'");
  }
};

struct Row {
  std::string arguments;  // of curl
  std::string path;
  int status;
  const char* body;  // exactly; nullptr: not compared
};

inline void check_rows(const OneNode& node, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.arguments);
    CAPTURE(row.path);
    const Answer answer = node.ask(row.arguments, row.path);
    CHECK(answer.status == row.status);
    if (row.body != nullptr) CHECK(answer.body == row.body);
    if (answer.status >= 400 && row.arguments != "-I") {
      CHECK(answer.body.starts_with("{\"error\": \""));
      CHECK(answer.body.ends_with("\"}\n"));
    }
    CHECK(answer.header("cache-control") == "no-store");
    CHECK(answer.header("x-content-type-options") == "nosniff");
  }
}

}  // namespace wh::testing
