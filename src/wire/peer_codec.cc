#include "wire/peer_codec.h"

#include <utility>

#include "base/assert.h"

namespace wh::wire {
namespace {

using namespace wh::raft;
using namespace wh::node;

// An entry's index is not written: it follows from prev_log_index and the entry's position.
constexpr size_t kMinEntryBytes = 8 + 1 + 8 + 4;  // term, kind, time, length of the payload

FrameType type_of(const RequestVote&) { return FrameType::request_vote; }
FrameType type_of(const RequestVoteReply&) { return FrameType::request_vote_reply; }
FrameType type_of(const AppendEntries&) { return FrameType::append_entries; }
FrameType type_of(const AppendEntriesReply&) { return FrameType::append_entries_reply; }
FrameType type_of(const InstallSnapshot&) { return FrameType::install_snapshot; }
FrameType type_of(const InstallSnapshotReply&) { return FrameType::install_snapshot_reply; }
FrameType type_of(const TimeoutNow&) { return FrameType::timeout_now; }
FrameType type_of(const ReadIndexRequest&) { return FrameType::read_index_request; }
FrameType type_of(const ReadIndexReply&) { return FrameType::read_index_reply; }
FrameType type_of(const Forward&) { return FrameType::forward; }
FrameType type_of(const ForwardReply&) { return FrameType::forward_reply; }
FrameType type_of(const ForwardAdmin&) { return FrameType::forward_admin; }
FrameType type_of(const ForwardAdminReply&) { return FrameType::forward_admin_reply; }
FrameType type_of(const ForwardReceive&) { return FrameType::forward_receive; }
FrameType type_of(const CancelReceive&) { return FrameType::cancel_receive; }
FrameType type_of(const MembersSeen&) { return FrameType::members_seen; }

void write(FrameWriter& w, const RequestVote& m) {
  w.term(m.term);
  w.index(m.last_log_index);
  w.term(m.last_log_term);
  w.fields().boolean(m.pre_vote);
  w.fields().boolean(m.transfer);
  w.node(m.lost_leader);
}

RequestVote read_request_vote(FieldReader& r) {
  RequestVote m;
  m.term = r.term();
  m.last_log_index = r.index();
  m.last_log_term = r.term();
  m.pre_vote = r.boolean();
  m.transfer = r.boolean();
  m.lost_leader = r.node();
  return m;
}

void write(FrameWriter& w, const RequestVoteReply& m) {
  w.term(m.term);
  w.fields().boolean(m.pre_vote);
  w.fields().boolean(m.granted);
}

RequestVoteReply read_request_vote_reply(FieldReader& r) {
  RequestVoteReply m;
  m.term = r.term();
  m.pre_vote = r.boolean();
  m.granted = r.boolean();
  return m;
}

// As of version 4 these two messages begin with a time.
template <typename Message>
struct Timed {
  const Message& message;
};
FrameType type_of(const Timed<AppendEntries>&) { return FrameType::append_entries_4; }
FrameType type_of(const Timed<AppendEntriesReply>&) { return FrameType::append_entries_reply_4; }

void write(FrameWriter& w, const AppendEntries& m) {
  WH_ASSERT(m.entries.size() <= kMaxEntries, "the core bounds its messages in bytes, so in entries too");
  w.term(m.term);
  w.index(m.prev_log_index);
  w.term(m.prev_log_term);
  w.index(m.leader_commit);
  w.fields().u64(m.read_round);
  w.fields().u64(m.sent_at);
  w.index(m.acknowledged);
  w.fields().u32(static_cast<uint32_t>(m.entries.size()));
  Index expected = m.prev_log_index;
  for (const Entry& entry : m.entries) {
    ++expected;
    WH_ASSERT(entry.index == expected, "the entries of a message follow each other");
    w.term(entry.term);
    w.fields().u8(static_cast<uint8_t>(entry.kind));
    w.fields().u64(entry.time_ms);
    w.bytes(entry.payload.view(), kMaxPayloadBytes);
  }
}

void write(FrameWriter& w, const Timed<AppendEntries>& m) {
  w.fields().u64(m.message.time_ms);
  write(w, m.message);
}

AppendEntries read_append_entries(FieldReader& r) {
  AppendEntries m;
  m.term = r.term();
  m.prev_log_index = r.index();
  m.prev_log_term = r.term();
  m.leader_commit = r.index();
  m.read_round = r.u64();
  m.sent_at = r.limited();
  m.acknowledged = r.index();
  const uint32_t count = r.count(kMinEntryBytes);
  // Nothing precedes the first entry; the log's terms never fall, and none is above the leader's.
  if (m.prev_log_term > m.term || (m.prev_log_index == Index{0} && m.prev_log_term != Term{0})) r.fail();
  if (count > kMaxEntries || m.prev_log_index.value + count >= kLimit) r.fail();
  if (!r.ok()) return m;
  m.entries.reserve(count);
  Term previous = m.prev_log_term;
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    Entry entry;
    entry.index = m.prev_log_index + (uint64_t{i} + 1);
    entry.term = r.term();
    entry.kind = r.enumeration(EntryKind::version);
    entry.time_ms = r.limited();
    const std::string_view payload = r.bytes(kMaxPayloadBytes);
    if (entry.term < previous || entry.term > m.term) r.fail();
    if (r.ok() && entry.kind == EntryKind::configuration && !Configuration::decode(payload)) r.fail();
    entry.payload = Bytes::copy(payload);
    previous = entry.term;
    m.entries.push_back(std::move(entry));
  }
  return m;
}

void write(FrameWriter& w, const AppendEntriesReply& m) {
  w.term(m.term);
  w.fields().boolean(m.success);
  w.index(m.match_index);
  w.index(m.rejected_index);
  w.index(m.conflict_index);
  w.term(m.conflict_term);
  w.fields().u64(m.read_round);
  w.fields().u64(m.sent_at);
  w.fields().boolean(m.no_room);
}

void write(FrameWriter& w, const Timed<AppendEntriesReply>& m) {
  w.fields().u64(m.message.clock_ms);
  write(w, m.message);
}

AppendEntriesReply read_append_entries_reply(FieldReader& r) {
  AppendEntriesReply m;
  m.term = r.term();
  m.success = r.boolean();
  m.match_index = r.index();
  m.rejected_index = r.index();
  m.conflict_index = r.index();
  m.conflict_term = r.term();
  m.read_round = r.u64();
  m.sent_at = r.limited();
  m.no_room = r.boolean();
  return m;
}

AppendEntries read_append_entries_4(FieldReader& r) {
  const Millis time_ms = r.limited();
  AppendEntries m = read_append_entries(r);
  m.time_ms = time_ms;
  return m;
}

AppendEntriesReply read_append_entries_reply_4(FieldReader& r) {
  const Millis clock_ms = r.limited();
  AppendEntriesReply m = read_append_entries_reply(r);
  m.clock_ms = clock_ms;
  return m;
}

void write(FrameWriter& w, const InstallSnapshot& m) {
  w.term(m.term);
  w.index(m.meta.index);
  w.term(m.meta.term);
  w.index(m.meta.configuration_index);
  w.bytes(m.meta.configuration.encode(), kMaxPayloadBytes);
  w.fields().u64(m.meta.time_ms);
  w.fields().u64(m.meta.chain);
  w.fields().u64(m.meta.size);
  w.fields().u32(m.meta.crc);
  w.fields().u64(m.offset);
  w.bytes(m.data.view(), kMaxPayloadBytes);
  w.fields().boolean(m.done);
}

InstallSnapshot read_install_snapshot(FieldReader& r) {
  InstallSnapshot m;
  m.term = r.term();
  m.meta.index = r.index();
  m.meta.term = r.term();
  m.meta.configuration_index = r.index();
  std::optional<Configuration> configuration = Configuration::decode(r.bytes(kMaxPayloadBytes));
  if (!configuration || m.meta.configuration_index > m.meta.index || m.meta.term > m.term) r.fail();
  if (configuration) m.meta.configuration = *std::move(configuration);
  m.meta.time_ms = r.limited();
  m.meta.chain = r.u64();
  m.meta.size = r.limited();
  m.meta.crc = r.u32();
  m.offset = r.limited();
  m.data = Bytes::copy(r.bytes(kMaxPayloadBytes));
  m.done = r.boolean();
  return m;
}

void write(FrameWriter& w, const InstallSnapshotReply& m) {
  w.term(m.term);
  w.index(m.index);
  w.fields().u64(m.next_offset);
  w.fields().boolean(m.installed);
  w.index(m.match_index);
}

InstallSnapshotReply read_install_snapshot_reply(FieldReader& r) {
  InstallSnapshotReply m;
  m.term = r.term();
  m.index = r.index();
  m.next_offset = r.limited();
  m.installed = r.boolean();
  m.match_index = r.index();
  return m;
}

void write(FrameWriter& w, const TimeoutNow& m) { w.term(m.term); }

TimeoutNow read_timeout_now(FieldReader& r) {
  TimeoutNow m;
  m.term = r.term();
  return m;
}

void write(FrameWriter& w, const ReadIndexRequest& m) {
  w.term(m.term);
  w.fields().u64(m.token);
}

ReadIndexRequest read_read_index_request(FieldReader& r) {
  ReadIndexRequest m;
  m.term = r.term();
  m.token = r.u64();
  return m;
}

void write(FrameWriter& w, const ReadIndexReply& m) {
  w.term(m.term);
  w.fields().u64(m.token);
  w.fields().boolean(m.ok);
  w.index(m.index);
}

ReadIndexReply read_read_index_reply(FieldReader& r) {
  ReadIndexReply m;
  m.term = r.term();
  m.token = r.u64();
  m.ok = r.boolean();
  m.index = r.index();
  return m;
}

void write(FrameWriter& w, const Forward& m) {
  w.fields().u64(m.request);
  w.term(m.term);
  w.bytes(m.command.view(), kMaxPayloadBytes);
}

Forward read_forward(FieldReader& r) {
  Forward m{};
  m.request = r.u64();
  m.term = r.term();
  m.command = Bytes::copy(r.bytes(kMaxPayloadBytes));
  return m;
}

void write(FrameWriter& w, const ForwardReply& m) {
  w.fields().u64(m.request);
  w.fields().u8(static_cast<uint8_t>(m.outcome));
  w.index(m.index);
  w.bytes(m.reply, kMaxPayloadBytes);
}

ForwardReply read_forward_reply(FieldReader& r) {
  ForwardReply m{};
  m.request = r.u64();
  m.outcome = r.enumeration_or(kLastOutcome, Outcome::unknown);
  m.index = r.index();
  m.reply = r.bytes(kMaxPayloadBytes);
  return m;
}

void write(FrameWriter& w, const ForwardAdmin& m) {
  w.fields().u64(m.request);
  w.fields().u8(static_cast<uint8_t>(m.admin.kind));
  w.bytes(m.admin.name, kMaxNameBytes);
  w.bytes(m.admin.raft_address, kMaxNameBytes);
}

ForwardAdmin read_forward_admin(FieldReader& r) {
  ForwardAdmin m{};
  m.request = r.u64();
  m.admin.kind = r.enumeration_or(AdminKind::transfer, AdminKind::unknown);
  m.admin.name = r.name();
  m.admin.raft_address = r.name();
  return m;
}

void write(FrameWriter& w, const ForwardAdminReply& m) {
  w.fields().u64(m.request);
  w.fields().u8(static_cast<uint8_t>(m.outcome));
  w.sentence(m.text);
}

ForwardAdminReply read_forward_admin_reply(FieldReader& r) {
  ForwardAdminReply m{};
  m.request = r.u64();
  m.outcome = r.enumeration_or(kLastOutcome, Outcome::unknown);
  m.text = r.sentence();
  return m;
}

void write(FrameWriter& w, const ForwardReceive& m) {
  w.fields().u64(m.request);
  w.term(m.term);
  w.fields().u64(m.wait_ms);
  w.bytes(m.command.view(), kMaxPayloadBytes);
  w.fields().u8(static_cast<uint8_t>(m.also.size()));
  for (const std::string& queue : m.also) w.bytes(queue, kMaxNameBytes);
}

ForwardReceive read_forward_receive(FieldReader& r) {
  ForwardReceive m{};
  m.request = r.u64();
  m.term = r.term();
  m.wait_ms = r.u64();
  m.command = Bytes::copy(r.bytes(kMaxPayloadBytes));
  const uint8_t more = r.u8();
  if (more >= kMaxQueuesOfTake) r.fail();
  for (uint8_t i = 0; r.ok() && i < more; ++i) m.also.push_back(r.name());
  return m;
}

void write(FrameWriter& w, const CancelReceive& m) { w.fields().u64(m.request); }

CancelReceive read_cancel_receive(FieldReader& r) {
  CancelReceive m{};
  m.request = r.u64();
  return m;
}

void write(FrameWriter& w, const MembersSeen& m) {
  w.term(m.term);
  w.fields().u64(m.tolerates);
  WH_ASSERT(m.members.size() <= kMaxMembersSeen, "the node bounds it");
  w.fields().u16(static_cast<uint16_t>(m.members.size()));
  for (const MemberSeen& member : m.members) {
    w.node(member.id);
    w.fields().boolean(member.alive);
    w.index(member.match_index);
  }
}

MembersSeen read_members_seen(FieldReader& r) {
  MembersSeen m;
  m.term = r.term();
  m.tolerates = r.u64();
  const uint16_t count = r.u16();
  if (count > kMaxMembersSeen) r.fail();
  for (uint16_t i = 0; r.ok() && i < count; ++i) {
    MemberSeen member;
    member.id = r.node();
    member.alive = r.boolean();
    member.match_index = r.index();
    m.members.push_back(member);
  }
  return m;
}

template <typename Read>
std::optional<PeerMessage> whole(std::string_view payload, Read read) {
  FieldReader r(payload);
  PeerMessage message = read(r);
  if (!r.complete()) return std::nullopt;
  return message;
}

}  // namespace

bool encode(std::string& out, const PeerMessage& message, uint16_t version) {
  const auto put = [&out](const auto& m) {
    FrameWriter w(out, type_of(m));
    write(w, m);
    return w.finish();
  };
  return std::visit(
      [&]<typename M>(const M& m) {
        if constexpr (std::is_same_v<M, AppendEntries> || std::is_same_v<M, AppendEntriesReply>)
          if (version >= 4) return put(Timed<M>{m});
        return put(m);
      },
      message);
}

std::optional<PeerMessage> decode_peer_message(const Frame& frame) {
  switch (frame.type) {
    case FrameType::request_vote:
      return whole(frame.payload, read_request_vote);
    case FrameType::request_vote_reply:
      return whole(frame.payload, read_request_vote_reply);
    case FrameType::append_entries:
      return whole(frame.payload, read_append_entries);
    case FrameType::append_entries_reply:
      return whole(frame.payload, read_append_entries_reply);
    case FrameType::append_entries_4:
      return whole(frame.payload, read_append_entries_4);
    case FrameType::append_entries_reply_4:
      return whole(frame.payload, read_append_entries_reply_4);
    case FrameType::install_snapshot:
      return whole(frame.payload, read_install_snapshot);
    case FrameType::install_snapshot_reply:
      return whole(frame.payload, read_install_snapshot_reply);
    case FrameType::timeout_now:
      return whole(frame.payload, read_timeout_now);
    case FrameType::read_index_request:
      return whole(frame.payload, read_read_index_request);
    case FrameType::read_index_reply:
      return whole(frame.payload, read_read_index_reply);
    case FrameType::forward:
      return whole(frame.payload, read_forward);
    case FrameType::forward_reply:
      return whole(frame.payload, read_forward_reply);
    case FrameType::forward_admin:
      return whole(frame.payload, read_forward_admin);
    case FrameType::forward_admin_reply:
      return whole(frame.payload, read_forward_admin_reply);
    case FrameType::forward_receive:
      return whole(frame.payload, read_forward_receive);
    case FrameType::cancel_receive:
      return whole(frame.payload, read_cancel_receive);
    case FrameType::members_seen:
      return whole(frame.payload, read_members_seen);
    default:
      return std::nullopt;
  }
}

}  // namespace wh::wire
