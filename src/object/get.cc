// SPDX-License-Identifier: Apache-2.0
#include "object/store.h"

namespace cirein {

Result<bool> Store::Get(const KeyView& key, StoredObject& found) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  CIREIN_ASSIGN_OR_RETURN(const bool hit, engine_->Get(key, Load::kObject, found));
  ++(hit ? stats_.hits : stats_.misses);
  return hit;
}

}  // namespace cirein
