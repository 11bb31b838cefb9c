// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace cirein::dpm {

/// A set of small numbers that finds its lowest member fast: a bitmap, with above each 64 words a
/// word that says which of them are not empty, and so on up. Not thread-safe.
class IndexBits {
 public:
  /// An empty set that may hold 0 ... size-1.
  explicit IndexBits(std::uint64_t size);

  /// Of numbers beyond the size as well: they are not in it.
  bool Test(std::uint64_t number) const noexcept;
  void Insert(std::uint64_t number) noexcept;
  void Erase(std::uint64_t number) noexcept;
  std::optional<std::uint64_t> Lowest() const noexcept;

 private:
  std::uint64_t size_;
  std::vector<std::vector<std::uint64_t>> levels_;  // From the bits themselves up to one word.
};

}  // namespace cirein::dpm
