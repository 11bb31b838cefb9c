// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/resp_workload.h"

namespace cirein::bench::resp {

/// Counts replies in a stream of bytes that may be cut anywhere, and looks at no more of them than
/// that needs: payloads are stepped over. RESP2, RESP3 (pushed messages are not counted), and
/// memcached's text. Not thread-safe.
class ReplyCounter {
 public:
  struct Expected {
    Protocol protocol = Protocol::kResp2;
    /// Every value must have so many bytes.
    std::optional<std::size_t> value_bytes;
    /// What memcached leaves out of so many is missing.
    std::size_t keys_per_request = 1;
  };
  explicit ReplyCounter(const Expected& expected) : expected_(expected) {}

  /// False when a reply is an error, or is no reply at all: error() says which, and the rest of the
  /// stream means nothing.
  bool Feed(std::string_view bytes);

  std::uint64_t replies() const { return replies_; }
  /// Values in them, at any depth.
  std::uint64_t values() const { return values_; }
  /// Nulls in them, or keys that memcached did not answer.
  std::uint64_t missing() const { return missing_; }
  const std::string& error() const { return error_; }

  /// From now on, keep the beginning of the next value.
  void KeepNext() {
    keeping_ = true;
    kept_.clear();
  }
  /// Up to kKeptBytes of it; empty when there was none.
  const std::string& kept() const { return kept_; }
  static constexpr std::size_t kKeptBytes = 16;

 private:
  bool Line(std::string_view line);
  bool RespLine(std::string_view line);
  bool RespAggregate(char type, std::string_view count);
  bool RespPayload(std::string_view length);
  bool MemcachedLine(std::string_view line);
  bool Payload(std::uint64_t length);
  void SkipPayload(std::string_view bytes);
  void ElementEnds();
  void Missing();
  bool Fail(std::string_view what, std::string_view line);

  const Expected expected_;
  std::string line_;        // The beginning of one whose end has not come yet.
  std::uint64_t skip_ = 0;  // Bytes of a payload and its end that are still to come.
  std::uint64_t open_ = 0;  // Elements that the present reply still lacks; 0 between replies.
  bool pushed_ = false;     // It was not asked for.
  bool keeping_ = false;
  std::uint64_t in_reply_ = 0;  // Values in memcached's present reply.
  std::uint64_t replies_ = 0;
  std::uint64_t values_ = 0;
  std::uint64_t missing_ = 0;
  std::string kept_;
  std::string error_;
};

}  // namespace cirein::bench::resp
