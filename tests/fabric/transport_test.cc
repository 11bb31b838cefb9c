// SPDX-License-Identifier: Apache-2.0
#include "fabric/transport.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "fabric/conformance.h"
#include "fabric/sim_fabric.h"
#include "region/shadow_space.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

constexpr auto kLong = 30s;  // Longer than anything here takes when nothing is wrong.

class FabricTest : public testing::TestWithParam<NamedFabric> {
 protected:
  FabricTest() : fabric_(GetParam().make()) {}

  /// A peer that listens; its recorder.
  std::size_t AddListener() {
    const std::size_t peer = fabric_->AddPeer();
    recorders_.resize(std::max(recorders_.size(), peer + 1));
    EXPECT_TRUE(Transport(peer).Listen(Rec(peer)).ok());
    return peer;
  }
  std::size_t AddPeer() {
    const std::size_t peer = fabric_->AddPeer();
    recorders_.resize(std::max(recorders_.size(), peer + 1));
    return peer;
  }
  fabric::Transport& Transport(std::size_t peer) { return *fabric_->transport(peer); }
  Recorder& Rec(std::size_t peer) { return recorders_[peer]; }

  Result<ConnectionPtr> TryConnect(std::size_t from, const Address& address, Deadline deadline) {
    auto result = std::make_shared<std::vector<Result<ConnectionPtr>>>();
    const Status begun = Transport(from).Connect(
        address, Rec(from), deadline,
        [result](Result<ConnectionPtr> made) { result->push_back(std::move(made)); });
    if (!begun.ok()) return begun;
    EXPECT_TRUE(result->empty()) << "a callback inside the call";
    EXPECT_TRUE(fabric_->RunUntil(kLong, [result] { return !result->empty(); }));
    Settle();
    EXPECT_EQ(result->size(), 1U);
    return result->front();
  }
  ConnectionPtr Connect(std::size_t from, std::size_t to) {
    auto made = TryConnect(from, Transport(to).address(), kLong);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return made.ok() ? *made : nullptr;
  }

  bool WaitFor(const std::function<bool()>& holds) { return fabric_->RunUntil(kLong, holds); }
  bool WaitFor(const OutcomePtr& outcome) {
    return WaitFor([outcome] { return outcome->done(); });
  }
  /// What is on its way arrives.
  void Settle() {
    fabric_->RunUntil(100ms, [] { return false; });
  }

  /// Words of zeros, registered at a peer.
  struct Memory {
    std::shared_ptr<std::vector<std::uint64_t>> words;
    fabric::Transport::MemoryId id = 0;
    std::span<std::byte> bytes() const { return std::as_writable_bytes(std::span(*words)); }
  };
  Memory MakeMemory(std::size_t peer, std::size_t words) {
    Memory memory{std::make_shared<std::vector<std::uint64_t>>(words), 0};
    const auto id = Transport(peer).Register(memory.bytes(), memory.words);
    EXPECT_TRUE(id.ok()) << id.status().ToString();
    memory.id = id.value_or(0);
    return memory;
  }
  Grant MakeGrant(std::size_t peer, const Memory& memory, Access access) {
    return MakeGrant(peer, memory, {0, memory.words->size() * 8}, access);
  }
  Grant MakeGrant(std::size_t peer, const Memory& memory, ByteRange range, Access access) {
    const auto grant = Transport(peer).MakeGrant(memory.id, range, access);
    EXPECT_TRUE(grant.ok()) << grant.status().ToString();
    return grant.value_or(Grant{});
  }

  // Operations to their end.
  Status Done(const Status& begun, const OutcomePtr& outcome) {
    if (!begun.ok()) return begun;
    EXPECT_EQ(outcome->calls, 0) << "a callback inside the call";
    EXPECT_TRUE(WaitFor(outcome));
    return outcome->status;
  }
  Status Read(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
              std::span<std::byte> into) {
    auto outcome = std::make_shared<Outcome>();
    return Done(over->Read(grant, offset, into, kLong, fabric::Into(outcome)), outcome);
  }
  Status Write(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
               std::span<const std::byte> bytes) {
    auto outcome = std::make_shared<Outcome>();
    return Done(over->Write(grant, offset, bytes, kLong, Into(outcome)), outcome);
  }
  Result<std::uint64_t> Swap(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
                             WordSwap swap) {
    auto outcome = std::make_shared<Outcome>();
    CIREIN_RETURN_IF_ERROR(
        Done(over->CompareAndSwap(grant, offset, swap, kLong, WordInto(outcome)), outcome));
    return outcome->word;
  }
  Result<std::uint64_t> Add(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
                            std::uint64_t add) {
    auto outcome = std::make_shared<Outcome>();
    CIREIN_RETURN_IF_ERROR(
        Done(over->FetchAdd(grant, offset, add, kLong, WordInto(outcome)), outcome));
    return outcome->word;
  }
  Status Persist(const ConnectionPtr& over, const Grant& grant, ByteRange range) {
    auto outcome = std::make_shared<Outcome>();
    return Done(over->Persist(grant, range, kLong, Into(outcome)), outcome);
  }
  Result<std::string> Ask(const ConnectionPtr& over, std::string_view text) {
    auto outcome = std::make_shared<Outcome>();
    CIREIN_RETURN_IF_ERROR(Done(over->Request(OnePart(text), kLong, ReplyInto(outcome)), outcome));
    return outcome->text;
  }
  void ExpectWorks(const ConnectionPtr& connection) {
    const auto answer = Ask(connection, "still there?");
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ(*answer, "still there?");
  }

  std::deque<Recorder> recorders_;  // Outlive the transports.
  std::unique_ptr<Fabric> fabric_;
};

constexpr Access kAll = Access::kRead | Access::kWrite | Access::kAtomic;

std::string RandomText(Random& random, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(text.data() + i, &word, std::min<std::size_t>(8, bytes - i));
  }
  return text;
}

// --- Connecting ---

TEST_P(FabricTest, BothSidesLearnOfAConnectionAndWhoIsThere) {
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

TEST_P(FabricTest, NobodyListens) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddPeer();
  EXPECT_EQ(TryConnect(a, Transport(b).address(), kLong).code(), StatusCode::kUnavailable);
  fabric_->Leave(b);
  EXPECT_EQ(TryConnect(a, Transport(a).address(), kLong).code(), StatusCode::kUnavailable);
}

TEST_P(FabricTest, WrongAddressesAreRefused) {
  const std::size_t a = AddPeer();
  for (const char* address : {"", "b", "://", "other-fabric://b", "sim", "tcp:b"}) {
    EXPECT_EQ(TryConnect(a, address, kLong).code(), StatusCode::kInvalidArgument) << address;
  }
}

TEST_P(FabricTest, ListensOnce) {
  const std::size_t a = AddListener();
  EXPECT_EQ(Transport(a).Listen(Rec(a)).code(), StatusCode::kFailedPrecondition);
}

TEST_P(FabricTest, ConnectingToOneWhoSleepsEndsAtTheDeadline) {
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

TEST_P(FabricTest, ConnectionsHaveALimit) {
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

TEST_P(FabricTest, OneMayConnectToOneself) {
  const std::size_t a = AddListener();
  const ConnectionPtr connection = Connect(a, a);
  ASSERT_NE(connection, nullptr);
  ExpectWorks(connection);
  connection->Close();
  EXPECT_TRUE(WaitFor([&] { return Rec(a).closed.size() == 1; }));
  EXPECT_EQ(Rec(a).closed, Rec(a).connections);
}

TEST_P(FabricTest, ConnectionsOfTheSamePeersAreIndependent) {
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

TEST_P(FabricTest, MessagesArriveWholeOnceAndInOrder) {
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

TEST_P(FabricTest, WhatIsTooLongHasNoEffect) {
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

TEST_P(FabricTest, PartsMayBeReusedAfterTheCall) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const ConnectionPtr connection = Connect(a, b);
  std::string text = "first";
  EXPECT_TRUE(connection->Send(OnePart(text)).ok());
  text = "later";
  EXPECT_TRUE(WaitFor([&] { return !Rec(b).messages.empty(); }));
  EXPECT_EQ(Rec(b).messages[0], "first");
}

TEST_P(FabricTest, RepliesComeInAnyOrder) {
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

TEST_P(FabricTest, RequestsEndAtTheirDeadline) {
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

TEST_P(FabricTest, ADeadlineOfNothingIsOverAtOnce) {
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

TEST_P(FabricTest, ARequestIsAnsweredOnce) {
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

TEST_P(FabricTest, AReplyAfterTheEndFails) {
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

TEST_P(FabricTest, AFloodIsHeldBackAndPasses) {
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
  ExpectWorks(connection);
}

TEST_P(FabricTest, AFloodOfBytesIsHeldBackAndPasses) {
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

TEST_P(FabricTest, UnansweredRequestsCount) {
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

TEST_P(FabricTest, ASleeperGetsEverythingWhenItWakes) {
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

// --- The end ---

TEST_P(FabricTest, CloseEndsItForBothOnceEach) {
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

TEST_P(FabricTest, NothingIsHeardAfterOnesOwnClose) {
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

TEST_P(FabricTest, ADeadPeersConnectionsEndWithAllThatWaits) {
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

TEST_P(FabricTest, WhatADeadPeerSentBeforeArrivesBefore) {
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

TEST_P(FabricTest, LeavingEndsConnectionsAndCallsWhatWaits) {
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
  fabric_->Leave(a);
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

TEST_P(FabricTest, LeavingADeadProcessRunsNothing) {
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

TEST_P(FabricTest, LeavingAPeerThatIsPausedIsFine) {
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

TEST_P(FabricTest, CallbacksMayCloseTheirConnection) {
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

TEST_P(FabricTest, ServicesMayCloseAnywhere) {
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

TEST_P(FabricTest, CallbacksMayDestroyTheTransport) {
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

// --- One-sided operations ---

TEST_P(FabricTest, WritesAreReadBack) {
  Random random(test::Seed());
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 512);
  const Grant grant = MakeGrant(b, memory, {64, 2048}, kAll);
  EXPECT_EQ(grant.bytes, 2048U);
  EXPECT_EQ(grant.access, kAll);
  const ConnectionPtr connection = Connect(a, b);
  std::string expected(2048, '\0');
  for (int round = 0; round < 50; ++round) {
    const std::size_t offset = random.Below(2049);
    const std::string text = RandomText(random, random.Below(2049 - offset));
    ASSERT_TRUE(Write(connection, grant, offset, Bytes(text)).ok());
    expected.replace(offset, text.size(), text);
    ASSERT_EQ(Text(memory.bytes().subspan(64, 2048)), expected) << "OK means that it is there";
    std::vector<std::byte> got(random.Below(2049));
    const std::size_t from = random.Below(2049 - got.size());
    ASSERT_TRUE(Read(connection, grant, from, got).ok());
    ASSERT_EQ(Text(got), expected.substr(from, got.size()));
  }
  EXPECT_EQ(Text(memory.bytes().first(64)), std::string(64, '\0'));
  EXPECT_EQ(Text(memory.bytes().subspan(64 + 2048)), std::string(4096 - 64 - 2048, '\0'));
  // The listener may do the same to one who connected; here there is nothing granted.
  EXPECT_EQ(Write(Rec(b).connections[0], grant, 0, Bytes("x")).code(),
            StatusCode::kPermissionDenied);
}

TEST_P(FabricTest, RegionsAreReachedToo) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  ShadowSpace space(ShadowSpace::Medium::kFlushable);
  const std::shared_ptr<Region> region = space.Create("r", 4096, RegionUse::kWords).value();
  const auto id = Transport(b).Register(region);
  ASSERT_TRUE(id.ok());
  const auto grant = Transport(b).MakeGrant(*id, {0, 4096}, kAll);
  ASSERT_TRUE(grant.ok()) << grant.status().ToString();
  const ConnectionPtr connection = Connect(a, b);
  EXPECT_TRUE(Write(connection, *grant, 100, Bytes("cirein")).ok());
  EXPECT_EQ(Text({region->data() + 100, 6}), "cirein");
  std::vector<std::byte> got(6);
  EXPECT_TRUE(Read(connection, *grant, 100, got).ok());
  EXPECT_EQ(Text(got), "cirein");
  EXPECT_EQ(Swap(connection, *grant, 8, {0, 5}).value_or(99), 0U);
  EXPECT_EQ(Swap(connection, *grant, 8, {0, 6}).value_or(99), 5U);
  EXPECT_EQ(Add(connection, *grant, 8, 2).value_or(99), 5U);
  EXPECT_EQ(region->LoadWord(8), 7U);
}

TEST_P(FabricTest, PersistPutsEarlierWritesOnTheMedium) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  ShadowSpace space(ShadowSpace::Medium::kFlushable);
  const std::shared_ptr<Region> region = space.Create("r", 4096, RegionUse::kWords).value();
  ASSERT_TRUE(space.PersistNames(PersistSite::kFormat).ok());
  const auto id = Transport(b).Register(region);
  ASSERT_TRUE(id.ok());
  const auto grant = Transport(b).MakeGrant(*id, {0, 4096}, kAll);
  ASSERT_TRUE(grant.ok());
  const ConnectionPtr connection = Connect(a, b);
  auto written = std::make_shared<Outcome>();
  auto persisted = std::make_shared<Outcome>();
  // Begun together: the order is the fabric's to keep.
  ASSERT_TRUE(connection->Write(*grant, 0, Bytes("kept"), kLong, Into(written)).ok());
  ASSERT_TRUE(connection->Persist(*grant, {0, 4}, kLong, Into(persisted)).ok());
  ASSERT_TRUE(connection->Write(*grant, 64, Bytes("lost"), kLong, Into(written)).ok());
  ASSERT_TRUE(WaitFor(persisted));
  EXPECT_TRUE(persisted->status.ok()) << persisted->status.ToString();
  EXPECT_GE(written->calls, 1) << "the end of an operation that was begun before";
  ASSERT_TRUE(WaitFor([&] { return written->calls == 2; }));
  EXPECT_EQ(space.persists(PersistSite::kRemote), 1U);
  Random random(1);
  const SpaceImage image = space.PowerCut(space.events(), random, 0);
  ASSERT_EQ(image.count("r"), 1U);
  const auto& bytes = image.at("r");
  EXPECT_EQ(Text(std::span(bytes.data(), 4)), "kept");
  EXPECT_EQ(Text(std::span(bytes.data() + 64, 4)), std::string(4, '\0'));
  // What the medium says is said.
  space.FailPersists(IoError("broken"));
  EXPECT_EQ(Persist(connection, *grant, {0, 4}).code(), StatusCode::kIoError);
  // Nothing else has a medium; and to persist is to write.
  const Memory memory = MakeMemory(b, 1);
  EXPECT_EQ(Persist(connection, MakeGrant(b, memory, kAll), {0, 8}).code(),
            StatusCode::kFailedPrecondition);
  const auto to_read = Transport(b).MakeGrant(*id, {0, 4096}, Access::kRead);
  ASSERT_TRUE(to_read.ok());
  EXPECT_EQ(Persist(connection, *to_read, {0, 4}).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Persist(connection, *grant, {4095, 2}).code(), StatusCode::kInvalidArgument);
  ExpectWorks(connection);
}

TEST_P(FabricTest, OperationsTakeEffectInTheirOrder) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  std::array<std::uint64_t, 16> read{};
  const std::vector<std::uint64_t> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  int done = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const auto count = [&done](const Status& status) {
      EXPECT_TRUE(status.ok());
      ++done;
    };
    ASSERT_TRUE(
        connection->Write(grant, 0, std::as_bytes(std::span(&values[i], 1)), kLong, count).ok());
    ASSERT_TRUE(
        connection->Read(grant, 0, std::as_writable_bytes(std::span(&read[i], 1)), kLong, count)
            .ok());
  }
  ASSERT_TRUE(WaitFor([&] { return done == 32; }));
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(read[i], i);
}

TEST_P(FabricTest, ARangeOutsideIsRefusedAndHarmsNobody) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 16);
  const Grant grant = MakeGrant(b, memory, {32, 64}, kAll);
  const ConnectionPtr connection = Connect(a, b);
  const ConnectionPtr other = Connect(a, b);
  const std::string before = Text(memory.bytes());
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::vector<ByteRange> outside = {
      {0, 65},       {1, 64},         {63, 2},   {64, 1},         {65, 0},      {kMax, 1},
      {kMax - 7, 8}, {kMax - 31, 32}, {kMax, 0}, {kMax - 63, 64}, {kMax / 2, 9}};
  for (const ByteRange& range : outside) {
    std::string bytes(range.bytes, 'x');
    const auto span = std::as_writable_bytes(std::span(bytes.data(), bytes.size()));
    EXPECT_EQ(Read(connection, grant, range.offset, span).code(), StatusCode::kInvalidArgument)
        << range.offset << " " << range.bytes;
    EXPECT_EQ(Write(connection, grant, range.offset, span).code(), StatusCode::kInvalidArgument)
        << range.offset << " " << range.bytes;
    EXPECT_EQ(bytes, std::string(range.bytes, 'x')) << "bytes beside the grant were read";
  }
  for (const std::uint64_t offset :
       {kMax, kMax - 7, kMax - 31, std::uint64_t{64}, std::uint64_t{72}, std::uint64_t{1} << 63}) {
    EXPECT_EQ(Swap(connection, grant, offset, {0, 1}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Add(connection, grant, offset, 1).code(), StatusCode::kInvalidArgument);
  }
  // Whole words only.
  for (const std::uint64_t offset : {1U, 4U, 7U, 57U}) {
    EXPECT_EQ(Swap(connection, grant, offset, {0, 1}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Add(connection, grant, offset, 1).code(), StatusCode::kInvalidArgument);
  }
  // A grant that says more than was granted.
  Grant wider = grant;
  wider.bytes = kMax;
  EXPECT_EQ(Write(connection, wider, 64, Bytes("x")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Text(memory.bytes()), before);
  EXPECT_TRUE(Write(connection, grant, 64, {}).ok()) << "nothing at its end is inside";
  EXPECT_TRUE(Write(connection, grant, 63, Bytes("x")).ok());
  ExpectWorks(connection);
  ExpectWorks(other);
  EXPECT_TRUE(Rec(a).closed.empty());
  EXPECT_TRUE(Rec(b).closed.empty());
}

TEST_P(FabricTest, OnlyTheGrantedAccessIsAllowed) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const ConnectionPtr connection = Connect(a, b);
  std::vector<std::byte> into(8);
  for (const Access access : {Access::kRead, Access::kWrite, Access::kAtomic}) {
    Grant grant = MakeGrant(b, memory, access);
    grant.access = kAll;  // Saying so does not help.
    const auto expected = [access](Access needed) {
      return access == needed ? StatusCode::kOk : StatusCode::kPermissionDenied;
    };
    EXPECT_EQ(Read(connection, grant, 0, into).code(), expected(Access::kRead));
    EXPECT_EQ(Write(connection, grant, 0, into).code(), expected(Access::kWrite));
    EXPECT_EQ(Swap(connection, grant, 0, {0, 0}).code(), expected(Access::kAtomic));
    EXPECT_EQ(Add(connection, grant, 0, 0).code(), expected(Access::kAtomic));
  }
  ExpectWorks(connection);
}

TEST_P(FabricTest, KeysAreChecked) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  for (const std::uint64_t bit : {0U, 13U, 63U}) {
    Grant wrong = grant;
    wrong.key ^= std::uint64_t{1} << bit;
    EXPECT_EQ(Write(connection, wrong, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
    EXPECT_EQ(Transport(b).Revoke(wrong).code(), StatusCode::kNotFound);
  }
  Grant unknown = grant;
  unknown.id += 1;
  EXPECT_EQ(Write(connection, unknown, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Write(connection, Grant{}, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
  const Grant second = MakeGrant(b, memory, kAll);
  EXPECT_NE(second.id, grant.id);
  EXPECT_NE(second.key, grant.key);
  Grant mixed = grant;
  mixed.key = second.key;
  EXPECT_EQ(Write(connection, mixed, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ((*memory.words)[0], 0U);
  EXPECT_TRUE(Write(connection, grant, 0, Bytes("x")).ok());
}

TEST_P(FabricTest, ARevokedGrantIsWorthNothing) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const ConnectionPtr connection = Connect(a, b);
  const Grant revoked = MakeGrant(b, memory, kAll);
  const Grant kept = MakeGrant(b, memory, kAll);
  auto outcome = std::make_shared<Outcome>();
  const std::uint64_t one = 1;
  // On its way while the grant is revoked.
  ASSERT_TRUE(
      connection->Write(revoked, 0, std::as_bytes(std::span(&one, 1)), kLong, Into(outcome)).ok());
  ASSERT_TRUE(Transport(b).Revoke(revoked).ok());
  const std::uint64_t seen = (*memory.words)[0];
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ((*memory.words)[0], seen) << "it took effect after Revoke";
  EXPECT_EQ(outcome->status.code(), seen == 1 ? StatusCode::kOk : StatusCode::kPermissionDenied);
  EXPECT_EQ(Transport(b).Revoke(revoked).code(), StatusCode::kNotFound);
  EXPECT_EQ(Add(connection, revoked, 0, 1).code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(Add(connection, kept, 0, 1).ok());
  // With the memory its grants go.
  std::weak_ptr<void> keeps = memory.words;
  ASSERT_TRUE(Transport(b).Unregister(memory.id).ok());
  EXPECT_EQ(memory.words.use_count(), 1) << "it is held on to";
  EXPECT_EQ(Transport(b).Unregister(memory.id).code(), StatusCode::kNotFound);
  EXPECT_EQ(Add(connection, kept, 0, 1).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Transport(b).Revoke(kept).code(), StatusCode::kNotFound);
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, kAll).code(), StatusCode::kNotFound);
  // Whoever comes after gets other numbers.
  const Memory next = MakeMemory(b, 1);
  const Grant fresh = MakeGrant(b, next, kAll);
  EXPECT_NE(fresh.id, kept.id);
  EXPECT_EQ(Add(connection, kept, 0, 1).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ((*next.words)[0], 0U);
}

TEST_P(FabricTest, GrantsThatMakeNoSenseAreRefused) {
  const std::size_t b = AddListener();
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const Memory memory = MakeMemory(b, 4);
  for (const ByteRange& range : std::vector<ByteRange>{
           {0, 33}, {32, 1}, {33, 0}, {kMax, 1}, {1, kMax}, {kMax, kMax}, {kMax - 7, 8}}) {
    EXPECT_EQ(Transport(b).MakeGrant(memory.id, range, Access::kRead).code(),
              StatusCode::kInvalidArgument)
        << range.offset << " " << range.bytes;
  }
  for (const ByteRange& range : std::vector<ByteRange>{{4, 8}, {0, 9}, {0, 4}}) {
    EXPECT_EQ(Transport(b).MakeGrant(memory.id, range, Access::kAtomic).code(),
              StatusCode::kInvalidArgument);
    EXPECT_TRUE(Transport(b).MakeGrant(memory.id, range, Access::kWrite).ok());
  }
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, static_cast<Access>(0)).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, static_cast<Access>(8)).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Transport(b).MakeGrant(memory.id + 1000, {0, 8}, kAll).code(), StatusCode::kNotFound);
  EXPECT_EQ(Transport(b).Register(std::shared_ptr<Region>()).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Transport(b).Register(memory.bytes().subspan(1, 8), nullptr).code(),
            StatusCode::kInvalidArgument);
  // A region that is written record by record has no words.
  ShadowSpace space(ShadowSpace::Medium::kFile);
  const std::shared_ptr<Region> region = space.Create("r", 4096, RegionUse::kLog).value();
  const auto id = Transport(b).Register(region);
  ASSERT_TRUE(id.ok());
  if (!region->has_stores()) {
    EXPECT_EQ(Transport(b).MakeGrant(*id, {0, 8}, kAll).code(), StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(Transport(b).MakeGrant(*id, {0, 8}, Access::kRead | Access::kWrite).ok());
}

TEST_P(FabricTest, GrantsHaveALimit) {
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  Grant last;
  for (std::uint64_t i = 0; i < Transport(b).limits().grants_max; ++i) {
    last = MakeGrant(b, memory, kAll);
  }
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, kAll).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(Transport(b).Revoke(last).ok());
  EXPECT_TRUE(Transport(b).MakeGrant(memory.id, {0, 8}, kAll).ok());
}

TEST_P(FabricTest, SwapsOfSeveralPeersExcludeEachOther) {
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  constexpr int kPeers = 3;
  constexpr std::uint64_t kEach = 30;
  struct Counter {
    ConnectionPtr connection;
    Grant grant;
    std::uint64_t left = kEach;
    std::uint64_t failed = 0;
    void Try(std::uint64_t expected) {
      const Status begun =
          connection->CompareAndSwap(grant, 0, {expected, expected + 1}, kLong,
                                     [this, expected](const Result<std::uint64_t>& before) {
                                       ASSERT_TRUE(before.ok());
                                       if (*before != expected) ++failed;
                                       if (*before == expected && --left == 0) return;
                                       Try(*before == expected ? expected + 1 : *before);
                                     });
      EXPECT_TRUE(begun.ok());
    }
  };
  std::deque<Counter> counters;
  for (int i = 0; i < kPeers; ++i) counters.push_back({Connect(AddPeer(), b), grant});
  for (Counter& counter : counters) counter.Try(0);
  ASSERT_TRUE(WaitFor([&] {
    return std::all_of(counters.begin(), counters.end(), [](const auto& c) { return c.left == 0; });
  }));
  EXPECT_EQ((*memory.words)[0], kPeers * kEach);
  std::uint64_t failed = 0;
  for (const Counter& counter : counters) failed += counter.failed;
  EXPECT_GT(failed, 0U) << "they were never in each other's way";
}

TEST_P(FabricTest, AddsOfSeveralPeersAreAllCounted) {
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 2);
  const Grant grant = MakeGrant(b, memory, kAll);
  std::set<std::uint64_t> before;
  std::size_t done = 0;
  for (int i = 0; i < 3; ++i) {
    const ConnectionPtr connection = Connect(AddPeer(), b);
    for (int k = 0; k < 20; ++k) {
      ASSERT_TRUE(connection
                      ->FetchAdd(grant, 8, 3, kLong,
                                 [&](const Result<std::uint64_t>& word) {
                                   ++done;
                                   ASSERT_TRUE(word.ok());
                                   before.insert(*word);
                                 })
                      .ok());
    }
  }
  ASSERT_TRUE(WaitFor([&] { return done == 60; }));
  EXPECT_EQ((*memory.words)[1], 180U);
  EXPECT_EQ(before.size(), 60U) << "each saw another word";
}

TEST_P(FabricTest, MemoryOfASleeperIsReachedIfTheFabricDoesItAlone) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  fabric_->Pause(b, 1s);
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->FetchAdd(grant, 0, 1, 100ms, WordInto(outcome)).ok());
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ(outcome->status.code(),
            fabric_->reaches_paused_memory() ? StatusCode::kOk : StatusCode::kDeadlineExceeded);
  fabric_->RunUntil(2s, [] { return false; });
  EXPECT_EQ(outcome->calls, 1);
  ExpectWorks(connection);
}

TEST_P(FabricTest, OperationsAreHeldBackToo) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Limits limits = Transport(a).limits();
  const Memory memory = MakeMemory(b, limits.outstanding_bytes_max / 8 + 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  std::vector<std::byte> bytes(limits.outstanding_bytes_max + 1);
  auto outcome = std::make_shared<Outcome>();
  // It would never fit.
  EXPECT_EQ(connection->Write(grant, 0, bytes, kLong, Into(outcome)).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(connection->Read(grant, 0, bytes, kLong, Into(outcome)).code(),
            StatusCode::kInvalidArgument);
  bytes.pop_back();
  EXPECT_TRUE(connection->Read(grant, 0, bytes, kLong, Into(outcome)).ok());
  EXPECT_EQ(connection->Send(OnePart("x")).code(), StatusCode::kResourceExhausted);
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
  std::uint64_t begun = 0;
  auto adds = std::make_shared<Outcome>();
  while (begun <= limits.outstanding_max &&
         connection->FetchAdd(grant, 0, 1, kLong, WordInto(adds)).ok()) {
    ++begun;
  }
  EXPECT_EQ(begun, limits.outstanding_max);
  ASSERT_TRUE(WaitFor([&] { return adds->calls == static_cast<int>(begun); }));
  EXPECT_EQ((*memory.words)[0], begun);
  ExpectWorks(connection);
}

TEST_P(FabricTest, OperationsEndAtTheirDeadlineAndGiveTheirMemoryBack) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  (*memory.words)[0] = 7;
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  auto outcome = std::make_shared<Outcome>();
  auto into = std::make_unique<std::uint64_t>(1);
  ASSERT_TRUE(
      connection
          ->Read(grant, 0, std::as_writable_bytes(std::span(into.get(), 1)), 0ms, Into(outcome))
          .ok());
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ(outcome->status.code(), StatusCode::kDeadlineExceeded);
  const std::uint64_t seen = *into;
  Settle();
  EXPECT_EQ(*into, seen) << "written to after the callback";
  EXPECT_EQ(outcome->calls, 1);
}

TEST_P(FabricTest, MessagesComeAfterTheWritesBeforeThem) {
  // What a message says of a write that was answered is true when the message arrives.
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  std::uint64_t seen = 0;
  Rec(b).on_message = [&](const auto&, const auto&) { seen = (*memory.words)[0]; };
  ASSERT_TRUE(
      connection
          ->FetchAdd(grant, 0, 5, kLong,
                     [&](const auto&) { EXPECT_TRUE(connection->Send(OnePart("look")).ok()); })
          .ok());
  ASSERT_TRUE(WaitFor([&] { return !Rec(b).messages.empty(); }));
  EXPECT_EQ(seen, 5U);
}

INSTANTIATE_TEST_SUITE_P(
    Fabrics, FabricTest,
    testing::Values(
        NamedFabric{"sim_rdma",
                    [] { return std::make_unique<SimFabric>(CostModel::Rdma(), test::Seed()); }},
        NamedFabric{"sim_tcp",
                    [] { return std::make_unique<SimFabric>(CostModel::Tcp(), test::Seed()); }}),
    [](const auto& fabric) { return std::string(fabric.param.name); });

}  // namespace
}  // namespace cirein::fabric
