// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dpm/dpm.h"

namespace cirein::test {

/// The smallest honest user of a pool: one shard that gives versions, writes batches, and reads
/// through the index after merging. For tests, tools and benchmarks; not thread-safe.
class DpmUser {
 public:
  DpmUser(dpm::Dpm& pool, std::uint32_t shard);
  ~DpmUser();

  struct Write {
    enum class Kind : std::uint8_t { kPut, kDrop, kDropRow, kExpireRow } kind = Kind::kPut;
    std::string row;
    std::optional<std::string> column;
    std::string data;
    std::optional<std::uint64_t> expiry_ms;
  };
  /// Stages the writes as one group, which a crash leaves whole or not at all. Large data goes to
  /// an extent. Not acknowledged before Commit; when the batch is full it commits first.
  Status Stage(const std::vector<Write>& group);
  Status Commit();
  Status Put(std::string_view row, std::string_view data);
  Status Drop(std::string_view row);
  /// Stage and Commit.
  Status Apply(const std::vector<Write>& group);

  /// Merges all, and reads; nullopt when there is nothing. Errors: DataLoss.
  Result<std::optional<std::string>> Get(std::string_view row,
                                         const std::optional<std::string>& column = {},
                                         std::uint64_t now_ms = 0);

  /// All objects of the pool, by "row" or "row\0column".
  Result<std::map<std::string, std::string>> All(std::uint64_t now_ms = 0);

  dpm::LogWriter& writer() { return *writer_; }
  Status Seal() { return writer_->Seal(); }
  /// The name All gives a key.
  static std::string Name(std::string_view row, const std::optional<std::string>& column);

 private:
  /// What the newest kRow entry of the row hides; nothing when there is none.
  Version HiddenIn(const std::string& row);
  Result<std::string> DataOf(const dpm::EntryView& entry);

  dpm::Dpm& pool_;
  std::unique_ptr<dpm::LogWriter> writer_;
  dpm::ReadEpochs::Reader reader_;
  std::uint64_t counter_ = 0;
  std::map<std::string, Version> hide_below_;  // Of rows that had a kRow entry.
};

}  // namespace cirein::test
