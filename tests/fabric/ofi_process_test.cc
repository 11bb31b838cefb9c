// SPDX-License-Identifier: Apache-2.0

// libfabric in real time: homes that sleep and are woken, and processes that are killed, or
// stopped.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "fabric/conformance.h"
#include "fabric/ofi/ofi_endpoint.h"
#include "fabric/ofi/ofi_transport.h"
#include "fabric/traffic.h"
#include "runtime/notification.h"
#include "runtime/reactor.h"
#include "runtime/reactor_thread.h"
#include "runtime/real_clock.h"
#include "runtime/stream_socket.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1U << 20;

OfiOptions TestOptions() {
  OfiOptions options;
  options.provider = "tcp";
  options.secret = "of the test";
  // Little, so that what is not given back is missed soon.
  options.registered_bytes_max = 16 * kMiB;
  options.limits = {.message_bytes_max = 3 * kMiB,
                    .outstanding_bytes_max = 8 * kMiB,
                    .outstanding_max = 64,
                    .connections_max = 8,
                    .grants_max = 16};
  return options;
}

// --- Processes ---

/// What another process does, until it is killed: grants its memory to who connects, answers, and
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
    for (int i = 0; i < 4; ++i) Use(connection, theirs);
  }
  void Request(const ConnectionPtr& connection, RequestId request,
               std::span<const std::byte> message) override {
    static_cast<void>(connection->Reply(request, OnePart(message)).ok());
  }
  void Closed(const ConnectionPtr&, const Status&) override {}

 private:
  void Use(const ConnectionPtr& connection, const Grant& theirs) {
    const auto again = [this, connection, theirs](const auto& result) {
      if (result.ok()) Use(connection, theirs);
    };
    const std::span<std::byte> bytes(bytes_);
    switch (++used_ % 7) {
      case 0:
        return Ignore(connection->Write(theirs, 8, bytes.first(kMiB), kLong, again));
      case 1:
        return Ignore(connection->Read(theirs, 0, bytes.subspan(kMiB), kLong, again));
      case 2:
        Ignore(connection->Send(OnePart(bytes.first(kMiB + used_ % kMiB))));
        return Ignore(connection->FetchAdd(theirs, 0, 1, kLong, again));
      case 3:
        return Ignore(connection->CompareAndSwap(theirs, 0, {1, 2}, kLong, again));
      case 4:
        return Ignore(connection->Request(OnePart(bytes.first(kMiB + used_)), kLong, again));
      default:
        return Ignore(connection->Request(OnePart(bytes.first(used_ % 20'000)), kLong, again));
    }
  }
  static void Ignore(const Status& status) { static_cast<void>(status.ok()); }

  const Grant grant_;
  std::uint64_t used_ = 0;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(2 * kMiB);
};

/// What a new process says of itself.
struct Birth {
  pid_t pid = 0;
  FixedText address{};
};

[[noreturn]] void LiveUntilKilled(const OfiOptions& options, int tells) {
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = OfiTransport::Create(*home, options).value();
  std::vector<std::uint64_t> words(3 * kMiB / 8);
  const auto id = transport->Register(std::as_writable_bytes(std::span(words)), nullptr).value();
  RestlessService service(transport->MakeGrant(id, {0, 3 * kMiB}, kAll).value());
  const Birth birth{.pid = getpid(), .address = ToFixedText(transport->address())};
  if (!transport->Listen(service).ok()) _exit(1);
  if (write(tells, &birth, sizeof birth) != sizeof birth) _exit(1);
  home->Run();
  _exit(1);
}

/// Makes processes that live until they are killed, all in the same way. It is a process itself,
/// begun before this one has opened anything: neither libfabric nor a peer's socket is copied.
class Nursery {
 public:
  explicit Nursery(const OfiOptions& options) {
    if (pipe(asks_.data()) != 0 || pipe(tells_.data()) != 0) return;
    pid_ = fork();
    if (pid_ == 0) Serve(options);
    close(asks_[0]);
    close(tells_[1]);
  }
  ~Nursery() {
    // Its children end with it.
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(asks_[1]);
    close(tells_[0]);
  }
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  /// Blocks until it listens.
  Birth Make() {
    Birth birth;
    const char ask = 'f';
    EXPECT_EQ(write(asks_[1], &ask, 1), 1);
    EXPECT_EQ(read(tells_[0], &birth, sizeof birth), static_cast<ssize_t>(sizeof birth));
    return birth;
  }

 private:
  [[noreturn]] void Serve(const OfiOptions& options) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);  // NOLINT: nobody waits for them
    close(asks_[1]);
    char ask = 0;
    while (read(asks_[0], &ask, 1) == 1) {
      if (fork() != 0) continue;
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(asks_[0]);
      LiveUntilKilled(options, tells_[1]);
    }
    _exit(0);
  }

  std::array<int, 2> asks_{-1, -1};
  std::array<int, 2> tells_{-1, -1};
  pid_t pid_ = -1;
};

int Rounds() {
  const char* const given = std::getenv("CIREIN_TEST_KILL_ROUNDS");
  return given != nullptr ? std::atoi(given) : 8;
}

std::size_t CountDescriptors() {
  std::size_t count = 0;
  DIR* const directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

std::size_t RandomSize(Random& random) {
  std::size_t bytes = random.Below(100);
  if (random.OneIn(4)) bytes = random.Below(40'000);
  if (random.OneIn(16)) bytes = kMiB + random.Below(2 * kMiB);
  return bytes;
}

/// A process that goes on while others are killed; one of them stays.
class OfiKillTest : public testing::Test {
 protected:
  OfiKillTest() : nursery_(TestOptions()), home_(Reactor::Create(RealClock::Instance()).value()) {
    transport_ = OfiTransport::Create(*home_, TestOptions()).value();
    const auto id =
        transport_->Register(std::as_writable_bytes(std::span(words_)), nullptr).value();
    own_ = transport_->MakeGrant(id, {0, words_.size() * 8}, kAll).value();
    steady_ = Meet(nursery_.Make(), steady_recorder_, steady_grant_);
  }

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
  /// A connection to a new process, and the grant that it gives.
  ConnectionPtr Meet(const Birth& birth, Recorder& recorder, Grant& theirs) {
    const auto made = Connect(FromFixedText(birth.address), recorder);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    if (!made.ok()) return nullptr;
    recorder.on_message = [&recorder](const auto&, const auto&) {
      if (recorder.messages.size() > 1) recorder.messages.pop_back();
    };
    EXPECT_TRUE(RunUntil([&] { return !recorder.messages.empty(); }));
    EXPECT_EQ(recorder.messages.front().size(), sizeof theirs);
    std::memcpy(&theirs, recorder.messages.front().data(), sizeof theirs);
    return *made;
  }
  /// What only works with room for what is shown and for what is read.
  void ExpectSteady() {
    const auto outcome = std::make_shared<Outcome>();
    ASSERT_TRUE(steady_->Request(OnePart("x"), kLong, ReplyInto(outcome)).ok());
    ASSERT_TRUE(steady_->Write(steady_grant_, 0, long_, kLong, Into(outcome)).ok());
    ASSERT_TRUE(steady_->Read(steady_grant_, 0, long_, kLong, Into(outcome)).ok());
    ASSERT_TRUE(RunUntil([&] { return outcome->calls == 3; }));
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    EXPECT_EQ(outcome->text, "x");
  }

  Nursery nursery_;  // First: it is a copy of a process that has nothing open.
  std::vector<std::byte> long_ = std::vector<std::byte>(3 * kMiB);
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(3 * kMiB / 8);
  Recorder steady_recorder_;
  std::unique_ptr<Reactor> home_;
  std::unique_ptr<OfiTransport> transport_;
  ConnectionPtr steady_;
  Grant steady_grant_;
  Grant own_;
};

TEST_F(OfiKillTest, WhoIsLeftGoesOnAndNothingStays) {
  Random random(test::Seed());
  std::size_t descriptors = 0;
  int begun = 0;
  for (int round = 0; round < Rounds(); ++round) {
    SCOPED_TRACE(round);
    const Birth victim = nursery_.Make();
    Recorder recorder;
    Grant theirs;
    const ConnectionPtr connection = Meet(victim, recorder, theirs);
    ASSERT_NE(connection, nullptr);
    const auto own = std::as_bytes(std::span(&own_, 1));
    ASSERT_TRUE(connection->Send({&own, 1}).ok());
    recorder.on_request = [&recorder](const Recorder::Asked& asked) {
      static_cast<void>(asked.connection->Reply(asked.request, OnePart(asked.text)).ok());
      recorder.asked.clear();
    };
    Traffic traffic(connection, theirs, {.most = 3 * kMiB, .draw = RandomSize});
    for (std::uint64_t left = random.Below(600); left > 0; --left) {
      traffic.BeginSome(random);
      home_->RunOnce();
    }
    ASSERT_EQ(kill(victim.pid, SIGKILL), 0);
    // Everything that waited is told, then the end; and the others go on.
    ASSERT_TRUE(RunUntil([&] { return !recorder.closed.empty(); }));
    EXPECT_TRUE(traffic.all_ended());
    EXPECT_EQ(connection->Send(OnePart("x")).code(), StatusCode::kUnavailable);
    EXPECT_EQ(Connect(FromFixedText(victim.address), recorder).code(), StatusCode::kUnavailable);
    ASSERT_NO_FATAL_FAILURE(ExpectSteady());
    EXPECT_EQ(recorder.closed.size(), 1U);
    begun += traffic.begun();
    if (round == 0) descriptors = CountDescriptors();
    ASSERT_TRUE(RunUntil([&] { return CountDescriptors() <= descriptors; }))
        << CountDescriptors() << " descriptors, " << descriptors << " before";
  }
  EXPECT_GT(begun, 0);
  EXPECT_TRUE(steady_recorder_.closed.empty());
}

TEST_F(OfiKillTest, WhoSleepsIsWaitedFor) {
  OfiOptions options = TestOptions();
  options.keepalive = 1s;
  transport_.reset();
  transport_ = OfiTransport::Create(*home_, options).value();
  Recorder recorder;
  Grant theirs;
  const Birth sleeper = nursery_.Make();
  const ConnectionPtr connection = Meet(sleeper, recorder, theirs);
  ASSERT_NE(connection, nullptr);
  ASSERT_EQ(kill(sleeper.pid, SIGSTOP), 0);
  const auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->Request(OnePart("x"), kLong, ReplyInto(outcome)).ok());
  ASSERT_TRUE(connection->Write(theirs, 0, long_, kLong, Into(outcome)).ok());
  // Longer than anybody is waited for who is gone.
  const TimePoint until = RealClock::MonotonicNow() + 2500ms;
  RunUntil([&] { return RealClock::MonotonicNow() > until; });
  EXPECT_FALSE(outcome->done());
  EXPECT_TRUE(recorder.closed.empty());
  ASSERT_EQ(kill(sleeper.pid, SIGCONT), 0);
  ASSERT_TRUE(RunUntil([&] { return outcome->calls == 2; }));
  EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
  EXPECT_EQ(outcome->text, "x");
  EXPECT_TRUE(recorder.closed.empty());
}

TEST_F(OfiKillTest, AHalfOpenSocketIsNoConnection) {
  // It listens, and who connects to it says nothing, or half of something, and then ends its half.
  Recorder service;
  ASSERT_TRUE(transport_->Listen(service).ok());
  const std::size_t descriptors = CountDescriptors();
  const StreamAddress at = StreamAddressIn(transport_->address()).value();
  for (const std::string& said : {std::string(), std::string(3, 'x'), std::string(20, 'x')}) {
    StreamSocket socket = ConnectStream(at).value();
    const auto bytes = Bytes(said);
    if (!bytes.empty()) static_cast<void>(socket.Send({&bytes, 1}));
    ControlStream stream(std::move(socket));
    stream.HalfClose();
    EXPECT_TRUE(RunUntil([&] {
      const auto received = stream.Receive();
      return !received.ok() || received->got == ControlStream::Got::kEnd;
    }));
  }
  EXPECT_TRUE(RunUntil([&] { return CountDescriptors() == descriptors; }));
  EXPECT_TRUE(service.connections.empty());
  ExpectSteady();
}

}  // namespace
}  // namespace cirein::fabric
