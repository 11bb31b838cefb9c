// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "cirein/pool_backend.h"

namespace cirein {

/// Which member owns a row, or all of them where the place does not depend on the row.
struct MemberRoute {
  /// The owner's place among the members. Pure.
  std::function<std::size_t(std::string_view row)> owner;
  /// May rows that begin alike be at several members?
  bool many_owners = true;
};

/// A pool that is cut by rows among members, each of which is a pool itself: an operation on a row
/// goes to its owner; one on many rows to all members. Of a want the first answer counts, and the
/// others are given up; a drop adds up what they dropped, and fails if one of them does; a listing
/// goes through them in their order.
///
/// Members may be replaced while it is used: what was begun ends where it began, and a listing goes
/// on at the member in the same place.
class RoutedPool : public PoolBackend {
 public:
  using Members = std::vector<std::shared_ptr<PoolBackend>>;

  /// `type` outlives it; at least one member.
  RoutedPool(std::string_view type, Members members, MemberRoute route);
  RoutedPool(const RoutedPool&) = delete;
  RoutedPool& operator=(const RoutedPool&) = delete;

  /// From now on these. Thread-safe.
  void Replace(Members members, MemberRoute route);

  std::string_view type() const override { return type_; }
  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override;
  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override;
  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override;
  Operation FetchAhead(const Pattern& pattern, const WantOptions& options,
                       WantCallback done) override;
  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override;
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override;
  Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) override;
  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override;
  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override;
  std::optional<Result<ObjectInfo>> TryPublish(const Key& key, DataObject& object,
                                               const PublishOptions& options) override;
  std::optional<Result<DataObject>> TryNeed(const Key& key) override;

 private:
  struct Table {
    Members members;
    MemberRoute route;
  };
  std::shared_ptr<const Table> table() const;
  std::shared_ptr<PoolBackend> OwnerOf(std::string_view row) const;
  /// Who alone has all that matches; null when that may be several.
  static std::shared_ptr<PoolBackend> OnlyOwner(const Table& table, const Pattern& pattern);

  const std::string_view type_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;  // Guarded by mutex_.
};

}  // namespace cirein
