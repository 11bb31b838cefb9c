// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

/// The client's side of Redis's protocol, as far as a simulated client needs it.
namespace cirein::simulation {

/// The words of a command, its name in upper case first.
using RedisWords = std::vector<std::string>;

/// The request's bytes are appended.
void AppendRequest(const RedisWords& words, std::string& bytes);

/// A reply, of the older protocol: RESP2.
struct RedisReply {
  enum class Kind : std::uint8_t { kSimple, kError, kInteger, kBulk, kNull, kArray };
  Kind kind = Kind::kNull;
  std::string text = {};  ///< Of an integer its digits.
  std::vector<RedisReply> elements = {};

  bool is_error() const noexcept { return kind == Kind::kError; }
  bool IsSimple(std::string_view word) const { return kind == Kind::kSimple && text == word; }
  /// One line; long bulks are as long as they are.
  std::string ToString() const;
};

/// Takes replies out of a stream of bytes that comes in pieces. Not thread-safe.
class RedisReplyParser {
 public:
  void Append(std::string_view bytes) { bytes_.append(bytes); }
  /// The next reply; nullopt: it is not complete. DataLoss: this is no reply.
  Result<std::optional<RedisReply>> Next();
  bool has_rest() const noexcept { return !bytes_.empty(); }

 private:
  std::string bytes_;
};

}  // namespace cirein::simulation
