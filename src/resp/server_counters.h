// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cirein::resp {

/// A number that one thread adds to and any thread reads, without the price of an atomic addition.
class LocalCounter {
 public:
  void Add(std::uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }
  void Reset() noexcept { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What the sessions of one thread have done. Only that thread adds; any thread reads. (Reset by
/// another thread may lose an addition that runs at that moment.)
struct ServerCounters {
  explicit ServerCounters(std::size_t command_count) : of_command(command_count) {}

  struct OfCommand {
    LocalCounter calls;
    LocalCounter usec;  ///< Measured, or a share of the round in which it ran.
    LocalCounter rejected;
    LocalCounter failed;
  };

  LocalCounter connections;
  LocalCounter refused_connections;
  LocalCounter commands;
  LocalCounter errors;
  LocalCounter input_bytes;
  LocalCounter output_bytes;
  LocalCounter cross_slot;  ///< Commands and transactions with keys of several slots.
  LocalCounter transactions;
  LocalCounter slow_work;  ///< Commands that ran outside of the thread.
  LocalCounter held_replies;
  LocalCounter query_limit_closes;
  LocalCounter output_limit_closes;
  std::vector<OfCommand> of_command;  ///< By CommandEntry::id.
};

}  // namespace cirein::resp
