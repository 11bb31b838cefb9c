// SPDX-License-Identifier: Apache-2.0
#include "pool/routed_pool.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "pool/many_call.h"

namespace cirein {
namespace {

/// Ends with the sum when all have answered, with the first error at once.
class SumCall final : public ManyCall<std::uint64_t> {
 public:
  SumCall(std::size_t parts, DropCallback done) : ManyCall(std::move(done)), left_(parts) {}

  void Answered(const Result<std::uint64_t>& count) {
    if (!count.ok()) return void(End(count.status()));
    sum_ += *count;
    if (--left_ == 0) End(sum_.load());
  }

 private:
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::size_t> left_;
};

/// Where a listing goes on: the member, and its own cursor.
struct RoutedCursor {
  std::size_t member = 0;
  std::string cursor;

  std::string ToString() const { return fmt::format("{}:{}", member, cursor); }
  static Result<RoutedCursor> Parse(std::string_view text, std::size_t members) {
    if (text.empty()) return RoutedCursor();
    const std::size_t colon = text.find(':');
    const Result<std::uint64_t> member =
        ParseUint64(text.substr(0, colon == std::string_view::npos ? 0 : colon));
    if (!member.ok() || *member >= members) {
      return InvalidArgument(fmt::format("{} is no cursor of this pool", QuoteForPeople(text)),
                             "give what the page before said, or nothing for the first page");
    }
    return RoutedCursor{static_cast<std::size_t>(*member), std::string(text.substr(colon + 1))};
  }
};

}  // namespace

RoutedPool::RoutedPool(std::string_view type, Members members, MemberRoute route) : type_(type) {
  Replace(std::move(members), std::move(route));
}

void RoutedPool::Replace(Members members, MemberRoute route) {
  auto table = std::make_shared<const Table>(Table{std::move(members), std::move(route)});
  const std::lock_guard lock(mutex_);
  table_.swap(table);
}

std::shared_ptr<const RoutedPool::Table> RoutedPool::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

std::shared_ptr<PoolBackend> RoutedPool::OwnerOf(std::string_view row) const {
  const std::shared_ptr<const Table> now = table();
  return now->members[now->route.owner(row)];
}

std::shared_ptr<PoolBackend> RoutedPool::OnlyOwner(const Table& table, const Pattern& pattern) {
  const bool many = pattern.row_is_prefix() && table.route.many_owners && table.members.size() > 1;
  return many ? nullptr : table.members[table.route.owner(pattern.row())];
}

Operation RoutedPool::Publish(const Key& key, DataObject object, const PublishOptions& options,
                              PublishCallback done) {
  return OwnerOf(key.row())->Publish(key, std::move(object), options, std::move(done));
}

Operation RoutedPool::PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                                   GroupCallback done) {
  const std::shared_ptr<PoolBackend> owner = OwnerOf(items.front().key.row());
  return owner->PublishGroup(std::move(items), options, std::move(done));
}

Operation RoutedPool::Info(const Key& key, Deadline deadline, InfoCallback done) {
  return OwnerOf(key.row())->Info(key, deadline, std::move(done));
}

Operation RoutedPool::GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) {
  return OwnerOf(row.row())->GetRowInfo(row, deadline, std::move(done));
}

Operation RoutedPool::Compute(const ComputeRequest& request, Deadline deadline,
                              ComputeCallback done) {
  return OwnerOf(request.pattern.row())->Compute(request, deadline, std::move(done));
}

std::optional<Result<ObjectInfo>> RoutedPool::TryPublish(const Key& key, DataObject& object,
                                                         const PublishOptions& options) {
  return OwnerOf(key.row())->TryPublish(key, object, options);
}

std::optional<Result<DataObject>> RoutedPool::TryNeed(const Key& key) {
  return OwnerOf(key.row())->TryNeed(key);
}

Operation RoutedPool::Want(const Pattern& pattern, const WantOptions& options, WantCallback done) {
  const std::shared_ptr<const Table> now = table();
  if (const auto owner = OnlyOwner(*now, pattern)) {
    return owner->Want(pattern, options, std::move(done));
  }
  const auto call = std::make_shared<ManyCall<NamedObject>>(std::move(done));
  for (const auto& member : now->members) {
    if (call->done()) break;
    call->Add(member->Want(pattern, options,
                           [call](Result<NamedObject> named) { call->End(std::move(named)); }));
  }
  return Operation(call);
}

// Of many owners each would keep its own.
Operation RoutedPool::FetchAhead(const Pattern& pattern, const WantOptions& options,
                                 WantCallback done) {
  const auto owner = OnlyOwner(*table(), pattern);
  return owner != nullptr ? owner->FetchAhead(pattern, options, std::move(done))
                          : Want(pattern, options, std::move(done));
}

Operation RoutedPool::Drop(const Pattern& pattern, Deadline deadline, DropCallback done) {
  const std::shared_ptr<const Table> now = table();
  if (const auto owner = OnlyOwner(*now, pattern)) {
    return owner->Drop(pattern, deadline, std::move(done));
  }
  const auto call = std::make_shared<SumCall>(now->members.size(), std::move(done));
  for (const auto& member : now->members) {
    call->Add(member->Drop(pattern, deadline,
                           [call](const Result<std::uint64_t>& count) { call->Answered(count); }));
  }
  return Operation(call);
}

Operation RoutedPool::List(const Pattern& pattern, const ListOptions& options, ListCallback done) {
  const std::shared_ptr<const Table> now = table();
  if (const auto owner = OnlyOwner(*now, pattern)) {
    return owner->List(pattern, options, std::move(done));
  }
  const Result<RoutedCursor> from = RoutedCursor::Parse(options.cursor, now->members.size());
  if (!from.ok()) {
    done(from.status());
    return Operation();
  }
  ListOptions asked = options;
  asked.cursor = from->cursor;
  return now->members[from->member]->List(
      pattern, asked,
      [done = std::move(done), at = from->member,
       last = now->members.size() - 1](Result<ListPage> page) {
        if (page.ok() && (!page->next.empty() || at < last)) {
          const RoutedCursor next{page->next.empty() ? at + 1 : at, std::move(page->next)};
          page->next = next.ToString();
        }
        done(std::move(page));
      });
}

}  // namespace cirein
