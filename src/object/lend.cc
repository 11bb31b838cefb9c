// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "object/store.h"

namespace cirein {
namespace {

/// What a publish of this key may change: with a bound on columns, any of its row.
LeaseTable::Meant MeantBy(const KeyView& key, const PutRequest& request) {
  if (!request.store) return [](const auto&) { return false; };
  if (request.keep != 0) return [](const auto&) { return true; };
  const std::optional<std::string_view> own =
      key.has_column ? std::optional(key.column) : std::nullopt;
  return [own](const std::optional<std::string_view>& column) { return column == own; };
}

}  // namespace

Result<LentObject> Store::Lend(const KeyView& key, const std::shared_ptr<CopyHolder>& holder,
                               std::chrono::nanoseconds longest) {
  StoredObject stored;
  CIREIN_ASSIGN_OR_RETURN(const bool hit, Get(key, stored));
  LentObject lent;
  if (!hit) return lent;
  lent.named = {key.ToKey(), stored.object, InfoOf(stored)};
  const TimePoint now = clock_.Now();
  const TimePoint end = std::min(now + longest, stored.expires);
  if (end > now && leases_.Grant(key, holder, end, now)) lent.lease = end - now;
  return lent;
}

void Store::Resume(const KeyView& row, Effects& effects) {
  if (effects.recall == nullptr) return;
  leases_.Leave(row);
  effects.recall.reset();
}

Status Store::CallBack(const KeyView& row, const LeaseTable::Meant& meant,
                       const std::function<Status()>& check, Effects& effects) {
  const TimePoint now = clock_.Now();
  if (!leases_.IsLent(row, meant, now)) return OkStatus();
  CIREIN_RETURN_IF_ERROR(check());
  effects.recall = leases_.CallBack(row, meant, now, effects.lent);
  return Unavailable("copies of it are being called back");
}

Status Store::CallBackFor(const KeyView& key, const PutRequest& request, Effects& effects) {
  const LeaseTable::Meant meant = MeantBy(key, request);
  return CallBack(
      key, meant, [&] { return Check(key, request); }, effects);
}

Status Store::CallBackFor(std::span<const PutItem> items, Effects& effects) {
  const auto meant = [&](const std::optional<std::string_view>& column) {
    return std::any_of(items.begin(), items.end(), [&](const PutItem& item) {
      return MeantBy(item.key, item.request)(column);
    });
  };
  const auto check = [&] {
    for (const PutItem& item : items) CIREIN_RETURN_IF_ERROR(Check(item.key, item.request));
    return OkStatus();
  };
  return CallBack(items[0].key, meant, check, effects);
}

}  // namespace cirein
