// SPDX-License-Identifier: Apache-2.0
#include "pool/replicated_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "pool/many_call.h"

namespace cirein {
namespace {

using Replicas = std::vector<std::shared_ptr<PoolBackend>>;
using SharedReplicas = std::shared_ptr<const Replicas>;

// How long the first may take before the others are asked, too.
constexpr std::chrono::milliseconds kOthersAfter{20};

bool IsElsewhere(const Status& status) {
  return status.code() == StatusCode::kNotFound || status.code() == StatusCode::kUnavailable;
}

Status Refusal(const PublishOptions& options) {
  constexpr const char* kHint = "objects of a pool with replicas are written once";
  if (options.overwrite == Overwrite::kYes) {
    return InvalidArgument("a pool with replicas overwrites nothing", kHint);
  }
  if (options.if_version) {
    return InvalidArgument("a pool with replicas has no one version of an object", kHint);
  }
  return OkStatus();
}

/// Asks one after the other, until one has what is looked for. An error that leaves it open whether
/// there is something says more than that there is not.
template <typename T>
class InTurn final : public ManyCall<T>, public std::enable_shared_from_this<InTurn<T>> {
 public:
  using Done = std::function<void(Result<T>)>;
  using Ask = std::function<Operation(PoolBackend& replica, std::size_t place, Done done)>;

  InTurn(SharedReplicas replicas, Ask ask, Done done)
      : ManyCall<T>(std::move(done)), replicas_(std::move(replicas)), ask_(std::move(ask)) {}

  void Next() {
    const std::size_t place = next_++;
    this->Add(
        ask_(*(*replicas_)[place], place, [self = this->shared_from_this()](Result<T> result) {
          self->Answered(std::move(result));
        }));
  }

 private:
  void Answered(Result<T> result) {
    if (result.ok() || !IsElsewhere(result.status())) return void(this->End(std::move(result)));
    if (why_.ok() || result.code() != StatusCode::kNotFound) why_ = result.status();
    if (this->done()) return;
    if (next_ == replicas_->size()) return void(this->End(why_));
    Next();
  }

  const SharedReplicas replicas_;
  const Ask ask_;
  std::size_t next_ = 0;  // Of who asks: one at a time.
  Status why_;
};

/// Asks several, and goes on when all have answered: with the results in the order of the asked.
template <typename T>
class AllOf : public std::enable_shared_from_this<AllOf<T>> {
 public:
  using Results = std::vector<Result<T>>;
  using Done = std::function<void(Results)>;

  AllOf(std::size_t count, Done done)
      : results_(count, Internal("not answered")), left_(count), done_(std::move(done)) {}

  std::function<void(Result<T>)> Answer(std::size_t place) {
    return [self = this->shared_from_this(), place](Result<T> result) {
      {
        const std::lock_guard lock(self->mutex_);
        self->results_[place] = std::move(result);
        if (--self->left_ != 0) return;
      }
      std::exchange(self->done_, nullptr)(std::move(self->results_));
    };
  }

 private:
  std::mutex mutex_;  // Of the two below.
  Results results_;
  std::size_t left_;
  Done done_;  // Of the last one.
};

/// Where a listing goes on: at the replica where it began.
struct ReplicaCursor {
  std::size_t replica = 0;
  std::string cursor;

  static Result<ReplicaCursor> Parse(std::string_view text, std::size_t replicas) {
    if (text.empty()) return ReplicaCursor();
    const std::size_t dot = text.find('.');
    const Result<std::uint64_t> replica =
        ParseUint64(text.substr(0, dot == std::string_view::npos ? 0 : dot));
    if (!replica.ok() || *replica >= replicas) {
      return InvalidArgument(fmt::format("{} is no cursor of this pool", QuoteForPeople(text)),
                             "give what the page before said, or nothing for the first page");
    }
    return ReplicaCursor{static_cast<std::size_t>(*replica), std::string(text.substr(dot + 1))};
  }
};

class ReplicatedPool final : public PoolBackend {
 public:
  ReplicatedPool(std::string_view type, Replicas replicas, const Environment& environment)
      : type_(type),
        replicas_(std::make_shared<const Replicas>(std::move(replicas))),
        environment_(environment) {}

  std::string_view type() const override { return type_; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    const auto publish = [key, object = std::move(object), options](PoolBackend& replica,
                                                                    PublishCallback answered) {
      return replica.Publish(key, object, options, std::move(answered));
    };
    return PublishAt<ObjectInfo>({key}, options, publish, std::move(done));
  }

  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override {
    std::vector<Key> keys;
    for (const PublishItem& item : items) keys.push_back(item.key);
    const auto publish = [items = std::move(items), options](PoolBackend& replica,
                                                             GroupCallback answered) {
      return replica.PublishGroup(items, options, std::move(answered));
    };
    return PublishAt<std::vector<ObjectInfo>>(std::move(keys), options, publish, std::move(done));
  }

  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override {
    return WantBy(&PoolBackend::Want, pattern, options, std::move(done));
  }

  // Kept by the replica that answers, for TryNeed.
  Operation FetchAhead(const Pattern& pattern, const WantOptions& options,
                       WantCallback done) override {
    return WantBy(&PoolBackend::FetchAhead, pattern, options, std::move(done));
  }

  std::optional<Result<DataObject>> TryNeed(const Key& key) override {
    for (const auto& replica : *replicas_) {
      if (auto object = replica->TryNeed(key); object && object->ok()) return object;
    }
    return std::nullopt;
  }

  // First where it is only looked for when the first has not: nothing is found there that is gone
  // at the first.
  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override {
    const auto call = std::make_shared<ManyCall<std::uint64_t>>(std::move(done));
    const std::size_t followers = replicas_->size() - 1;
    const auto all = std::make_shared<AllOf<std::uint64_t>>(
        followers,
        [call, pattern, deadline, replicas = replicas_](AllOf<std::uint64_t>::Results counts) {
          std::uint64_t most = 0;
          for (const Result<std::uint64_t>& count : counts) {
            if (!count.ok()) return void(call->End(count.status()));
            most = std::max(most, *count);
          }
          if (call->done()) return;
          call->Add(replicas->front()->Drop(
              pattern, deadline, [call, most](const Result<std::uint64_t>& count) {
                call->End(count.ok() ? Result<std::uint64_t>(std::max(most, *count)) : count);
              }));
        });
    for (std::size_t i = 0; i < followers; ++i) {
      call->Add((*replicas_)[i + 1]->Drop(pattern, deadline, all->Answer(i)));
    }
    return Operation(call);
  }

  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    return AskInTurn<ObjectInfo>(
        [key, deadline](PoolBackend& replica, std::size_t /*place*/, InfoCallback answered) {
          return replica.Info(key, deadline, std::move(answered));
        },
        std::move(done));
  }

  Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) override {
    return AskInTurn<RowInfo>(
        [row, deadline](PoolBackend& replica, std::size_t /*place*/, RowInfoCallback answered) {
          return replica.GetRowInfo(row, deadline, std::move(answered));
        },
        std::move(done));
  }

  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override {
    return AskInTurn<DataObject>(
        [request, deadline](PoolBackend& replica, std::size_t /*place*/, ComputeCallback answered) {
          return replica.Compute(request, deadline, std::move(answered));
        },
        std::move(done));
  }

  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    const Result<ReplicaCursor> from = ReplicaCursor::Parse(options.cursor, replicas_->size());
    if (!from.ok()) {
      done(from.status());
      return Operation();
    }
    ListOptions asked = options;
    asked.cursor = from->cursor;
    const auto list = [pattern, asked](PoolBackend& replica, std::size_t place,
                                       ListCallback answered) {
      return replica.List(pattern, asked,
                          [place, answered = std::move(answered)](Result<ListPage> page) {
                            if (page.ok() && !page->next.empty()) {
                              page->next = fmt::format("{}.{}", place, page->next);
                            }
                            answered(std::move(page));
                          });
    };
    if (!options.cursor.empty()) {
      return list(*(*replicas_)[from->replica], from->replica, std::move(done));
    }
    // One that has nothing may have lost it.
    return AskInTurn<ListPage>(
        [list](PoolBackend& replica, std::size_t place, ListCallback answered) {
          return list(replica, place, [answered = std::move(answered)](Result<ListPage> page) {
            const bool nothing = page.ok() && page->objects.empty() && page->next.empty();
            answered(nothing ? NotFound("nothing is listed") : std::move(page));
          });
        },
        [done = std::move(done)](Result<ListPage> page) {
          done(page.code() == StatusCode::kNotFound ? ListPage() : std::move(page));
        });
  }

 private:
  template <typename T>
  using PublishOne =
      std::function<Operation(PoolBackend& replica, std::function<void(Result<T>)> done)>;

  /// One of the two forms of a want.
  using WantForm = Operation (PoolBackend::*)(const Pattern& pattern, const WantOptions& options,
                                              WantCallback done);
  Operation WantBy(WantForm form, const Pattern& pattern, const WantOptions& options,
                   WantCallback done) {
    const auto call = std::make_shared<ManyCall<NamedObject>>(std::move(done));
    const auto answered = [call](Result<NamedObject> named) { call->End(std::move(named)); };
    call->Add((*replicas_->front().*form)(pattern, options, answered));
    if (call->done()) return Operation();
    const TimePoint begun = environment_.clock.Now();
    const auto ask_others = [call, answered, form, replicas = replicas_, pattern, options, begun,
                             &clock = environment_.clock] {
      WantOptions left = options;
      if (!left.deadline.is_none()) {
        left.deadline = Deadline(std::max(left.deadline.after() - (clock.Now() - begun),
                                          std::chrono::nanoseconds::zero()));
      }
      for (std::size_t i = 1; i < replicas->size() && !call->done(); ++i) {
        call->Add(((*(*replicas)[i]).*form)(pattern, left, answered));
      }
    };
    environment_.timers.RunAt(begun + kOthersAfter,
                              [call, ask_others, &callbacks = environment_.callbacks] {
                                if (!call->done()) (void)callbacks.Submit(ask_others);
                              });
    return Operation(call);
  }

  /// Asks the followers whether one of the keys is there, publishes at the first, and then copies.
  template <typename T>
  Operation PublishAt(std::vector<Key> keys, const PublishOptions& options, PublishOne<T> publish,
                      std::function<void(Result<T>)> done) {
    if (Status refusal = Refusal(options); !refusal.ok()) {
      done(refusal);
      return Operation();
    }
    const auto call = std::make_shared<ManyCall<T>>(std::move(done));
    const std::size_t followers = replicas_->size() - 1;
    const auto copy = [call, publish, replicas = replicas_, followers](Result<T> published) {
      if (!published.ok()) return void(call->End(std::move(published)));
      const auto copied = std::make_shared<AllOf<T>>(
          followers, [call, published](const auto& /*infos*/) { call->End(published); });
      for (std::size_t i = 0; i < followers; ++i) {
        publish(*(*replicas)[i + 1], copied->Answer(i));
      }
    };
    const auto looked = [call, publish, replicas = replicas_, keys,
                         copy](const std::vector<Result<ObjectInfo>>& infos) {
      for (std::size_t i = 0; i < infos.size(); ++i) {
        if (!infos[i].ok()) continue;
        return void(call->End(AlreadyExists(
            fmt::format("\"{}\" is published already", keys[i % keys.size()].ToString()),
            "objects are write-once here: publish under another key, or drop this one first")));
      }
      if (!call->done()) publish(*replicas->front(), copy);
    };
    const auto looks = std::make_shared<AllOf<ObjectInfo>>(followers * keys.size(), looked);
    for (std::size_t i = 0; i < followers * keys.size(); ++i) {
      call->Add((*replicas_)[1 + i / keys.size()]->Info(keys[i % keys.size()], options.deadline,
                                                        looks->Answer(i)));
    }
    return Operation(call);
  }

  template <typename T>
  Operation AskInTurn(typename InTurn<T>::Ask ask, typename InTurn<T>::Done done) {
    const auto call = std::make_shared<InTurn<T>>(replicas_, std::move(ask), std::move(done));
    call->Next();
    return Operation(call);
  }

  const std::string_view type_;
  const SharedReplicas replicas_;
  const Environment environment_;
};

}  // namespace

Bucket BucketOfReplica(Bucket bucket, std::size_t replica) {
  if (replica == 0) return bucket;
  return Bucket::FromLabel(fmt::format("{} replica {}", bucket.ToString(), replica));
}

std::shared_ptr<PoolBackend> MakeReplicatedPool(std::string_view type,
                                                std::vector<std::shared_ptr<PoolBackend>> replicas,
                                                const Environment& environment) {
  return std::make_shared<ReplicatedPool>(type, std::move(replicas), environment);
}

}  // namespace cirein
