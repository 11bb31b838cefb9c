// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// What a load of requests over RESP or memcached's text protocol consists of.
namespace cirein::bench::resp {

enum class Protocol : std::uint8_t { kResp2, kResp3, kMemcached };
enum class Operation : std::uint8_t { kGet, kSet, kIncr, kHset, kHget, kMget10, kMixed };
enum class KeyOrder : std::uint8_t {
  kUniform,
  kZipf,    ///< A few are hot, scattered over all.
  kInTurn,  ///< 0, 1, 2, ...: to fill all.
};

struct Workload {
  Protocol protocol = Protocol::kResp2;
  Operation operation = Operation::kGet;
  KeyOrder order = KeyOrder::kUniform;
  double theta = 0.99;        ///< For kZipf.
  unsigned get_percent = 90;  ///< For kMixed: GET so often, else SET.
  std::size_t value_bytes = 64;
  std::uint64_t keys = 100'000;  ///< At most kMaxKeys.
  std::size_t pipeline = 1;      ///< Requests in a batch: sent at once, then all answered.
};

/// What fits the digits of a key.
constexpr std::uint64_t kMaxKeys = std::uint64_t{1} << 32;
constexpr std::size_t kMaxValueBytes = (std::size_t{1} << 28) - 1;

constexpr std::size_t kMgetKeys = 10;

/// How many keys each request names, which is how many values answer one that reads.
constexpr std::size_t KeysPerRequest(Operation operation) {
  return operation == Operation::kMget10 ? kMgetKeys : 1;
}

}  // namespace cirein::bench::resp
