// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace cirein::node {

/// Which of what a shard has in DRAM it keeps when its budget is used up. The cache goes round its
/// records and asks about one after the other, until there is room.
///
/// To add a policy: derive from this, and choose it where a node makes its caches.
/// Not thread-safe: one for each shard.
class CachePolicy {
 public:
  virtual ~CachePolicy() = default;

  /// Is a value of so many bytes, just written or read, worth having at all?
  virtual bool Admits(std::uint64_t value_bytes) = 0;

  struct Use {
    bool used = false;  ///< Since the last time it was asked about; forgotten by the asking.
    bool has_value = false;
    std::uint64_t value_bytes = 0;
  };
  enum class Verdict : std::uint8_t {
    kKeep,
    kDropValue,   ///< Demote to a shortcut.
    kDropRecord,  ///< Forget it all.
  };
  virtual Verdict Judge(const Use& use) = 0;
};

/// Second chance: what was used since the last round stays; a value becomes a shortcut first, and
/// goes altogether a round later. No value larger than a part of the budget is admitted.
class ClockPolicy final : public CachePolicy {
 public:
  explicit ClockPolicy(std::uint64_t budget_bytes) : largest_bytes_(budget_bytes / kLargestPart) {}
  bool Admits(std::uint64_t value_bytes) override { return value_bytes <= largest_bytes_; }
  Verdict Judge(const Use& use) override {
    if (use.used) return Verdict::kKeep;
    return use.has_value ? Verdict::kDropValue : Verdict::kDropRecord;
  }

 private:
  static constexpr std::uint64_t kLargestPart = 64;
  const std::uint64_t largest_bytes_;
};

}  // namespace cirein::node
