// SPDX-License-Identifier: Apache-2.0
#include "object/store.h"

namespace cirein {

Status Store::WalkRow(const KeyView& row, const Pattern& pattern,
                      const std::optional<std::optional<std::string_view>>& after, Load load,
                      const Engine::Visitor& visit) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  return engine_->WalkRow(row, pattern, after, load, visit).status();
}

Result<Engine::RowPage> Store::Rows(const Engine::RowName& from, const Pattern& pattern,
                                    std::size_t max_rows) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  return engine_->Rows(from, pattern, max_rows);
}

}  // namespace cirein
