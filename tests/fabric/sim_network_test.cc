// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/sim_network.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "fabric/conformance.h"
#include "fabric/sim_fabric.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kKeepalive = 2s;

// Two hosts, p0 and p1, of which the second listens, and one connection between them.
class SimNetworkTest : public testing::Test {
 protected:
  explicit SimNetworkTest(const CostModel& model = CostModel::Rdma())
      : fabric_(model, test::Seed()) {
    fabric_.AddPeer();
    fabric_.AddPeer();
    EXPECT_TRUE(fabric_.transport(1)->Listen(listener_).ok());
    there_ = Connect();
    EXPECT_NE(there_, nullptr);
    if (!listener_.connections.empty()) back_ = listener_.connections[0];
  }

  ConnectionPtr Connect() {
    ConnectionPtr made;
    EXPECT_TRUE(fabric_.transport(0)
                    ->Connect("sim://p1", asker_, 1s,
                              [&made](const auto& connection) {
                                if (connection.ok()) made = *connection;
                              })
                    .ok());
    RunFor(100ms);
    return made;
  }
  void RunFor(std::chrono::nanoseconds time) {
    fabric_.RunUntil(time, [] { return false; });
  }
  TimePoint Now() { return fabric_.world().now(); }
  SimNetwork& Network() { return fabric_.network(); }
  static SimNetwork::Way There() { return {"p0", "p1"}; }
  static SimNetwork::Way Back() { return {"p1", "p0"}; }
  OutcomePtr Ask(const ConnectionPtr& over, std::string_view text, Deadline deadline = 1h) {
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE(over->Request(OnePart(text), deadline, ReplyInto(outcome)).ok());
    return outcome;
  }

  Recorder asker_;
  Recorder listener_;
  SimFabric fabric_;
  ConnectionPtr there_;
  ConnectionPtr back_;
};

TEST_F(SimNetworkTest, WhatIsCutWaitsAndGoesOnWhenHealed) {
  Network().Cut(There());
  std::vector<std::string> sent;
  for (int i = 0; i < 20; ++i) {
    sent.push_back(std::to_string(i));
    ASSERT_TRUE(there_->Send(OnePart(sent.back())).ok());
    RunFor(50ms);
  }
  EXPECT_TRUE(listener_.messages.empty());
  // The other way is whole.
  ASSERT_TRUE(back_->Send(OnePart("back")).ok());
  RunFor(100ms);
  EXPECT_EQ(asker_.messages, std::vector<std::string>{"back"});
  Network().Heal(There());
  ASSERT_TRUE(there_->Send(OnePart("after")).ok());
  sent.emplace_back("after");
  RunFor(100ms);
  EXPECT_EQ(listener_.messages, sent);
  RunFor(10s);
  EXPECT_TRUE(asker_.closed.empty()) << "a cut that was healed in time does no harm";
  EXPECT_TRUE(listener_.closed.empty());
}

TEST_F(SimNetworkTest, ALongCutEndsBothSidesEachAtItsTime) {
  const auto waits = Ask(there_, "x");
  RunFor(100ms);
  EXPECT_TRUE(waits->done());
  const TimePoint cut = Now();
  Network().Cut(There());
  Network().Cut(Back());
  const auto lost = Ask(there_, "lost");
  RunFor(kKeepalive - 1ms);
  EXPECT_TRUE(asker_.closed.empty());
  EXPECT_TRUE(listener_.closed.empty());
  ASSERT_TRUE(fabric_.RunUntil(2s, [&] { return !asker_.closed.empty(); }));
  ASSERT_TRUE(fabric_.RunUntil(2s, [&] { return !listener_.closed.empty(); }));
  EXPECT_LE(Now() - cut, kKeepalive + kKeepalive / 4 + 1ms);
  EXPECT_EQ(lost->calls, 1);
  EXPECT_EQ(lost->status.code(), StatusCode::kUnavailable);
  EXPECT_NE(lost->status.message().find("2s"), std::string_view::npos) << lost->status.ToString();
  EXPECT_EQ(Network().connections(), 0U);
  // Nothing of it arrives later.
  const std::size_t asked = listener_.asked.size();
  Network().HealAll();
  RunFor(10s);
  EXPECT_EQ(listener_.asked.size(), asked);
  EXPECT_EQ(asker_.closed.size(), 1U);
  EXPECT_EQ(listener_.closed.size(), 1U);
  EXPECT_NE(Connect(), nullptr);
}

TEST_F(SimNetworkTest, ACutOfOneWayEndsItToo) {
  Network().Cut(Back());
  // It gets there, the answer does not come back.
  const auto outcome = Ask(there_, "x");
  RunFor(100ms);
  EXPECT_EQ(listener_.asked.size(), 1U);
  EXPECT_FALSE(outcome->done());
  RunFor(3s);
  EXPECT_EQ(outcome->calls, 1);
  EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(asker_.closed.size(), 1U);
  EXPECT_EQ(listener_.closed.size(), 1U);
}

TEST_F(SimNetworkTest, CutsAfterEachOtherBeginAnew) {
  for (int i = 0; i < 5; ++i) {
    Network().Cut(There());
    RunFor(kKeepalive - 100ms);
    Network().Heal(There());
    RunFor(10ms);
  }
  EXPECT_TRUE(asker_.closed.empty());
  // But one way cut after the other is one long time without a word.
  Network().Cut(There());
  RunFor(kKeepalive / 2);
  Network().Cut(Back());
  Network().Heal(There());
  RunFor(kKeepalive);
  EXPECT_EQ(asker_.closed.size(), 1U);
}

TEST_F(SimNetworkTest, ConnectingOverACutWaits) {
  for (const auto& way : {There(), Back()}) {
    Network().Cut(way);
    Status status;
    const auto done = [&status](const auto& made) { status = made.status(); };
    const TimePoint begun = Now();
    ASSERT_TRUE(fabric_.transport(0)->Connect("sim://p1", asker_, 500ms, done).ok());
    ASSERT_TRUE(fabric_.RunUntil(1min, [&] { return !status.ok(); }));
    EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
    EXPECT_GE(Now() - begun, 490ms);
    Network().Heal(way);
    RunFor(1s);
  }
  EXPECT_EQ(Network().connections(), 1U) << "an attempt that was given up has left something";
  // Healed in time it succeeds, also after the keepalive.
  Network().Cut(There());
  ConnectionPtr made;
  ASSERT_TRUE(
      fabric_.transport(0)
          ->Connect("sim://p1", asker_, 1min, [&](const auto& connection) { made = *connection; })
          .ok());
  RunFor(5s);
  EXPECT_EQ(made, nullptr);
  Network().Heal(There());
  RunFor(100ms);
  ASSERT_NE(made, nullptr);
  const auto outcome = Ask(made, "x");
  RunFor(100ms);
  EXPECT_TRUE(outcome->done() && outcome->status.ok());
}

TEST_F(SimNetworkTest, WhoWasAskedOverACutGivesUpToo) {
  Network().Cut(Back());
  ConnectionPtr made;
  ASSERT_TRUE(fabric_.transport(0)
                  ->Connect("sim://p1", asker_, Deadline::None(),
                            [&made](const auto& connection) { made = *connection; })
                  .ok());
  RunFor(1s);
  EXPECT_EQ(listener_.connections.size(), 2U);
  RunFor(2s);
  EXPECT_EQ(listener_.closed.size(), 2U);
  EXPECT_EQ(made, nullptr) << "it has not heard of anything";
  Network().HealAll();
  RunFor(1s);
  ASSERT_NE(made, nullptr);
  EXPECT_TRUE(asker_.IsClosed(made));
}

TEST_F(SimNetworkTest, DelaysAreForOneWayAndEnd) {
  const auto round_trip = [this] {
    const TimePoint begun = Now();
    const auto outcome = Ask(there_, "x");
    EXPECT_TRUE(fabric_.RunUntil(1min, [&] { return outcome->done(); }));
    return Now() - begun;
  };
  EXPECT_LT(round_trip(), 1ms);
  Network().SetDelay(There(), 10'000);
  EXPECT_GT(round_trip(), 7ms);
  const TimePoint begun = Now();
  ASSERT_TRUE(back_->Send(OnePart("x")).ok());
  ASSERT_TRUE(fabric_.RunUntil(1min, [&] { return !asker_.messages.empty(); }));
  EXPECT_LT(Now() - begun, 1ms);
  Network().SetDelay(There(), 1);
  EXPECT_LT(round_trip(), 1ms);
  Network().SetDelay(There(), 10'000);
  Network().HealAll();
  EXPECT_LT(round_trip(), 1ms);
}

TEST_F(SimNetworkTest, BytesTakeTheirTime) {
  // 64 KiB at 12 GB/s.
  const std::string text(64U << 10, 'x');
  const TimePoint begun = Now();
  ASSERT_TRUE(there_->Send(OnePart(text)).ok());
  ASSERT_TRUE(there_->Send(OnePart(text)).ok());
  ASSERT_TRUE(fabric_.RunUntil(1min, [&] { return listener_.messages.size() == 2; }));
  EXPECT_GT(Now() - begun, 2 * 5461ns);
}

TEST_F(SimNetworkTest, ABreakLosesATailAndTellsBoth) {
  Random random(test::Seed());
  bool lost_some = false;
  bool kept_some = false;
  for (int round = 0; round < 40; ++round) {
    const ConnectionPtr there = round == 0 ? there_ : Connect();
    ASSERT_NE(there, nullptr);
    listener_.messages.clear();
    listener_.closed.clear();
    asker_.closed.clear();
    std::vector<std::string> sent;
    for (int i = 0; i < 10; ++i) {
      sent.push_back(std::to_string(i));
      ASSERT_TRUE(there->Send(OnePart(sent.back())).ok());
    }
    const auto outcome = Ask(there, "x");
    ASSERT_TRUE(Network().BreakConnection("p0", random));
    // What is sent after it is lost, whether the sender knows of it or not.
    ASSERT_TRUE(there->Send(OnePart("after")).ok());
    RunFor(100ms);
    EXPECT_EQ(outcome->calls, 1);
    EXPECT_EQ(asker_.closed.size(), 1U);
    EXPECT_EQ(listener_.closed.size(), 1U);
    ASSERT_LE(listener_.messages.size(), sent.size());
    EXPECT_TRUE(std::equal(listener_.messages.begin(), listener_.messages.end(), sent.begin()));
    lost_some |= listener_.messages.size() < sent.size();
    kept_some |= !listener_.messages.empty();
  }
  EXPECT_TRUE(lost_some);
  EXPECT_TRUE(kept_some);
  EXPECT_FALSE(Network().BreakConnection("p0", random)) << "there is none left";
}

TEST_F(SimNetworkTest, AKilledProcessIsToldOfAtOnceAnExpiredMachineIsNot) {
  const auto lost = Ask(there_, "x");
  fabric_.host(1).Kill();
  Network().HostLost("p1");
  const TimePoint begun = Now();
  RunFor(kKeepalive - 1ms);
  EXPECT_TRUE(asker_.closed.empty());
  ASSERT_TRUE(fabric_.RunUntil(2s, [&] { return !asker_.closed.empty(); }));
  EXPECT_GE(Now() - begun, kKeepalive);
  EXPECT_EQ(lost->calls, 1);
  EXPECT_TRUE(listener_.closed.empty());
  // Where no machine is, nothing answers.
  Status status;
  ASSERT_TRUE(fabric_.transport(0)
                  ->Connect("sim://p1", asker_, 100ms,
                            [&status](const auto& made) { status = made.status(); })
                  .ok());
  RunFor(1s);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
}

TEST_F(SimNetworkTest, ARestartedProcessIsFoundUnderItsAddressAndOldConnectionsAreDead) {
  const ConnectionPtr old = there_;
  fabric_.host(1).Kill();
  Network().HostLost("p1");
  fabric_.Leave(1);
  VirtualHost next(fabric_.world(), {.name = "p1"});
  Recorder recorder;
  auto transport = Network().Join(next);
  ASSERT_TRUE(transport->Listen(recorder).ok());
  EXPECT_TRUE(asker_.closed.empty());
  // Whoever speaks to it learns that it is another one, long before the keepalive.
  const TimePoint begun = Now();
  const auto outcome = Ask(old, "x");
  ASSERT_TRUE(fabric_.RunUntil(1s, [&] { return outcome->done() && !asker_.closed.empty(); }));
  EXPECT_LT(Now() - begun, 1ms);
  EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(recorder.asked.empty()) << "it heard what was said to the one before it";
  const ConnectionPtr fresh = Connect();
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(recorder.connections.size(), 1U);
  const auto answered = Ask(fresh, "x");
  RunFor(100ms);
  EXPECT_TRUE(answered->done() && answered->status.ok());
}

TEST_F(SimNetworkTest, AGrantOfTheProcessBeforeIsWorthNothing) {
  auto memory = std::make_shared<std::vector<std::uint64_t>>(8);
  const auto grant_at = [&memory](Transport& transport) {
    const auto bytes = std::as_writable_bytes(std::span(*memory));
    return transport.MakeGrant(*transport.Register(bytes, memory), {0, 64}, Access::kWrite).value();
  };
  const Grant old = grant_at(*fabric_.transport(1));
  fabric_.Kill(1);
  fabric_.Leave(1);
  VirtualHost next(fabric_.world(), {.name = "p1"});
  Recorder recorder;
  auto transport = Network().Join(next);
  ASSERT_TRUE(transport->Listen(recorder).ok());
  const Grant fresh = grant_at(*transport);
  EXPECT_NE(fresh.key, old.key);
  const ConnectionPtr connection = Connect();
  ASSERT_NE(connection, nullptr);
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->Write(old, 0, Bytes("x"), 1s, Into(outcome)).ok());
  RunFor(100ms);
  EXPECT_EQ(outcome->status.code(), StatusCode::kPermissionDenied);
}

TEST_F(SimNetworkTest, ADeathThatNobodyToldIsNoticedWhenTheNameIsTakenAgain) {
  fabric_.host(1).Kill();
  RunFor(10s);
  EXPECT_TRUE(asker_.closed.empty());
  VirtualHost next(fabric_.world(), {.name = "p1"});
  auto transport = Network().Join(next);
  RunFor(100ms);
  EXPECT_EQ(asker_.closed.size(), 1U);
}

TEST_F(SimNetworkTest, TheDeadDoNothingWhetherOrNotSomebodyHasSaidSo) {
  auto memory = std::make_shared<std::vector<std::uint64_t>>(1);
  Transport& target = *fabric_.transport(1);
  const auto id = target.Register(std::as_writable_bytes(std::span(*memory)), memory);
  const Grant grant = target.MakeGrant(*id, {0, 8}, Access::kAtomic).value();
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(there_->FetchAdd(grant, 0, 1, 1s, WordInto(outcome)).ok());
  const auto asked = Ask(there_, "x", 1s);
  fabric_.host(1).Kill();
  RunFor(2s);
  EXPECT_EQ((*memory)[0], 0U);
  EXPECT_TRUE(listener_.asked.empty());
  for (const OutcomePtr& one : {outcome, asked}) {
    EXPECT_EQ(one->calls, 1);
    EXPECT_EQ(one->status.code(), StatusCode::kDeadlineExceeded);
  }
}

TEST_F(SimNetworkTest, KnowsWhatIsRegisteredAnywhere) {
  auto memory = std::make_shared<std::vector<std::uint64_t>>(1);
  EXPECT_EQ(Network().registrations(), 0U);
  for (const std::size_t peer : {std::size_t{0}, std::size_t{1}}) {
    Transport& at = *fabric_.transport(peer);
    const auto id = at.Register(std::as_writable_bytes(std::span(*memory)), memory);
    ASSERT_TRUE(id.ok());
    EXPECT_EQ(Network().registrations(), 1U);
    const Grant grant = at.MakeGrant(*id, {0, 8}, Access::kAtomic).value();
    EXPECT_EQ(Network().registrations(), 2U);
    EXPECT_TRUE(at.Revoke(grant).ok());
    EXPECT_EQ(Network().registrations(), 1U);
    EXPECT_TRUE(at.MakeGrant(*id, {0, 8}, Access::kAtomic).ok());
    EXPECT_TRUE(at.Unregister(*id).ok());
    EXPECT_EQ(Network().registrations(), 0U) << "its grant went with the memory";
  }
}

TEST_F(SimNetworkTest, NothingStaysPlannedForWhatIsDone) {
  for (int i = 0; i < 50; ++i) {
    const auto outcome = Ask(there_, "x");
    ASSERT_TRUE(fabric_.RunUntil(1s, [&] { return outcome->done(); }));
  }
  Network().Cut(There());
  Network().Heal(There());
  RunFor(1ms);
  EXPECT_EQ(fabric_.world().planned(), 0U);
  there_->Close();
  RunFor(1ms);
  EXPECT_EQ(fabric_.world().planned(), 0U);
}

TEST_F(SimNetworkTest, WhatAPieceSendsLeavesAtItsEndOrNever) {
  fabric_.host(0).KillInside(
      0, [](std::uint64_t begin, std::uint64_t) { return begin; }, [](std::uint64_t) {});
  fabric_.host(0).SetMedium({[point = std::uint64_t{0}]() mutable { return point++; },
                             [] { return std::chrono::nanoseconds(0); }});
  fabric_.host(0).Post(Now(), "test", [this] { EXPECT_TRUE(there_->Send(OnePart("never")).ok()); });
  RunFor(10ms);
  Network().HostKilled("p0");
  RunFor(100ms);
  EXPECT_FALSE(fabric_.host(0).alive());
  EXPECT_TRUE(listener_.messages.empty());
  EXPECT_EQ(listener_.closed.size(), 1U);
}

TEST_F(SimNetworkTest, ANetworkMayGoBeforeWhatWasPlannedInIt) {
  VirtualScheduler world(1);
  VirtualHost host(world, {.name = "a"});
  Recorder recorder;
  {
    SimNetwork network(world, CostModel::Tcp());
    auto transport = network.Join(host);
    ASSERT_TRUE(transport->Listen(recorder).ok());
    ASSERT_TRUE(transport->Connect("sim://a", recorder, 1s, [](const auto&) {}).ok());
    network.Cut({"a", "a"});
  }
  while (world.RunOne()) {
  }
}

// A random run of three hosts with all faults; its digest.
std::uint64_t DigestOfRun(std::uint64_t seed) {
  std::deque<Recorder> recorders(3);
  std::vector<ConnectionPtr> connections;
  SimFabric fabric(CostModel::Tcp(), seed);
  Random random(seed);
  for (Recorder& recorder : recorders) {
    EXPECT_TRUE(fabric.transport(fabric.AddPeer())->Listen(recorder).ok());
  }
  const auto name = [&random] { return "p" + std::to_string(random.Below(3)); };
  int called = 0;
  int begun = 0;
  for (int step = 0; step < 400; ++step) {
    const auto from = random.Below(3);
    switch (random.Below(8)) {
      case 0: {
        ++begun;
        const Status status = fabric.transport(from)->Connect("sim://" + name(), recorders[from],
                                                              1s, [&](const auto& made) {
                                                                ++called;
                                                                if (made.ok())
                                                                  connections.push_back(*made);
                                                              });
        if (!status.ok()) --begun;
        break;
      }
      case 1:
        fabric.network().Cut({name(), name()});
        break;
      case 2:
        fabric.network().HealAll();
        break;
      case 3:
        fabric.network().SetDelay({name(), name()}, 1.0 + static_cast<double>(random.Below(50)));
        break;
      case 4:
        if (random.OneIn(4)) fabric.network().BreakConnection(name(), random);
        break;
      default:
        if (connections.empty()) break;
        ++begun;
        if (!connections[random.Below(connections.size())]
                 ->Request(OnePart(std::string(random.Below(1000), 'x')), 500ms,
                           [&called](const auto&) { ++called; })
                 .ok()) {
          --begun;
        }
        break;
    }
    fabric.RunUntil(std::chrono::microseconds(random.Below(20'000)), [] { return false; });
  }
  fabric.RunUntil(10s, [] { return false; });
  EXPECT_EQ(called, begun) << "each callback once";
  return fabric.world().digest();
}

TEST(SimNetworkDeterminism, TheSameSeedGivesTheSameRun) {
  const std::uint64_t seed = test::Seed();
  const std::uint64_t digest = DigestOfRun(seed);
  EXPECT_EQ(DigestOfRun(seed), digest);
  EXPECT_NE(DigestOfRun(seed + 1), digest);
}

TEST(SimNetworkDeterminism, EachCallbackOnceInManyRuns) {
  const std::uint64_t seed = test::Seed();
  for (std::uint64_t run = 0; run < 20; ++run) DigestOfRun(seed + run);
}

// Random traffic of all kinds while connections break, are cut and closed: on each connection what
// arrives is a prefix of what was sent.
TEST(SimNetworkTraffic, OnlyPrefixesArrive) {
  Random random(test::Seed());
  for (int round = 0; round < 30; ++round) {
    Recorder asker;
    Recorder listener;
    SimFabric fabric(random.OneIn(2) ? CostModel::Rdma() : CostModel::Tcp(), random());
    fabric.AddPeer();
    fabric.AddPeer();
    ASSERT_TRUE(fabric.transport(1)->Listen(listener).ok());
    ConnectionPtr connection;
    ASSERT_TRUE(fabric.transport(0)
                    ->Connect("sim://p1", asker, 1s, [&](const auto& made) { connection = *made; })
                    .ok());
    ASSERT_TRUE(fabric.RunUntil(1s, [&] { return connection != nullptr; }));
    std::vector<std::string> sent;
    const std::uint64_t trouble = random.Below(100);
    for (std::uint64_t i = 0; i < 100; ++i) {
      std::string text = std::to_string(i) + std::string(random.Below(100), '.');
      if (connection->Send(OnePart(text)).ok()) sent.push_back(std::move(text));
      if (i == trouble) {
        switch (random.Below(4)) {
          case 0:
            fabric.network().BreakConnection("p1", random);
            break;
          case 1:
            fabric.network().Cut({"p0", "p1"});
            break;
          case 2:
            connection->Close();
            break;
          default:
            fabric.Kill(0);
            break;
        }
      }
      fabric.RunUntil(std::chrono::nanoseconds(random.Below(20'000)), [] { return false; });
    }
    if (random.OneIn(2)) fabric.network().HealAll();
    fabric.RunUntil(10s, [] { return false; });
    ASSERT_LE(listener.messages.size(), sent.size());
    ASSERT_TRUE(std::equal(listener.messages.begin(), listener.messages.end(), sent.begin()));
  }
}

}  // namespace
}  // namespace cirein::fabric
