// SPDX-License-Identifier: Apache-2.0
#include "object/store.h"

namespace cirein {

// Those who wait stay parked: a drop takes away what was there, not what is to come.
Result<std::uint64_t> Store::Drop(const KeyView& row, const Pattern& pattern, Effects& effects) {
  Resume(row, effects);
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  if (!leases_.empty()) {
    const auto meant = [&](const std::optional<std::string_view>& column) {
      return pattern.MatchesColumn(column);
    };
    CIREIN_RETURN_IF_ERROR(CallBack(
        row, meant, [] { return OkStatus(); }, effects));
  }
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t dropped,
                          engine_->Drop(row, pattern, effects.garbage));
  stats_.dropped += dropped;
  if (dropped != 0) watches_.Changed(row);
  return dropped;
}

}  // namespace cirein
