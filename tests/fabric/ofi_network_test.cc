// SPDX-License-Identifier: Apache-2.0

// libfabric between two hosts, or what stands for them: two network namespaces that a cable joins,
// which loses packets, is slow, and is cut.

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <optional>
#include <sched.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "fabric/conformance.h"
#include "fabric/ofi/ofi_transport.h"
#include "fabric/packet/handshake_messages.h"
#include "fabric/two_hosts.h"
#include "runtime/file_descriptor.h"
#include "runtime/reactor.h"
#include "runtime/real_clock.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMemoryBytes = 8U << 20;
// As long as a slow, lossy cable may take under load.
constexpr auto kVeryLong = 120s;

OfiOptions OptionsAt(const std::string& host) {
  OfiOptions options;
  options.provider = "tcp";
  options.secret = "of the test";
  options.listen.host = host;
  options.keepalive = 1s;
  options.registered_bytes_max = 32U << 20;
  options.limits = {.message_bytes_max = 64U << 10,
                    .outstanding_bytes_max = 16U << 20,
                    .outstanding_max = 128,
                    .connections_max = 8,
                    .grants_max = 16};
  return options;
}

/// Gives its memory to who connects, echoes, and says when a connection has ended.
class OtherService final : public Service {
 public:
  OtherService(const Grant& grant, int tells) : grant_(grant), tells_(tells) {}
  void Connected(const ConnectionPtr& connection) override {
    const auto bytes = std::as_bytes(std::span(&grant_, 1));
    static_cast<void>(connection->Send({&bytes, 1}).ok());
  }
  void Message(const ConnectionPtr&, std::span<const std::byte>) override {}
  void Request(const ConnectionPtr& connection, RequestId request,
               std::span<const std::byte> message) override {
    static_cast<void>(connection->Reply(request, OnePart(message)).ok());
  }
  void Closed(const ConnectionPtr&, const Status&) override {
    const char ended = 'e';
    if (write(tells_, &ended, 1) != 1) _exit(1);
  }

 private:
  const Grant grant_;
  const int tells_;
};

[[noreturn]] void LiveThere(const TwoHosts& hosts, int tells) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!hosts.Enter(1)) _exit(1);
  const auto home = Reactor::Create(RealClock::Instance()).value();
  const auto transport = OfiTransport::Create(*home, OptionsAt(TwoHosts::ip(1))).value();
  std::vector<std::uint64_t> words(kMemoryBytes / 8);
  const auto id = transport->Register(std::as_writable_bytes(std::span(words)), nullptr).value();
  OtherService service(transport->MakeGrant(id, {0, kMemoryBytes}, kAll).value(), tells);
  if (!transport->Listen(service).ok()) _exit(1);
  const FixedText address = ToFixedText(transport->address());
  if (write(tells, address.data(), address.size()) != static_cast<ssize_t>(address.size())) {
    _exit(1);
  }
  home->Run();
  _exit(1);
}

class OfiNetworkTest : public testing::Test {
 protected:
  explicit OfiNetworkTest(TwoHosts::Cable cable = TwoHosts::Cable::kVeth) : hosts_(cable) {}
  /// The cable, before anybody uses it.
  virtual void SetUpCable() {}

  void SetUp() override {
    if (!hosts_.made()) GTEST_SKIP() << "no network namespaces, or cables, can be made here";
    std::array<int, 2> pipe{};
    ASSERT_EQ(pipe2(pipe.data(), O_CLOEXEC), 0);
    // Before anything is opened, so that nothing is copied.
    other_ = fork();
    if (other_ == 0) LiveThere(hosts_, pipe[1]);
    close(pipe[1]);
    SetUpCable();
    told_ = FileDescriptor(pipe[0]);
    FixedText address{};
    ASSERT_EQ(read(told_.get(), address.data(), address.size()),
              static_cast<ssize_t>(address.size()));
    address_ = FromFixedText(address);
    ASSERT_EQ(fcntl(told_.get(), F_SETFL, O_NONBLOCK), 0);
    before_ = FileDescriptor(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(hosts_.Enter(0));
    home_ = Reactor::Create(RealClock::Instance()).value();
    transport_ = OfiTransport::Create(*home_, OptionsAt(TwoHosts::ip(0))).value();
  }
  void TearDown() override {
    transport_.reset();
    if (before_.is_open()) {
      EXPECT_EQ(setns(before_.get(), CLONE_NEWNET), 0);
    }
    if (other_ <= 0) return;
    kill(other_, SIGKILL);
    waitpid(other_, nullptr, 0);
  }

  bool RunUntil(std::chrono::nanoseconds limit, const std::function<bool()>& holds) {
    const TimePoint end = RealClock::MonotonicNow() + limit;
    while (!holds()) {
      if (RealClock::MonotonicNow() > end) return false;
      if (!home_->RunOnce()) std::this_thread::yield();
    }
    return true;
  }
  void Connect() {
    recorder_ = std::make_unique<Recorder>();
    std::optional<Result<ConnectionPtr>> result;
    ASSERT_TRUE(transport_
                    ->Connect(address_, *recorder_, 30s,
                              [&](Result<ConnectionPtr> made) { result = std::move(made); })
                    .ok());
    ASSERT_TRUE(RunUntil(kVeryLong, [&] { return result.has_value(); }));
    ASSERT_TRUE(result->ok()) << result->status().ToString();
    connection_ = **result;
    ASSERT_TRUE(RunUntil(kVeryLong, [&] { return !recorder_->messages.empty(); }));
    ASSERT_EQ(recorder_->messages.front().size(), sizeof grant_);
    std::memcpy(&grant_, recorder_->messages.front().data(), sizeof grant_);
  }
  void Pass() {
    const auto outcome = std::make_shared<Outcome>();
    const std::string text(3000, 'r');
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(connection_->Request(OnePart(text), kVeryLong, ReplyInto(outcome)).ok());
    }
    ASSERT_TRUE(RunUntil(kVeryLong, [&] { return outcome->calls == 50; }));
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    EXPECT_EQ(outcome->text, text);
    std::vector<std::byte> bytes(kMemoryBytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 >> 3);
    std::vector<std::byte> into(kMemoryBytes);
    ASSERT_TRUE(connection_->Write(grant_, 0, bytes, kVeryLong, Into(outcome)).ok());
    ASSERT_TRUE(RunUntil(kVeryLong, [&] { return outcome->calls == 51; }));
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    ASSERT_TRUE(connection_->Read(grant_, 0, into, kVeryLong, Into(outcome)).ok());
    ASSERT_TRUE(RunUntil(kVeryLong, [&] { return outcome->calls == 52; }));
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    EXPECT_TRUE(into == bytes);
    ASSERT_TRUE(connection_->FetchAdd(grant_, 0, 1, kVeryLong, WordInto(outcome)).ok());
    ASSERT_TRUE(RunUntil(kVeryLong, [&] { return outcome->calls == 53; }));
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
  }
  /// Did the other side say once more that a connection has ended?
  bool OtherWasTold() {
    char ended = 0;
    return read(told_.get(), &ended, 1) == 1;
  }

  TwoHosts hosts_;
  pid_t other_ = -1;
  FileDescriptor told_;
  FileDescriptor before_;
  Address address_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Reactor> home_;
  std::unique_ptr<OfiTransport> transport_;
  ConnectionPtr connection_;
  Grant grant_;
};

TEST_F(OfiNetworkTest, AllPassesBetweenHosts) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  Pass();
}

TEST_F(OfiNetworkTest, ASlowCableThatDropsWhatIsTooMuchCarriesAll) {
  for (const int i : {0, 1}) {
    if (!RunCommand("tc -n " + hosts_.host(i) + " qdisc add dev " + hosts_.cable(i) +
                    " root tbf rate 200mbit burst 16k limit 60k")) {
      GTEST_SKIP() << "no tc, or no tbf in this kernel";
    }
  }
  ASSERT_NO_FATAL_FAILURE(Connect());
  Pass();
  EXPECT_TRUE(recorder_->closed.empty());
  // Else it was not so slow.
  EXPECT_TRUE(RunCommand("tc -n " + hosts_.host(0) + " -s qdisc show | grep -q 'dropped [1-9]'"));
}

TEST_F(OfiNetworkTest, ACableThatLosesSomeCarriesAll) {
  for (const int i : {0, 1}) {
    const std::string rule =
        hosts_.In(i) +
        "nft 'add table ip t; add chain ip t c { type filter hook input priority 0; }; "
        "add rule ip t c numgen random mod 100 < 2 drop'";
    const std::string other = hosts_.In(i) +
                              "iptables -A INPUT -m statistic --mode random --probability 0.02 "
                              "-j DROP";
    if (!RunCommand(rule) && !RunCommand(other)) GTEST_SKIP() << "neither nft nor iptables is here";
  }
  ASSERT_NO_FATAL_FAILURE(Connect());
  Pass();
  EXPECT_TRUE(recorder_->closed.empty());
}

TEST_F(OfiNetworkTest, ACutIsToldToBothSidesAndAfterItTheyMeetAgain) {
  for (const bool is_busy : {false, true}) {
    SCOPED_TRACE(is_busy);
    ASSERT_NO_FATAL_FAILURE(Connect());
    if (!is_busy) Pass();
    const auto outcome = std::make_shared<Outcome>();
    std::vector<std::byte> bytes(kMemoryBytes);
    if (is_busy) {
      ASSERT_TRUE(connection_->Write(grant_, 0, bytes, kVeryLong, Into(outcome)).ok());
      for (int i = 0; i < 10; ++i) home_->RunOnce();
    }
    const std::string cable = hosts_.At(0) + "link set " + hosts_.cable(0);
    ASSERT_TRUE(RunCommand(cable + " down"));
    const TimePoint cut = RealClock::MonotonicNow();
    bool other_was_told = false;
    ASSERT_TRUE(RunUntil(15s,
                         [&] {
                           other_was_told = other_was_told || OtherWasTold();
                           return other_was_told && !recorder_->closed.empty();
                         }))
        << "here: " << recorder_->closed.size() << ", there: " << other_was_told;
    RecordProperty("told_after_ms", static_cast<int>((RealClock::MonotonicNow() - cut) / 1ms));
    if (is_busy) {
      EXPECT_EQ(outcome->calls, 1);
    }
    ASSERT_TRUE(RunCommand(cable + " up"));
    connection_.reset();
    ASSERT_NO_FATAL_FAILURE(Connect());
    Pass();
    connection_->Close();
    ASSERT_TRUE(RunUntil(15s, [&] { return OtherWasTold(); }));
  }
}

/// As between cities.
class OfiFarTest : public OfiNetworkTest {
 protected:
  static constexpr auto kOneWay = 15ms;
  OfiFarTest() : OfiNetworkTest(TwoHosts::Cable::kTun) {}
  void SetUpCable() override { hosts_.Relay(kOneWay); }
};

TEST_F(OfiFarTest, AllPassesToWhoIsFarAway) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  Pass();
  EXPECT_TRUE(recorder_->closed.empty());
  EXPECT_GT(hosts_.relay().carried(), 100U);
  // One there and one back, and not more: what is short takes no detour.
  const auto outcome = std::make_shared<Outcome>();
  const TimePoint begin = RealClock::MonotonicNow();
  ASSERT_TRUE(connection_->Request(OnePart("x"), kVeryLong, ReplyInto(outcome)).ok());
  ASSERT_TRUE(RunUntil(kVeryLong, [&] { return outcome->done(); }));
  const auto time = RealClock::MonotonicNow() - begin;
  EXPECT_GE(time, 2 * kOneWay);
  RecordProperty("round_trip_us", static_cast<int>(time / 1us));
}

TEST_F(OfiFarTest, WhoHasNoTimeIsToldInTime) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection_->Request(OnePart("x"), kOneWay, ReplyInto(outcome)).ok());
  ASSERT_TRUE(RunUntil(kVeryLong, [&] { return outcome->done(); }));
  EXPECT_EQ(outcome->status.code(), StatusCode::kDeadlineExceeded) << outcome->status.ToString();
  // The answer comes all the same, and is passed over.
  Pass();
  EXPECT_EQ(outcome->calls, 1);
}

}  // namespace
}  // namespace cirein::fabric
