// The figures that the server knows about itself: one table, from which INFO (info.cc) and /metrics (metrics.cc) are
// both made, so that they cannot differ. A row gives the figure's name in each, and how to read it from the parts of
// the server. A new figure is a row in rows_SECTION.cc and nothing else. Keeps no values: every reading is of now.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/buffer_relief.h"
#include "api/calls.h"
#include "api/client_admission.h"
#include "api/debug/debug_front.h"
#include "api/http/http_front.h"
#include "api/http/streams/backups.h"
#include "base/buffer_budget.h"
#include "base/histogram.h"
#include "config/options.h"
#include "metrics/turn_watch.h"
#include "net/client_turns.h"
#include "net/descriptors.h"
#include "net/loop.h"
#include "net/peers.h"
#include "net/tls_gate.h"
#include "node/node.h"
#include "security/certificates.h"
#include "security/peer_access.h"
#include "storage/sqlite_storage.h"

namespace wh::metrics {

// The parts that figures are read from. The server makes one for each INFO and each scrape.
struct Sources {
  const config::Options& options;
  const node::Node& node;
  const net::Loop& loop;
  const storage::SqliteStorage& storage;
  const api::HttpFront& http;
  const api::DebugFront& debug;
  const api::Calls& calls;
  const TurnWatch& turns;
  const api::Backups& backups;
  Millis started_at = 0;
  int64_t started_unix_s = 0;
  uint64_t log_lines_dropped = 0;
  const security::Certificates& certificates;
  const security::PeerAccess& peer_access;
  const net::HandshakeGate& tls_gate;
  const BufferBudget& buffers;
  const api::BufferRelief& relief;
  const net::ClientTurns& client_turns;
  const net::Descriptors& descriptors;
  const api::ClientAdmission& client_admission;
  const net::PeerTransport& transport;
};

// INFO's sections, in their order. Only `INFO everything`, `INFO all` and their names show the last three, as in Redis.
enum class InfoSection : uint8_t {
  server,
  clients,
  memory,
  persistence,
  stats,
  raft,
  cpu,
  keyspace,
  queues,
  commandstats,
  httpstats,
  none
};

enum class MetricType : uint8_t { gauge, counter, histogram };

// What the number of a row counts. INFO shows it as it is; /metrics shows Prometheus's base units, seconds and bytes.
enum class Unit : uint8_t { one, bytes, seconds, milliseconds, microseconds };

// Several fields of INFO, whose names depend on the data.
class InfoLines {
 public:
  virtual ~InfoLines() = default;
  virtual void field(std::string_view name, std::string_view value) = 0;
};

struct Label {
  std::string_view name;
  std::string_view value;  // any bytes: escaped where it is written
};

// Several samples of one metric, told apart by labels. The function that writes them bounds their number.
class Samples {
 public:
  virtual ~Samples() = default;
  virtual void number(std::initializer_list<Label> labels, uint64_t value) = 0;
  virtual void histogram(std::initializer_list<Label> labels, const Histogram& values) = 0;
};

// How a figure is read. An empty optional: the figure does not exist here and now, and is shown nowhere.
using ReadNumber = std::optional<int64_t> (*)(const Sources&);
using ReadText = std::optional<std::string> (*)(const Sources&);  // INFO only
using WriteLines = void (*)(const Sources&, InfoLines&);          // INFO only
using WriteSamples = void (*)(const Sources&, Samples&);          // /metrics only
using ReadHistogram = const Histogram& (*)(const Sources&);       // INFO: FIELD_p50, _p99 and _max

struct Figure {
  InfoSection section = InfoSection::none;
  std::string_view field;   // INFO's name; empty: not in INFO
  std::string_view metric;  // Prometheus's name; empty: not in /metrics
  MetricType type = MetricType::gauge;
  Unit unit = Unit::one;
  std::string_view help;  // one line, without a full stop
  std::variant<ReadNumber, ReadText, WriteLines, WriteSamples, ReadHistogram> read;
};

std::span<const Figure> figure_table();

}  // namespace wh::metrics
