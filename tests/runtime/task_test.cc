// SPDX-License-Identifier: Apache-2.0
#include "runtime/task.h"

#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "runtime/gate.h"
#include "runtime/spawn.h"

namespace cirein {
namespace {

// Awaited by one coroutine, and resumed by the test.
class Pause {
 public:
  // A value of its own: gcc 12 would copy an awaiter that a lambda captured by reference.
  auto Wait() {
    struct Awaiter {
      Pause* pause;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> waiter) const noexcept { pause->waiter_ = waiter; }
      void await_resume() const noexcept {}
    };
    return Awaiter{this};
  }
  void Resume() { waiter_.resume(); }

 private:
  std::coroutine_handle<> waiter_;
};

class TaskTest : public testing::Test {
 protected:
  ~TaskTest() override { EXPECT_EQ(gate_.count(), 0U); }
  void Start(Task<void> task) { EXPECT_TRUE(Spawn(gate_, "test", std::move(task)).ok()); }
  Gate gate_;
};

Task<int> Add(int a, int b) { co_return a + b; }
Task<int> Throw() {
  throw std::runtime_error("bang");
  co_return 1;
}
Task<std::unique_ptr<int>> MakeUnique() { co_return std::make_unique<int>(7); }

TEST_F(TaskTest, GivesItsResult) {
  int sum = 0;
  std::unique_ptr<int> unique;
  const auto body = [&]() -> Task<void> {
    sum = co_await Add(1, 2);
    sum += co_await Add(3, 4);
    unique = co_await MakeUnique();
  };
  Start(body());
  EXPECT_EQ(sum, 10);
  ASSERT_NE(unique, nullptr);
  EXPECT_EQ(*unique, 7);
}

TEST_F(TaskTest, DoesNotStartBeforeItIsAwaited) {
  bool started = false;
  auto held = std::make_shared<int>(1);
  const auto body = [&started](std::shared_ptr<int>) -> Task<void> {
    started = true;
    co_return;
  };
  {
    const Task<void> task = body(held);
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);  // Its frame was destroyed, arguments and all.
  EXPECT_FALSE(started);
}

TEST_F(TaskTest, PassesExceptionsOn) {
  std::string caught;
  const auto middle = []() -> Task<int> { co_return co_await Throw() + 1; };
  const auto body = [&]() -> Task<void> {
    try {
      co_await middle();
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
  };
  Start(body());
  EXPECT_EQ(caught, "bang");
}

TEST_F(TaskTest, ResumesTheWholeChain) {
  Pause pause;
  int result = 0;
  const auto inner = [&]() -> Task<int> {
    co_await pause.Wait();
    co_return 5;
  };
  const auto outer = [&]() -> Task<void> { result = co_await inner() + co_await Add(1, 1); };
  Start(outer());
  EXPECT_EQ(result, 0);
  EXPECT_EQ(gate_.count(), 1U);
  pause.Resume();
  EXPECT_EQ(result, 7);
  EXPECT_EQ(gate_.count(), 0U);
}

TEST_F(TaskTest, DestroyedInTheMiddleDestroysTheWholeChain) {
  Pause pause;
  auto held = std::make_shared<int>(1);
  struct Driver {
    struct promise_type {
      Driver get_return_object() {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept {}
    };
    std::coroutine_handle<promise_type> handle;
  };
  const auto inner = [&pause](std::shared_ptr<int>) -> Task<int> {
    co_await pause.Wait();
    co_return 5;
  };
  const auto outer = [&]() -> Driver { co_await inner(held); };
  Driver driver = outer();
  EXPECT_GE(held.use_count(), 2);
  driver.handle.destroy();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(TaskTest, Moves) {
  int sum = 0;
  const auto body = [&]() -> Task<void> {
    Task<int> a = Add(1, 2);
    Task<int> b = Add(10, 20);
    b = std::move(a);
    sum = co_await std::move(b);
  };
  Start(body());
  EXPECT_EQ(sum, 3);
}

Task<Status> Fails() { co_return NotFound("nothing here"); }
Task<Status> PassesErrorsOn(bool* went_on) {
  CIREIN_CO_RETURN_IF_ERROR(co_await Fails());
  *went_on = true;
  co_return OkStatus();
}

TEST_F(TaskTest, ReturnsErrorsByTheMacro) {
  bool went_on = false;
  Status status;
  const auto body = [&]() -> Task<void> { status = co_await PassesErrorsOn(&went_on); };
  Start(body());
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_FALSE(went_on);
}

}  // namespace
}  // namespace cirein
