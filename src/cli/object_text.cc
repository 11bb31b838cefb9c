// SPDX-License-Identifier: Apache-2.0
#include "cli/object_text.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {

Result<Key> ParseKeyText(std::string_view text) {
  CIREIN_ASSIGN_OR_RETURN(const Pattern pattern, Pattern::ParseText(text));
  if (pattern.is_exact()) return pattern.key();
  return InvalidArgument(
      fmt::format("{} is a pattern, where one key is wanted", QuoteForPeople(text)),
      "give row or row|column; write a star of its name as \\*");
}

std::string KeyText(const Key& key) { return Pattern(key).ToString(); }

Result<Version> ParseVersionText(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point != std::string_view::npos) {
    const Result<std::uint64_t> epoch = ParseUint64(text.substr(0, point));
    const Result<std::uint64_t> counter = ParseUint64(text.substr(point + 1));
    if (epoch.ok() && counter.ok()) return Version{.epoch = *epoch, .counter = *counter};
  }
  return InvalidArgument(fmt::format("{} is no version", QuoteForPeople(text)),
                         "give one as cirein info shows it, such as 3.17; 0.0 is that of nothing");
}

Status WithHint(const Status& error, std::string hint) {
  return error.ok() ? error : Status(error.code(), std::string(error.message()), std::move(hint));
}

}  // namespace cirein
