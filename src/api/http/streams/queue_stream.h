// What arrives in a queue, as Server-Sent Events: all that is still there, in the order of arrival, then each as it
// comes. The id of an event in the stream is the number of its arrival: a dead letter keeps its own id and arrives late
// (HAZARDS W13). Holds a place in the queue and no bytes; reads the state when its client has taken what came before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http/stream.h"
#include "machine/machine.h"

namespace wh::api {

// Begins after that arrival, and ends when the queue is deleted. The machine must outlive the stream.
[[nodiscard]] std::shared_ptr<http::Stream> open_queue_stream(const machine::Machine& machine, std::string queue,
                                                              uint64_t after);

}  // namespace wh::api
