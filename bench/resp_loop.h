// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/histogram.h"
#include "bench/resp_socket.h"
#include "bench/resp_workload.h"

namespace cirein::bench::resp {

/// Whom to ask, and how to be let in.
struct Server {
  Address address;
  std::string user;
  std::string password;  ///< When not empty, AUTH is sent first.
};

/// One thread's share of a closed loop: each connection sends a batch, waits for all its replies,
/// and sends the next.
struct LoopPlan {
  Workload workload;
  std::size_t connections = 1;
  std::uint64_t seed = 1;
  std::chrono::duration<double> warm{0};  ///< Not measured; at least one batch.
  std::chrono::duration<double> measured{1};
  std::uint64_t requests = 0;  ///< When not 0, so many are measured instead, however long it takes.
  std::uint64_t first_key = 0;  ///< For KeyOrder::kInTurn, which has one connection.
  bool check_values = true;     ///< Look whether values begin with their keys, now and then.
  /// Called by the thread as its measurement begins and ends; may be empty.
  std::function<void()> begin;
  std::function<void()> end;
};

struct LoopResult {
  Histogram latency;  ///< Of batches, in nanoseconds: each request of one waits for all.
  std::uint64_t requests = 0;
  std::uint64_t missing = 0;  ///< Keys read, also while warming, that were not there.
  double seconds = 0;

  double per_second() const { return seconds > 0 ? static_cast<double>(requests) / seconds : 0; }
};

/// Blocks until the plan is done. A reply that is an error or the wrong value, and a server that
/// goes away, end the program and say so.
LoopResult RunLoop(const Server& server, const LoopPlan& plan);

}  // namespace cirein::bench::resp
