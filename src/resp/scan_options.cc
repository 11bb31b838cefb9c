// SPDX-License-Identifier: Apache-2.0
#include "resp/scan_options.h"

#include <charconv>
#include <string>
#include <system_error>

#include "resp/glob.h"
#include "resp/number.h"
#include "resp/option_word.h"

namespace cirein::resp {

bool ScanOptions::Matches(std::string_view name) const noexcept {
  return !match || GlobIsAll(*match) || GlobMatches(*match, name);
}

std::optional<std::uint64_t> ParseCursor(std::string_view text) noexcept {
  text = AsCString(text);
  // Redis lets strtoul read it, but no blanks before it.
  if (text.empty()) return 0;
  const bool negative = text[0] == '-';
  std::string_view digits = text;
  if (negative || text[0] == '+') digits.remove_prefix(1);
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return negative ? 0 - value : value;
}

bool ReadCursor(DataCall& call, std::size_t at, std::uint64_t& cursor) {
  const std::optional<std::uint64_t> given = ParseCursor(call.arg(at));
  if (!given) {
    call.reply.Error("ERR invalid cursor");
    return false;
  }
  cursor = *given;
  return true;
}

bool ReadScanOptions(DataCall& call, std::size_t from, ScanKind kind, ScanOptions& options) {
  for (std::size_t i = from; i < call.args.size(); i += 2) {
    const std::string_view word = call.arg(i);
    const bool has_value = i + 1 < call.args.size();
    if (IsOption(word, "count") && has_value) {
      const std::optional<std::int64_t> count = ParseInteger(call.arg(i + 1));
      if (!count || *count < 1) {
        call.reply.Error(count ? kSyntaxError : kNotAnInteger);
        return false;
      }
      options.count = static_cast<std::uint64_t>(*count);
    } else if (IsOption(word, "match") && has_value) {
      options.match = call.arg(i + 1);
    } else if (IsOption(word, "type") && kind == ScanKind::kKeys && has_value) {
      options.type = call.arg(i + 1);
    } else {
      call.reply.Error(kSyntaxError);
      return false;
    }
  }
  return true;
}

void ReplyCursor(ReplyWriter& reply, std::uint64_t cursor) {
  reply.Array(2);
  reply.Bulk(std::to_string(cursor));
}

}  // namespace cirein::resp
