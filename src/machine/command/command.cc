#include "machine/command/command.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/mutant.h"

namespace wh::machine {
namespace {

// Versions of the envelope: 2 has an idempotency key.
constexpr uint8_t kPlain = 1;
constexpr uint8_t kWithKey = 2;

ClusterVersion version_of_envelope(uint8_t envelope) { return envelope <= kPlain ? kFirstVersion : 2; }

// Calls `look` with the type of each command, until it says true.
template <typename Look, size_t... I>
constexpr bool any_command(const Look& look, std::index_sequence<I...>) {
  return (look.template operator()<std::variant_alternative_t<I, Body>>() || ...);
}
template <typename Look>
constexpr bool any_command(const Look& look) {
  return any_command(look, std::make_index_sequence<std::variant_size_v<Body>>());
}

constexpr bool kinds_are_unique() {
  std::array<bool, 256> taken{};
  return !any_command([&]<typename T>() { return std::exchange(taken[T::kTraits.kind], true); });
}
static_assert(kinds_are_unique(), "a kind is given once");

// Nothing for a number that is no command's.
std::optional<CommandTraits> traits_of(uint8_t kind) {
  std::optional<CommandTraits> found;
  any_command([&]<typename T>() {
    if (T::kTraits.kind != kind) return false;
    found = T::kTraits;
    return true;
  });
  return found;
}

CommandTraits traits_of(const Body& body) {
  return std::visit([](const auto& b) { return b.kTraits; }, body);
}

size_t body_size(const Body& body) {
  return 1 + std::visit([](const auto& b) { return encoded_size(b); }, body);
}

void append_body(const Body& body, std::string& out) {
  Writer w(out);
  w.u8(traits_of(body).kind);
  std::visit([&w](const auto& b) { encode(b, w); }, body);
}

Status bounds_of(const Body& body, ClusterVersion version = kLatestVersion) {
  return std::visit([version](const auto& b) { return check_bounds(b, version); }, body);
}

// The lowest version whose bounds the body keeps.
ClusterVersion version_of(const Body& body) {
  ClusterVersion version = traits_of(body).since;
  while (version < kLatestVersion && !bounds_of(body, version)) ++version;
  return version;
}

// Reads the body of `kind`, in its place; an unknown kind fails the reader.
void decode_body(uint8_t kind, Reader& in, Body& body) {
  const bool known = any_command([&]<typename T>() {
    if (T::kTraits.kind != kind) return false;
    decode(in, body.emplace<T>());
    return true;
  });
  if (!known) in.fail();
}

RequestId read_id(Reader& in) {
  RequestId id;
  id.origin.value = in.u64();
  id.epoch = in.u64();
  id.sequence = in.u64();
  return id;
}

IdempotencyKey read_key(Reader& in) {
  IdempotencyKey key;
  key.key = in.bytes();
  if (key.key.empty() || key.key.size() > kMaxIdempotencyKeyBytes) in.fail();
  for (uint8_t& byte : key.fingerprint) byte = in.u8();
  return key;
}

// The body's kind, after either envelope; nothing for bytes that are no envelope.
std::optional<uint8_t> kind_in(std::string_view command) {
  Reader in(command);
  const uint8_t envelope = in.u8();
  (void)read_id(in);
  if (envelope == kWithKey) (void)read_key(in);
  const uint8_t kind = in.u8();
  return in.ok() && (envelope == kPlain || envelope == kWithKey) ? std::optional(kind) : std::nullopt;
}

std::optional<CommandTraits> traits_in(std::string_view command) {
  const auto kind = kind_in(command);
  return kind ? traits_of(*kind) : std::nullopt;
}

}  // namespace

bool is_too_large(const Body& body) { return kEnvelopeBytes + body_size(body) > kMaxCommandBytes; }

// decode() does not check the whole command's size: the log of a lone node may hold larger ones.
Status check(const Body& body) {
  if (Status bad = bounds_of(body); !bad) return bad;
  if (is_too_large(body))
    return Error{"one request has at most " + std::to_string(kMaxCommandBytes - kEnvelopeBytes) +
                 " bytes, keys, values and lengths together: send it in parts"};
  return ok_status();
}

std::string encode_body(const Body& body) {
  WH_ASSERT(bounds_of(body).ok(), "a body out of bounds was not refused before it was encoded");
  std::string out;
  out.reserve(body_size(body));
  append_body(body, out);
  return out;
}

std::string encode_command(const Body& body, const std::optional<IdempotencyKey>& idempotency) {
  WH_ASSERT(bounds_of(body).ok(), "a body out of bounds was not refused before it was encoded");
  std::string out;
  const size_t key = idempotency ? 4 + idempotency->key.size() + sizeof(Fingerprint) : 0;
  out.reserve(kEnvelopeBytes + key + body_size(body));
  out.push_back(static_cast<char>(idempotency ? kWithKey : kPlain));
  out.resize(kEnvelopeBytes);
  if (idempotency) {
    WH_ASSERT(!idempotency->key.empty() && idempotency->key.size() <= kMaxIdempotencyKeyBytes,
              "an idempotency key out of bounds was not refused before it was encoded");
    Writer w(out);
    w.bytes(idempotency->key);
    for (const uint8_t byte : idempotency->fingerprint) w.u8(byte);
  }
  append_body(body, out);
  return out;
}

void set_request_id(std::string& command, const RequestId& id) {
  WH_ASSERT(command.size() >= kEnvelopeBytes, "a command has an envelope");
  size_t at = 1;
  for (const uint64_t value : {id.origin.value, id.epoch, id.sequence})
    for (int shift = 0; shift < 64; shift += 8) command[at++] = static_cast<char>(value >> shift);
}

std::string_view body_of(std::string_view command) {
  Reader in(command);
  const uint8_t envelope = in.u8();
  (void)read_id(in);
  if (envelope == kWithKey) (void)read_key(in);
  return in.raw(in.left());
}

void set_fingerprint(std::string& command, const Fingerprint& fingerprint) {
  const size_t body = command.size() - body_of(command).size();
  WH_ASSERT(command.front() == static_cast<char>(kWithKey), "a command without an idempotency key has no fingerprint");
  std::copy(fingerprint.begin(), fingerprint.end(),
            command.begin() + static_cast<std::ptrdiff_t>(body - fingerprint.size()));
}

std::optional<RequestId> request_id_of(std::string_view command) {
  Reader in(command);
  const uint8_t envelope = in.u8();
  const RequestId id = read_id(in);
  return (envelope == kPlain || envelope == kWithKey) && in.ok() ? std::optional(id) : std::nullopt;
}

std::string envelope(const RequestId& id, std::string_view body) {
  std::string out;
  out.reserve(kEnvelopeBytes + body.size());
  out.push_back(static_cast<char>(kPlain));
  out.resize(kEnvelopeBytes);
  set_request_id(out, id);
  out += body;
  return out;
}

bool adds_data(std::string_view command) {
  const auto traits = traits_in(command);
  if (!traits || traits->kind != Transact::kTraits.kind) return traits && traits->adds_data;
  const Result<Command> decoded = decode(command);
  return decoded && brings_data(std::get<Transact>(decoded->body));
}

bool is_leaders_own(std::string_view command) {
  const auto traits = traits_in(command);
  return traits && traits->leaders_own;
}

ClusterVersion version_needed(std::string_view command) {
  const auto kind = kind_in(command);
  if (!kind) return kFirstVersion;
  const auto traits = traits_of(*kind);
  // It came with a later version than any that this program knows.
  if (!traits) return kLatestVersion;
  const Result<Command> decoded = decode(command);
  return std::max(decoded ? version_of(decoded->body) : traits->since,
                  version_of_envelope(static_cast<uint8_t>(command.front())));
}

// In its place, as a body is large to move.
Result<Command> decode(std::string_view command, ClusterVersion version) {
  Reader in(command);
  Result<Command> result(Command{});
  Command& decoded = *result;
  const uint8_t envelope = in.u8();
  const bool known = envelope == kPlain || (envelope == kWithKey && version_of_envelope(envelope) <= version);
  if (!known && !WH_MUTANT(any_version_applied)) return Error{"a command of an unknown version"};
  decoded.id = read_id(in);
  if (envelope == kWithKey) decoded.idempotency = read_key(in);
  if (decoded.id.sequence != 0 && !decoded.id.origin) return Error{"a numbered command without an origin"};
  const uint8_t kind = in.u8();
  const auto traits = traits_of(kind);
  if (in.ok() && traits && traits->since > version) return Error{"a command above the cluster's version"};
  decode_body(kind, in, decoded.body);
  if (!in.complete()) return Error{"a malformed command"};
  if (Status bad = bounds_of(decoded.body, version); !bad) return Error{bad.error()};
  return result;
}

}  // namespace wh::machine
