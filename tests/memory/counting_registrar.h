// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "cirein/arena.h"

namespace cirein::test {

/// A registrar that knows what is registered, and can refuse.
class CountingRegistrar : public MemoryRegistrar {
 public:
  Result<std::uint64_t> Register(void* memory, std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    if (refusing_) return ResourceExhausted("the card has no room");
    ++registrations_;
    memory_[++last_handle_] = {static_cast<const std::byte*>(memory), bytes};
    return last_handle_;
  }
  void Deregister(std::uint64_t handle) override {
    const std::lock_guard lock(mutex_);
    unknown_ += memory_.erase(handle) == 0 ? 1 : 0;
  }

  void Refuse() {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
  }
  /// How many registrations there were, and how many there are.
  int registrations() const {
    const std::lock_guard lock(mutex_);
    return registrations_;
  }
  std::size_t living() const {
    const std::lock_guard lock(mutex_);
    return memory_.size();
  }
  std::uint64_t living_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& [handle, memory] : memory_) bytes += memory.second;
    return bytes;
  }
  /// Handles that were given back without being known, which must not happen.
  int unknown() const {
    const std::lock_guard lock(mutex_);
    return unknown_;
  }
  bool Covers(std::uint64_t handle, const std::byte* memory, std::size_t bytes) const {
    const std::lock_guard lock(mutex_);
    const auto found = memory_.find(handle);
    return found != memory_.end() && memory >= found->second.first &&
           memory + bytes <= found->second.first + found->second.second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::pair<const std::byte*, std::size_t>> memory_;
  std::uint64_t last_handle_ = 0;
  int registrations_ = 0;
  int unknown_ = 0;
  bool refusing_ = false;
};

}  // namespace cirein::test
