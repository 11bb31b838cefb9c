// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "object/store.h"

namespace cirein {

Result<bool> Store::Want(const KeyView& row, const Pattern& pattern, Seat& seat,
                         std::shared_ptr<Waiter> waiter, NamedObject& found) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  bool hit = false;
  CIREIN_RETURN_IF_ERROR(engine_
                             ->WalkRow(row, pattern, std::nullopt, Load::kObject,
                                       [&](const KeyView& key, const StoredObject& stored) {
                                         found = {key.ToKey(), stored.object, InfoOf(stored)};
                                         hit = true;
                                         return false;
                                       })
                             .status());
  ++(hit ? stats_.hits : stats_.misses);
  if (!hit) waiters_.Park(pattern, seat, std::move(waiter));
  return hit;
}

Status Store::ParkPrefix(const Pattern& pattern, Seat& seat, std::shared_ptr<Waiter> waiter) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  waiters_.Park(pattern, seat, std::move(waiter));
  return OkStatus();
}

}  // namespace cirein
