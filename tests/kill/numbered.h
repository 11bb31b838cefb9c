// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/hash.h"
#include "support/dpm_user.h"

namespace cirein::test {

/// At most so many numbers are acknowledged at once.
inline constexpr std::uint64_t kMaxBatch = 40;
inline constexpr std::uint64_t kRowsOfShard = 500;

/// The n-th write of a shard: its number alone decides what it does, so that who was killed need
/// not tell what it did, only how far it was. Most are puts; some drop a key, some write two keys
/// at once (a group), some are large enough for an extent, some add a column or delete a whole row
/// of columns.
struct Numbered {
  Numbered(std::uint32_t shard_in, std::uint64_t number_in)
      : shard(shard_in),
        number(number_in),
        hash(Hash64(fmt::format("{}/{}", shard_in, number_in))) {}

  std::uint32_t shard;
  std::uint64_t number;
  std::uint64_t hash;

  std::string Row(std::uint64_t which) const {
    return fmt::format("{}:row{}", shard, which % kRowsOfShard);
  }
  std::string Data(std::uint64_t bytes) const {
    std::string data = fmt::format("{}|", number);
    data.resize(std::max<std::uint64_t>(data.size(), bytes), static_cast<char>('a' + hash % 26));
    return data;
  }

  /// The write of the counter comes last in every group: what it holds tells how far the shard is.
  std::vector<DpmUser::Write> Group() const {
    using Write = DpmUser::Write;
    std::vector<Write> group;
    const std::uint64_t kind = hash / 1000 % 100;
    const std::string row = Row(hash);
    if (kind < 60) {
      group.push_back({Write::Kind::kPut, row, {}, Data(hash % 700), {}});
    } else if (kind < 70) {
      group.push_back({Write::Kind::kDrop, row, {}, {}, {}});
    } else if (kind < 80) {
      group.push_back({Write::Kind::kPut, row, {}, Data(100), {}});
      group.push_back({Write::Kind::kPut, Row(hash + 1), {}, Data(100), {}});
    } else if (kind < 97) {
      group.push_back(
          {Write::Kind::kPut, Row(hash % 7) + "h", fmt::format("{}", hash % 50), Data(60), {}});
    } else if (kind < 98) {
      group.push_back({Write::Kind::kDropRow, Row(hash % 7) + "h", {}, {}, {}});
    } else {
      group.push_back({Write::Kind::kPut, row, {}, Data(kLargeBytes), {}});
    }
    group.push_back({Write::Kind::kPut, CounterRow(), {}, fmt::format("{}", number), {}});
    return group;
  }
  std::string CounterRow() const { return fmt::format("{}:counter", shard); }

  static constexpr std::uint64_t kLargeBytes = 40'000;
};

/// What a shard holds after its first `last` writes.
inline std::map<std::string, std::string> NumberedState(std::uint32_t shard, std::uint64_t last) {
  using Kind = DpmUser::Write::Kind;
  std::map<std::string, std::string> state;
  for (std::uint64_t number = 1; number <= last; ++number) {
    for (const DpmUser::Write& write : Numbered(shard, number).Group()) {
      const std::string name = DpmUser::Name(write.row, write.column);
      if (write.kind == Kind::kPut) state[name] = write.data;
      if (write.kind == Kind::kDrop) state.erase(name);
      if (write.kind == Kind::kDropRow) {
        std::erase_if(state, [&](const auto& entry) {
          return entry.first == write.row || entry.first.starts_with(write.row + '\0');
        });
      }
    }
  }
  return state;
}

/// The number of the last write that the pool has of a shard; 0 for none.
inline Result<std::uint64_t> FindLastNumber(DpmUser& user, std::uint32_t shard) {
  const auto counter = user.Get(Numbered(shard, 0).CounterRow());
  if (!counter.ok()) return counter.status();
  return *counter ? std::strtoull((*counter)->c_str(), nullptr, 10) : 0;
}

/// Does the pool hold of the shard exactly what some number of writes makes, at least
/// `acknowledged` and at most a batch more?
inline Status CheckNumbered(DpmUser& user, std::uint32_t shard, std::uint64_t acknowledged) {
  const auto last = FindLastNumber(user, shard);
  if (!last.ok()) return last.status();
  if (*last < acknowledged || *last > acknowledged + kMaxBatch) {
    return DataLoss(fmt::format("shard {} was acknowledged up to {}, and is at {}", shard,
                                acknowledged, *last));
  }
  const auto all = user.All();
  if (!all.ok()) return all.status();
  std::map<std::string, std::string> of_shard;
  const std::string prefix = fmt::format("{}:", shard);
  for (const auto& entry : *all) {
    if (entry.first.starts_with(prefix)) of_shard.insert(entry);
  }
  const auto expected = NumberedState(shard, *last);
  if (of_shard == expected) return OkStatus();
  for (const auto& [name, data] : expected) {
    if (const auto found = of_shard.find(name); found == of_shard.end() || found->second != data) {
      return DataLoss(fmt::format("shard {} at {}: '{}' should be {} and is {}", shard, *last, name,
                                  data.substr(0, 20),
                                  found == of_shard.end() ? "lost" : found->second.substr(0, 20)));
    }
  }
  return DataLoss(fmt::format("shard {} at {}: it has {} keys instead of {}", shard, *last,
                              of_shard.size(), expected.size()));
}

}  // namespace cirein::test
