// SPDX-License-Identifier: Apache-2.0

// Memory that is lent to other processes, and to other threads, in real time: owners that are
// stopped, holders that are killed in the middle of an operation, and grants that are taken back
// meanwhile.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fabric/conformance.h"
#include "fabric/shm/control_socket.h"
#include "fabric/shm/shm_transport.h"
#include "fabric/shm_fabric.h"
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

constexpr std::uint64_t kRegionBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kWords = kRegionBytes / 8;
// Of memory that is lent, in the list of a process's mappings.
constexpr const char* kMemory = "cirein-memory";

ShmOptions LargeOptions() {
  ShmOptions options = ShmFabric::SmallOptions();
  options.limits.outstanding_bytes_max = 64U << 20;
  options.limits.grants_max = 1024;
  options.revoke_max = 30s;
  return options;
}

/// What one process tells another: who it is, and what it grants.
struct Welcome {
  std::int64_t pid = 0;
  Grant grant;
};

bool RunUntil(Reactor& home, const std::function<bool()>& holds) {
  const TimePoint end = RealClock::MonotonicNow() + kLong;
  while (!holds()) {
    if (RealClock::MonotonicNow() > end) return false;
    if (!home.RunOnce()) std::this_thread::yield();
  }
  return true;
}

/// To a process that may not listen yet.
ConnectionPtr ConnectTo(Reactor& home, Transport& transport, const Address& address,
                        Service& service) {
  const TimePoint end = RealClock::MonotonicNow() + kLong;
  while (RealClock::MonotonicNow() < end) {
    std::optional<Result<ConnectionPtr>> result;
    const Status begun = transport.Connect(
        address, service, kLong, [&](Result<ConnectionPtr> made) { result = std::move(made); });
    if (!begun.ok() || !RunUntil(home, [&] { return result.has_value(); })) return nullptr;
    if (result->ok()) return **result;
  }
  return nullptr;
}

// --- Owners that are stopped ---

std::string OwnUntilKilled(const ShmOptions& options) {
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = ShmTransport::Create(*home, options).value();
  const std::shared_ptr<Region> region = MakeMemoryRegion("r", 4096).value();
  const auto id = transport->Register(region).value();
  const Welcome welcome{getpid(), transport->MakeGrant(id, {0, 4096}, kAll).value()};
  Recorder service;
  service.on_connected = [&](const ConnectionPtr& connection) {
    static_cast<void>(connection->Send(OnePart(std::as_bytes(std::span(&welcome, 1)))).ok());
  };
  service.on_request = [&](const Recorder::Asked& asked) {
    const std::uint64_t word = region->LoadWord(0);
    static_cast<void>(
        asked.connection->Reply(asked.request, OnePart(std::as_bytes(std::span(&word, 1)))).ok());
  };
  if (!transport->Listen(service).ok()) return "cannot listen";
  home->Run();
  return "returned";
}

TEST(ShmLoanProcessTest, OperationsGoOnWhileTheOwnerIsStopped) {
  const ShmOptions options = LargeOptions();
  const auto child =
      ChildProcess::Start([&options] { return OwnUntilKilled(options); }, {}).value();
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = ShmTransport::Create(*home, LargeOptions()).value();
  Recorder service;
  const ConnectionPtr connection = ConnectTo(*home, *transport, ShmAddress(options.name), service);
  ASSERT_NE(connection, nullptr);
  ASSERT_TRUE(RunUntil(*home, [&] { return !service.messages.empty(); }));
  Welcome welcome;
  ASSERT_EQ(service.messages.front().size(), sizeof welcome);
  std::memcpy(&welcome, service.messages.front().data(), sizeof welcome);
  std::uint64_t done = 0;
  const auto add = [&] {
    const std::uint64_t before = done;
    EXPECT_TRUE(connection
                    ->FetchAdd(welcome.grant, 0, 1, 5s,
                               [&](const Result<std::uint64_t>& word) { done += word.ok(); })
                    .ok());
    return RunUntil(*home, [&] { return done > before; });
  };
  const auto ask = [&] {
    std::optional<std::uint64_t> word;
    EXPECT_TRUE(connection
                    ->Request(OnePart("word"), kLong,
                              [&](const Result<std::span<const std::byte>>& reply) {
                                ASSERT_TRUE(reply.ok());
                                std::memcpy(&word.emplace(), reply->data(), sizeof *word);
                              })
                    .ok());
    EXPECT_TRUE(RunUntil(*home, [&] { return word.has_value(); }));
    return word.value_or(0);
  };
  const std::size_t mapped = CountMappings(kMemory);
  ASSERT_TRUE(add());
  ASSERT_TRUE(RunUntil(*home, [&] { return CountMappings(kMemory) > mapped; })) << "not lent";
  ASSERT_TRUE(add());
  ASSERT_EQ(kill(static_cast<pid_t>(welcome.pid), SIGSTOP), 0);
  std::vector<std::byte> into(4096);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(add()) << i;
  bool read = false;
  EXPECT_TRUE(
      connection
          ->Read(welcome.grant, 0, into, 5s, [&](const Status& status) { read = status.ok(); })
          .ok());
  EXPECT_TRUE(RunUntil(*home, [&] { return read; }));
  EXPECT_EQ(done, 1002U);
  ASSERT_EQ(kill(static_cast<pid_t>(welcome.pid), SIGCONT), 0);
  EXPECT_EQ(ask(), done);
}

// --- Holders that are killed ---

/// Writes all of what it is granted, again and again: each time another word everywhere.
std::string WriteUntilKilled(const Address& owner) {
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = ShmTransport::Create(*home, LargeOptions()).value();
  std::vector<std::uint64_t> words(kWords);
  Grant grant;
  ConnectionPtr connection;
  std::function<void()> write = [&] {
    std::fill(words.begin(), words.end(), words[0] + 1);
    const Status begun = connection->Write(grant, 0, std::as_bytes(std::span(words)), kLong,
                                           [&](const Status& status) {
                                             if (status.ok()) write();
                                           });
    static_cast<void>(begun.ok());
  };
  Recorder service;
  service.on_message = [&](const ConnectionPtr& from, const std::string& text) {
    if (text.size() != sizeof grant) return;
    std::memcpy(&grant, text.data(), sizeof grant);
    connection = from;
    write();
  };
  if (ConnectTo(*home, *transport, owner, service) == nullptr) return "cannot connect";
  home->Run();
  return "returned";
}

int Rounds() {
  const char* const given = std::getenv("CIREIN_TEST_KILL_ROUNDS");
  return given != nullptr ? std::atoi(given) : 40;
}

TEST(ShmLoanProcessTest, AHolderThatIsKilledInTheMiddleOfAWriteBlocksNobody) {
  Random random(test::Seed());
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = ShmTransport::Create(*home, LargeOptions()).value();
  Recorder service;
  ASSERT_TRUE(transport->Listen(service).ok());
  const std::shared_ptr<Region> region = MakeMemoryRegion("r", kRegionBytes).value();
  const auto snapshot = [&] {
    std::vector<std::uint64_t> words(kWords);
    for (std::uint64_t i = 0; i < kWords; ++i) words[i] = region->LoadWord(i * 8);
    return words;
  };
  for (int round = 0; round < Rounds(); ++round) {
    SCOPED_TRACE(round);
    auto child =
        ChildProcess::Start([&transport] { return WriteUntilKilled(transport->address()); }, {})
            .value();
    ASSERT_TRUE(RunUntil(*home, [&] { return !service.connections.empty(); }));
    const auto id = transport->Register(region).value();
    const Grant grant = transport->MakeGrant(id, {0, kRegionBytes}, kAll).value();
    const std::uint64_t before = region->LoadWord(kRegionBytes - 8);
    const auto part = std::as_bytes(std::span(&grant, 1));
    ASSERT_TRUE(service.connections.front()->Send({&part, 1}).ok());
    // Several writes of which all but the first ones need no help.
    ASSERT_TRUE(RunUntil(*home, [&] {
      const std::uint64_t now = region->LoadWord(kRegionBytes - 8);
      return now != before && now > 2;
    }));
    const TimePoint until =
        RealClock::MonotonicNow() + std::chrono::microseconds(random.Below(20'000));
    while (RealClock::MonotonicNow() < until) home->RunOnce();
    const bool first = random.OneIn(2);
    if (first) {
      // It lives, and is in the middle of something: nothing comes after Revoke.
      ASSERT_TRUE(transport->Revoke(grant).ok());
      const auto seen = snapshot();
      const TimePoint later = RealClock::MonotonicNow() + 3ms;
      while (RealClock::MonotonicNow() < later) home->RunOnce();
      EXPECT_TRUE(seen == snapshot()) << "it wrote after Revoke";
      child.reset();
    } else {
      child.reset();  // Killed.
      const auto seen = snapshot();
      const TimePoint begin = RealClock::MonotonicNow();
      ASSERT_TRUE(transport->Revoke(grant).ok());
      EXPECT_LT(RealClock::MonotonicNow() - begin, 10s);
      EXPECT_TRUE(seen == snapshot());
    }
    ASSERT_TRUE(transport->Unregister(id).ok());
    ASSERT_TRUE(RunUntil(*home, [&] { return !service.closed.empty(); }));
    service.connections.clear();
    service.closed.clear();
    // The next one begins anew.
    for (std::uint64_t i = 0; i < kWords; ++i) region->StoreWord(i * 8, 0);
  }
}

// --- Holders that stop, or die, half way through a write ---

// Of a child: a page of what it writes cannot be read, so that the write gets no further.
constexpr std::size_t kTrapBytes = 4096;
std::byte* trap = nullptr;
int at_trap = 0;  // The signal that it gives itself there.

extern "C" void OnTrap(int /*signal*/) {
  raise(at_trap);
  // It goes on, and so does the write.
  mprotect(trap, kTrapBytes, PROT_READ | PROT_WRITE);
}

/// Writes all of what it is granted, in a mapping, and gets itself a signal in the middle of it.
std::string WriteHalf(const Address& owner, int signal, std::size_t page) {
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = ShmTransport::Create(*home, LargeOptions()).value();
  void* const memory =
      mmap(nullptr, kRegionBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return "no memory";
  const std::span<std::byte> bytes(static_cast<std::byte*>(memory), kRegionBytes);
  std::memset(bytes.data(), 1, bytes.size());
  Recorder service;
  const ConnectionPtr connection = ConnectTo(*home, *transport, owner, service);
  if (connection == nullptr) return "cannot connect";
  if (!RunUntil(*home, [&] { return !service.messages.empty(); })) return "no grant";
  Grant grant;
  std::memcpy(&grant, service.messages.front().data(), sizeof grant);
  const std::size_t mapped = CountMappings(kMemory);
  const auto pid = std::to_string(getpid());
  int done = 0;
  static_cast<void>(connection->Read(grant, 0, {}, kLong, [&](const auto&) { ++done; }).ok());
  static_cast<void>(connection->Request(OnePart(pid), kLong, [&](const auto&) { ++done; }).ok());
  if (!RunUntil(*home, [&] { return done == 2; })) return "no answer";
  if (!RunUntil(*home, [&] { return CountMappings(kMemory) > mapped; })) return "not lent";
  at_trap = signal;
  trap = bytes.data() + page;
  struct sigaction action {};
  action.sa_handler = OnTrap;
  sigaction(SIGSEGV, &action, nullptr);
  mprotect(trap, kTrapBytes, PROT_NONE);
  // Done when it returns, or never.
  static_cast<void>(connection->Write(grant, 0, bytes, kLong, [](const auto&) {}).ok());
  home->Run();
  return "returned";
}

class ShmLoanHalfTest : public testing::Test {
 protected:
  /// A child that has written half of the region, when `signal` has stopped or ended it.
  void Begin(int signal, std::chrono::nanoseconds revoke_max) {
    ShmOptions options = LargeOptions();
    options.revoke_max = revoke_max;
    transport_ = ShmTransport::Create(*home_, options).value();
    ASSERT_TRUE(transport_->Listen(service_).ok());
    // Somewhere in the middle half.
    const std::size_t page = kRegionBytes / 4 / 4096 + random_.Below(kRegionBytes / 2 / 4096);
    child_ = ChildProcess::Start(
                 [&] { return WriteHalf(transport_->address(), signal, page * 4096); }, {})
                 .value();
    ASSERT_TRUE(RunUntil(*home_, [&] { return !service_.connections.empty(); }));
    std::shared_ptr<Region> region = MakeMemoryRegion("r", kRegionBytes).value();
    region_ = region;
    memory_ = transport_->Register(region).value();
    grant_ = transport_->MakeGrant(memory_, {0, kRegionBytes}, kAll).value();
    ASSERT_TRUE(
        service_.connections.front()->Send(OnePart(std::as_bytes(std::span(&grant_, 1)))).ok());
    ASSERT_TRUE(RunUntil(*home_, [&] { return !service_.asked.empty(); }));
    const pid_t pid = std::stoi(service_.asked.front().text);
    siginfo_t info{};
    constexpr int kWhat = WSTOPPED | WEXITED | WNOWAIT | WNOHANG;
    ASSERT_TRUE(RunUntil(*home_, [&] {
      return waitid(P_PID, static_cast<id_t>(pid), &info, kWhat) == 0 && info.si_pid == pid;
    }));
    ASSERT_EQ(info.si_status, signal);
    pid_ = pid;
    // A copy may begin at either end, and leave the very ends for last.
    const std::uint64_t low = kRegionBytes / 8;
    const std::uint64_t high = kRegionBytes / 8 * 7;
    missing_ = WordAt(low) == 0 ? low : high;
    EXPECT_EQ(WordAt(missing_), 0U) << "it has written all";
    EXPECT_EQ(WordAt(low + high - missing_), 0x0101'0101'0101'0101U) << "it has written nothing";
  }
  ~ShmLoanHalfTest() override {
    service_.connections.clear();
    transport_.reset();
  }
  /// The memory has gone when nobody holds it.
  std::uint64_t WordAt(std::uint64_t offset) const {
    const auto region = region_.lock();
    return region != nullptr ? region->LoadWord(offset) : 0;
  }

  Random random_{test::Seed()};
  const std::unique_ptr<Reactor> home_ = Reactor::Create(RealClock::Instance()).value();
  Recorder service_;
  std::unique_ptr<ShmTransport> transport_;
  std::unique_ptr<ChildProcess> child_;
  pid_t pid_ = 0;
  std::weak_ptr<Region> region_;
  std::uint64_t missing_ = 0;  // Where it has yet to write.
  Transport::MemoryId memory_ = 0;
  Grant grant_;
};

TEST_F(ShmLoanHalfTest, OneThatIsKilledBlocksNobody) {
  Begin(SIGKILL, 30s);
  const TimePoint begin = RealClock::MonotonicNow();
  EXPECT_TRUE(transport_->Revoke(grant_).ok());
  EXPECT_TRUE(transport_->Unregister(memory_).ok());
  EXPECT_LT(RealClock::MonotonicNow() - begin, 10s);
  EXPECT_TRUE(region_.expired());
  EXPECT_TRUE(RunUntil(*home_, [&] { return !service_.closed.empty(); }));
}

TEST_F(ShmLoanHalfTest, OneThatIsStoppedIsNotForgottenWithItsConnection) {
  Begin(SIGSTOP, 20ms);
  service_.connections.front()->Close();
  ASSERT_TRUE(RunUntil(*home_, [&] { return transport_->quarantined() == 1; }));
  EXPECT_EQ(transport_->Revoke(grant_).code(), StatusCode::kUnavailable);
  EXPECT_EQ(transport_->Unregister(memory_).code(), StatusCode::kUnavailable);
  // It has not written the rest, and it does.
  const auto region = region_.lock();
  ASSERT_NE(region, nullptr) << "its memory could be another's by now";
  EXPECT_EQ(region->LoadWord(missing_), 0U);
  ASSERT_EQ(kill(pid_, SIGCONT), 0);
  EXPECT_TRUE(RunUntil(*home_, [&] { return transport_->quarantined() == 0; }));
  EXPECT_EQ(region->LoadWord(missing_), 0x0101'0101'0101'0101U);
  EXPECT_EQ(region.use_count(), 1);
}

TEST_F(ShmLoanHalfTest, OneThatIsStoppedAndThenKilledIsLetGo) {
  Begin(SIGSTOP, 20ms);
  EXPECT_EQ(transport_->Unregister(memory_).code(), StatusCode::kUnavailable);
  service_.asked.clear();
  service_.connections.front()->Close();
  ASSERT_TRUE(RunUntil(*home_, [&] { return service_.connections.front().use_count() == 1; }));
  EXPECT_EQ(transport_->quarantined(), 1U);
  EXPECT_FALSE(region_.expired());
  child_.reset();
  EXPECT_TRUE(RunUntil(*home_, [&] { return transport_->quarantined() == 0; }));
  EXPECT_TRUE(region_.expired());
}

// --- Grants that are taken back under load ---

TEST(ShmLoanThreadsTest, NothingTakesEffectAfterRevoke) {
  Random random(test::Seed());
  struct Peer {
    Recorder service;
    std::unique_ptr<ReactorThread> home;
    std::unique_ptr<ShmTransport> transport;
  };
  Peer owner;
  Peer holder;
  const auto on_home = [](Peer& peer, const std::function<void()>& work) {
    Notification done;
    ASSERT_TRUE(peer.home->reactor()
                    .Post([&] {
                      work();
                      done.Notify();
                    })
                    .ok());
    ASSERT_TRUE(done.WaitUntil(RealClock::MonotonicNow() + kLong));
  };
  for (Peer* peer : {&owner, &holder}) {
    peer->home = ReactorThread::Start(RealClock::Instance()).value();
    on_home(*peer, [peer] {
      peer->transport = ShmTransport::Create(peer->home->reactor(), LargeOptions()).value();
    });
  }
  ASSERT_TRUE(owner.transport->Listen(owner.service).ok());
  ConnectionPtr connection;
  Notification connected;
  ASSERT_TRUE(holder.transport
                  ->Connect(owner.transport->address(), holder.service, kLong,
                            [&](Result<ConnectionPtr> made) {
                              connection = *made;
                              connected.Notify();
                            })
                  .ok());
  ASSERT_TRUE(connected.WaitUntil(RealClock::MonotonicNow() + kLong));
  const std::shared_ptr<Region> region = MakeMemoryRegion("r", 4096).value();
  const auto id = owner.transport->Register(region).value();
  const auto make = [&] { return owner.transport->MakeGrant(id, {0, 4096}, kAll).value(); };
  // The numbers of a grant, for the thread that uses it.
  std::mutex mutex;
  Grant used = make();
  std::atomic<bool> ends{false};
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> called{0};
  std::atomic<std::uint64_t> added{0};
  std::thread user([&] {
    while (!ends) {
      Grant grant;
      {
        const std::lock_guard lock(mutex);
        grant = used;
      }
      const Status status =
          connection->FetchAdd(grant, 0, 1, kLong, [&](const Result<std::uint64_t>& word) {
            added += word.ok();
            EXPECT_TRUE(word.ok() || word.code() == StatusCode::kPermissionDenied);
            ++called;
          });
      if (status.ok()) ++begun;
      if (!status.ok()) std::this_thread::yield();
    }
  });
  for (int round = 0; round < 300; ++round) {
    const TimePoint until =
        RealClock::MonotonicNow() + std::chrono::microseconds(random.Below(1500));
    while (RealClock::MonotonicNow() < until) std::this_thread::yield();
    Grant gone;
    {
      const std::lock_guard lock(mutex);
      gone = used;
    }
    ASSERT_TRUE(owner.transport->Revoke(gone).ok());
    const std::uint64_t seen = region->LoadWord(0);
    const TimePoint later =
        RealClock::MonotonicNow() + std::chrono::microseconds(random.Below(300));
    while (RealClock::MonotonicNow() < later) std::this_thread::yield();
    EXPECT_EQ(region->LoadWord(0), seen) << "it took effect after Revoke";
    const std::lock_guard lock(mutex);
    used = make();
  }
  ends = true;
  user.join();
  const TimePoint end = RealClock::MonotonicNow() + kLong;
  while (called < begun && RealClock::MonotonicNow() < end) std::this_thread::yield();
  EXPECT_EQ(called, begun);
  EXPECT_EQ(region->LoadWord(0), added);
  EXPECT_GT(added, 300U);
  connection.reset();
  for (Peer* peer : {&holder, &owner}) {
    on_home(*peer, [peer] { peer->transport.reset(); });
    peer->home->Stop();
  }
}

}  // namespace
}  // namespace cirein::fabric
