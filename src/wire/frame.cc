#include "wire/frame.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/protocol_guess.h"

namespace wh::wire {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kPrefixBytes = kLengthBytes + kChecksumBytes;

uint32_t checksum(std::string_view length, std::string_view body) { return crc32c(body, crc32c(length)); }

void put_u32(std::string& out, size_t at, uint32_t v) {
  for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(v >> (8 * i));
}

}  // namespace

const char* to_string(FrameType type) {
  switch (type) {
    case FrameType::hello:
      return "Hello";
    case FrameType::hello_reply:
      return "HelloReply";
    case FrameType::proof:
      return "Proof";
    case FrameType::who_are_you:
      return "WhoAreYou";
    case FrameType::who_are_you_3:
      return "WhoAreYou of version 3";
    case FrameType::grant_founding:
      return "GrantFounding";
    case FrameType::grant_founding_3:
      return "GrantFounding of version 3";
    case FrameType::take_me_in:
      return "TakeMeIn";
    case FrameType::adopt:
      return "Adopt";
    case FrameType::who_i_am:
      return "WhoIAm";
    case FrameType::who_i_am_3:
      return "WhoIAm of version 3";
    case FrameType::founding_granted:
      return "FoundingGranted";
    case FrameType::taken_in:
      return "TakenIn";
    case FrameType::adopted:
      return "Adopted";
    case FrameType::request_vote:
      return "RequestVote";
    case FrameType::request_vote_reply:
      return "RequestVoteReply";
    case FrameType::append_entries:
      return "AppendEntries";
    case FrameType::append_entries_reply:
      return "AppendEntriesReply";
    case FrameType::append_entries_4:
      return "AppendEntries of version 4";
    case FrameType::append_entries_reply_4:
      return "AppendEntriesReply of version 4";
    case FrameType::install_snapshot:
      return "InstallSnapshot";
    case FrameType::install_snapshot_reply:
      return "InstallSnapshotReply";
    case FrameType::timeout_now:
      return "TimeoutNow";
    case FrameType::read_index_request:
      return "ReadIndexRequest";
    case FrameType::read_index_reply:
      return "ReadIndexReply";
    case FrameType::forward:
      return "Forward";
    case FrameType::forward_reply:
      return "ForwardReply";
    case FrameType::forward_admin:
      return "ForwardAdmin";
    case FrameType::forward_admin_reply:
      return "ForwardAdminReply";
    case FrameType::forward_receive:
      return "ForwardReceive";
    case FrameType::cancel_receive:
      return "CancelReceive";
    case FrameType::members_seen:
      return "MembersSeen";
  }
  return "unknown frame";
}

FrameWriter::FrameWriter(std::string& out, FrameType type) : out_(out), start_(out.size()), writer_(out) {
  writer_.u32(0);
  writer_.u32(0);
  writer_.u8(static_cast<uint8_t>(type));
}

void FrameWriter::bytes(std::string_view v, size_t max) {
  // Do not copy what does not fit: a failing frame must not first grow `out` by it.
  if (v.size() > max || out_.size() - start_ > kMaxFrameBytes) {
    fits_ = false;
    return;
  }
  writer_.bytes(v);
}

bool FrameWriter::finish(size_t max_bytes) {
  const size_t length = out_.size() - start_ - kPrefixBytes;
  if (!fits_ || length > max_bytes) {
    out_.resize(start_);
    return false;
  }
  put_u32(out_, start_, static_cast<uint32_t>(length));
  const std::string_view frame = std::string_view(out_).substr(start_);
  put_u32(out_, start_ + kLengthBytes, checksum(frame.substr(0, kLengthBytes), frame.substr(kPrefixBytes)));
  return true;
}

void FrameDecoder::push(std::string_view bytes) {
  if (!error_.empty()) return;
  if (consumed_ > 0) {
    buffer_.erase(0, consumed_);
    consumed_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<Frame> FrameDecoder::fail(std::string why) {
  error_ = std::move(why);
  buffer_.clear();
  buffer_.shrink_to_fit();
  consumed_ = 0;
  return std::nullopt;
}

std::optional<Frame> FrameDecoder::next() {
  if (!error_.empty()) return std::nullopt;
  std::string_view rest = std::string_view(buffer_).substr(consumed_);
  if (!magic_seen_) {
    const size_t known = std::min(rest.size(), kMagic.size());
    if (rest.substr(0, known) != kMagic.substr(0, known)) {
      foreign_ = protocol_guess(rest);
      return fail("it speaks " + foreign_ + ", not the protocol of this port");
    }
    if (known < kMagic.size()) return std::nullopt;
    magic_seen_ = true;
    consumed_ += kMagic.size();
    rest.remove_prefix(kMagic.size());
  }
  if (rest.size() < kLengthBytes) return std::nullopt;
  Reader header(rest);
  const uint32_t length = header.u32();
  if (length == 0) return fail("an empty frame");
  if (length > max_bytes_)
    return fail("a frame of " + std::to_string(length) + " bytes, where at most " + std::to_string(max_bytes_) +
                " are allowed");
  if (rest.size() < kPrefixBytes + length) return std::nullopt;
  const uint32_t expected = header.u32();
  const std::string_view body = rest.substr(kPrefixBytes, length);
  if (checksum(rest.substr(0, kLengthBytes), body) != expected) return fail("a frame whose checksum does not match");
  consumed_ += kPrefixBytes + length;
  return Frame{static_cast<FrameType>(static_cast<uint8_t>(body[0])), body.substr(1)};
}

}  // namespace wh::wire
