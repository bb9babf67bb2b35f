#include "config/process_secrets.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace wh;
using namespace wh::config;

namespace {
// What stands in memory afterwards, each as long as it was.
std::vector<std::string> overwritten(std::vector<std::string> texts, bool arguments) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  if (arguments)
    hide_arguments(static_cast<int>(texts.size()), pointers.data());
  else
    hide_environment(pointers.data());
  return texts;
}
}  // namespace

TEST_CASE("arguments: what stands behind a secret's name is overwritten, nothing else is") {
  const std::vector<std::string> after =
      overwritten({"wormhole-server", "w.conf", "--requirepass", "hunter2", "again", "--port", "8080",
                   "--cluster-secret=hunter2", "--tls-key-file-pass", "x", "--requirepas", "hunter2",
                   "--REQUIREPASS:hunter2", "--dir", "secret", "--requirepass"},
                  true);
  const std::string hidden("***\0\0\0\0", 7);
  CHECK(after == std::vector<std::string>{"wormhole-server", "w.conf", "--requirepass", hidden,
                                          std::string("***\0\0", 5), "--port", "8080", "--cluster-secret=" + hidden,
                                          "--tls-key-file-pass", "*", "--requirepas", hidden, "--REQUIREPASS:" + hidden,
                                          "--dir", "secret", "--requirepass"});
}

TEST_CASE("environment: the values of secrets are overwritten in place") {
  const std::vector<std::string> after =
      overwritten({"PATH=/bin", "WORMHOLE_REQUIREPASS=hunter2", "WORMHOLE_CLUSTER_SECRET=hunter2", "WORMHOLE_PORT=1",
                   "WORMHOLE_REQUIREPASS_FILE=/run/pw", "PASSWORD=hunter2",
                   "WORMHOLE_REQUIREPASS=", "WORMHOLE_TLS_KEY_FILE_PASS=ab"},
                  false);
  const std::string hidden("***\0\0\0\0", 7);
  CHECK(after == std::vector<std::string>{"PATH=/bin", "WORMHOLE_REQUIREPASS=" + hidden,
                                          "WORMHOLE_CLUSTER_SECRET=" + hidden, "WORMHOLE_PORT=1",
                                          "WORMHOLE_REQUIREPASS_FILE=/run/pw", "PASSWORD=hunter2",
                                          "WORMHOLE_REQUIREPASS=", "WORMHOLE_TLS_KEY_FILE_PASS=**"});
}
