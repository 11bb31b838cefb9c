// SPDX-License-Identifier: Apache-2.0
#include "memory/registration.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/arena.h"

#include "memory/counting_registrar.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using Registration = DataObject::Registration;
using test::CountingRegistrar;

class RegistrationTest : public testing::Test {
 protected:
  std::shared_ptr<Arena> MakeArena(Registration registration) {
    return Arena::Create({.registrar = &registrar_, .registration = registration}).value();
  }
  static DataObject Make(Arena& arena, std::uint64_t data_bytes) {
    return DataObject::Allocate({.data_bytes = data_bytes}, &arena).value();
  }
  CountingRegistrar registrar_;
};

TEST_F(RegistrationTest, EagerMemoryIsKnownBeforeItIsAskedFor) {
  const auto arena = MakeArena(Registration::kEager);
  const DataObject small = Make(*arena, 100);
  const DataObject other = Make(*arena, 100);
  const DataObject big = Make(*arena, 3'000'000);
  EXPECT_EQ(small.registration(), Registration::kEager);
  EXPECT_EQ(registrar_.registrations(), 2);  // One chunk for the small ones.
  for (const DataObject& object : {small, other, big}) {
    const auto memory = RegisterObject(object);
    ASSERT_OK(memory);
    EXPECT_TRUE(registrar_.Covers(memory->handle, object.data().data(), object.data().size()));
    EXPECT_TRUE(registrar_.Covers(memory->handle, memory->base, memory->bytes));
  }
  EXPECT_EQ(registrar_.registrations(), 2);
}

TEST_F(RegistrationTest, LazyMemoryIsRegisteredOnceAndWhenAskedFor) {
  auto arena = MakeArena(Registration::kLazy);
  DataObject object = Make(*arena, 100);
  EXPECT_EQ(object.registration(), Registration::kLazy);
  EXPECT_EQ(registrar_.registrations(), 0);
  const auto memory = RegisterObject(object);
  ASSERT_OK(memory);
  EXPECT_TRUE(registrar_.Covers(memory->handle, object.data().data(), object.data().size()));
  EXPECT_EQ(RegisterObject(object)->handle, memory->handle);
  EXPECT_EQ(registrar_.registrations(), 1);
  object = DataObject();
  arena.reset();
  EXPECT_EQ(registrar_.living(), 0u);
  EXPECT_EQ(registrar_.unknown(), 0);
}

TEST_F(RegistrationTest, RecycledBigMemoryStaysRegistered) {
  const auto arena = MakeArena(Registration::kLazy);
  const std::uint64_t handle = RegisterObject(Make(*arena, 5'000'000))->handle;
  EXPECT_EQ(RegisterObject(Make(*arena, 5'000'000))->handle, handle);
  arena->Trim();
  EXPECT_EQ(registrar_.living(), 0u);
}

TEST_F(RegistrationTest, ThreadsThatAskAtOnceGetOneRegistration) {
  for (int round = 0; round < 50; ++round) {
    CountingRegistrar registrar;
    const auto arena =
        Arena::Create({.registrar = &registrar, .registration = Registration::kLazy}).value();
    const DataObject object = Make(*arena, 10);
    std::atomic<bool> go{false};
    std::vector<std::uint64_t> handles(3);
    std::vector<std::thread> threads;
    for (std::uint64_t& handle : handles) {
      threads.emplace_back([&] {
        while (!go.load()) std::this_thread::yield();
        handle = RegisterObject(object).value().handle;
      });
    }
    go = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(handles, std::vector<std::uint64_t>(3, handles[0]));
    EXPECT_EQ(registrar.registrations(), 1);
  }
}

TEST_F(RegistrationTest, MemoryOutsideARegisteredArenaIsRefused) {
  EXPECT_CODE(RegisterObject(DataObject::FromString("x").value()), kFailedPrecondition);
  std::vector<std::byte> mine(10);
  EXPECT_CODE(RegisterObject(DataObject::Wrap(mine, {}).value()), kFailedPrecondition);
}

TEST_F(RegistrationTest, ARefusalByTheRegistrarReachesTheCaller) {
  const auto lazy = MakeArena(Registration::kLazy);
  const auto eager = MakeArena(Registration::kEager);
  registrar_.Refuse();
  const DataObject object = Make(*lazy, 10);
  EXPECT_CODE(RegisterObject(object), kResourceExhausted);
  EXPECT_CODE(DataObject::Allocate({.data_bytes = 10}, eager.get()), kResourceExhausted);
  EXPECT_CODE(DataObject::Allocate({.data_bytes = 1'000'000}, eager.get()), kResourceExhausted);
  EXPECT_EQ(eager->Stats().mapped_bytes, 0u);
}

TEST_F(RegistrationTest, ARegistrarThatGivesNoHandleIsFoundOut) {
  class Handleless : public MemoryRegistrar {
   public:
    Result<std::uint64_t> Register(void*, std::size_t) override { return std::uint64_t{0}; }
    void Deregister(std::uint64_t) override { ADD_FAILURE() << "there was no handle"; }
  };
  Handleless registrar;
  const auto arena =
      Arena::Create({.registrar = &registrar, .registration = Registration::kEager}).value();
  EXPECT_CODE(DataObject::Allocate({.data_bytes = 10}, arena.get()), kInternal);
}

}  // namespace
}  // namespace cirein
