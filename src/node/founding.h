// Brings a node that is in no cluster into one. Without `join` it founds a cluster alone. With `join` it asks at all
// addresses of the list (seeking.h). If a node there is in a cluster, it asks to be taken in. If all expected nodes are
// there, all empty and agreed on which nodes they are, the first of them by name founds, with a durable grant of every
// one, so that no two found. A node that met a member of a cluster, by dialling it or by being called, neither founds
// nor grants. Also answers the other side: granting to a founder, and being adopted into a cluster. Writes to the disk
// only through Storage; Node starts the core. Called by Node.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/context.h"
#include "node/seeking.h"

namespace wh::node {

class Founding {
 public:
  Founding(Context& context, const RecoveredNode& recovered);

  // This node is in no cluster: founds one, or begins to seek.
  void begin();
  // Once a turn, while this node seeks.
  void seek(Millis now);
  [[nodiscard]] Millis next_deadline() const;
  // A grant is being made durable and will then be answered.
  [[nodiscard]] bool answer_due() const { return grant_question_.has_value(); }

  // Answers to this node's questions and lookups. answered(): only while this node seeks.
  void answered(uint64_t request, const Result<Answer>& answer, Millis now);
  void resolved(uint64_t request, const Result<std::vector<std::string>>& addresses, Millis now);
  // A member of a cluster is about to ask something, and has proved that it is one.
  void met(const Identity& member);

  // --- asked by others

  // Adds to the answer what a seeking node must know about this node's seeking.
  void describe(const WhoAreYou& question, WhoIAm& answer);
  void answer_grant(uint64_t question_id, const GrantFounding& question, Millis now);
  // True: this node leaves its log, and everything begun with it, behind.
  [[nodiscard]] bool answer_adopt(uint64_t question_id, const Adopt& question);

  // --- on the disk

  void grant_persisted();
  // The new log is durable: returns what the core starts with. The caller then calls started().
  [[nodiscard]] raft::Recovered beginning_persisted();
  void started();

 private:
  using View = Seeking::View;
  void found();
  void begin_anew(NewBeginning beginning);
  void taken_in(const Result<Answer>& answer);
  void meet(const Identity& member);
  [[nodiscard]] bool ask_to_be_taken_in(Millis now);
  void say_waiting(std::string text, Millis now);
  void decide(Millis now);
  [[nodiscard]] std::string missing_text(const View& view) const;
  [[nodiscard]] std::string expected_text(const View& view) const;
  [[nodiscard]] std::string who_founds(const View& view) const;
  void ask_for_grants(const View& view);
  void gather_grants(Millis now);
  void grant_to(raft::NodeId founder, uint64_t attempt, std::string address);
  void release_grant(const WhoIAm& founder);

  Context& ctx_;
  std::unique_ptr<Seeking> seeking_;
  std::string said_waiting_for_;  // the last sentence that was logged
  Millis say_waiting_at_ = 0;     // not again before this time
  raft::NodeId granted_to_;
  uint64_t granted_attempt_ = 0;
  std::string granted_address_;
  std::optional<uint64_t> grant_question_;  // answered once the grant is durable
  std::optional<uint64_t> adopt_question_;  // answered once the beginning is durable
  std::optional<NewBeginning> beginning_;   // being written to the disk
};

}  // namespace wh::node
