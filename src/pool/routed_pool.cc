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

namespace cirein {
namespace {

/// Several operations that are one to the caller. The first one to end it calls the callback.
template <typename T>
class ManyCall : public Operation::Impl, public std::enable_shared_from_this<ManyCall<T>> {
 public:
  explicit ManyCall(std::function<void(Result<T>)> done) : done_(std::move(done)) {}

  bool Cancel() override { return End(Cancelled("the operation was given up")); }
  bool done() const override { return over_.load(); }

  /// One that was begun for it: given up when it ends.
  void Add(Operation part) {
    {
      const std::lock_guard lock(mutex_);
      if (!over_) {
        parts_.push_back(std::move(part));
        return;
      }
    }
    part.Cancel();
  }

  bool End(Result<T> result) {
    std::vector<Operation> parts;
    {
      const std::lock_guard lock(mutex_);
      if (over_.exchange(true)) return false;
      parts.swap(parts_);
    }
    for (Operation& part : parts) part.Cancel();
    const auto done = std::exchange(done_, nullptr);
    done(std::move(result));
    return true;
  }

 private:
  std::atomic<bool> over_{false};           // Set under mutex_.
  std::function<void(Result<T>)> done_;     // Of the one who ends it.
  std::mutex mutex_;
  std::vector<Operation> parts_;  // Guarded by mutex_.
};

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

class RoutedPool final : public PoolBackend {
 public:
  RoutedPool(std::string_view type, std::vector<std::shared_ptr<PoolBackend>> members,
             MemberRoute route)
      : type_(type), members_(std::move(members)), route_(std::move(route)) {}

  std::string_view type() const override { return type_; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    return OwnerOf(key.row()).Publish(key, std::move(object), options, std::move(done));
  }
  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override {
    PoolBackend& owner = OwnerOf(items.front().key.row());
    return owner.PublishGroup(std::move(items), options, std::move(done));
  }
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    return OwnerOf(key.row()).Info(key, deadline, std::move(done));
  }
  Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) override {
    return OwnerOf(row.row()).GetRowInfo(row, deadline, std::move(done));
  }
  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override {
    return OwnerOf(request.pattern.row()).Compute(request, deadline, std::move(done));
  }
  std::optional<Result<ObjectInfo>> TryPublish(const Key& key, DataObject& object,
                                               const PublishOptions& options) override {
    return OwnerOf(key.row()).TryPublish(key, object, options);
  }
  std::optional<Result<DataObject>> TryNeed(const Key& key) override {
    return OwnerOf(key.row()).TryNeed(key);
  }

  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override {
    if (OneOwner(pattern)) return OwnerOf(pattern.row()).Want(pattern, options, std::move(done));
    const auto call = std::make_shared<ManyCall<NamedObject>>(std::move(done));
    for (const auto& member : members_) {
      if (call->done()) break;
      call->Add(member->Want(pattern, options, [call](Result<NamedObject> named) {
        call->End(std::move(named));
      }));
    }
    return Operation(call);
  }

  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override {
    if (OneOwner(pattern)) return OwnerOf(pattern.row()).Drop(pattern, deadline, std::move(done));
    const auto call = std::make_shared<SumCall>(members_.size(), std::move(done));
    for (const auto& member : members_) {
      call->Add(member->Drop(pattern, deadline, [call](const Result<std::uint64_t>& count) {
        call->Answered(count);
      }));
    }
    return Operation(call);
  }

  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    if (OneOwner(pattern)) return OwnerOf(pattern.row()).List(pattern, options, std::move(done));
    const Result<RoutedCursor> from = RoutedCursor::Parse(options.cursor, members_.size());
    if (!from.ok()) {
      done(from.status());
      return Operation();
    }
    ListOptions asked = options;
    asked.cursor = from->cursor;
    return members_[from->member]->List(
        pattern, asked,
        [done = std::move(done), at = from->member, last = members_.size() - 1](
            Result<ListPage> page) {
          if (page.ok() && (!page->next.empty() || at < last)) {
            const RoutedCursor next{page->next.empty() ? at + 1 : at, std::move(page->next)};
            page->next = next.ToString();
          }
          done(std::move(page));
        });
  }

 private:
  PoolBackend& OwnerOf(std::string_view row) const { return *members_[route_.owner(row)]; }
  bool OneOwner(const Pattern& pattern) const {
    return !pattern.row_is_prefix() || !route_.many_owners || members_.size() == 1;
  }

  const std::string_view type_;
  const std::vector<std::shared_ptr<PoolBackend>> members_;
  const MemberRoute route_;
};

}  // namespace

std::shared_ptr<PoolBackend> MakeRoutedPool(std::string_view type,
                                            std::vector<std::shared_ptr<PoolBackend>> members,
                                            MemberRoute route) {
  return std::make_shared<RoutedPool>(type, std::move(members), std::move(route));
}

}  // namespace cirein
