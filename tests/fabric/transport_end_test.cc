// SPDX-License-Identifier: Apache-2.0

// What a fabric promises of the end of connections.

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fabric/conformance.h"
#include "fabric/fabrics.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

class TransportEndTest : public FabricTest {};

TEST_P(TransportEndTest, CloseEndsItForBothOnceEach) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(outcome)).ok());
  connection->Close();
  EXPECT_EQ(outcome->calls, 0) << "a callback inside the call";
  connection->Close();
  ASSERT_TRUE(WaitFor([&] { return outcome->done() && !Rec(b).closed.empty(); }));
  EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
  Settle();
  EXPECT_EQ(outcome->calls, 1);
  EXPECT_EQ(Rec(b).closed.size(), 1U);
  EXPECT_TRUE(Rec(a).closed.empty()) << "its own Close is not told";
  std::uint64_t word = 0;
  const auto bytes = std::as_writable_bytes(std::span(&word, 1));
  for (const ConnectionPtr& side : {connection, Rec(b).connections[0]}) {
    EXPECT_EQ(side->Send(OnePart("x")).code(), StatusCode::kUnavailable);
    EXPECT_EQ(Ask(side, "x").code(), StatusCode::kUnavailable);
    EXPECT_EQ(Read(side, grant, 0, bytes).code(), StatusCode::kUnavailable);
    EXPECT_EQ(Write(side, grant, 0, bytes).code(), StatusCode::kUnavailable);
    EXPECT_EQ(Swap(side, grant, 0, {}).code(), StatusCode::kUnavailable);
    EXPECT_EQ(Add(side, grant, 0, 1).code(), StatusCode::kUnavailable);
    EXPECT_EQ(Persist(side, grant, {}).code(), StatusCode::kUnavailable);
    side->Close();
  }
  Settle();
  EXPECT_EQ(Rec(b).closed.size(), 1U);
}

TEST_P(TransportEndTest, NothingIsHeardAfterOnesOwnClose) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Rec(b).connections[0]->Send(OnePart("x")).ok());
  fabric_->Run(a, [&] { connection->Close(); });
  const std::size_t heard = Rec(a).messages.size();
  Settle();
  EXPECT_EQ(Rec(a).messages.size(), heard);
  EXPECT_TRUE(Rec(a).closed.empty());
}

TEST_P(TransportEndTest, ADeadPeersConnectionsEndWithAllThatWaits) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 8);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  std::vector<OutcomePtr> outcomes;
  const auto next = [&] {
    outcomes.push_back(std::make_shared<Outcome>());
    return outcomes.back();
  };
  auto into = std::make_shared<std::vector<std::byte>>(64);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(next())).ok());
  }
  ASSERT_TRUE(WaitFor([&] { return Rec(b).asked.size() == 5; }));
  EXPECT_TRUE(connection->Read(grant, 0, *into, kLong, Into(next())).ok());
  EXPECT_TRUE(connection->Write(grant, 0, *into, kLong, Into(next())).ok());
  EXPECT_TRUE(connection->CompareAndSwap(grant, 0, {0, 1}, kLong, WordInto(next())).ok());
  EXPECT_TRUE(connection->FetchAdd(grant, 8, 1, kLong, WordInto(next())).ok());
  EXPECT_TRUE(connection->Request(OnePart("y"), kLong, ReplyInto(next())).ok());
  Rec(a).on_closed = [&](const auto&) {
    for (const OutcomePtr& outcome : outcomes) {
      EXPECT_TRUE(outcome->done()) << "a callback after the last call";
    }
  };
  fabric_->Kill(b);
  ASSERT_TRUE(WaitFor([&] {
    return !Rec(a).closed.empty() &&
           std::all_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return o->done(); });
  }));
  Settle();
  for (const OutcomePtr& outcome : outcomes) {
    EXPECT_EQ(outcome->calls, 1);
    EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
  }
  EXPECT_EQ(Rec(a).closed, std::vector<ConnectionPtr>{connection});
  EXPECT_EQ(connection->Send(OnePart("x")).code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Rec(b).closed.empty()) << "the dead are told nothing";
  EXPECT_TRUE(std::all_of(memory.words->begin(), memory.words->end(), [](std::uint64_t word) {
    return word == 0;
  })) << "the memory of the dead is reached";
  EXPECT_EQ(TryConnect(a, Transport(b).address(), kLong).code(), StatusCode::kUnavailable);
}

TEST_P(TransportEndTest, WhatADeadPeerSentBeforeArrivesBefore) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  const ConnectionPtr back = Rec(b).connections[0];
  std::vector<std::string> sent;
  for (int i = 0; i < 10; ++i) {
    sent.push_back(std::to_string(i));
    EXPECT_TRUE(back->Send(OnePart(sent.back())).ok());
  }
  fabric_->Kill(b);
  ASSERT_TRUE(WaitFor([&] { return !Rec(a).closed.empty(); }));
  // A prefix of it at least.
  ASSERT_LE(Rec(a).messages.size(), sent.size());
  EXPECT_TRUE(std::equal(Rec(a).messages.begin(), Rec(a).messages.end(), sent.begin()));
}

TEST_P(TransportEndTest, LeavingEndsConnectionsAndCallsWhatWaits) {
  const std::size_t a = AddListener();
  const std::size_t b = AddListener();
  const std::size_t c = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  auto into = std::make_shared<std::vector<std::byte>>(8);
  auto request = std::make_shared<Outcome>();
  auto read = std::make_shared<Outcome>();
  auto connect = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(request)).ok());
  ASSERT_TRUE(connection->Read(grant, 0, *into, kLong, Into(read)).ok());
  ASSERT_TRUE(Transport(a)
                  .Connect(Transport(c).address(), Rec(a), kLong,
                           [connect](const auto& made) { connect->Take(made.status()); })
                  .ok());
  const Memory own = MakeMemory(a, 1);
  fabric_->Leave(a);
  EXPECT_EQ(own.words.use_count(), 1) << "its memory is held on to";
  ASSERT_TRUE(WaitFor([&] {
    return request->done() && read->done() && connect->done() && !Rec(b).closed.empty();
  }));
  Settle();
  for (const OutcomePtr& outcome : {request, read, connect}) {
    EXPECT_EQ(outcome->calls, 1);
    EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
  }
  EXPECT_EQ(Rec(b).closed.size(), 1U);
  EXPECT_EQ(Rec(c).closed.size(), Rec(c).connections.size());
  EXPECT_TRUE(Rec(a).closed.empty());
  EXPECT_EQ(connection->Send(OnePart("x")).code(), StatusCode::kUnavailable);
  EXPECT_EQ(connection->peer(), Transport(b).address());
  connection->Close();
}

TEST_P(TransportEndTest, LeavingADeadProcessRunsNothing) {
  const std::size_t a = AddListener();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(outcome)).ok());
  ASSERT_TRUE(Transport(a)
                  .Connect(Transport(b).address(), Rec(a), kLong,
                           [outcome](const auto& made) { outcome->Take(made.status()); })
                  .ok());
  fabric_->Kill(a);
  Settle();
  fabric_->Leave(a);
  Settle();
  EXPECT_EQ(outcome->calls, 0);
  EXPECT_TRUE(Rec(a).closed.empty());
  EXPECT_EQ(Rec(b).closed.size(), Rec(b).connections.size());
}

TEST_P(TransportEndTest, LeavingAPeerThatIsPausedIsFine) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  fabric_->Pause(a, 1s);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Rec(b).connections[0]->Send(OnePart("x")).ok());
  Settle();
  fabric_->Leave(a);
  fabric_->RunUntil(2s, [] { return false; });
  EXPECT_TRUE(Rec(a).messages.empty());
  EXPECT_EQ(Rec(b).closed.size(), 1U);
}

TEST_P(TransportEndTest, CallbacksMayCloseTheirConnection) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  ConnectionPtr connection = Connect(a, b);
  auto others = std::make_shared<Outcome>();
  int called = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(connection
                    ->Request(OnePart("x"), kLong,
                              [&](const auto&) {
                                ++called;
                                if (connection != nullptr) connection->Close();
                                connection.reset();
                              })
                    .ok());
  }
  ASSERT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(others)).ok());
  ASSERT_TRUE(WaitFor([&] { return called == 3 && others->done() && !Rec(b).closed.empty(); }));
  Settle();
  EXPECT_EQ(called, 3);
  EXPECT_EQ(others->calls, 1);
}

TEST_P(TransportEndTest, ServicesMayCloseAnywhere) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  // At once.
  Rec(b).on_connected = [](const ConnectionPtr& connection) { connection->Close(); };
  auto made = TryConnect(a, Transport(b).address(), kLong);
  EXPECT_TRUE(made.ok() || made.code() == StatusCode::kUnavailable) << made.status().ToString();
  Settle();
  EXPECT_EQ(Rec(a).closed.size(), made.ok() ? 1U : 0U);
  // For a message, for a request, and when it has ended.
  Rec(b).on_connected = nullptr;
  Rec(b).on_message = [](const ConnectionPtr& connection, const auto&) { connection->Close(); };
  Rec(b).on_request = [](const Recorder::Asked& asked) { asked.connection->Close(); };
  Rec(a).on_closed = [](const ConnectionPtr& connection) { connection->Close(); };
  for (const bool request : {false, true}) {
    const ConnectionPtr connection = Connect(a, b);
    ASSERT_NE(connection, nullptr);
    const std::size_t heard = Rec(b).messages.size() + Rec(b).asked.size();
    auto outcome = std::make_shared<Outcome>();
    if (!request) {
      EXPECT_TRUE(connection->Send(OnePart("x")).ok());
    }
    EXPECT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(outcome)).ok());
    EXPECT_TRUE(connection->Send(OnePart("x")).ok());
    ASSERT_TRUE(WaitFor([&] { return outcome->done() && Rec(a).IsClosed(connection); }));
    EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
    EXPECT_EQ(Rec(b).messages.size() + Rec(b).asked.size(), heard + 1);
  }
}

TEST_P(TransportEndTest, CallbacksMayDestroyTheTransport) {
  for (const bool from_callback : {true, false}) {
    const std::size_t a = AddPeer();
    const std::size_t b = AddListener();
    const ConnectionPtr connection = Connect(a, b);
    auto others = std::make_shared<Outcome>();
    int called = 0;
    if (from_callback) {
      ASSERT_TRUE(connection
                      ->Request(OnePart("x"), kLong,
                                [&](const auto&) {
                                  ++called;
                                  fabric_->Leave(a);
                                })
                      .ok());
    } else {
      Rec(a).on_message = [&](const auto&, const auto&) {
        ++called;
        fabric_->Leave(a);
      };
      ASSERT_TRUE(Rec(b).connections[0]->Send(OnePart("x")).ok());
      Rec(b).on_request = [](const auto&) {};
    }
    ASSERT_TRUE(connection->Request(OnePart("y"), kLong, ReplyInto(others)).ok());
    ASSERT_TRUE(WaitFor([&] { return others->done() && !Rec(b).closed.empty(); }));
    Settle();
    EXPECT_EQ(called, 1);
    EXPECT_EQ(others->calls, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Fabrics, TransportEndTest, AllFabrics(), FabricName);

}  // namespace
}  // namespace cirein::fabric
