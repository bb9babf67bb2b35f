#include "wire/hello.h"

#include "wire/ask_codec.h"

namespace wh::wire {
namespace {

template <size_t size>
void write(FrameWriter& w, const std::array<uint8_t, size>& bytes) {
  for (const uint8_t byte : bytes) w.fields().u8(byte);
}

template <size_t size>
void read(FieldReader& r, std::array<uint8_t, size>& bytes) {
  for (uint8_t& byte : bytes) byte = r.u8();
}

}  // namespace

bool encode(std::string& out, const Hello& hello) {
  FrameWriter w(out, FrameType::hello);
  w.fields().u16(hello.min_version);
  w.fields().u16(hello.max_version);
  w.fields().u8(static_cast<uint8_t>(hello.purpose));
  write(w, hello.sender);
  w.node(hello.intended_instance);
  w.bytes(hello.intended_name, kMaxNameBytes);
  w.term(hello.member_as_of.term);
  w.index(hello.member_as_of.index);
  write(w, hello.nonce);
  return w.finish(kMaxHelloBytes);
}

std::optional<Hello> decode_hello(std::string_view payload) {
  FieldReader r(payload);
  Hello hello;
  hello.min_version = r.u16();
  hello.max_version = r.u16();
  if (!r.ok() || hello.min_version > hello.max_version) return std::nullopt;
  if (hello.min_version < kMinVersion || hello.min_version > kMaxVersion) return hello;
  hello.purpose = r.enumeration_or(Purpose::ask, Purpose::unknown);
  hello.sender = read_identity(r);
  hello.intended_instance = r.node();
  hello.intended_name = r.name();
  hello.member_as_of.term = r.term();
  hello.member_as_of.index = r.index();
  read(r, hello.nonce);
  if (!r.complete()) return std::nullopt;
  hello.sender.versions = versions_of(hello);
  return hello;
}

ClusterVersion cluster_version(uint16_t protocol) {
  return protocol <= highest_protocol(kFirstVersion) ? kFirstVersion : ClusterVersion{protocol} - 2u;
}

node::VersionRange versions_of(const Hello& hello) {
  return {.lowest = cluster_version(hello.min_version), .highest = cluster_version(hello.max_version)};
}

bool encode(std::string& out, const HelloReply& reply) {
  FrameWriter w(out, FrameType::hello_reply);
  w.fields().u8(static_cast<uint8_t>(reply.refusal));
  w.fields().u16(reply.version);
  w.sentence(reply.sentence);
  write(w, reply.receiver);
  w.term(reply.removed_as_of.term);
  w.index(reply.removed_as_of.index);
  w.fields().boolean(reply.demands_proof);
  write(w, reply.nonce);
  write(w, reply.proof);
  return w.finish(kMaxHelloBytes);
}

std::optional<HelloReply> decode_hello_reply(std::string_view payload) {
  FieldReader r(payload);
  HelloReply reply;
  reply.refusal = r.enumeration_or(kLastRefusal, Refusal::unknown);
  reply.version = r.u16();
  reply.sentence = r.sentence();
  reply.receiver = read_who_i_am(r);
  reply.removed_as_of.term = r.term();
  reply.removed_as_of.index = r.index();
  reply.demands_proof = r.boolean();
  read(r, reply.nonce);
  read(r, reply.proof);
  if (!r.complete()) return std::nullopt;
  return reply;
}

bool encode(std::string& out, const Proof& proof) {
  FrameWriter w(out, FrameType::proof);
  write(w, proof);
  return w.finish(kMaxHelloBytes);
}

std::optional<Proof> decode_proof(std::string_view payload) {
  FieldReader r(payload);
  Proof proof;
  read(r, proof);
  if (!r.complete()) return std::nullopt;
  return proof;
}

}  // namespace wh::wire
