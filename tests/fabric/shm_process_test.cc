// SPDX-License-Identifier: Apache-2.0

// Shared memory in real time: homes that sleep and are woken, and processes that are killed.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "fabric/conformance.h"
#include "fabric/packet/handshake_messages.h"
#include "fabric/shm/control_socket.h"
#include "fabric/shm/shm_transport.h"
#include "fabric/shm_fabric.h"
#include "fabric/traffic.h"
#include "region/memory_region.h"
#include "runtime/child_process.h"
#include "runtime/notification.h"
#include "runtime/reactor.h"
#include "runtime/reactor_thread.h"
#include "runtime/real_clock.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

/// Answers each request with its bytes; thread-safe, and remembers nothing but numbers.
class EchoService final : public Service {
 public:
  void Connected(const ConnectionPtr& connection) override { connection_ = connection; }
  void Message(const ConnectionPtr&, std::span<const std::byte>) override { ++messages_; }
  void Request(const ConnectionPtr& connection, RequestId request,
               std::span<const std::byte> message) override {
    static_cast<void>(connection->Reply(request, OnePart(message)).ok());
  }
  void Closed(const ConnectionPtr&, const Status&) override { ++closed_; }

  int messages() const { return messages_; }
  int closed() const { return closed_; }

 private:
  ConnectionPtr connection_;
  std::atomic<int> messages_{0};
  std::atomic<int> closed_{0};
};

// --- Homes on threads of their own ---

class ShmThreadsTest : public testing::Test {
 protected:
  struct Peer {
    EchoService service;
    std::unique_ptr<ReactorThread> home;
    std::unique_ptr<ShmTransport> transport;
  };
  void SetUp() override {
    for (Peer* peer : {&a_, &b_}) {
      peer->home = ReactorThread::Start(RealClock::Instance()).value();
      OnHome(*peer, [peer] {
        ShmOptions options = ShmFabric::SmallOptions();
        options.ring_bytes = 4096;
        peer->transport = ShmTransport::Create(peer->home->reactor(), options).value();
      });
    }
    ASSERT_TRUE(b_.transport->Listen(b_.service).ok());
    Notification connected;
    ASSERT_TRUE(a_.transport
                    ->Connect(b_.transport->address(), a_.service, kLong,
                              [&](Result<ConnectionPtr> made) {
                                EXPECT_TRUE(made.ok()) << made.status().ToString();
                                if (made.ok()) connection_ = *made;
                                connected.Notify();
                              })
                    .ok());
    ASSERT_TRUE(connected.WaitUntil(RealClock::MonotonicNow() + kLong));
    ASSERT_NE(connection_, nullptr);
  }
  void TearDown() override {
    connection_.reset();
    for (Peer* peer : {&a_, &b_}) {
      OnHome(*peer, [peer] { peer->transport.reset(); });
      peer->home->Stop();
    }
  }
  static void OnHome(Peer& peer, std::function<void()> work) {
    Notification done;
    ASSERT_TRUE(peer.home->reactor()
                    .Post([&] {
                      work();
                      done.Notify();
                    })
                    .ok());
    ASSERT_TRUE(done.WaitUntil(RealClock::MonotonicNow() + kLong));
  }
  /// Both homes have gone to sleep since.
  void AwaitSleep() {
    const std::uint64_t before_a = a_.home->reactor().Stats().sleeps;
    const std::uint64_t before_b = b_.home->reactor().Stats().sleeps;
    // Each is woken once, so that it goes to sleep again.
    OnHome(a_, [] {});
    OnHome(b_, [] {});
    while (a_.home->reactor().Stats().sleeps == before_a ||
           b_.home->reactor().Stats().sleeps == before_b) {
      std::this_thread::yield();
    }
  }
  Status Ask(const std::string& text) {
    Notification answered;
    Status status;
    CIREIN_RETURN_IF_ERROR(connection_->Request(
        OnePart(text), kLong, [&](const Result<std::span<const std::byte>>& reply) {
          status = reply.status();
          if (reply.ok()) {
            EXPECT_TRUE(Text(*reply) == text);
          }
          answered.Notify();
        }));
    EXPECT_TRUE(answered.WaitUntil(RealClock::MonotonicNow() + kLong)) << "nobody was woken";
    return status;
  }

  Peer a_;
  Peer b_;
  ConnectionPtr connection_;
};

TEST_F(ShmThreadsTest, SleepersAreWoken) {
  for (int round = 0; round < 100; ++round) {
    AwaitSleep();
    ASSERT_TRUE(Ask("x").ok());
  }
  // Longer than the ring, so that who sends sleeps too until there is room.
  const std::string longest(64U << 10, 'x');
  for (int round = 0; round < 20; ++round) {
    AwaitSleep();
    ASSERT_TRUE(Ask(longest).ok());
  }
}

TEST_F(ShmThreadsTest, WhoSleepsForRoomIsWokenByRoom) {
  const std::string longest(64U << 10, 'x');
  // Not on the stack: that its reader has gone on is told through memory that is mapped twice,
  // which the thread sanitizer takes for two memories.
  const auto reads = std::make_shared<std::atomic<bool>>(false);
  Notification stands_still;
  ASSERT_TRUE(b_.home->reactor()
                  .Post([reads, &stands_still] {
                    stands_still.Notify();
                    while (!*reads) std::this_thread::yield();
                  })
                  .ok());
  ASSERT_TRUE(stands_still.WaitUntil(RealClock::MonotonicNow() + kLong));
  Notification answered;
  ASSERT_TRUE(connection_
                  ->Request(OnePart(longest), kLong,
                            [&](const auto& reply) {
                              EXPECT_TRUE(reply.ok());
                              answered.Notify();
                            })
                  .ok());
  // The ring is full by now; there is nothing to do for its writer.
  const std::uint64_t sleeps = a_.home->reactor().Stats().sleeps;
  OnHome(a_, [] {});
  while (a_.home->reactor().Stats().sleeps == sleeps) std::this_thread::yield();
  *reads = true;
  EXPECT_TRUE(answered.WaitUntil(RealClock::MonotonicNow() + kLong)) << "nobody was woken";
}

TEST_F(ShmThreadsTest, WhoPollsIsNotMissedAtTheMomentItFallsAsleep) {
  // Pauses of all lengths around the moment at which a home gives up polling.
  Random random(test::Seed());
  for (int round = 0; round < 3000; ++round) {
    const TimePoint until =
        RealClock::MonotonicNow() + std::chrono::nanoseconds(random.Below(60'000));
    while (RealClock::MonotonicNow() < until) {
    }
    ASSERT_TRUE(Ask("x").ok());
  }
}

TEST_F(ShmThreadsTest, IdleHomesSleep) {
  AwaitSleep();
  const std::uint64_t sleeps = a_.home->reactor().Stats().sleeps;
  const TimePoint until = RealClock::MonotonicNow() + 200ms;
  while (RealClock::MonotonicNow() < until) std::this_thread::yield();
  EXPECT_LE(a_.home->reactor().Stats().sleeps, sleeps + 2) << "it wakes for nothing";
}

TEST_F(ShmThreadsTest, CallsMayComeFromAnyThread) {
  constexpr int kThreads = 3;
  constexpr int kEach = 2000;
  std::vector<std::uint64_t> words(8);
  Grant grant;
  OnHome(b_, [&] {
    const auto id =
        b_.transport->Register(std::as_writable_bytes(std::span(words)), nullptr).value();
    grant = b_.transport->MakeGrant(id, {0, 64}, kAll).value();
  });
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        Status begun;
        do {
          begun = i % 2 == 0
                      ? connection_->FetchAdd(grant, 8, 1, kLong,
                                              [&](const auto& word) { answered += word.ok(); })
                      : connection_->Request(OnePart("x"), kLong,
                                             [&](const auto& reply) { answered += reply.ok(); });
          if (!begun.ok()) std::this_thread::yield();
        } while (begun.code() == StatusCode::kResourceExhausted);
        ASSERT_TRUE(begun.ok()) << begun.ToString();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const TimePoint end = RealClock::MonotonicNow() + kLong;
  while (answered < kThreads * kEach && RealClock::MonotonicNow() < end) std::this_thread::yield();
  EXPECT_EQ(answered, kThreads * kEach);
  OnHome(b_, [&] {
    EXPECT_EQ(words[1], kThreads * kEach / 2U);
    EXPECT_TRUE(b_.transport->Revoke(grant).ok());
  });
}

TEST_F(ShmThreadsTest, ClosingFromAnotherThreadEndsItOnce) {
  std::atomic<int> failed{0};
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(connection_->Request(OnePart("x"), kLong, [&](const auto&) { ++failed; }).ok());
  }
  connection_->Close();
  const TimePoint end = RealClock::MonotonicNow() + kLong;
  while ((failed < 10 || b_.service.closed() < 1) && RealClock::MonotonicNow() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(failed, 10);
  EXPECT_EQ(b_.service.closed(), 1);
  EXPECT_EQ(a_.service.closed(), 0);
}

// --- Processes that are killed ---

int Rounds() {
  const char* const given = std::getenv("CIREIN_TEST_KILL_ROUNDS");
  return given != nullptr ? std::atoi(given) : 60;
}

std::size_t CountSegments() { return CountMappings("cirein-shm"); }

/// What another user's process is told by a listener without a secret.
std::string AskAsAnotherUser(const ShmOptions& options) {
  constexpr uid_t kNobody = 65534;
  if (setresuid(kNobody, kNobody, kNobody) != 0) return "is still the same user";
  // Past all that this side would check itself.
  const TimePoint end = RealClock::MonotonicNow() + kLong;
  for (;;) {
    auto socket = ControlSocket::Connect(options.name);
    if (!socket.ok() && RealClock::MonotonicNow() < end) continue;
    if (!socket.ok()) return socket.status().ToString();
    HelloMessage hello;
    hello.message_bytes_max = options.limits.message_bytes_max;
    hello.outstanding_bytes_max = options.limits.outstanding_bytes_max;
    hello.outstanding_max = options.limits.outstanding_max;
    hello.address = ToFixedText("shm://@nobody");
    static_cast<void>(socket->Send(BytesOf(hello), {}).ok());
    std::array<std::byte, kHandshakeBytesMax> answer{};
    auto received = socket->Receive(answer);
    while (received.got == ControlSocket::Got::kNothing && RealClock::MonotonicNow() < end) {
      received = socket->Receive(answer);
    }
    if (received.got != ControlSocket::Got::kEnd) return "was heard";
    break;
  }
  // And what it finds itself.
  const auto home = Reactor::Create(RealClock::Instance()).value();
  ShmOptions own = options;
  own.name += "-other";
  const auto transport = ShmTransport::Create(*home, own).value();
  EchoService service;
  std::string text;
  const Status begun =
      transport->Connect(ShmAddress(options.name), service, kLong,
                         [&](const auto& made) { text = StatusCodeName(made.code()); });
  if (!begun.ok()) return begun.ToString();
  while (text.empty() && RealClock::MonotonicNow() < end) home->RunOnce();
  return text;
}

TEST(ShmUsersTest, WithoutASecretAnotherUserIsNotHeard) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const ShmOptions options = ShmFabric::SmallOptions();
  const auto child =
      ChildProcess::Start([&options] { return AskAsAnotherUser(options); }, {}).value();
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = ShmTransport::Create(*home, options).value();
  EchoService service;
  ASSERT_TRUE(transport->Listen(service).ok());
  std::thread loop([&] { home->Run(); });
  const ChildEnd end = child->Wait();
  home->Stop();
  loop.join();
  EXPECT_TRUE(end.returned) << end.how;
  EXPECT_EQ(end.output, "PERMISSION_DENIED");
}

/// What the other process does, until it is killed: grants memory to who asks for it, answers, and
/// uses the memory that it is granted itself, all the time.
class RestlessService final : public Service {
 public:
  explicit RestlessService(const Grant& grant) : grant_(grant) {}
  void Connected(const ConnectionPtr& connection) override {
    const auto bytes = std::as_bytes(std::span(&grant_, 1));
    static_cast<void>(connection->Send({&bytes, 1}).ok());
  }
  void Message(const ConnectionPtr& connection, std::span<const std::byte> message) override {
    Grant theirs;
    if (message.size() != sizeof theirs) return;
    std::memcpy(&theirs, message.data(), sizeof theirs);
    Use(connection, theirs);
  }
  void Request(const ConnectionPtr& connection, RequestId request,
               std::span<const std::byte> message) override {
    static_cast<void>(connection->Reply(request, OnePart(message)).ok());
    static_cast<void>(connection->Send(OnePart(message)).ok());
  }
  void Closed(const ConnectionPtr&, const Status&) override {}

 private:
  void Use(const ConnectionPtr& connection, const Grant& theirs) {
    const auto again = [this, connection, theirs](const auto& result) {
      if (result.ok()) Use(connection, theirs);
    };
    static_cast<void>(connection->FetchAdd(theirs, 0, 1, kLong, again).ok());
    static_cast<void>(
        connection->Write(theirs, 8, std::as_bytes(std::span(written_)), kLong, [](const auto&) {})
            .ok());
  }

  const Grant grant_;
  std::vector<std::uint64_t> written_ = std::vector<std::uint64_t>(500, 7);
};

std::string LiveUntilKilled(const ShmOptions& options) {
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = ShmTransport::Create(*home, options).value();
  // Which may be lent.
  const auto id =
      transport->Register(std::shared_ptr<Region>(MakeMemoryRegion("child", 8192).value())).value();
  RestlessService service(transport->MakeGrant(id, {0, 8192}, kAll).value());
  if (!transport->Listen(service).ok()) return "cannot listen";
  home->Run();
  return "returned";
}

/// A process that goes on while others are killed. It has one thread, so that it may fork.
class ShmKillTest : public testing::Test {
 protected:
  ShmKillTest() : home_(Reactor::Create(RealClock::Instance()).value()) {
    transport_ = ShmTransport::Create(*home_, ShmFabric::SmallOptions()).value();
    EXPECT_TRUE(transport_->Listen(own_).ok());
    steady_ = Connect(transport_->address(), own_).value();
    const auto id =
        transport_->Register(std::as_writable_bytes(std::span(words_)), nullptr).value();
    plain_ = transport_->MakeGrant(id, {0, words_.size() * 8}, kAll).value();
    const std::shared_ptr<Region> region = MakeMemoryRegion("parent", 8192).value();
    lent_ = transport_->MakeGrant(transport_->Register(region).value(), {0, 8192}, kAll).value();
  }
  ~ShmKillTest() override { transport_.reset(); }

  bool RunUntil(const std::function<bool()>& holds) {
    const TimePoint end = RealClock::MonotonicNow() + kLong;
    while (!holds()) {
      if (RealClock::MonotonicNow() > end) return false;
      if (!home_->RunOnce()) std::this_thread::yield();
    }
    return true;
  }
  Result<ConnectionPtr> Connect(const Address& address, Service& service) {
    std::optional<Result<ConnectionPtr>> result;
    CIREIN_RETURN_IF_ERROR(transport_->Connect(
        address, service, kLong, [&](Result<ConnectionPtr> made) { result = std::move(made); }));
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return *result;
  }
  /// The other process may need a while until it listens.
  ConnectionPtr ConnectToChild(const Address& address, Service& service) {
    const TimePoint end = RealClock::MonotonicNow() + kLong;
    for (;;) {
      auto made = Connect(address, service);
      if (made.ok()) return *made;
      if (made.code() != StatusCode::kUnavailable || RealClock::MonotonicNow() > end) {
        ADD_FAILURE() << made.status().ToString();
        return nullptr;
      }
    }
  }

  EchoService own_;
  std::unique_ptr<Reactor> home_;
  std::unique_ptr<ShmTransport> transport_;
  ConnectionPtr steady_;
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(1024);
  Grant plain_;
  Grant lent_;
};

std::size_t RandomSize(Random& random) {
  return random.OneIn(4) ? random.Below(8000) : random.Below(100);
}

TEST_F(ShmKillTest, WhoIsLeftGoesOnAndNothingStays) {
  Random random(test::Seed());
  std::size_t descriptors = 0;
  std::size_t segments = 0;
  int begun = 0;
  for (int round = 0; round < Rounds(); ++round) {
    SCOPED_TRACE(round);
    ShmOptions options = ShmFabric::SmallOptions();
    options.ring_bytes = random.OneIn(2) ? 4096 : 65536;
    auto child = ChildProcess::Start([&options] { return LiveUntilKilled(options); }, {}).value();
    Recorder recorder;
    const ConnectionPtr connection = ConnectToChild(ShmAddress(options.name), recorder);
    ASSERT_NE(connection, nullptr);
    ASSERT_TRUE(RunUntil([&] { return !recorder.messages.empty(); }));
    Grant theirs;
    ASSERT_EQ(recorder.messages.front().size(), sizeof theirs);
    std::memcpy(&theirs, recorder.messages.front().data(), sizeof theirs);
    recorder.on_message = [&](const auto&, const auto&) { recorder.messages.clear(); };
    const Grant& grant = round % 2 == 0 ? plain_ : lent_;
    const auto own = std::as_bytes(std::span(&grant, 1));
    ASSERT_TRUE(connection->Send({&own, 1}).ok());
    Traffic traffic(connection, theirs, {.most = 8192, .draw = RandomSize});
    for (std::uint64_t left = random.Below(2000); left > 0; --left) {
      traffic.BeginSome(random);
      home_->RunOnce();
    }
    child.reset();  // Killed.
    // Everything that waited is told, then the end; and the others go on.
    ASSERT_TRUE(RunUntil([&] { return !recorder.closed.empty(); }));
    EXPECT_TRUE(traffic.all_ended());
    EXPECT_EQ(connection->Send(OnePart("x")).code(), StatusCode::kUnavailable);
    EXPECT_EQ(Connect(ShmAddress(options.name), recorder).code(), StatusCode::kUnavailable);
    bool answered = false;
    ASSERT_TRUE(
        steady_->Request(OnePart("x"), kLong, [&](const auto& reply) { answered = reply.ok(); })
            .ok());
    ASSERT_TRUE(RunUntil([&] { return answered; }));
    begun += traffic.begun();
    if (round == 0) {
      descriptors = CountDescriptors();
      segments = CountSegments();
    }
    ASSERT_EQ(CountDescriptors(), descriptors);
    ASSERT_EQ(CountSegments(), segments);
    ASSERT_EQ(CountMappings("cirein-memory"), 1U) << "only its own";
  }
  EXPECT_EQ(segments, 2U) << "both sides of the connection to itself";
  EXPECT_GT(begun, 0);
}

}  // namespace
}  // namespace cirein::fabric
