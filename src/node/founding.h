// A node in no cluster yet. Alone, it founds one. With `join`, it asks all addresses that are listed (seeking.h): if
// one is in a cluster, it asks to be taken in; if all that it expects are there, all of them empty and agreed about who
// they are, the first of them by name founds, with the durable grant of every one, so that no two do. A node that has
// met a member of a cluster, by dialling it or by being called, founds none, nor grants. Also the other side: granting,
// and being adopted into a cluster.
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

  // In no cluster: founds one, or begins to seek.
  void begin();
  // Once a turn, while this node seeks.
  void seek(Millis now);
  [[nodiscard]] bool seeking() const { return seeking_ != nullptr; }
  [[nodiscard]] Millis next_deadline() const;
  // A grant is to be answered once it is durable.
  [[nodiscard]] bool answer_due() const { return grant_question_.has_value(); }

  // Answers to what was asked. answered(): while this node seeks.
  void answered(uint64_t request, const Result<Answer>& answer, Millis now);
  void resolved(uint64_t request, const Result<std::vector<std::string>>& addresses, Millis now);
  // A node of a cluster is about to ask something, and has proved that it may say so.
  void met(const Identity& member);

  // --- asked by others

  // Adds to the answer what another that seeks must know of this node's seeking.
  void describe(const WhoAreYou& question, WhoIAm& answer);
  void answer_grant(uint64_t question_id, const GrantFounding& question, Millis now);
  // True: this node leaves its log, and all that was begun with it, behind.
  [[nodiscard]] bool answer_adopt(uint64_t question_id, const Adopt& question);

  // --- on the disk

  void grant_persisted();
  // The new log stands: what the core starts with. Then started().
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
  std::string said_waiting_for_;  // in the log, last
  Millis say_waiting_at_ = 0;     // not before
  raft::NodeId granted_to_;
  uint64_t granted_attempt_ = 0;
  std::string granted_address_;
  std::optional<uint64_t> grant_question_;  // to be answered once the grant is durable
  std::optional<uint64_t> adopt_question_;  // to be answered once the beginning is durable
  std::optional<NewBeginning> beginning_;   // on its way to the disk
};

}  // namespace wh::node
