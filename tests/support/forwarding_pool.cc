// SPDX-License-Identifier: Apache-2.0
#include "support/forwarding_pool.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "cirein/pool.h"
#include "cirein/pool_backend.h"

#include "support/status_matchers.h"

namespace cirein::test {
namespace {

/// Gives answers on its own thread, in the order they came; those that are left at the end too.
class Answerer {
 public:
  Answerer() : thread_([this] { Run(); }) {}
  ~Answerer() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    came_.notify_one();
    thread_.join();
  }
  void Post(std::function<void()> answer) {
    {
      const std::lock_guard lock(mutex_);
      answers_.push_back(std::move(answer));
    }
    came_.notify_one();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      came_.wait(lock, [this] { return ended_ || !answers_.empty(); });
      if (answers_.empty()) return;
      {
        const std::function<void()> answer = std::move(answers_.front());
        answers_.pop_front();
        lock.unlock();
        answer();
      }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::function<void()>> answers_;
  bool ended_ = false;
  std::thread thread_;
};

class ForwardingPool final : public PoolBackend {
 public:
  explicit ForwardingPool(Pool next) : next_(std::move(next)) {}

  std::string_view type() const override { return kForwardingType; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    return next_.Publish(key, std::move(object), Later(std::move(done)), options);
  }
  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override {
    return next_.PublishGroup(std::move(items), Later(std::move(done)), options);
  }
  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override {
    return next_.Want(pattern, Later(std::move(done)), options);
  }
  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override {
    return next_.Drop(pattern, Later(std::move(done)), deadline);
  }
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    return next_.Info(key, Later(std::move(done)), deadline);
  }
  Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) override {
    Later(std::move(done))(next_.RowInfo(row, deadline));
    return Operation();
  }
  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    Later(std::move(done))(next_.List(pattern, options));
    return Operation();
  }
  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override {
    return next_.Compute(request.pattern, request.function, request.args, Later(std::move(done)),
                         deadline);
  }

 private:
  // The answerer may end before the answer comes: whoever holds it then is the last.
  template <typename T>
  std::function<void(Result<T>)> Later(std::function<void(Result<T>)> done) {
    return [answerer = answerer_, done = std::move(done)](Result<T> result) {
      answerer->Post([done, result = std::move(result)]() mutable { done(std::move(result)); });
    };
  }

  const std::shared_ptr<Answerer> answerer_ = std::make_shared<Answerer>();
  Pool next_;
};

Result<std::shared_ptr<PoolBackend>> MakeForwardingPool(const PoolContext& context) {
  const auto next = context.url.option("next_pool");
  if (!next) return InvalidArgument("forward: needs next_pool", "give next_pool=local:/name");
  CIREIN_ASSIGN_OR_RETURN(Pool pool, Connect(*next));
  return std::shared_ptr<PoolBackend>(std::make_shared<ForwardingPool>(std::move(pool)));
}

}  // namespace

void RegisterForwardingPool() {
  static const Status registered = RegisterPoolType({.name = std::string(kForwardingType),
                                                     .description = "hands on what it is asked",
                                                     .options = {"next_pool"},
                                                     .factory = MakeForwardingPool});
  EXPECT_OK(registered);
}

}  // namespace cirein::test
