// SPDX-License-Identifier: Apache-2.0

// Memory that is lent over shared memory, and what one can do about it who knows the secret and
// breaks the rules.

#include <array>
#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "fabric/conformance.h"
#include "fabric/packet/handshake_messages.h"
#include "fabric/shm/handshake.h"
#include "fabric/shm/loan.h"
#include "fabric/shm/shm_transport.h"
#include "fabric/shm_fabric.h"
#include "region/memory_region.h"
#include "runtime/entropy.h"
#include "runtime/reactor.h"
#include "runtime/virtual_clock.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

/// An owner, and somebody who says what it likes over the socket of its connection.
class ShmLoanInsiderTest : public testing::Test {
 protected:
  ShmLoanInsiderTest() : home_(Reactor::Create(clock_).value()) { Begin(30s); }
  void Begin(std::chrono::nanoseconds revoke_max) {
    ShmOptions options = ShmFabric::SmallOptions();
    options.limits.grants_max = 256;
    options.revoke_max = revoke_max;
    owner_ = ShmTransport::Create(*home_, options).value();
    EXPECT_TRUE(owner_->Listen(service_).ok());
    terms_ = {.introduction = {.address = "shm://@insider", .secret = "", .limits = options.limits},
              .ring_bytes = options.ring_bytes};
    memory_ = owner_->Register(region_).value();
  }
  ~ShmLoanInsiderTest() override { owner_.reset(); }

  void RunRounds() {
    for (int i = 0; i < 100; ++i) home_->RunOnce();
  }
  void Enter() {
    handshake_ =
        Handshake::Connect(*home_, terms_, owner_->address(), entropy_,
                           [this](Result<Agreement> made) { agreement_ = std::move(*made); })
            .value();
    RunRounds();
    ASSERT_TRUE(agreement_.has_value());
  }
  struct Answer {
    ControlSocket::Got got;
    LoanMessage message;
    std::vector<FileDescriptor> descriptors;
  };
  void Say(const LoanMessage& message, std::span<const int> descriptors = {}) {
    static_cast<void>(agreement_->socket.Send(BytesOf(message), descriptors).ok());
    RunRounds();
  }
  Answer Hear() {
    Answer answer{};
    auto received =
        agreement_->socket.Receive(std::as_writable_bytes(std::span(&answer.message, 1)));
    answer.got = received.got;
    answer.descriptors = std::move(received.descriptors);
    return answer;
  }
  Answer Ask(const Grant& grant) {
    Say({.kind = LoanKind::kAsk, .grant = grant.id, .key = grant.key});
    return Hear();
  }
  bool HasEnded() { return Hear().got == ControlSocket::Got::kEnd; }
  Grant MakeGrant(Access access) {
    return owner_->MakeGrant(memory_, {0, region_->size()}, access).value();
  }
  /// Nobody but the owner holds it.
  struct Lone {
    std::weak_ptr<Region> region;
    Transport::MemoryId memory = 0;
    Grant grant;
  };
  Lone MakeLone() {
    const std::shared_ptr<Region> region = MakeMemoryRegion("lone", 4096).value();
    const auto memory = owner_->Register(region).value();
    return {region, memory, owner_->MakeGrant(memory, {0, 4096}, kAll).value()};
  }
  /// Is lent it, and begins an operation that does not end.
  std::atomic_ref<std::uint32_t> BeginOperation(const Grant& grant) {
    const Answer answer = Ask(grant);
    EXPECT_EQ(answer.message.kind, LoanKind::kLend);
    LoanLine& line = agreement_->segment->loan(1, answer.message.line);
    std::atomic_ref<std::uint32_t>(line.in_use).store(1);
    return std::atomic_ref<std::uint32_t>(line.in_use);
  }
  void EndConnection() {
    service_.connections.back()->Close();
    RunRounds();
    while (Hear().got == ControlSocket::Got::kMessage) {
    }
    EXPECT_TRUE(HasEnded());
  }
  /// Time for the owner to look after what is in quarantine.
  void Pass() {
    clock_.Advance(1s);
    RunRounds();
  }

  VirtualClock clock_;
  std::unique_ptr<Reactor> home_;
  Entropy entropy_ = Entropy::FromSystem();
  Recorder service_;
  HandshakeTerms terms_;
  std::unique_ptr<ShmTransport> owner_;
  const std::shared_ptr<Region> region_ = MakeMemoryRegion("r", 4096).value();
  Transport::MemoryId memory_ = 0;
  std::unique_ptr<ConnectionAttempt> handshake_;
  std::optional<Agreement> agreement_;
};

TEST_F(ShmLoanInsiderTest, OnlyWhatWasGrantedIsLent) {
  Enter();
  const std::size_t descriptors = CountDescriptors();
  const Grant grant = MakeGrant(kAll);
  Grant wrong_key = grant;
  wrong_key.key ^= 1;
  Grant unknown = grant;
  unknown.id += 7;
  const Grant part = owner_->MakeGrant(memory_, {8, 4088}, kAll).value();
  const Grant revoked = MakeGrant(kAll);
  ASSERT_TRUE(owner_->Revoke(revoked).ok());
  for (const Grant& one : {wrong_key, unknown, part, revoked, Grant{}, MakeGrant(Access::kWrite)}) {
    for (int twice = 0; twice < 2; ++twice) {
      const Answer answer = Ask(one);
      EXPECT_EQ(answer.got, ControlSocket::Got::kMessage);
      EXPECT_EQ(answer.message.kind, LoanKind::kRefuse);
      EXPECT_EQ(answer.message.grant, one.id);
      EXPECT_TRUE(answer.descriptors.empty());
    }
  }
  const Answer answer = Ask(grant);
  EXPECT_EQ(answer.message.kind, LoanKind::kLend);
  EXPECT_EQ(answer.message.bytes, 4096U);
  ASSERT_EQ(answer.descriptors.size(), 1U);
  EXPECT_EQ(fcntl(answer.descriptors[0].get(), F_GETFL) & O_ACCMODE, O_RDWR);
  {
    const Answer to_read = Ask(MakeGrant(Access::kRead));
    ASSERT_EQ(to_read.descriptors.size(), 1U);
    EXPECT_EQ(fcntl(to_read.descriptors[0].get(), F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, to_read.descriptors[0].get(), 0),
              MAP_FAILED);
  }
  EXPECT_EQ(CountDescriptors(), descriptors + 1) << "the one that it was given";
}

TEST_F(ShmLoanInsiderTest, WhoAsksForTooMuchIsRefused) {
  Enter();
  const std::size_t descriptors = CountDescriptors();
  for (unsigned i = 0; i < kLoansMax + 20; ++i) {
    const Answer answer = Ask(MakeGrant(kAll));
    ASSERT_EQ(answer.got, ControlSocket::Got::kMessage);
    EXPECT_EQ(answer.message.kind, i < kLoansMax ? LoanKind::kLend : LoanKind::kRefuse);
  }
  EXPECT_EQ(CountDescriptors(), descriptors);
  // It never answers when they are withdrawn: they are not lent again.
  ASSERT_TRUE(owner_->Unregister(memory_).ok());
  RunRounds();
  for (unsigned i = 0; i < kLoansMax; ++i) EXPECT_EQ(Hear().message.kind, LoanKind::kWithdraw);
  EXPECT_EQ(Hear().got, ControlSocket::Got::kNothing);
  memory_ = owner_->Register(region_).value();
  EXPECT_EQ(Ask(MakeGrant(kAll)).message.kind, LoanKind::kRefuse);
}

TEST_F(ShmLoanInsiderTest, WhatItsSocketHasNoRoomForIsSaidLater) {
  Enter();
  const Grant lent = MakeGrant(kAll);
  ASSERT_EQ(Ask(lent).message.kind, LoanKind::kLend);
  // More than a socket takes at first, less than is kept for it.
  constexpr std::uint64_t kAsks = 600;
  for (std::uint64_t i = 0; i < kAsks; ++i) {
    Say({.kind = LoanKind::kAsk, .grant = 1'000'000 + i, .key = 1});
  }
  ASSERT_TRUE(owner_->Revoke(lent).ok());
  RunRounds();
  for (std::uint64_t i = 0; i < kAsks; ++i) {
    const Answer answer = Hear();
    ASSERT_EQ(answer.got, ControlSocket::Got::kMessage) << i;
    ASSERT_EQ(answer.message.kind, LoanKind::kRefuse);
    ASSERT_EQ(answer.message.grant, 1'000'000 + i);
    RunRounds();
  }
  const Answer answer = Hear();
  ASSERT_EQ(answer.got, ControlSocket::Got::kMessage);
  EXPECT_EQ(answer.message.kind, LoanKind::kWithdraw);
  EXPECT_EQ(answer.message.grant, lent.id);
  EXPECT_EQ(Hear().got, ControlSocket::Got::kNothing);
  // Nor is it told that there is room for what is not there.
  EXPECT_EQ(home_->RunUntilIdle(), 0U);
}

TEST_F(ShmLoanInsiderTest, WhoAsksAndReadsNoAnswerIsLeft) {
  Enter();
  const std::size_t descriptors = CountDescriptors();
  const Grant grant = MakeGrant(Access::kWrite);
  for (int i = 0; i < 100'000 && service_.closed.empty(); ++i) {
    const LoanMessage ask{.kind = LoanKind::kAsk, .grant = grant.id, .key = grant.key};
    static_cast<void>(agreement_->socket.Send(BytesOf(ask), {}).ok());
    home_->RunOnce();
  }
  EXPECT_EQ(service_.closed.size(), 1U) << "what it is to hear is kept without end";
  EXPECT_LT(CountDescriptors(), descriptors);
}

TEST_F(ShmLoanInsiderTest, WhatMakesNoSenseEndsTheConnection) {
  const Grant grant = MakeGrant(kAll);
  const LoanMessage ask{.kind = LoanKind::kAsk, .grant = grant.id, .key = grant.key};
  LoanMessage other_magic = ask;
  other_magic.magic ^= 1;
  const FileDescriptor file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::array<int, 3> files = {file.get(), file.get(), file.get()};
  const std::string longer(sizeof ask + 1, 'x');
  using Attack = std::function<void()>;
  const auto send = [&](std::span<const std::byte> bytes, std::span<const int> descriptors = {}) {
    static_cast<void>(agreement_->socket.Send(bytes, descriptors).ok());
    RunRounds();
  };
  const std::vector<Attack> attacks = {
      [&] { send(Bytes("x")); },
      [&] { send(BytesOf(ask).first(sizeof ask - 1)); },
      [&] { send(Bytes(longer)); },
      [&] { Say(other_magic); },
      [&] { Say({.kind = static_cast<LoanKind>(0)}); },
      [&] { Say({.kind = static_cast<LoanKind>(6)}); },
      [&] { Say(ask, std::span(files).first(1)); },
      [&] { Say({.kind = LoanKind::kLend, .grant = grant.id, .bytes = 4096, .access = 1}, files); },
      [&] {
        Say({.kind = LoanKind::kLend, .grant = grant.id, .bytes = 4096, .access = 1},
            std::span(files).first(1));
      },
      [&] { Say({.kind = LoanKind::kRefuse, .grant = grant.id}); },
      [&] { Say({.kind = LoanKind::kWithdraw, .line = kLoansMax, .grant = grant.id}); },
      [&] { Say({.kind = LoanKind::kRelease, .grant = grant.id}); },
      [&] {
        static_cast<void>(Ask(grant));
        Say(ask);
      },
      [&] {
        static_cast<void>(Ask(grant));
        Say({.kind = LoanKind::kRelease, .line = 1, .grant = grant.id});
      },
      [&] {
        static_cast<void>(Ask(grant));
        Say({.kind = LoanKind::kRelease, .line = ~std::uint32_t{0}, .grant = grant.id});
      },
  };
  std::size_t descriptors = 0;
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    SCOPED_TRACE(i);
    Enter();
    attacks[i]();
    EXPECT_TRUE(HasEnded());
    EXPECT_EQ(service_.closed.size(), i + 1);
    agreement_.reset();
    RunRounds();
    if (i == 0) descriptors = CountDescriptors();
    EXPECT_EQ(CountDescriptors(), descriptors);
  }
  EXPECT_TRUE(owner_->Revoke(grant).ok());
}

TEST_F(ShmLoanInsiderTest, WhoNeverEndsItsOperationHoldsUpOnlyTheRevoke) {
  Enter();
  const Grant grant = MakeGrant(kAll);
  const Answer answer = Ask(grant);
  ASSERT_EQ(answer.message.kind, LoanKind::kLend);
  LoanLine& line = agreement_->segment->loan(1, answer.message.line);
  std::atomic_ref<std::uint32_t>(line.in_use).store(1);
  std::atomic<bool> revoked{false};
  std::thread revoker([&] {
    EXPECT_TRUE(owner_->Revoke(grant).ok());
    revoked = true;
  });
  // Meanwhile its home goes on, and nothing new begins.
  while (std::atomic_ref<std::uint32_t>(line.revoked).load() == 0) std::this_thread::yield();
  RunRounds();
  EXPECT_EQ(Hear().message.kind, LoanKind::kWithdraw);
  EXPECT_TRUE(owner_->MakeGrant(memory_, {0, 8}, kAll).ok());
  EXPECT_FALSE(revoked);
  std::atomic_ref<std::uint32_t>(line.in_use).store(0);
  revoker.join();
  EXPECT_TRUE(revoked);
  EXPECT_EQ(owner_->quarantined(), 0U);
}

TEST_F(ShmLoanInsiderTest, TheEndOfAConnectionEndsNoOperation) {
  Begin(20ms);
  Enter();
  const Lone lone = MakeLone();
  const auto in_use = BeginOperation(lone.grant);
  EndConnection();
  EXPECT_EQ(owner_->quarantined(), 1U);
  // It may write yet: so nobody is told that it will not.
  EXPECT_EQ(owner_->Revoke(lone.grant).code(), StatusCode::kUnavailable);
  EXPECT_EQ(owner_->Revoke(lone.grant).code(), StatusCode::kNotFound) << "it is revoked";
  EXPECT_EQ(owner_->Unregister(lone.memory).code(), StatusCode::kUnavailable);
  Pass();
  EXPECT_EQ(owner_->quarantined(), 1U);
  EXPECT_FALSE(lone.region.expired()) << "its memory could be another's by now";
  in_use.store(0);
  Pass();
  EXPECT_EQ(owner_->quarantined(), 0U);
  EXPECT_TRUE(lone.region.expired());
}

TEST_F(ShmLoanInsiderTest, UnregisterSaysWhatHasBecomeOfWhatRevokeGaveUp) {
  for (const bool ends : {false, true}) {
    SCOPED_TRACE(ends);
    Begin(20ms);
    Enter();
    const Lone lone = MakeLone();
    const auto in_use = BeginOperation(lone.grant);
    EXPECT_EQ(owner_->Revoke(lone.grant).code(), StatusCode::kUnavailable);
    EXPECT_EQ(owner_->quarantined(), 1U);
    if (ends) EndConnection();
    EXPECT_EQ(owner_->quarantined(), 1U);
    in_use.store(0);
    EXPECT_TRUE(owner_->Unregister(lone.memory).ok());
    EXPECT_EQ(owner_->quarantined(), 0U);
    EXPECT_TRUE(lone.region.expired());
  }
}

TEST_F(ShmLoanInsiderTest, TheEndOfTheTransportEndsNoOperation) {
  Enter();
  const Lone lone = MakeLone();
  const auto in_use = BeginOperation(lone.grant);
  owner_.reset();
  EXPECT_FALSE(lone.region.expired()) << "its memory could be another's by now";
  Begin(20ms);
  owner_.reset();
  EXPECT_FALSE(lone.region.expired());
  in_use.store(0);
  Begin(20ms);
  owner_.reset();
  EXPECT_TRUE(lone.region.expired()) << "nobody looks after what the ended have left";
}

TEST_F(ShmLoanInsiderTest, QuarantineIsBounded) {
  Enter();
  std::vector<std::atomic_ref<std::uint32_t>> in_use;
  for (unsigned i = 0; i < kLoansMax; ++i) in_use.push_back(BeginOperation(MakeGrant(kAll)));
  EXPECT_EQ(owner_->quarantined(), 0U);
  EndConnection();
  EXPECT_EQ(owner_->quarantined(), kLoansMax);
  // So that who comes and goes does not fill the owner.
  const auto first = std::exchange(agreement_, std::nullopt);
  Enter();
  EXPECT_EQ(Ask(MakeGrant(kAll)).message.kind, LoanKind::kRefuse);
  for (const auto& one : in_use) one.store(0);
  Pass();
  EXPECT_EQ(owner_->quarantined(), 0U);
  EXPECT_EQ(Ask(MakeGrant(kAll)).message.kind, LoanKind::kLend);
}

}  // namespace
}  // namespace cirein::fabric
