// INFO: what this node says of itself, in Redis's form, section by section.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "debug/connection.h"
#include "net/loop.h"
#include "node/node.h"
#include "server/certificates.h"
#include "server/http_front.h"
#include "server/options.h"
#include "storage/sqlite_storage.h"

namespace wh {

struct InfoSources {
  const Options& options;
  const node::Node& node;
  const net::Loop& loop;
  const storage::SqliteStorage& storage;
  const HttpFront& http;
  const debug::Counters& debug;
  size_t debug_connections;
  uint64_t debug_accepted;
  Millis started_at;
  uint64_t log_lines_dropped;
  const Certificates& certificates;
  const std::map<std::string, int64_t>& peer_cert_ends;  // by node-id, in seconds since 1970
  uint64_t handshakes_failed;
};

// `section` in lower case; empty, "all", "default", "everything": all of them. One that is not known gives nothing.
std::string info_text(const InfoSources& sources, const std::string& section);

}  // namespace wh
