// SPDX-License-Identifier: Apache-2.0

// Pool types of the user: registered, broken in every way, and never answering.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/notification.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

/// Keeps what it is asked and answers only when the test says so. One for all its pools.
class Silent {
 public:
  static Silent& Instance() {
    static Silent& silent = *new Silent;
    return silent;
  }
  void Keep(std::function<void()> answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  std::size_t kept() {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }
  /// Gives all answers now, on this thread; late ones are to be passed over.
  void AnswerAll() {
    std::vector<std::function<void()>> answers;
    {
      const std::lock_guard lock(mutex_);
      answers.swap(answers_);
    }
    for (const auto& answer : answers) answer();
  }
  std::atomic<int> cancelled{0};

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> answers_;
};

class CancelCounter : public Operation::Impl {
 public:
  bool Cancel() override {
    ++Silent::Instance().cancelled;
    return true;
  }
  bool done() const override { return false; }
};

class SilentPool final : public PoolBackend {
 public:
  std::string_view type() const override { return "silent"; }
  Operation Publish(const Key&, DataObject, const PublishOptions&, PublishCallback done) override {
    return Keep<ObjectInfo>(std::move(done));
  }
  Operation Want(const Pattern&, const WantOptions&, WantCallback done) override {
    return Keep<NamedObject>(std::move(done));
  }
  Operation Drop(const Pattern&, Deadline, DropCallback done) override {
    return Keep<std::uint64_t>(std::move(done));
  }
  Operation Info(const Key&, Deadline, InfoCallback done) override {
    return Keep<ObjectInfo>(std::move(done));
  }
  Operation GetRowInfo(const Key&, Deadline, RowInfoCallback done) override {
    return Keep<RowInfo>(std::move(done));
  }
  Operation List(const Pattern&, const ListOptions&, ListCallback done) override {
    return Keep<ListPage>(std::move(done));
  }
  Operation Compute(const ComputeRequest&, Deadline, ComputeCallback done) override {
    return Keep<DataObject>(std::move(done));
  }

 private:
  template <typename T>
  static Operation Keep(std::function<void(Result<T>)> done) {
    Silent::Instance().Keep([done = std::move(done)] { done(Internal("much too late")); });
    return Operation(std::make_shared<CancelCounter>());
  }
};

/// Says when it goes, and where; and calls a function of the test when it is to cancel.
class MortalPool final : public PoolBackend {
 public:
  inline static std::atomic<int> alive{0};
  inline static std::atomic<std::thread::id> ended_on;  ///< Before `alive` says so.
  inline static std::function<void()> on_cancel;
  MortalPool() { ++alive; }
  ~MortalPool() override {
    ended_on = std::this_thread::get_id();
    --alive;
  }
  std::string_view type() const override { return "mortal"; }
  Operation Publish(const Key&, DataObject, const PublishOptions&, PublishCallback done) override {
    Silent::Instance().Keep([done = std::move(done)] { done(ObjectInfo()); });
    return Operation(std::make_shared<Canceller>());
  }
  Operation Want(const Pattern&, const WantOptions&, WantCallback done) override {
    return Refuse<NamedObject>(done);
  }
  Operation Drop(const Pattern&, Deadline, DropCallback done) override {
    return Refuse<std::uint64_t>(done);
  }
  Operation Info(const Key&, Deadline, InfoCallback done) override {
    return Refuse<ObjectInfo>(done);
  }
  Operation GetRowInfo(const Key&, Deadline, RowInfoCallback done) override {
    return Refuse<RowInfo>(done);
  }
  Operation List(const Pattern&, const ListOptions&, ListCallback done) override {
    return Refuse<ListPage>(done);
  }
  Operation Compute(const ComputeRequest&, Deadline, ComputeCallback done) override {
    return Refuse<DataObject>(done);
  }

 private:
  struct Canceller : Operation::Impl {
    bool Cancel() override {
      if (on_cancel) on_cancel();
      return true;
    }
    bool done() const override { return false; }
  };
  template <typename T>
  static Operation Refuse(const std::function<void(Result<T>)>& done) {
    done(Unimplemented("it only publishes"));
    return Operation();
  }
};

class ThrowingPool final : public PoolBackend {
 public:
  std::string_view type() const override { return "throwing"; }
  Operation Publish(const Key&, DataObject, const PublishOptions&, PublishCallback) override {
    return Throw();
  }
  Operation Want(const Pattern&, const WantOptions&, WantCallback) override { return Throw(); }
  Operation Drop(const Pattern&, Deadline, DropCallback) override { throw 7; }
  Operation Info(const Key&, Deadline, InfoCallback done) override {
    done(NotFound("answered before it threw"));
    return Throw();
  }
  Operation GetRowInfo(const Key&, Deadline, RowInfoCallback) override { return Throw(); }
  Operation List(const Pattern&, const ListOptions&, ListCallback) override { return Throw(); }
  Operation Compute(const ComputeRequest&, Deadline, ComputeCallback) override { return Throw(); }
  std::optional<Result<DataObject>> TryNeed(const Key&) override {
    throw std::runtime_error("short cut bug");
  }

 private:
  static Operation Throw() { throw std::runtime_error("backend bug"); }
};

PoolType Type(std::string name, PoolFactory factory) {
  return {.name = std::move(name),
          .description = "for tests",
          .options = {"color"},
          .factory = std::move(factory)};
}

template <typename Backend>
Result<std::shared_ptr<PoolBackend>> Make(const PoolContext& /*context*/) {
  return std::shared_ptr<PoolBackend>(std::make_shared<Backend>());
}

void RegisterTypes() {
  static const bool done = [] {
    EXPECT_OK(RegisterPoolType(Type("silent", Make<SilentPool>)));
    EXPECT_OK(RegisterPoolType(Type("mortal", Make<MortalPool>)));
    EXPECT_OK(RegisterPoolType(Type("throwing", Make<ThrowingPool>)));
    EXPECT_OK(RegisterPoolType(Type("factory-error", [](const PoolContext& context) {
      return Result<std::shared_ptr<PoolBackend>>(
          IoError("no " + context.url.option("color").value_or("none"), "paint it"));
    })));
    EXPECT_OK(RegisterPoolType(Type("factory-throws", [](const PoolContext&) {
      throw std::runtime_error("factory bug");
      return Result<std::shared_ptr<PoolBackend>>(nullptr);
    })));
    EXPECT_OK(RegisterPoolType(Type("factory-throws-int", [](const PoolContext&) {
      throw 7;
      return Result<std::shared_ptr<PoolBackend>>(nullptr);
    })));
    EXPECT_OK(RegisterPoolType(Type("factory-null", [](const PoolContext&) {
      return Result<std::shared_ptr<PoolBackend>>(std::shared_ptr<PoolBackend>());
    })));
    return true;
  }();
  (void)done;
}

class UserPoolTest : public test::LibraryTest {
 protected:
  void SetUp() override {
    RegisterTypes();
    LibraryTest::SetUp();
  }
  void TearDown() override {
    LibraryTest::TearDown();
    Silent::Instance().AnswerAll();
  }
};

TEST_F(UserPoolTest, RegistrationRefusesWhatCannotBe) {
  EXPECT_CODE(RegisterPoolType(Type("local", Make<SilentPool>)), kAlreadyExists);
  EXPECT_CODE(RegisterPoolType(Type("silent", Make<SilentPool>)), kAlreadyExists);
  for (const char* name : {"", "ref", "1st", "with space", "a:b", "\xc3\xa4"}) {
    EXPECT_CODE(RegisterPoolType(Type(name, Make<SilentPool>)), kInvalidArgument) << name;
  }
  EXPECT_CODE(RegisterPoolType(Type("without-factory", nullptr)), kInvalidArgument);
  EXPECT_THAT(PoolTypeNames(), testing::IsSupersetOf({"local", "null", "trace", "silent"}));
}

TEST_F(UserPoolTest, AFactorysFailureReachesTheCaller) {
  const Status error = Connect("factory-error:/a&color=red").status();
  EXPECT_CODE(error, kIoError);
  EXPECT_EQ(error.message(), "no red");
  EXPECT_CODE(Connect("factory-error:/a&colour=red"), kInvalidArgument);
  const Status thrown = Connect("factory-throws:/a").status();
  EXPECT_CODE(thrown, kAborted);
  EXPECT_NE(thrown.message().find("factory bug"), std::string::npos);
  EXPECT_CODE(Connect("factory-throws-int:/a"), kAborted);
  EXPECT_CODE(Connect("factory-null:/a"), kInternal);
  EXPECT_OK(Connect("silent:/a")) << "and nothing is the worse for it";
}

TEST_F(UserPoolTest, DeadlinesAreKeptThoughItNeverAnswers) {
  Pool pool = Open("silent:/a");
  Silent& silent = Silent::Instance();
  silent.cancelled = 0;
  PublishOptions options;
  options.deadline = 1ms;
  EXPECT_CODE(pool.Publish(Key("row"), MakeObject("x"), options), kDeadlineExceeded);
  EXPECT_CODE(pool.Need(Key("row"), {.deadline = 1ms}), kDeadlineExceeded);
  EXPECT_CODE(pool.Drop(Key("row"), 1ms), kDeadlineExceeded);
  EXPECT_CODE(pool.Info(Key("row"), 1ms), kDeadlineExceeded);
  EXPECT_CODE(pool.RowInfo(Key("row"), 1ms), kDeadlineExceeded);
  EXPECT_CODE(pool.Compute(Key("row"), "count", "", 1ms), kDeadlineExceeded);
  ListOptions list;
  list.deadline = 1ms;
  EXPECT_CODE(pool.List(Key("row"), list), kDeadlineExceeded);
  const std::vector<Key> keys(3, Key("row"));
  for (const auto& result : pool.NeedAll(keys, {.deadline = 1ms})) {
    EXPECT_CODE(result, kDeadlineExceeded);
  }
  ResultCollector collector;
  pool.Want(Key("row"), collector, {.deadline = 1ms});
  ASSERT_OK(collector.Wait());
  EXPECT_CODE(collector.results()[0].status, kDeadlineExceeded);
  EXPECT_EQ(silent.kept(), 11U);
  EXPECT_TRUE(test::Eventually([&] { return silent.cancelled == 11; })) << "it is told of each";
  silent.AnswerAll();
  EXPECT_CODE(collector.results()[0].status, kDeadlineExceeded) << "too late is never";
}

TEST_F(UserPoolTest, FinishAnswersForIt) {
  std::atomic<int> answers{0};
  std::atomic<int> unavailable{0};
  {
    Pool pool = Open("silent:/a");
    const auto count = [&](const auto& result) {
      ++answers;
      if (result.code() == StatusCode::kUnavailable) ++unavailable;
    };
    for (int i = 0; i < 50; ++i) {
      pool.Want(Key("row"), count, {.deadline = kNoDeadline});
      pool.Publish(Key("row"), MakeObject("x"), count);
      pool.Drop(Key("row"), count);
      pool.Compute(Key("row"), "count", "", count);
    }
  }
  FinishNow();
  EXPECT_EQ(answers, 200);
  EXPECT_EQ(unavailable, 200);
  Silent::Instance().AnswerAll();
  EXPECT_EQ(answers, 200);
}

TEST_F(UserPoolTest, ABackendLivesUntilItsOperationsAreAnswered) {
  std::atomic<int> answers{0};
  {
    const Pool pool = Open("mortal:/a");
    pool.Publish(Key("row"), MakeObject("x"), [&](const Result<ObjectInfo>& info) {
      EXPECT_OK(info);
      ++answers;
    });
  }
  EXPECT_EQ(MortalPool::alive, 1) << "its handle is gone, its operation is not answered";
  Silent::Instance().AnswerAll();
  EXPECT_TRUE(test::Eventually([&] { return answers == 1 && MortalPool::alive == 0; }));
}

// A backend joins in its destructor the threads it answers from, so it must not end on one of them.
TEST_F(UserPoolTest, ABackendDoesNotEndOnTheThreadThatAnswers) {
  ResultCollector collector;
  Open("mortal:/a").Publish(Key("row"), MakeObject("x"), collector);
  std::thread answerer([] { Silent::Instance().AnswerAll(); });
  const std::thread::id answered_on = answerer.get_id();
  answerer.join();
  ASSERT_OK(collector.Wait(test::kPatience));
  EXPECT_OK(collector.results()[0].status);
  ASSERT_TRUE(test::Eventually([] { return MortalPool::alive == 0; }));
  EXPECT_NE(MortalPool::ended_on.load(), answered_on);
}

// Nor after the library, which leaves no thread that could do it.
TEST_F(UserPoolTest, ABackendDoesNotEndOnTheThreadThatAnswersAfterTheEnd) {
  Notification cancelling;
  Notification finished;
  MortalPool::on_cancel = [&] {
    cancelling.Notify();
    finished.WaitUntil(kEndOfTime);
  };
  std::atomic<int> answers{0};
  Operation operation =
      Open("mortal:/a").Publish(Key("row"), MakeObject("x"), [&](const Result<ObjectInfo>& info) {
        EXPECT_CODE(info, kCancelled);
        ++answers;
      });
  // Has claimed the answer, and gives it when everything has ended.
  std::thread canceller([&] { operation.Cancel(); });
  const std::thread::id answered_on = canceller.get_id();
  cancelling.WaitUntil(kEndOfTime);
  FinishNow();
  EXPECT_EQ(MortalPool::alive, 1);
  finished.Notify();
  canceller.join();
  MortalPool::on_cancel = nullptr;
  EXPECT_EQ(answers, 1);
  ASSERT_TRUE(test::Eventually([] { return MortalPool::alive == 0; }));
  EXPECT_NE(MortalPool::ended_on.load(), answered_on);
}

TEST_F(UserPoolTest, OneThatCannotPublishGroupsSaysSo) {
  const Pool pool = Open("silent:/a");
  const Status status =
      pool.PublishGroup({{Key("row", "a"), MakeObject("x")}, {Key("row"), MakeObject("y")}})
          .status();
  EXPECT_CODE(status, kUnimplemented);
  EXPECT_NE(status.message().find("silent:"), std::string::npos) << status.ToString();
  EXPECT_NE(status.hint().find("one by one"), std::string::npos) << status.ToString();
}

TEST_F(UserPoolTest, AnAnswerMayComeTwiceOrFromAnyThread) {
  Pool pool = Open("silent:/a");
  std::atomic<int> answers{0};
  pool.Want(Key("row"), [&](const Result<NamedObject>& found) {
    EXPECT_CODE(found, kInternal);
    ++answers;
  });
  std::thread answerer([] { Silent::Instance().AnswerAll(); });
  answerer.join();
  EXPECT_TRUE(test::Eventually([&] { return answers == 1; }));
}

TEST_F(UserPoolTest, OneThatThrowsIsAnError) {
  Pool pool = Open("throwing:/a");
  const Status thrown = pool.Publish(Key("row"), MakeObject("x")).status();
  EXPECT_CODE(thrown, kAborted);
  EXPECT_NE(thrown.message().find("backend bug"), std::string::npos) << thrown.ToString();
  EXPECT_CODE(pool.Need(Key("row"), {.deadline = kNoDeadline}), kAborted);
  EXPECT_CODE(pool.Drop(Key("row")), kAborted);
  EXPECT_CODE(pool.Info(Key("row")), kNotFound) << "the first answer counts";
  EXPECT_CODE(pool.List(Key("row")), kAborted);
  EXPECT_CODE(pool.PublishGroup({{Key("row"), MakeObject("x")}}), kUnimplemented);
  ResultCollector collector;
  pool.Want(Key("row"), collector, {.deadline = kNoDeadline});
  ASSERT_OK(collector.Wait(test::kPatience));
  EXPECT_CODE(collector.results()[0].status, kAborted);
}

}  // namespace
}  // namespace cirein
