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

FrameType type_of(const node::WhoAreYou&) { return FrameType::who_are_you; }
FrameType type_of(const node::GrantFounding&) { return FrameType::grant_founding; }
FrameType type_of(const node::TakeMeIn&) { return FrameType::take_me_in; }
FrameType type_of(const node::Adopt&) { return FrameType::adopt; }
FrameType type_of(const node::WhoIAm&) { return FrameType::who_i_am; }
FrameType type_of(const node::FoundingGranted&) { return FrameType::founding_granted; }
FrameType type_of(const node::TakenIn&) { return FrameType::taken_in; }
FrameType type_of(const node::Adopted&) { return FrameType::adopted; }

void write(FrameWriter&, const node::WhoAreYou&) {}

void write(FrameWriter& w, const node::GrantFounding& v) {
  write(w, v.founder);
  w.fields().u64(v.attempt);
}

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
bool encode_variant(std::string& out, const Variant& value) {
  return std::visit(
      [&out](const auto& v) {
        FrameWriter w(out, type_of(v));
        write(w, v);
        return w.finish(kMaxHelloBytes);
      },
      value);
}

// What was read, if it was read whole.
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
  who.standing = r.enumeration(node::Standing::member);
  who.founding_attempt = r.u64();
  who.leader_address = r.name();
  return who;
}

bool encode(std::string& out, const node::Ask& question) { return encode_variant(out, question); }
bool encode(std::string& out, const node::Answer& answer) { return encode_variant(out, answer); }

std::optional<node::Ask> decode_ask(const Frame& frame) {
  FieldReader r(frame.payload);
  switch (frame.type) {
    case FrameType::who_are_you:
      return whole<node::Ask>(r, node::WhoAreYou{});
    case FrameType::grant_founding: {
      node::GrantFounding v;
      v.founder = read_identity(r);
      v.attempt = r.u64();
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
    case FrameType::who_i_am: {
      node::WhoIAm v = read_who_i_am(r);
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
