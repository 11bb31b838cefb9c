// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/scatter.h"
#include "base/zipf.h"
#include "bench/resp_workload.h"

namespace cirein::bench::resp {

/// Draws the numbers of keys. Not thread-safe.
class KeySource {
 public:
  KeySource(const Workload& workload, std::uint64_t seed);
  std::uint64_t Next();
  /// For KeyOrder::kInTurn: from this one on.
  void StartAt(std::uint64_t number) { next_ = number; }

 private:
  const KeyOrder order_;
  const std::uint64_t keys_;
  const Zipf zipf_;
  const Scatter scatter_;
  Random random_;
  std::uint64_t next_ = 0;
};

/// Requests of one workload as bytes to send, made ahead: what is left to do for a batch is to
/// write the digits of its keys into place.
///
/// A key has kKeyBytes bytes: what kind of object it names, the size of its value, its number. So
/// workloads of different kinds and sizes never meet at a key. A value begins with its key, if it
/// is long enough to. Not thread-safe.
class RequestEncoder {
 public:
  static constexpr std::size_t kKeyBytes = 16;

  RequestEncoder(const Workload& workload, std::uint64_t seed);

  /// The next `count` requests, 1 to the workload's pipeline. Valid until the next call.
  std::string_view Next(std::size_t count);
  std::string_view Next() { return Next(pipeline_); }
  /// The first key of what Next() gave last, with which the first value of a GET begins.
  std::string_view first_key() const;
  /// Bytes of each request; of mixed ones the most.
  std::size_t request_bytes() const { return templates_.back().bytes.size(); }
  KeySource& keys() { return keys_; }

 private:
  /// One request, and where its keys' digits stand.
  struct Template {
    std::string bytes;
    std::vector<std::size_t> digits_at;
    std::size_t digits_in_value_at = 0;  ///< 0 when the value does not begin with the key.
  };
  Template MakeTemplate(Operation operation) const;
  void PutKeys(const Template& request, char* at);
  std::string_view NextMixed(std::size_t count);

  const Workload workload_;
  const std::size_t pipeline_;
  KeySource keys_;
  Random which_;
  std::vector<Template> templates_;  // One; of mixed requests the GET and the SET.
  std::string buffer_;
};

/// Loads the keys that this operation reads: as it is, but writing all keys in turn.
Workload LoadingOf(Workload workload);

/// A fixed right answer to any request of the workload, which is not mixed.
std::string FixedReply(const Workload& workload);

}  // namespace cirein::bench::resp
