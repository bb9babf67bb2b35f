#include "storage/witness.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mutant.h"

namespace wh::storage {
namespace {

constexpr uint64_t kWitnessMagic = 0x31535345'4e544957;  // "WITNESS1"
constexpr size_t kFileSize = 4096;
constexpr size_t kSlotSize = 512;

struct Slot {
  uint64_t sequence;
  raft::NodeId instance;
  Claim claim;
};

std::string encode(const Slot& slot) {
  std::string out;
  Writer w(out);
  w.u64(kWitnessMagic);
  w.u64(slot.sequence);
  w.u64(slot.instance.value);
  w.raw({reinterpret_cast<const char*>(slot.claim.cluster.data()), slot.claim.cluster.size()});
  w.u64(slot.claim.hard_state.current_term.value);
  w.u64(slot.claim.hard_state.voted_for.value);
  w.u64(slot.claim.revision);
  w.u64(slot.claim.index.value);
  w.u64(slot.claim.chain);
  w.u32(crc32c(out));
  out.resize(kSlotSize);
  return out;
}

std::optional<Slot> decode(std::string_view bytes) {
  Reader r(bytes);
  Slot slot{};
  const uint64_t magic = r.u64();
  slot.sequence = r.u64();
  slot.instance = raft::NodeId{r.u64()};
  const std::string_view cluster = r.raw(slot.claim.cluster.size());
  slot.claim.hard_state.current_term = raft::Term{r.u64()};
  slot.claim.hard_state.voted_for = raft::NodeId{r.u64()};
  slot.claim.revision = r.u64();
  slot.claim.index = raft::Index{r.u64()};
  slot.claim.chain = r.u64();
  const size_t covered = bytes.size() - r.left();
  const uint32_t crc = r.u32();
  if (!r.ok() || magic != kWitnessMagic || crc != crc32c(bytes.substr(0, covered))) return std::nullopt;
  std::memcpy(slot.claim.cluster.data(), cluster.data(), cluster.size());
  return slot;
}

}  // namespace

Witness::~Witness() {
  if (fd_ >= 0) ::close(fd_);
}

Status Witness::create(int directory_fd) {
  const std::string path = directory_ + "/" + kWitnessFile;
  if (fd_ >= 0) ::close(fd_);
  int error = disk_.open(Lane::database, directory_fd, kWitnessFile, O_RDWR | O_CREAT, fd_);
  if (error != 0) return Error{disk_error("create", path, error)};
  error = disk_.write(Lane::database, fd_, kWitnessFile, 0, std::string(kFileSize, '\0'));
  if (error != 0) return Error{disk_error("write", path, error)};
  error = disk_.sync(Lane::database, fd_, kWitnessFile);
  if (error == 0) error = disk_.sync_directory(Lane::database, directory_fd);
  if (error != 0) return Error{disk_error("sync", path, error)};
  return ok_status();
}

Result<Witness::Found> Witness::open(int directory_fd) {
  const std::string path = directory_ + "/" + kWitnessFile;
  if (const int error = disk_.open(Lane::database, directory_fd, kWitnessFile, O_RDWR, fd_); error != 0)
    return Error{disk_error("open", path, error)};
  std::string bytes(kFileSize, '\0');
  const ssize_t n = ::pread(fd_, bytes.data(), bytes.size(), 0);
  if (n < 0) return Error{disk_error("read", path, errno)};
  Found found;
  // A crash during its creation leaves it empty, short or full of zeroes.
  found.blank = bytes.find_first_not_of('\0') == std::string::npos;
  for (size_t i = 0; i < 2; ++i) {
    const std::optional<Slot> slot = decode(std::string_view(bytes).substr(i * kSlotSize, kSlotSize));
    if (!slot || slot->sequence % 2 != i || (found.claim && slot->sequence < sequence_)) continue;
    sequence_ = slot->sequence;
    claim_ = slot->claim;
    found.claim = slot->claim;
    found.instance = slot->instance;
  }
  return found;
}

Status Witness::write(const Claim& claim, Durability durability) {
  WH_ASSERT(durable_, "a witness slot is written while the other one may not be durable");
  const std::string path = directory_ + "/" + kWitnessFile;
  const uint64_t sequence = sequence_ + 1;
  const int error =
      disk_.write(Lane::database, fd_, kWitnessFile, (sequence % 2) * kSlotSize, encode({sequence, instance_, claim}));
  // The older slot may be torn now; the next write goes to it again.
  no_room_ = is_no_room(error);
  if (error != 0) return Error{disk_error("write", path, error)};
  sequence_ = sequence;
  claim_ = claim;
  durable_ = false;
  under_way_ = durability == Durability::with_next_sync;
  if (under_way_) {
    disk_.begin_write_out(Lane::database, fd_);
    return ok_status();
  }
  if (const int sync_error = disk_.sync(Lane::database, fd_, kWitnessFile); sync_error != 0)
    return Error{disk_error("sync", path, sync_error)};
  durable_ = true;
  return ok_status();
}

int Witness::arrive() {
  if (!std::exchange(under_way_, false) || WH_MUTANT(witness_overtaken)) return 0;
  return disk_.write_out(Lane::database, fd_, kWitnessFile);
}

Status Witness::sync() {
  if (durable_) return ok_status();
  under_way_ = false;
  const int error = disk_.sync(Lane::database, fd_, kWitnessFile);
  if (error != 0) return Error{disk_error("sync", directory_ + "/" + kWitnessFile, error)};
  durable_ = true;
  return ok_status();
}

}  // namespace wh::storage
