// SPDX-License-Identifier: Apache-2.0
#include "pool/remote_pool.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/sabotage.h"
#include "object/object_messages.h"
#include "pool/fetched_ahead.h"

namespace cirein {
namespace {

// How often a member that cannot be reached is looked for by those who may wait.
constexpr std::chrono::milliseconds kRetryAfter{100};
// How often an operation is sent, if each connection ends under it.
constexpr int kAttempts = 3;

enum class Effect : std::uint8_t { kReads, kChanges };
/// Does what was read stay here, as long as its owner lends it?
enum class Copies : std::uint8_t { kNone, kKept };

/// What all operations of a pool over one member share.
struct Member {
  std::shared_ptr<MemberLink> link;
  const Clock& clock;
  TimerService& timers;

  /// What is left until `end`.
  Deadline Left(TimePoint end) const {
    if (end == kEndOfTime) return kNoDeadline;
    return Deadline(std::max(end - clock.Now(), TimePoint::zero()));
  }
};

/// An operation that is asked once it can be. The first one to end it calls the callback.
template <typename T>
class RemoteCall final : public Operation::Impl,
                         public std::enable_shared_from_this<RemoteCall<T>> {
 public:
  using Done = std::function<void(Result<T>)>;
  using Send = std::function<Status(ObjectClient& client, Deadline deadline, Done done)>;

  RemoteCall(std::shared_ptr<Member> member, Effect effect, Deadline deadline, Send send, Done done)
      : member_(std::move(member)),
        effect_(effect),
        end_(member_->clock.EndOf(deadline)),
        send_(std::move(send)),
        done_(std::move(done)) {}

  bool Cancel() override { return End(Cancelled("the operation was given up")); }
  bool done() const override { return over_.load(); }

  void Begin() {
    member_->link->With(
        [self = this->shared_from_this()](const Result<MemberLink::Client>& client) {
          if (self->over_) return;
          if (client.ok()) {
            self->Ask(*client);
          } else {
            self->End(client.status());
          }
        });
  }

 private:
  void Ask(const MemberLink::Client& client) {
    ++attempts_;
    const Status sent = send_(*client, member_->Left(end_),
                              [self = this->shared_from_this(), client](Result<T> result) {
                                self->Answered(client, std::move(result));
                              });
    if (sent.ok()) return;
    if (sent.code() != StatusCode::kUnavailable) return void(End(sent));
    AskAnew(client, sent);
  }

  void Answered(const MemberLink::Client& client, Result<T> result) {
    if (result.ok() || result.code() != StatusCode::kUnavailable) {
      return void(End(std::move(result)));
    }
    if (effect_ == Effect::kReads || Sabotaged(Sabotage::kRepeatUnknown)) {
      return AskAnew(client, result.status());
    }
    member_->link->Lost(client);
    End(std::move(result));
  }

  void AskAnew(const MemberLink::Client& client, const Status& why) {
    member_->link->Lost(client);
    if (attempts_ >= kAttempts) return void(End(why));
    if (!over_) Begin();
  }

  bool End(Result<T> result) {
    if (over_.exchange(true)) return false;
    const Done done = std::exchange(done_, nullptr);
    done(std::move(result));
    return true;
  }

  const std::shared_ptr<Member> member_;
  const Effect effect_;
  const TimePoint end_;
  const Send send_;
  int attempts_ = 0;  // Of whoever asks: one at a time.
  std::atomic<bool> over_{false};
  Done done_;  // Of the one who ends it.
};

/// A want: parked at the member for as long as there is one, and anew at the next.
class RemoteWant final : public Operation::Impl, public std::enable_shared_from_this<RemoteWant> {
 public:
  RemoteWant(std::shared_ptr<Member> member, Pattern pattern, Copies copies, Deadline deadline,
             WantCallback done)
      : member_(std::move(member)),
        pattern_(std::move(pattern)),
        keep_(copies == Copies::kKept && pattern_.is_exact()),
        end_(member_->clock.EndOf(deadline)),
        done_(std::move(done)) {}

  bool Cancel() override { return End(Cancelled("the wait was given up")); }
  bool done() const override { return over_.load(); }

  void Begin() {
    member_->link->With([self = shared_from_this()](const Result<MemberLink::Client>& client) {
      if (self->over_) return;
      if (client.ok()) {
        self->Park(*client);
      } else {
        self->Later(client.status());
      }
    });
  }

 private:
  void Park(const MemberLink::Client& client) {
    WantCallback answered = [self = shared_from_this(), client](Result<NamedObject> named) {
      self->Answered(client, std::move(named));
    };
    const Deadline left = member_->Left(end_);
    Result<Operation> parked = keep_ ? client->WantToKeep(pattern_.key(), left, std::move(answered))
                                     : client->Want(pattern_, left, std::move(answered));
    if (!parked.ok()) return Answered(client, parked.status());
    const std::lock_guard lock(mutex_);
    parked_ = *parked;
    // Whoever ended it meanwhile did not find this one.
    if (over_) parked_.Cancel();
  }

  void Answered(const MemberLink::Client& client, Result<NamedObject> named) {
    if (named.ok() || named.code() != StatusCode::kUnavailable) return void(End(std::move(named)));
    member_->link->Lost(client);
    if (!Sabotaged(Sabotage::kForgetLostWants)) Later(named.status());
  }

  // Its owner is away: it may come again.
  void Later(const Status& why) {
    if (over_) return;
    const TimePoint again = member_->clock.Now() + kRetryAfter;
    if (again >= end_) return void(End(DeadlineExceeded(std::string(why.message()))));
    member_->timers.RunAt(again, [self = shared_from_this()] { self->Begin(); });
  }

  bool End(Result<NamedObject> result) {
    if (over_.exchange(true)) return false;
    Operation parked;
    {
      const std::lock_guard lock(mutex_);
      parked = std::exchange(parked_, Operation());
    }
    parked.Cancel();
    const WantCallback done = std::exchange(done_, nullptr);
    done(std::move(result));
    return true;
  }

  const std::shared_ptr<Member> member_;
  const Pattern pattern_;
  const bool keep_;
  const TimePoint end_;
  std::atomic<bool> over_{false};
  WantCallback done_;  // Of the one who ends it.
  std::mutex mutex_;
  Operation parked_;  // Guarded by mutex_.
};

class RemotePool final : public PoolBackend {
 public:
  RemotePool(std::string_view type, std::shared_ptr<Member> member, const StorePoolOptions& options)
      : type_(type),
        member_(std::move(member)),
        options_(options),
        copies_(options.behavior.has(Behavior::kReadToLocal) ? Copies::kKept : Copies::kNone) {}

  std::string_view type() const override { return type_; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    const PublishTerms terms = TermsOf(options, options_);
    wire::PublishRequest request;
    request.key = In(key);
    request.object = std::move(object);
    request.mode = terms.mode;
    request.if_version = terms.if_version;
    request.ttl = terms.age;
    request.keep = terms.keep;
    request.store = terms.store;
    request.to_backing = terms.to_backing;
    return Ask<ObjectInfo>(
        Effect::kChanges, options.deadline,
        [request = std::move(request)](ObjectClient& client, Deadline deadline, auto answered) {
          return client.Publish(request, deadline, std::move(answered));
        },
        Changing(key, std::move(done)));
  }

  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override {
    const PublishTerms terms = TermsOf(options, options_);
    wire::GroupRequest request;
    request.bucket = options_.bucket;
    request.row = items.front().key.row();
    const Pattern row = Pattern::Row(request.row);
    request.mode = terms.mode;
    request.ttl = terms.age;
    request.keep = terms.keep;
    request.store = terms.store;
    request.to_backing = terms.to_backing;
    for (PublishItem& item : items) {
      wire::GroupRequest::Item sent;
      if (item.key.has_column()) sent.column = item.key.column();
      sent.object = std::move(item.object);
      request.items.push_back(std::move(sent));
    }
    return Ask<std::vector<ObjectInfo>>(
        Effect::kChanges, options.deadline,
        [request = std::move(request)](ObjectClient& client, Deadline deadline, auto answered) {
          return client.PublishGroup(request, deadline, std::move(answered));
        },
        Changing(row, std::move(done)));
  }

  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override {
    if (auto kept = pattern.is_exact() ? FindKept(pattern.key()) : std::nullopt) {
      done(std::move(*kept));
      return Operation();
    }
    const auto want = std::make_shared<RemoteWant>(member_, In(pattern), copies_, options.deadline,
                                                   std::move(done));
    want->Begin();
    return Operation(want);
  }

  Operation FetchAhead(const Pattern& pattern, const WantOptions& options,
                       WantCallback done) override {
    return Want(pattern, options,
                [ahead = ahead_, fetch = ahead_->Begin(pattern),
                 done = std::move(done)](Result<NamedObject> named) {
                  ahead->End(fetch, named.ok() ? &*named : nullptr);
                  done(std::move(named));
                });
  }

  std::optional<Result<DataObject>> TryNeed(const Key& key) override {
    // Used up even if there is a copy, which is never older.
    std::optional<DataObject> object = ahead_->Take(key);
    if (std::optional<NamedObject> kept = FindKept(key)) object = std::move(kept->object);
    if (!object) return std::nullopt;
    return Result<DataObject>(std::move(*object));
  }

  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override {
    return Ask<std::uint64_t>(
        Effect::kChanges, deadline,
        [pattern = In(pattern)](ObjectClient& client, Deadline left, auto answered) {
          return client.Drop(pattern, left, std::move(answered));
        },
        Changing(pattern, std::move(done)));
  }

  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    return Ask<ObjectInfo>(
        Effect::kReads, deadline,
        [key = In(key)](ObjectClient& client, Deadline left, auto answered) {
          return client.Info(key, left, std::move(answered));
        },
        std::move(done));
  }

  Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) override {
    return Ask<RowInfo>(
        Effect::kReads, deadline,
        [row = In(row)](ObjectClient& client, Deadline left, auto answered) {
          return client.GetRowInfo(row, left, std::move(answered));
        },
        std::move(done));
  }

  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    return Ask<ListPage>(
        Effect::kReads, options.deadline,
        [pattern = In(pattern), options](ObjectClient& client, Deadline left, auto answered) {
          ListOptions asked = options;
          asked.deadline = left;
          return client.List(pattern, asked, std::move(answered));
        },
        std::move(done));
  }

  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override {
    return Ask<DataObject>(
        Effect::kReads, deadline,
        [asked = wire::ComputeRequest{In(request.pattern), request.function, request.args}](
            ObjectClient& client, Deadline left, auto answered) {
          return client.Compute(asked, left, std::move(answered));
        },
        std::move(done));
  }

 private:
  Key In(Key key) const { return key.set_bucket(options_.bucket); }
  Pattern In(Pattern pattern) const { return pattern.set_bucket(options_.bucket); }

  std::optional<NamedObject> FindKept(const Key& key) const {
    if (copies_ == Copies::kNone) return std::nullopt;
    const MemberLink::Client client = member_->link->client();
    return client == nullptr ? std::nullopt : client->FindKept(In(key));
  }

  /// Before a change is told, what was fetched before it is forgotten.
  template <typename Done>
  Done Changing(const Pattern& pattern, Done done) const {
    return [ahead = ahead_, pattern, done = std::move(done)](auto result) {
      ahead->Forget(pattern);
      done(std::move(result));
    };
  }

  template <typename T>
  Operation Ask(Effect effect, Deadline deadline, typename RemoteCall<T>::Send send,
                std::function<void(Result<T>)> done) {
    const auto call = std::make_shared<RemoteCall<T>>(member_, effect, deadline, std::move(send),
                                                      std::move(done));
    call->Begin();
    return Operation(call);
  }

  const std::string_view type_;
  const std::shared_ptr<Member> member_;
  const StorePoolOptions options_;
  const Copies copies_;
  const std::shared_ptr<FetchedAhead> ahead_ = std::make_shared<FetchedAhead>(member_->clock);
};

}  // namespace

std::shared_ptr<PoolBackend> MakeRemotePool(std::string_view type,
                                            std::shared_ptr<MemberLink> member, const Clock& clock,
                                            TimerService& timers, const StorePoolOptions& options) {
  return std::make_shared<RemotePool>(
      type, std::make_shared<Member>(Member{std::move(member), clock, timers}), options);
}

}  // namespace cirein
