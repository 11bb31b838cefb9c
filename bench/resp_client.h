// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bench/resp_encoder.h"
#include "bench/resp_loop.h"
#include "bench/resp_replies.h"
#include "bench/resp_socket.h"

namespace cirein::bench::resp {

/// One connection of a closed loop: its batch, and how much of it is answered. Failures end the
/// program. Not thread-safe.
class Client {
 public:
  using Clock = std::chrono::steady_clock;

  /// Connects and is let in; blocks.
  Client(const Server& server, const LoopPlan& plan, std::uint64_t seed);

  /// Makes the next batch of so many requests, of which nothing is sent yet.
  void NextBatch(Clock::time_point now, std::size_t requests);
  void SendBlocking();
  /// Of a socket that does not block. True when all is sent.
  bool SendMore();
  /// One read; blocks if the socket does. True when all replies of the batch are there.
  bool ReceiveMore(std::span<char> buffer);

  const FileDescriptor& socket() const { return socket_; }
  Clock::time_point sent_at() const { return sent_at_; }
  std::size_t batch_requests() const { return batch_requests_; }
  std::uint64_t missing() const { return replies_.missing(); }

 private:
  void Enter(const Server& server);
  void AskOnce(std::string_view request);
  void CheckValue() const;
  void CheckCounts() const;

  const Workload workload_;
  const bool check_values_;
  FileDescriptor socket_;
  RequestEncoder encoder_;
  ReplyCounter replies_;
  std::string_view unsent_;
  std::size_t batch_requests_ = 0;
  std::uint64_t expected_replies_ = 0;
  std::uint64_t batches_ = 0;
  Clock::time_point sent_at_;
};

}  // namespace cirein::bench::resp
