// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "object/store.h"

namespace cirein {

Result<ObjectInfo> Store::Info(const KeyView& key) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  ++stats_.infos;
  StoredObject found;
  CIREIN_ASSIGN_OR_RETURN(const bool there, engine_->Get(key, Load::kSizes, found));
  if (there) return InfoOf(found);
  const std::size_t waiting = waiters_.CountFor(key);
  return NotFound(fmt::format("there is no object \"{}\"{}", key.ToKey().ToString(),
                              waiting == 0 ? "" : fmt::format(" ({} wait for it)", waiting)));
}

Result<RowInfo> Store::GetRowInfo(const KeyView& row) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  ++stats_.row_infos;
  RowInfo info;
  CIREIN_ASSIGN_OR_RETURN(const bool there, engine_->GetRowInfo(row, info));
  if (there) return info;
  return NotFound(fmt::format("there is nothing in row \"{}\"", row.ToKey().ToString()));
}

}  // namespace cirein
