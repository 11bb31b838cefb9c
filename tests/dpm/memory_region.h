// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "region/region.h"

namespace cirein::test {

/// A region in memory that others share and may damage, whose writes can be made to fail one by
/// one. Single-threaded.
class MemoryRegion final : public Region {
 public:
  using Words = std::vector<std::uint64_t>;  // So that the bytes are aligned.

  static std::shared_ptr<Words> NewBytes(std::uint64_t bytes) {
    return std::make_shared<Words>(bytes / sizeof(std::uint64_t));
  }

  MemoryRegion(std::string name, std::shared_ptr<Words> words)
      : Region(std::move(name), words->size() * sizeof(std::uint64_t)), words_(std::move(words)) {
    stores_ = std::as_writable_bytes(std::span(*words_)).data();
    data_ = stores_;
  }

  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(*words_)); }

  /// After so many further writes all fail until this is called again; a write that fails leaves
  /// its first half.
  void FailAfter(std::optional<std::uint64_t> writes) { writes_left_ = writes; }

  Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
    const bool fails = writes_left_ && *writes_left_ == 0;
    if (writes_left_ && !fails) --*writes_left_;
    std::memcpy(stores_ + offset, bytes.data(), fails ? bytes.size() / 2 : bytes.size());
    return fails ? IoError("the test lets this write fail") : OkStatus();
  }
  Status Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite /*site*/) override {
    return CheckRange(offset, bytes);
  }

 private:
  std::shared_ptr<Words> words_;
  std::optional<std::uint64_t> writes_left_;
};

}  // namespace cirein::test
