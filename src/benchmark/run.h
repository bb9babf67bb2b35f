// One test: keeps the connections busy, closed loop (each request follows an answer) or open loop (by the clock), and
// measures. Owns the connections. Called by main.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "benchmark/client.h"
#include "benchmark/measure.h"

namespace wh::benchmark {

// Puts there what the operation needs: all keys, or `events` events. The error is a sentence.
Status fill(const std::shared_ptr<net::TlsContext>& tls, Maker& maker, const Operation& operation);

// The error says why nothing could be measured.
Result<Measure> run_test(const std::shared_ptr<net::TlsContext>& tls, Maker& maker, const Operation& operation,
                         const std::string& name);

}  // namespace wh::benchmark
