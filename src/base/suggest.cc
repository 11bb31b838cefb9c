// SPDX-License-Identifier: Apache-2.0
#include "base/suggest.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

constexpr std::size_t kMaxNameBytes = 100;

// Optimal string alignment distance, with the last three rows of the table.
std::size_t EditDistance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before_last(to.size() + 1);
  std::vector<std::size_t> last(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t change = from[i - 1] == to[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[to.size()];
}

}  // namespace

std::optional<std::string_view> Nearest(std::string_view name,
                                        std::span<const std::string_view> candidates) {
  if (name.size() > kMaxNameBytes) return std::nullopt;
  const std::string wanted = AsciiLower(name);
  std::optional<std::string_view> nearest;
  std::size_t limit = std::max<std::size_t>(1, name.size() / 3) + 1;  // Must be less than this.
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kMaxNameBytes) continue;
    const std::size_t distance = EditDistance(wanted, AsciiLower(candidate));
    if (distance < limit) {
      limit = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view name, std::span<const std::string_view> candidates,
                       std::string otherwise) {
  const std::optional<std::string_view> nearest = Nearest(name, candidates);
  if (!nearest) return otherwise;
  return fmt::format("did you mean {}?", QuoteForPeople(*nearest));
}

}  // namespace cirein
