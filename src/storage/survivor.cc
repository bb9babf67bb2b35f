#include "storage/survivor.h"

#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "storage/format.h"

namespace wh::storage {
namespace {
constexpr const char* kWal = kDatabaseWal;
}

Survivor::Survivor(Directory directory, std::string name, DiskProbe* probe)
    : directory_(std::move(directory)),
      disk_(probe),
      database_(std::make_unique<Database>(disk_, directory_.path(),
                                           Database::Settings{.name = std::move(name), .instance = raft::NodeId{1}})),
      had_wal_(::access((directory_.path() + "/" + kWal).c_str(), F_OK) == 0) {}

// Examining a cleanly closed database creates an empty WAL: remove it.
Survivor::~Survivor() {
  database_.reset();
  const std::string wal = directory_.path() + "/" + kWal;
  struct stat info {};
  if (!had_wal_ && ::stat(wal.c_str(), &info) == 0 && info.st_size == 0) ::unlink(wal.c_str());
}

Result<std::unique_ptr<Survivor>> Survivor::examine(const std::string& path, std::string name, DiskProbe* probe) {
  // Opening would create a missing directory or database.
  if (::access((path + "/" + kDatabaseFile).c_str(), F_OK) != 0)
    return Error{"there is no node's data in " + path + ": " + kDatabaseFile + " is missing (directive dir)"};
  Result<Directory> directory = Directory::open(path);
  if (!directory) return Error{directory.error()};
  if (Status whole = directory->check_restored(); !whole) return Error{whole.error()};
  // Not make_unique: the constructor is private.
  std::unique_ptr<Survivor> self(new Survivor(std::move(*directory), std::move(name), probe));
  Result<node::RecoveredNode> found = self->database_->examine(self->directory_.fd());
  if (!found) return Error{found.error()};
  self->node_ = std::move(*found);
  return self;
}

raft::Log::ConfigurationAt Survivor::configuration() const {
  const auto& all = node_.raft.log.configurations;
  return all.empty() ? raft::Log::ConfigurationAt{} : all.back();
}

raft::Term Survivor::last_log_term() const {
  const raft::Log::Recovered& log = node_.raft.log;
  return log.runs.empty() ? log.base_term : log.runs.back().term;
}

Status Survivor::take_over(const node::ClusterId& fresh) {
  raft::Member self{.id = node_.instance, .name = node_.name};
  const raft::Configuration members = configuration().configuration;
  if (const raft::Member* known = members.find(node_.instance)) self = *known;
  self.suffrage = raft::Suffrage::voter;
  const raft::Entry entry{.index = node_.raft.log.last_index + 1,
                          .term = next(std::max(node_.raft.hard_state.current_term, last_log_term())),
                          .kind = raft::EntryKind::configuration,
                          .time_ms = node_.raft.log.last_time_ms,
                          .payload = Bytes(raft::Configuration({self}).encode())};
  // Counts as a start, so that unsynced commits are on the disk before the witness claims them.
  if (Status begun = database_->begin_use(); !begun) return begun;
  std::vector<Write> writes;
  writes.emplace_back(TakeOver{fresh, entry});
  return database_->write(writes);
}

}  // namespace wh::storage
