#include "wire/ask_codec.h"

#include <algorithm>
#include <utility>

namespace wh::wire {
namespace {

void write_cluster(FrameWriter& w, const node::ClusterId& cluster) {
  for (const uint8_t byte : cluster) w.fields().u8(byte);
}

node::ClusterId read_cluster(FieldReader& r) {
  node::ClusterId cluster{};
  for (uint8_t& byte : cluster) byte = r.u8();
  return cluster;
}

// Whether it needs the format of version 3.
bool says_more(const node::WhoAreYou& v) { return !v.dialled_as.empty() || !v.dialled_at.empty(); }
bool says_more(const node::GrantFounding& v) { return !v.electorate.empty(); }
bool says_more(const node::WhoIAm& v) { return v.view.has_value(); }
template <typename T>
bool says_more(const T& /*one form*/) {
  return false;
}

FrameType type_of(const node::WhoAreYou&, bool more) {
  return more ? FrameType::who_are_you_3 : FrameType::who_are_you;
}
FrameType type_of(const node::GrantFounding&, bool more) {
  return more ? FrameType::grant_founding_3 : FrameType::grant_founding;
}
FrameType type_of(const node::TakeMeIn&, bool) { return FrameType::take_me_in; }
FrameType type_of(const node::Adopt&, bool) { return FrameType::adopt; }
FrameType type_of(const node::WhoIAm&, bool more) { return more ? FrameType::who_i_am_3 : FrameType::who_i_am; }
FrameType type_of(const node::FoundingGranted&, bool) { return FrameType::founding_granted; }
FrameType type_of(const node::TakenIn&, bool) { return FrameType::taken_in; }
FrameType type_of(const node::Adopted&, bool) { return FrameType::adopted; }

// Writes at most kMaxElectorate of them.
void write_electorate(FrameWriter& w, const std::vector<raft::NodeId>& electorate) {
  w.fields().u32(static_cast<uint32_t>(electorate.size()));
  for (const raft::NodeId id : electorate) w.node(id);
}

std::vector<raft::NodeId> read_electorate(FieldReader& r) {
  std::vector<raft::NodeId> electorate;
  const uint32_t count = r.count(sizeof(uint64_t));
  if (count > node::kMaxElectorate) r.fail();
  for (uint32_t i = 0; i < count && r.ok(); ++i) electorate.push_back(r.node());
  return electorate;
}

void write(FrameWriter&, const node::WhoAreYou&) {}
void write_more(FrameWriter& w, const node::WhoAreYou& v) {
  w.bytes(v.dialled_as, kMaxNameBytes);
  w.bytes(v.dialled_at, kMaxNameBytes);
}

void write(FrameWriter& w, const node::GrantFounding& v) {
  write(w, v.founder);
  w.fields().u64(v.attempt);
}
void write_more(FrameWriter& w, const node::GrantFounding& v) { write_electorate(w, v.electorate); }

void write_more(FrameWriter& w, const node::WhoIAm& v) {
  write_electorate(w, v.view->electorate);
  w.sentence(v.view->waiting_for);
}
template <typename T>
void write_more(FrameWriter& /*w*/, const T& /*one form*/) {}

void write(FrameWriter& w, const node::TakeMeIn& v) { write(w, v.who); }

void write(FrameWriter& w, const node::Adopt& v) {
  write_cluster(w, v.cluster);
  w.node(v.instance);
  w.bytes(v.leader_name, kMaxNameBytes);
}

void write(FrameWriter& w, const node::FoundingGranted& v) {
  w.fields().boolean(v.granted);
  w.sentence(v.why);
}

void write(FrameWriter& w, const node::TakenIn& v) {
  w.fields().boolean(v.accepted);
  w.bytes(v.leader_address, kMaxNameBytes);
  w.sentence(v.why);
}

void write(FrameWriter& w, const node::Adopted& v) {
  w.fields().boolean(v.ok);
  w.sentence(v.why);
}

template <typename Variant>
bool encode_variant(std::string& out, const Variant& value, uint16_t version) {
  return std::visit(
      [&out, version](const auto& v) {
        const bool more = version >= 3 && says_more(v);
        FrameWriter w(out, type_of(v, more));
        write(w, v);
        if (more) write_more(w, v);
        return w.finish(kMaxHelloBytes);
      },
      value);
}

// `value`, if the reader read all of it and nothing is left.
template <typename Variant, typename T>
std::optional<Variant> whole(const FieldReader& r, T value) {
  if (!r.complete()) return std::nullopt;
  return Variant(std::move(value));
}

}  // namespace

void write(FrameWriter& w, const node::Identity& identity) {
  write_cluster(w, identity.cluster);
  w.node(identity.instance);
  w.bytes(identity.name, kMaxNameBytes);
  w.bytes(identity.raft_address, kMaxNameBytes);
  w.bytes(identity.http_address, kMaxNameBytes);
  w.bytes(identity.https_address, kMaxNameBytes);
}

node::Identity read_identity(FieldReader& r) {
  node::Identity identity;
  identity.cluster = read_cluster(r);
  identity.instance = r.node();
  identity.name = r.name();
  identity.raft_address = r.name();
  identity.http_address = r.name();
  identity.https_address = r.name();
  return identity;
}

void write(FrameWriter& w, const node::WhoIAm& who) {
  write(w, who.identity);
  w.fields().u8(static_cast<uint8_t>(who.standing));
  w.fields().u64(who.founding_attempt);
  w.bytes(who.leader_address, kMaxNameBytes);
}

node::WhoIAm read_who_i_am(FieldReader& r) {
  node::WhoIAm who;
  who.identity = read_identity(r);
  // A standing of a newer release is taken to hold data.
  who.standing = r.enumeration_or(node::Standing::member, node::Standing::member);
  who.founding_attempt = r.u64();
  who.leader_address = r.name();
  return who;
}

bool encode(std::string& out, const node::Ask& question, uint16_t version) {
  return encode_variant(out, question, version);
}
bool encode(std::string& out, const node::Answer& answer, uint16_t version) {
  return encode_variant(out, answer, version);
}

std::optional<node::Ask> decode_ask(const Frame& frame) {
  FieldReader r(frame.payload);
  switch (frame.type) {
    case FrameType::who_are_you:
      return whole<node::Ask>(r, node::WhoAreYou{});
    case FrameType::who_are_you_3: {
      node::WhoAreYou v;
      v.dialled_as = r.name();
      v.dialled_at = r.name();
      return whole<node::Ask>(r, std::move(v));
    }
    case FrameType::grant_founding:
    case FrameType::grant_founding_3: {
      node::GrantFounding v;
      v.founder = read_identity(r);
      v.attempt = r.u64();
      if (frame.type == FrameType::grant_founding_3) v.electorate = read_electorate(r);
      return whole<node::Ask>(r, std::move(v));
    }
    case FrameType::take_me_in: {
      node::TakeMeIn v;
      v.who = read_identity(r);
      return whole<node::Ask>(r, std::move(v));
    }
    case FrameType::adopt: {
      node::Adopt v;
      v.cluster = read_cluster(r);
      v.instance = r.node();
      v.leader_name = r.name();
      return whole<node::Ask>(r, std::move(v));
    }
    default:
      return std::nullopt;
  }
}

std::optional<node::Answer> decode_answer(const Frame& frame) {
  FieldReader r(frame.payload);
  switch (frame.type) {
    case FrameType::who_i_am:
    case FrameType::who_i_am_3: {
      node::WhoIAm v = read_who_i_am(r);
      if (frame.type == FrameType::who_i_am_3) {
        v.view.emplace();
        v.view->electorate = read_electorate(r);
        v.view->waiting_for = r.sentence();
      }
      return whole<node::Answer>(r, std::move(v));
    }
    case FrameType::founding_granted: {
      node::FoundingGranted v;
      v.granted = r.boolean();
      v.why = r.sentence();
      return whole<node::Answer>(r, std::move(v));
    }
    case FrameType::taken_in: {
      node::TakenIn v;
      v.accepted = r.boolean();
      v.leader_address = r.name();
      v.why = r.sentence();
      return whole<node::Answer>(r, std::move(v));
    }
    case FrameType::adopted: {
      node::Adopted v;
      v.ok = r.boolean();
      v.why = r.sentence();
      return whole<node::Answer>(r, std::move(v));
    }
    default:
      return std::nullopt;
  }
}

}  // namespace wh::wire
