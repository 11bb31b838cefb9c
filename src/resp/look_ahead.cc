// SPDX-License-Identifier: Apache-2.0
#include "resp/look_ahead.h"

#include <cstdint>
#include <optional>

namespace cirein::resp {
namespace {

// More arguments, or longer ones, are no pipeline of small commands.
constexpr std::size_t kMaxNumber = 4096;
constexpr std::size_t kMaxArguments = 16;

class Reader {
 public:
  explicit Reader(std::string_view input) : input_(input) {}

  // "<mark>number\r\n"
  std::optional<std::size_t> Number(char mark) {
    if (at_ >= input_.size() || input_[at_] != mark) return std::nullopt;
    std::size_t number = 0;
    for (std::size_t i = at_ + 1; i + 1 < input_.size(); ++i) {
      const char c = input_[i];
      if (c == '\r') {
        at_ = i + 2;
        return number;
      }
      if (c < '0' || c > '9') return std::nullopt;
      number = number * 10 + static_cast<std::size_t>(c - '0');
      if (number > kMaxNumber) return std::nullopt;
    }
    return std::nullopt;
  }
  // "$number\r\nbytes\r\n"
  std::optional<std::string_view> Word() {
    const auto bytes = Number('$');
    if (!bytes || input_.size() - at_ < *bytes + 2) return std::nullopt;
    const std::string_view word = input_.substr(at_, *bytes);
    at_ += *bytes + 2;
    return word;
  }

 private:
  std::string_view input_;
  std::size_t at_ = 0;
};

}  // namespace

std::size_t FindLikelyKeys(std::string_view input, std::span<LikelyKey> keys) {
  Reader reader(input);
  for (std::size_t found = 0; found < keys.size(); ++found) {
    const auto arguments = reader.Number('*');
    if (!arguments || *arguments < 2 || *arguments > kMaxArguments) return found;
    LikelyKey key;
    for (std::size_t i = 0; i < *arguments; ++i) {
      const auto word = reader.Word();
      if (!word) return found;
      if (i == 0) key.has_field = !word->empty() && (word->front() | 0x20) == 'h';
      if (i == 1) key.row = *word;
      if (i == 2) key.field = *word;
    }
    key.has_field = key.has_field && *arguments > 2;
    keys[found] = key;
  }
  return keys.size();
}

}  // namespace cirein::resp
