// SPDX-License-Identifier: Apache-2.0
#include "cirein/pool_network.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "support/library_test.h"
#include "support/member_processes.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;
using testing::HasSubstr;

TEST(RemoteMemoryTest, IsReadBackFromItsText) {
  for (const MemoryAccess access : {MemoryAccess::kRead, MemoryAccess::kReadWrite}) {
    const RemoteMemory memory{.id = 7, .key = ~0ULL, .bytes = 4096, .access = access};
    EXPECT_EQ(RemoteMemory::Parse(memory.ToString()).value(), memory);
  }
  for (const std::string text : {"", "1.2.3", "1.2.3.", "1.2.3.w", "1.2.r", "x.2.3.r", "1.2.3.4.r",
                                 "1..3.r", "10000000000000000.1.1.r"}) {
    EXPECT_CODE(RemoteMemory::Parse(text), kInvalidArgument) << text;
  }
}

/// The library, and a process beside it that it asks.
class PoolNetworkTest : public test::LibraryTest {
 protected:
  void SetUp() override {
    LibraryTest::SetUp();
    peer_.emplace(1);
    network_.emplace(PoolNetwork::Open().value());
  }
  void TearDown() override {
    peer_.reset();
    network_.reset();
    LibraryTest::TearDown();
  }

  std::string Peer() { return peer_->address(0); }
  ProcessNetwork& PeerNetwork() { return *peer_->at(0).network().value(); }
  /// The peer answers so.
  void PeerHandles(const std::string& name, node::MessageHandlers::Function function) {
    ASSERT_OK(PeerNetwork().handlers().Add(name, std::move(function)));
  }
  RemoteMemory PeerExposes(const DataObject& object, MemoryAccess access) {
    const auto grants = access == MemoryAccess::kRead
                            ? fabric::Access::kRead
                            : fabric::Access::kRead | fabric::Access::kWrite;
    exposed_ = PeerNetwork().Expose(object, grants).value();
    return {exposed_.grant.id, exposed_.grant.key, exposed_.grant.bytes, access};
  }

  Notification go_on_;  // Of handlers, which may begin when a test has ended.
  std::optional<test::MemberProcesses> peer_;
  std::optional<PoolNetwork> network_;
  ProcessNetwork::Exposed exposed_;
};

TEST_F(PoolNetworkTest, AMessageIsAnsweredByItsHandler) {
  PeerHandles("echo", [](std::string_view message) { return std::string(message) + "!"; });
  PeerHandles("refuse", [](std::string_view) -> Result<std::string> {
    return PermissionDenied("not you", "go away");
  });
  PeerHandles("throw",
              [](std::string_view) -> Result<std::string> { throw std::runtime_error("oh no"); });
  EXPECT_EQ(network_->Ask(Peer(), {"echo", "hello"}).value(), "hello!");
  EXPECT_EQ(network_->Ask(Peer(), {"echo", ""}).value(), "!");
  const std::string longest(PoolNetwork::kMaxMessageBytes - 1, 'x');
  EXPECT_EQ(network_->Ask(Peer(), {"echo", longest}).value(), longest + "!");
  const Status refused = network_->Ask(Peer(), {"refuse", ""}).status();
  EXPECT_CODE(refused, kPermissionDenied);
  EXPECT_EQ(refused.message(), "not you");
  const Status threw = network_->Ask(Peer(), {"throw", ""}).status();
  EXPECT_CODE(threw, kAborted);
  EXPECT_THAT(std::string(threw.message()), HasSubstr("oh no"));
  EXPECT_CODE(network_->Ask(Peer(), {"ecko", ""}), kNotFound);

  Notification done;
  network_->Ask(Peer(), {"echo", "later"}, [&](const Result<std::string>& answer) {
    EXPECT_EQ(answer.value(), "later!");
    done.Notify();
  });
  EXPECT_TRUE(test::Await(done));
}

TEST_F(PoolNetworkTest, RefusesWhatCannotBeSent) {
  EXPECT_CODE(network_->Ask("nowhere", {"echo", ""}), kInvalidArgument);
  EXPECT_CODE(network_->Ask(Peer(), {"", ""}), kInvalidArgument);
  EXPECT_CODE(network_->Ask(Peer(), {std::string(256, 'n'), ""}), kInvalidArgument);
  const std::string too_long(PoolNetwork::kMaxMessageBytes + 1, 'x');
  EXPECT_CODE(network_->Ask(Peer(), {"echo", too_long}), kInvalidArgument);
  EXPECT_CODE(network_->Handle("", [](std::string_view) { return std::string(); }),
              kInvalidArgument);
  EXPECT_CODE(network_->Handle("empty", nullptr), kInvalidArgument);
  std::atomic<int> answers{0};
  network_->Ask("nowhere", {"echo", ""}, [&](const Result<std::string>& answer) {
    EXPECT_CODE(answer, kInvalidArgument);
    ++answers;
  });
  EXPECT_EQ(answers, 1);
}

TEST_F(PoolNetworkTest, AHandlerIsThereAsLongAsItsHandle) {
  // This process asks itself, as it would another.
  const std::string self = network_->address();
  std::optional<MessageHandler> handler;
  std::atomic<bool> inside{false};
  Notification go_on;
  handler.emplace(network_
                      ->Handle("own",
                               [&](std::string_view message) {
                                 if (message == "wait") {
                                   inside = true;
                                   EXPECT_TRUE(test::Await(go_on));
                                 }
                                 return std::string(message);
                               })
                      .value());
  EXPECT_CODE(network_->Handle("own", [](std::string_view) { return std::string(); }),
              kAlreadyExists);
  EXPECT_EQ(network_->Ask(self, {"own", "me"}).value(), "me");
  // One that blocks holds up no other.
  Notification answered;
  network_->Ask(self, {"own", "wait"}, [&](const Result<std::string>& answer) {
    EXPECT_OK(answer);
    answered.Notify();
  });
  ASSERT_TRUE(test::Eventually([&] { return inside.load(); }));
  EXPECT_EQ(network_->Ask(self, {"own", "other"}).value(), "other");
  go_on.Notify();
  EXPECT_TRUE(test::Await(answered));
  handler.reset();
  EXPECT_CODE(network_->Ask(self, {"own", "me"}), kNotFound);
}

TEST_F(PoolNetworkTest, AnAnswerThatDoesNotComeEndsWithTheDeadline) {
  PeerHandles("slow", [this](std::string_view) {
    EXPECT_TRUE(test::Await(go_on_));
    return std::string();
  });
  EXPECT_CODE(network_->Ask(Peer(), {"slow", ""}, 20ms), kDeadlineExceeded);
  Notification cancelled;
  Operation operation = network_->Ask(Peer(), {"slow", ""}, [&](const Result<std::string>& answer) {
    EXPECT_CODE(answer, kCancelled);
    cancelled.Notify();
  });
  EXPECT_TRUE(operation.Cancel());
  EXPECT_TRUE(test::Await(cancelled));
  go_on_.Notify();
}

TEST_F(PoolNetworkTest, ReadsAndWritesExposedMemory) {
  DataObject object = test::MakeObjectOf(4096, 'a');
  const RemoteMemory memory = PeerExposes(object, MemoryAccess::kReadWrite);
  EXPECT_EQ(network_->Read(Peer(), memory, {.offset = 8, .bytes = 3}).value().text(), "aaa");
  ASSERT_OK(network_->Write(Peer(), memory, 4090, MakeObject("bcdefg")));
  EXPECT_EQ(network_->Read(Peer(), memory, {.offset = 4088, .bytes = 8}).value().text(),
            "aabcdefg");

  EXPECT_CODE(network_->Read(Peer(), memory, {.offset = 4090, .bytes = 7}), kInvalidArgument);
  EXPECT_CODE(network_->Read(Peer(), memory, {.offset = ~0ULL, .bytes = 2}), kInvalidArgument);
  EXPECT_CODE(network_->Read(Peer(), memory, {.offset = 0, .bytes = 0}), kInvalidArgument);
  EXPECT_CODE(network_->Write(Peer(), memory, 4091, MakeObject("bcdefg")), kInvalidArgument);
  EXPECT_CODE(network_->Write(Peer(), memory, 0, DataObject()), kInvalidArgument);
  // What is believed of the memory here is checked there.
  RemoteMemory wrong = memory;
  wrong.bytes = 1 << 20;
  EXPECT_FALSE(network_->Read(Peer(), wrong, {.offset = 4096, .bytes = 8}).ok());
  wrong = memory;
  ++wrong.key;
  EXPECT_CODE(network_->Read(Peer(), wrong, {.offset = 0, .bytes = 8}), kPermissionDenied);
  EXPECT_EQ(object.text().substr(4088), "aabcdefg");

  ASSERT_OK(PeerNetwork().TakeBack(exposed_));
  EXPECT_CODE(network_->Read(Peer(), memory, {.offset = 0, .bytes = 8}), kPermissionDenied);
}

TEST_F(PoolNetworkTest, MemoryForReadingIsNotWritten) {
  const RemoteMemory memory = PeerExposes(test::MakeObjectOf(64), MemoryAccess::kRead);
  EXPECT_CODE(network_->Write(Peer(), memory, 0, MakeObject("b")), kPermissionDenied);
  RemoteMemory wrong = memory;
  wrong.access = MemoryAccess::kReadWrite;
  EXPECT_CODE(network_->Write(Peer(), wrong, 0, MakeObject("b")), kPermissionDenied)
      << "by its owner";
}

TEST_F(PoolNetworkTest, WhatIsExposedGoesWithItsHandle) {
  const std::string self = network_->address();
  std::optional<ExposedMemory> exposed;
  exposed.emplace(network_->Expose(test::MakeObjectOf(64, 'e'), MemoryAccess::kRead).value());
  const RemoteMemory memory = exposed->memory();
  EXPECT_EQ(memory.bytes, 64U);
  EXPECT_EQ(network_->Read(self, memory, {.offset = 0, .bytes = 2}).value().text(), "ee");
  exposed.reset();
  EXPECT_CODE(network_->Read(self, memory, {.offset = 0, .bytes = 2}), kPermissionDenied);
  EXPECT_CODE(network_->Expose(DataObject(), MemoryAccess::kRead), kInvalidArgument);
  EXPECT_CODE(network_->Expose(MakeObject(""), MemoryAccess::kRead), kInvalidArgument);
}

TEST_F(PoolNetworkTest, AMemberThatGoesInTheMiddleIsNamed) {
  const std::string peer = Peer();
  std::atomic<bool> inside{false};
  PeerHandles("last", [&](std::string_view) {
    inside = true;
    EXPECT_TRUE(test::Await(go_on_));
    return std::string("too late");
  });
  const RemoteMemory memory = PeerExposes(test::MakeObjectOf(64), MemoryAccess::kRead);
  Notification answered;
  network_->Ask(peer, {"last", ""}, [&](const Result<std::string>& answer) {
    EXPECT_CODE(answer, kUnavailable);
    EXPECT_THAT(std::string(answer.status().message()), HasSubstr(peer));
    answered.Notify();
  });
  ASSERT_TRUE(test::Eventually([&] { return inside.load(); }));
  std::thread stopper([&] { peer_->Stop(0); });
  EXPECT_TRUE(test::Await(answered));
  go_on_.Notify();
  stopper.join();
  for (int i = 0; i < 2; ++i) {
    const Status gone = network_->Read(peer, memory, {.offset = 0, .bytes = 8}).status();
    EXPECT_CODE(gone, kUnavailable);
    EXPECT_THAT(std::string(gone.message()), HasSubstr(peer));
  }
}

class NoPoolNetworkTest : public test::LibraryTest {
 protected:
  NoPoolNetworkTest() : LibraryTest({{"network", "nonet"}}) {}
};

TEST_F(NoPoolNetworkTest, SaysThatThereIsNoNetwork) {
  const Status none = PoolNetwork::Open().status();
  EXPECT_CODE(none, kFailedPrecondition);
  EXPECT_THAT(std::string(none.message()), HasSubstr("nonet"));
  FinishNow();
  EXPECT_CODE(PoolNetwork::Open(), kFailedPrecondition);
}

}  // namespace
}  // namespace cirein
