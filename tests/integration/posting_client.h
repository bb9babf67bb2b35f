// A shell loop around curl that posts events under load and records what was acknowledged.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

// Posts events NAME-1, NAME-2, ... to each node in turn until the file `enough` appears, and prints those acknowledged.
// A refusal and an unknown outcome are not retried: at most once is what is measured.
class PostingClient {
 public:
  PostingClient(const TempDir& dir, const Servers& servers, const std::string& name) : shell_(dir, name) {
    std::string urls;
    for (const Server* server : servers) urls += " " + server->url("/event");
    shell_.program = "/bin/sh";
    shell_.arguments = {
        {"-c", "i=0; while [ ! -e enough ]; do for url in" + urls +
                   "; do i=$((i+1)); [ \"$(curl -s -L --max-time 10 -o /dev/null -w '%{http_code}' -d event=" + name +
                   "-$i $url)\" = 201 ] && echo " + name + "-$i; done; done; exit 0"}};
    shell_.start();
  }
  [[nodiscard]] size_t acknowledged() const { return count_of(shell_.log(), "\n"); }
  std::vector<std::string> finish() {
    CHECK(shell_.wait() == 0);
    std::vector<std::string> events;
    std::istringstream lines(shell_.log());
    for (std::string line; std::getline(lines, line);) events.push_back(line);
    return events;
  }

 private:
  Server shell_;
};

}  // namespace wh::testing
