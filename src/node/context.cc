#include "node/context.h"

#include "base/hex.h"
#include "base/mutant.h"

namespace wh::node {

std::string to_hex(const ClusterId& id) {
  std::string out;
  for (const uint8_t byte : id) append_hex(out, byte);
  return out;
}

Context::Context(NodeOptions of, const RecoveredNode& recovered, Storage& disk, Transport& network)
    : options(std::move(of)),
      storage(disk),
      transport(network),
      prng(options.seed),
      cluster(recovered.cluster),
      instance(recovered.instance),
      epoch(recovered.epoch),
      budget(options.clock_us, options.turn_us),
      saw_command(recovered.saw_command),
      saw_others(recovered.saw_others) {}

std::string Context::removed_sentence() const {
  return options.name + " was removed from the cluster: ask a member, or have it added again";
}

void Context::refuse_wait(Token token) {
  ++counters.waits_refused;
  complete(token, Outcome::overloaded, {}, std::string(kTooManyWait));
}

Standing Context::standing() const {
  if (cluster == kNoCluster) return Standing::seeking;
  if (beginning) return Standing::absorbable;  // it is being absorbed into another cluster
  // Alone, and never anything else. An adopted node that has not heard from its leader yet has an empty configuration,
  // so it does not count as alone.
  const bool alone = raft && raft->configuration().members().size() == 1 && raft->configuration().contains(instance);
  if (WH_MUTANT(removed_starts_anew) && removed) return Standing::absorbable;
  return alone && !saw_command && !saw_others ? Standing::absorbable : Standing::member;
}

// From the version of its own cluster to the highest that it supports. A node that may still be absorbed into another
// cluster will drop its own cluster, with its version, so that version does not bind it.
VersionRange Context::versions() const {
  const bool bound = cluster != kNoCluster && standing() == Standing::member;
  return {.lowest = bound ? machine.version() : kFirstVersion, .highest = options.version};
}

Identity Context::identity() const {
  return {.cluster = cluster,
          .instance = instance,
          .name = options.name,
          .raft_address = options.raft_address,
          .http_address = options.http_address,
          .https_address = options.https_address,
          .versions = versions()};
}

void Context::announce() {
  announced_standing_ = standing();
  announced_versions_ = versions();
  transport.set_identity(identity(), announced_standing_);
}

}  // namespace wh::node
