// SPDX-License-Identifier: Apache-2.0

// What a fabric promises of connecting, and of messages.

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

class TransportTest : public FabricTest {};

TEST_P(TransportTest, BothSidesLearnOfAConnectionAndWhoIsThere) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->peer(), Transport(b).address());
  ASSERT_EQ(Rec(b).connections.size(), 1U);
  EXPECT_EQ(Rec(b).connections[0]->peer(), Transport(a).address());
  EXPECT_TRUE(Rec(a).connections.empty());
  // Either side may speak.
  EXPECT_TRUE(connection->Send(OnePart("there")).ok());
  EXPECT_TRUE(Rec(b).connections[0]->Send(OnePart("back")).ok());
  EXPECT_TRUE(WaitFor([&] { return !Rec(a).messages.empty() && !Rec(b).messages.empty(); }));
  EXPECT_EQ(Rec(b).messages, std::vector<std::string>{"there"});
  EXPECT_EQ(Rec(a).messages, std::vector<std::string>{"back"});
}

TEST_P(TransportTest, NobodyListens) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddPeer();
  EXPECT_EQ(TryConnect(a, Transport(b).address(), kLong).code(), StatusCode::kUnavailable);
  fabric_->Leave(b);
  EXPECT_EQ(TryConnect(a, Transport(a).address(), kLong).code(), StatusCode::kUnavailable);
}

TEST_P(TransportTest, WrongAddressesAreRefused) {
  const std::size_t a = AddPeer();
  for (const char* address : {"", "b", "://", "other-fabric://b", "sim", "tcp:b"}) {
    EXPECT_EQ(TryConnect(a, address, kLong).code(), StatusCode::kInvalidArgument) << address;
  }
}

TEST_P(TransportTest, ListensOnce) {
  const std::size_t a = AddListener();
  EXPECT_EQ(Transport(a).Listen(Rec(a)).code(), StatusCode::kFailedPrecondition);
}

TEST_P(TransportTest, ConnectingToOneWhoSleepsEndsAtTheDeadline) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  fabric_->Pause(b, 1s);
  const auto begun = fabric_->Now(a);
  EXPECT_EQ(TryConnect(a, Transport(b).address(), 50ms).code(), StatusCode::kDeadlineExceeded);
  EXPECT_GE(fabric_->Now(a) - begun, 50ms);
  // Whether it learnt of the connection or not: it is not there for long.
  EXPECT_TRUE(WaitFor([&] { return Rec(b).closed.size() == Rec(b).connections.size(); }));
  ASSERT_NE(Connect(a, b), nullptr);
}

TEST_P(TransportTest, ConnectionsHaveALimit) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  std::vector<ConnectionPtr> made;
  const std::uint64_t limit = Transport(a).limits().connections_max;
  for (std::uint64_t i = 0; i < limit; ++i) made.push_back(Connect(a, b));
  EXPECT_EQ(TryConnect(a, Transport(b).address(), kLong).code(), StatusCode::kResourceExhausted);
  // Somebody else meets the listener's limit.
  const std::size_t c = AddPeer();
  EXPECT_EQ(TryConnect(c, Transport(b).address(), kLong).code(), StatusCode::kResourceExhausted);
  made.front()->Close();
  EXPECT_TRUE(WaitFor([&] { return Rec(b).closed.size() == 1; }));
  EXPECT_NE(Connect(a, b), nullptr);
}

TEST_P(TransportTest, OneMayConnectToOneself) {
  const std::size_t a = AddListener();
  const ConnectionPtr connection = Connect(a, a);
  ASSERT_NE(connection, nullptr);
  ExpectWorks(connection);
  connection->Close();
  EXPECT_TRUE(WaitFor([&] { return Rec(a).closed.size() == 1; }));
  EXPECT_EQ(Rec(a).closed, Rec(a).connections);
}

TEST_P(TransportTest, ConnectionsOfTheSamePeersAreIndependent) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr first = Connect(a, b);
  const ConnectionPtr second = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  auto lost = std::make_shared<Outcome>();
  auto kept = std::make_shared<Outcome>();
  EXPECT_TRUE(first->Request(OnePart("first"), kLong, ReplyInto(lost)).ok());
  EXPECT_TRUE(second->Request(OnePart("second"), kLong, ReplyInto(kept)).ok());
  ASSERT_TRUE(WaitFor([&] { return Rec(b).asked.size() == 2; }));
  // Request ids are of one connection: neither may answer for the other one.
  first->Close();
  EXPECT_TRUE(WaitFor(lost));
  EXPECT_EQ(lost->status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(WaitFor([&] { return Rec(b).closed.size() == 1; }));
  for (const auto& asked : Rec(b).asked) {
    if (asked.text == "second") {
      EXPECT_TRUE(asked.connection->Reply(asked.request, OnePart("2")).ok());
    }
  }
  EXPECT_TRUE(WaitFor(kept));
  EXPECT_EQ(kept->text, "2");
}

// --- Messages ---

TEST_P(TransportTest, MessagesArriveWholeOnceAndInOrder) {
  Random random(test::Seed());
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr there = Connect(a, b);
  ASSERT_NE(there, nullptr);
  const ConnectionPtr back = Rec(b).connections[0];
  const std::uint64_t most = Transport(a).limits().message_bytes_max;
  std::array<std::vector<std::string>, 2> sent;
  for (int round = 0; round < 200; ++round) {
    const bool forth = random.OneIn(2);
    const std::size_t bytes = round == 0        ? 0
                              : round == 1      ? most
                              : random.OneIn(8) ? random.Below(most + 1)
                                                : random.Below(300);
    const std::string text = RandomText(random, bytes);
    // In parts, some of them empty.
    const std::size_t cut = random.Below(bytes + 1);
    const std::array<std::span<const std::byte>, 3> parts = {
        Bytes(text).first(cut), {}, Bytes(text).subspan(cut)};
    const ConnectionPtr& over = forth ? there : back;
    Status status = over->Send(parts);
    while (status.code() == StatusCode::kResourceExhausted) {
      Settle();
      status = over->Send(parts);
    }
    ASSERT_TRUE(status.ok()) << status.ToString();
    sent[forth ? 1 : 0].push_back(text);
  }
  ASSERT_TRUE(WaitFor([&] {
    return Rec(a).messages.size() == sent[0].size() && Rec(b).messages.size() == sent[1].size();
  }));
  EXPECT_TRUE(Rec(a).messages == sent[0]);
  EXPECT_TRUE(Rec(b).messages == sent[1]);
}

TEST_P(TransportTest, WhatIsTooLongHasNoEffect) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  const std::string most(Transport(a).limits().message_bytes_max, 'x');
  const std::array<std::span<const std::byte>, 2> parts = {Bytes(most), Bytes("!")};
  auto outcome = std::make_shared<Outcome>();
  EXPECT_EQ(connection->Send(parts).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(connection->Request(parts, kLong, ReplyInto(outcome)).code(),
            StatusCode::kInvalidArgument);
  Rec(b).on_request = [&](const Recorder::Asked& asked) {
    EXPECT_EQ(asked.connection->Reply(asked.request, parts).code(), StatusCode::kInvalidArgument);
    // It can still be answered.
    EXPECT_TRUE(asked.connection->Reply(asked.request, OnePart("short")).ok());
  };
  EXPECT_EQ(Ask(connection, "x").value_or("none"), "short");
  EXPECT_TRUE(Rec(b).messages.empty());
  EXPECT_EQ(Rec(b).asked.size(), 1U);
  EXPECT_EQ(outcome->calls, 0);
}

TEST_P(TransportTest, PartsMayBeReusedAfterTheCall) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  std::string text = "first";
  EXPECT_TRUE(connection->Send(OnePart(text)).ok());
  text = "later";
  EXPECT_TRUE(WaitFor([&] { return !Rec(b).messages.empty(); }));
  EXPECT_EQ(Rec(b).messages[0], "first");
}

TEST_P(TransportTest, RepliesComeInAnyOrder) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  std::vector<OutcomePtr> outcomes;
  for (int i = 0; i < 20; ++i) {
    outcomes.push_back(std::make_shared<Outcome>());
    ASSERT_TRUE(
        connection->Request(OnePart(std::to_string(i)), kLong, ReplyInto(outcomes.back())).ok());
  }
  ASSERT_TRUE(WaitFor([&] { return Rec(b).asked.size() == 20; }));
  Random random(test::Seed());
  auto asked = Rec(b).asked;
  std::shuffle(asked.begin(), asked.end(), random);
  for (const auto& one : asked) {
    EXPECT_TRUE(one.connection->Reply(one.request, OnePart("to " + one.text)).ok());
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_TRUE(WaitFor(outcomes[i]));
    EXPECT_EQ(outcomes[i]->text, "to " + std::to_string(i));
  }
  Settle();
  for (const OutcomePtr& outcome : outcomes) EXPECT_EQ(outcome->calls, 1);
}

TEST_P(TransportTest, RequestsEndAtTheirDeadline) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  auto outcome = std::make_shared<Outcome>();
  const auto begun = fabric_->Now(a);
  ASSERT_TRUE(connection->Request(OnePart("x"), 20ms, ReplyInto(outcome)).ok());
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ(outcome->status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_GE(fabric_->Now(a) - begun, 20ms);
  EXPECT_LT(fabric_->Now(a) - begun, 1s);
  // An answer that comes too late is nobody's.
  ASSERT_EQ(Rec(b).asked.size(), 1U);
  const auto& asked = Rec(b).asked[0];
  EXPECT_TRUE(asked.connection->Reply(asked.request, OnePart("late")).ok());
  Settle();
  EXPECT_EQ(outcome->calls, 1);
  Rec(b).on_request = nullptr;
  ExpectWorks(connection);
}

// Whatever else is asked and answered meanwhile.
TEST_P(TransportTest, EachRequestEndsAtItsOwnDeadline) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const Recorder::Asked& asked) {
    if (asked.text != "answer") return;
    EXPECT_TRUE(asked.connection->Reply(asked.request, OnePart("here")).ok());
  };
  std::vector<TimePoint> due;
  std::vector<TimePoint> ended;
  std::vector<OutcomePtr> answered;
  const auto ask = [&](std::chrono::milliseconds deadline) {
    due.push_back(fabric_->Now(a) + deadline);
    ASSERT_TRUE(connection
                    ->Request(OnePart("do not"), deadline,
                              [&, number = due.size() - 1](const auto& reply) {
                                EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);
                                EXPECT_GE(fabric_->Now(a), due[number]);
                                EXPECT_LT(fabric_->Now(a), due[number] + 1s);
                                ended.push_back(due[number]);
                              })
                    .ok());
    answered.push_back(std::make_shared<Outcome>());
    ASSERT_TRUE(
        connection->Request(OnePart("answer"), deadline / 2, ReplyInto(answered.back())).ok());
  };
  for (const auto deadline : {400ms, 600ms, 200ms, 800ms, 200ms}) ask(deadline);
  for (const OutcomePtr& outcome : answered) ASSERT_TRUE(WaitFor(outcome));
  ask(100ms);
  ASSERT_TRUE(WaitFor([&] { return ended.size() == due.size(); }));
  std::sort(due.begin(), due.end());
  EXPECT_EQ(ended, due);
  for (const OutcomePtr& outcome : answered) EXPECT_TRUE(outcome->status.ok());
  Rec(b).on_request = nullptr;
  ExpectWorks(connection);
}

TEST_P(TransportTest, ADeadlineOfNothingIsOverAtOnce) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->Request(OnePart("x"), 0ms, ReplyInto(outcome)).ok());
  EXPECT_EQ(outcome->calls, 0);
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ(outcome->status.code(), StatusCode::kDeadlineExceeded);
  Settle();
  EXPECT_EQ(outcome->calls, 1);
}

TEST_P(TransportTest, ARequestIsAnsweredOnce) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const Recorder::Asked& asked) {
    EXPECT_EQ(asked.connection->Reply(asked.request + 1000, OnePart("?")).code(),
              StatusCode::kNotFound);
    EXPECT_TRUE(asked.connection->Reply(asked.request, OnePart("one")).ok());
    EXPECT_EQ(asked.connection->Reply(asked.request, OnePart("two")).code(), StatusCode::kNotFound);
  };
  EXPECT_EQ(Ask(connection, "x").value_or("none"), "one");
  Settle();
}

TEST_P(TransportTest, AReplyAfterTheEndFails) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  Rec(b).on_request = [](const auto&) {};
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(outcome)).ok());
  ASSERT_TRUE(WaitFor([&] { return !Rec(b).asked.empty(); }));
  connection->Close();
  ASSERT_TRUE(WaitFor([&] { return !Rec(b).closed.empty(); }));
  const auto& asked = Rec(b).asked[0];
  EXPECT_EQ(asked.connection->Reply(asked.request, OnePart("x")).code(), StatusCode::kUnavailable);
  Settle();
  EXPECT_EQ(outcome->calls, 1);
  EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
}

TEST_P(TransportTest, AFloodIsHeldBackAndPasses) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  const Limits limits = Transport(a).limits();
  fabric_->Pause(b, 1s);
  std::uint64_t sent = 0;
  Status status;
  while ((status = connection->Send(OnePart("x"))).ok() && sent <= limits.outstanding_max) ++sent;
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(sent, limits.outstanding_max);
  auto outcome = std::make_shared<Outcome>();
  EXPECT_EQ(connection->Request(OnePart("x"), kLong, ReplyInto(outcome)).code(),
            StatusCode::kResourceExhausted);
  ASSERT_TRUE(WaitFor([&] { return Rec(b).messages.size() == sent; }));
  EXPECT_EQ(outcome->calls, 0);
  // That the other side has read is learnt a little later.
  Settle();
  ExpectWorks(connection);
}

TEST_P(TransportTest, AFloodOfBytesIsHeldBackAndPasses) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  const Limits limits = Transport(a).limits();
  const std::string most(limits.message_bytes_max, 'x');
  fabric_->Pause(b, 1s);
  std::uint64_t sent = 0;
  Status status;
  while ((status = connection->Send(OnePart(most))).ok() && sent <= limits.outstanding_max) ++sent;
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(sent, limits.outstanding_bytes_max / limits.message_bytes_max);
  ASSERT_TRUE(WaitFor([&] { return Rec(b).messages.size() == sent; }));
  ExpectWorks(connection);
}

TEST_P(TransportTest, UnansweredRequestsCount) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  const Limits limits = Transport(a).limits();
  Rec(b).on_request = [](const auto&) {};
  auto outcome = std::make_shared<Outcome>();
  for (std::uint64_t i = 0; i < limits.outstanding_max; ++i) {
    ASSERT_TRUE(connection->Request(OnePart("x"), 10ms, ReplyInto(outcome)).ok());
  }
  // Also after their deadline: the other side still keeps them.
  ASSERT_TRUE(WaitFor([&] {
    return outcome->calls == static_cast<int>(limits.outstanding_max) &&
           Rec(b).asked.size() == limits.outstanding_max;
  }));
  EXPECT_EQ(connection->Send(OnePart("x")).code(), StatusCode::kResourceExhausted);
  for (const auto& asked : Rec(b).asked) {
    EXPECT_TRUE(asked.connection->Reply(asked.request, OnePart("")).ok());
  }
  Rec(b).on_request = nullptr;
  Settle();
  ExpectWorks(connection);
}

TEST_P(TransportTest, TwoSidesThatAskAllTheyMayCanStillAnswer) {
  const std::size_t a = AddListener();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  ASSERT_TRUE(WaitFor([&] { return !Rec(b).connections.empty(); }));
  const ConnectionPtr other_side = Rec(b).connections.front();
  const Limits limits = Transport(a).limits();
  for (const std::size_t side : {a, b}) Rec(side).on_request = [](const auto&) {};
  auto outcome = std::make_shared<Outcome>();
  for (std::uint64_t i = 0; i < limits.outstanding_max; ++i) {
    ASSERT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(outcome)).ok());
    ASSERT_TRUE(other_side->Request(OnePart("y"), kLong, ReplyInto(outcome)).ok());
  }
  ASSERT_TRUE(WaitFor([&] {
    return Rec(a).asked.size() == limits.outstanding_max &&
           Rec(b).asked.size() == limits.outstanding_max;
  }));
  for (const std::size_t side : {a, b}) {
    for (const auto& asked : Rec(side).asked) {
      const Status status = asked.connection->Reply(asked.request, OnePart("z"));
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  }
  ASSERT_TRUE(
      WaitFor([&] { return outcome->calls == 2 * static_cast<int>(limits.outstanding_max); }));
  EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
}

TEST_P(TransportTest, ASleeperGetsEverythingWhenItWakes) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  fabric_->Pause(b, 10s);
  std::vector<std::string> sent;
  for (int i = 0; i < 10; ++i) {
    sent.push_back(std::to_string(i));
    ASSERT_TRUE(connection->Send(OnePart(sent.back())).ok());
  }
  fabric_->RunUntil(9s, [] { return false; });
  EXPECT_TRUE(Rec(b).messages.empty());
  EXPECT_TRUE(Rec(a).closed.empty()) << "who sleeps has not gone";
  ASSERT_TRUE(WaitFor([&] { return Rec(b).messages.size() == sent.size(); }));
  EXPECT_EQ(Rec(b).messages, sent);
}

INSTANTIATE_TEST_SUITE_P(Fabrics, TransportTest, AllFabrics(), FabricName);

}  // namespace
}  // namespace cirein::fabric
