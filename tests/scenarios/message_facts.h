// How scenarios name messages, and what they can check about a message.
#pragma once

#include <optional>
#include <string>

#include "raft/messages.h"

namespace wh::raft::test {

// vote, vote-reply, pre-vote, pre-vote-reply, append, heartbeat (no entries), append-reply, refusal, snapshot, offer
// (a snapshot without data), snapshot-reply, timeout-now, read-index, read-index-reply.
std::string kind_of(const MessageBody& body);

// Empty: such a message has no such fact.
std::optional<std::string> fact_of(const MessageBody& body, const std::string& key);

}  // namespace wh::raft::test
