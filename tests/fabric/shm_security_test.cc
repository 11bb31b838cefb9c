// SPDX-License-Identifier: Apache-2.0

// What a process over shared memory does with one who is not what it should be.

#include <array>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "fabric/conformance.h"
#include "fabric/packet/handshake_messages.h"
#include "fabric/shm/handshake.h"
#include "fabric/shm/loan.h"
#include "fabric/shm/ring.h"
#include "fabric/shm/segment.h"
#include "fabric/shm/shm_connection.h"
#include "fabric/shm/shm_transport.h"
#include "fabric/shm_fabric.h"
#include "runtime/entropy.h"
#include "runtime/reactor.h"
#include "runtime/virtual_clock.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

/// A transport that listens, with a good connection to it, and room for one who is not good. All on
/// one home.
class ShmSecurityTest : public testing::Test {
 protected:
  ShmSecurityTest() : home_(Reactor::Create(clock_).value()) {
    options_ = ShmFabric::SmallOptions();
    options_.secret = "right";
    listener_ = ShmTransport::Create(*home_, options_).value();
    EXPECT_TRUE(listener_->Listen(service_).ok());
    good_ = TryConnect("right").value();
  }
  ~ShmSecurityTest() override {
    // Whatever was done: nobody else was disturbed.
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE(good_->Request(OnePart("x"), 1s, ReplyInto(outcome)).ok());
    RunRounds();
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    EXPECT_EQ(outcome->text, "x");
    others_.clear();
    listener_.reset();
  }

  /// What an attack begins may go on for as long as it likes.
  void RunRounds() {
    for (int i = 0; i < 300; ++i) home_->RunOnce();
  }
  void Pass(std::chrono::nanoseconds time) {
    clock_.Advance(time);
    RunRounds();
  }

  Result<ConnectionPtr> TryConnect(const std::string& secret) {
    ShmOptions options = ShmFabric::SmallOptions();
    options.secret = secret;
    return TryConnect(std::move(options), listener_->address());
  }
  Result<ConnectionPtr> TryConnect(ShmOptions options, const Address& to) {
    others_.push_back(ShmTransport::Create(*home_, std::move(options)).value());
    auto result = std::make_shared<std::optional<Result<ConnectionPtr>>>();
    CIREIN_RETURN_IF_ERROR(others_.back()->Connect(
        to, other_service_, 10s,
        [result](Result<ConnectionPtr> made) { *result = std::move(made); }));
    RunRounds();
    return result->has_value() ? **result : Internal("no callback");
  }
  /// A socket to the listener that was told nothing yet.
  ControlSocket OpenSocket() {
    return ControlSocket::Connect(SocketNameIn(listener_->address()).value()).value();
  }
  /// What the listener says to one who says this; kEnd when it ends the socket.
  ControlSocket::Received Say(ControlSocket& socket, std::span<const std::byte> bytes,
                              std::span<std::byte> answer) {
    if (!bytes.empty()) static_cast<void>(socket.Send(bytes, {}).ok());
    RunRounds();
    return socket.Receive(answer);
  }
  HelloMessage MakeHello() const {
    HelloMessage hello;
    hello.message_bytes_max = options_.limits.message_bytes_max;
    hello.outstanding_bytes_max = options_.limits.outstanding_bytes_max;
    hello.outstanding_max = options_.limits.outstanding_max;
    hello.address = ToFixedText("shm://@nobody");
    return hello;
  }

  /// One who knows the secret, and then does what it likes with the memory.
  struct Insider {
    HandshakeTerms terms;
    std::unique_ptr<ConnectionAttempt> handshake;
    std::optional<Agreement> agreement;
    std::optional<RingWriter> writer;
    void Put(PacketCode kind, std::uint64_t number, std::span<const std::byte> bytes,
             std::optional<std::uint64_t> says = std::nullopt) {
      const OnePart part(bytes);
      PacketCursor cursor({.kind = static_cast<std::uint8_t>(kind),
                           .status = 0,
                           .number = number,
                           .bytes = bytes.size(),
                           .word = 0},
                          part);
      const std::uint64_t at = writer->tail() % agreement->segment->ring(0).size();
      ASSERT_TRUE(writer->Write(cursor));
      if (!says) return;
      std::memcpy(agreement->segment->ring(0).data() + at + 16, &*says, sizeof *says);
    }
  };
  std::unique_ptr<Insider> Enter() {
    auto insider = std::make_unique<Insider>();
    insider->terms = {
        .introduction = {.address = "shm://@insider", .secret = "right", .limits = options_.limits},
        .ring_bytes = options_.ring_bytes};
    Insider* const raw = insider.get();
    insider->handshake =
        Handshake::Connect(*home_, insider->terms, listener_->address(), entropy_,
                           [raw](Result<Agreement> made) { raw->agreement = std::move(*made); })
            .value();
    RunRounds();
    Segment& segment = *insider->agreement->segment;
    insider->writer.emplace(segment.ring(0), segment.control(0));
    return insider;
  }
  void ExpectEnded(const Insider& insider) {
    const std::size_t before = service_.closed.size();
    RunRounds();
    EXPECT_EQ(service_.closed.size(), before + 1);
    std::array<std::byte, 8> answer{};
    EXPECT_EQ(const_cast<ControlSocket&>(insider.agreement->socket).Receive(answer).got,
              ControlSocket::Got::kEnd);
  }

  VirtualClock clock_;
  std::unique_ptr<Reactor> home_;
  Entropy entropy_ = Entropy::FromSystem();
  Recorder service_;
  Recorder other_service_;
  ShmOptions options_;
  std::unique_ptr<ShmTransport> listener_;
  std::vector<std::unique_ptr<ShmTransport>> others_;
  ConnectionPtr good_;
};

TEST_F(ShmSecurityTest, OnlyWhoKnowsTheSecretComesIn) {
  const std::size_t before = service_.connections.size();
  for (const char* secret : {"wrong", "", "righ", "right "}) {
    const auto made = TryConnect(secret);
    EXPECT_EQ(made.code(), StatusCode::kPermissionDenied) << made.status().ToString();
  }
  EXPECT_EQ(service_.connections.size(), before);
  EXPECT_TRUE(TryConnect("right").ok());
}

TEST_F(ShmSecurityTest, WithoutASecretTheSameUserComesIn) {
  ShmOptions options = ShmFabric::SmallOptions();
  const auto open = ShmTransport::Create(*home_, options).value();
  Recorder service;
  ASSERT_TRUE(open->Listen(service).ok());
  EXPECT_TRUE(TryConnect(ShmFabric::SmallOptions(), open->address()).ok());
  RunRounds();
}

TEST_F(ShmSecurityTest, OtherLimitsAreRefused) {
  ShmOptions options = ShmFabric::SmallOptions();
  options.secret = "right";
  options.limits.message_bytes_max *= 2;
  EXPECT_EQ(TryConnect(options, listener_->address()).code(), StatusCode::kUnavailable);
}

TEST_F(ShmSecurityTest, WhatIsNoHelloEndsTheSocket) {
  HelloMessage other_version = MakeHello();
  other_version.head.version = 2;
  HelloMessage other_magic = MakeHello();
  other_magic.head.magic ^= 1;
  HelloMessage other_kind = MakeHello();
  other_kind.head.kind = HandshakeKind::kProof;
  HelloMessage no_address = MakeHello();
  no_address.address = ToFixedText("tcp://x");
  const HelloMessage hello = MakeHello();
  const WelcomeMessage welcome;
  const ProofMessage proof;
  const std::string garbage(kHandshakeBytesMax + 1, 'g');
  const std::vector<std::span<const std::byte>> all = {
      BytesOf(other_version),    BytesOf(other_magic), BytesOf(other_kind),
      BytesOf(no_address),       Bytes("x"),           Bytes(garbage),
      BytesOf(hello).first(199), BytesOf(welcome),     BytesOf(proof)};
  for (const auto& bytes : all) {
    ControlSocket socket = OpenSocket();
    std::array<std::byte, 512> answer{};
    auto received = Say(socket, bytes, answer);
    if (received.got == ControlSocket::Got::kMessage) {
      EXPECT_TRUE(ReadHandshake<RefusalMessage>(std::span(answer).first(received.bytes)).ok());
      received = socket.Receive(answer);
    }
    EXPECT_EQ(received.got, ControlSocket::Got::kEnd) << bytes.size();
  }
  EXPECT_EQ(service_.connections.size(), 1U);
}

TEST_F(ShmSecurityTest, AWrongOrBorrowedProofGivesNoMemory) {
  for (const bool reflects : {false, true}) {
    ControlSocket socket = OpenSocket();
    std::array<std::byte, 512> answer{};
    const HelloMessage hello = MakeHello();
    auto received = Say(socket, BytesOf(hello), answer);
    const auto challenge = ReadHandshake<ChallengeMessage>(std::span(answer).first(received.bytes));
    ASSERT_TRUE(challenge.ok());
    ProofMessage proof;
    if (reflects) proof.proof = challenge->proof;
    received = Say(socket, BytesOf(proof), answer);
    EXPECT_TRUE(received.descriptors.empty());
    const auto refusal = ReadHandshake<RefusalMessage>(std::span(answer).first(received.bytes));
    ASSERT_TRUE(refusal.ok());
    EXPECT_EQ(refusal->code, static_cast<std::uint64_t>(StatusCode::kPermissionDenied));
  }
  EXPECT_EQ(service_.connections.size(), 1U);
}

TEST_F(ShmSecurityTest, TheSilentAreSentAwayAndTheOthersCome) {
  std::vector<ControlSocket> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(OpenSocket());
  RunRounds();
  for (int i = 0; i < 100; ++i) Pass(1s);
  std::array<std::byte, 8> answer{};
  for (ControlSocket& socket : silent) {
    EXPECT_EQ(socket.Receive(answer).got, ControlSocket::Got::kEnd);
  }
  EXPECT_TRUE(TryConnect("right").ok());
}

TEST_F(ShmSecurityTest, AListenerThatDoesNotKnowTheSecretIsLeft) {
  ShmOptions options = ShmFabric::SmallOptions();
  options.secret = "guessed";
  const auto false_one = ShmTransport::Create(*home_, options).value();
  Recorder service;
  ASSERT_TRUE(false_one->Listen(service).ok());
  ShmOptions own = ShmFabric::SmallOptions();
  own.secret = "right";
  EXPECT_EQ(TryConnect(own, false_one->address()).code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(service.connections.empty());
  RunRounds();
}

TEST(SegmentTest, OnlyASealedSegmentOfItsSizeIsTaken) {
  const auto made = Segment::Create(4096).value();
  EXPECT_TRUE(Segment::Open(FileDescriptor(dup(made->fd())), 4096).ok());
  EXPECT_EQ(Segment::Open(FileDescriptor(dup(made->fd())), 8192).code(),
            StatusCode::kPermissionDenied);
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{4097}, ~std::uint64_t{0}}) {
    EXPECT_EQ(Segment::Open(FileDescriptor(dup(made->fd())), bytes).code(),
              StatusCode::kPermissionDenied);
    EXPECT_EQ(Segment::Create(bytes).code(), StatusCode::kInvalidArgument);
  }
  for (const int seals : {0, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW,
                          F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_WRITE}) {
    const FileDescriptor file(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(ftruncate(file.get(), 3 * 4096), 0);
    ASSERT_EQ(fcntl(file.get(), F_ADD_SEALS, seals), 0);
    EXPECT_EQ(Segment::Open(file, 4096).code(), StatusCode::kPermissionDenied) << seals;
  }
  const FileDescriptor other(open("/dev/zero", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(Segment::Open(other, 4096).code(), StatusCode::kPermissionDenied);
}

// --- One who knows the secret ---

TEST_F(ShmSecurityTest, WhoBreaksTheRulesIsLeft) {
  const std::string text = "some bytes";
  const OperationHead read{.bytes = ~std::uint64_t{0}};
  const OperationHead write{.bytes = 1000};
  const auto bytes_of = [](const OperationHead& head) {
    return std::as_bytes(std::span(&head, 1));
  };
  using Attack = std::function<void(Insider&)>;
  const std::vector<Attack> attacks = {
      [&](Insider& in) { in.Put(PacketCode::kReply, 1, Bytes(text)); },
      [&](Insider& in) { in.Put(PacketCode::kDone, 1, Bytes(text)); },
      [&](Insider& in) { in.Put(static_cast<PacketCode>(10), 1, Bytes(text)); },
      [&](Insider& in) { in.Put(static_cast<PacketCode>(255), 1, Bytes(text)); },
      [&](Insider& in) { in.Put(PacketCode::kMessage, 1, Bytes(text), ~std::uint64_t{0}); },
      [&](Insider& in) { in.Put(PacketCode::kMessage, 1, Bytes(text), 65537); },
      [&](Insider& in) { in.Put(PacketCode::kMessage, 1, Bytes(text), 3); },
      [&](Insider& in) {  // The second one begins before the first one has ended.
        in.Put(PacketCode::kMessage, 1, Bytes(text), 30);
        in.Put(PacketCode::kMessage, 1, Bytes(text));
      },
      [&](Insider& in) { in.Put(PacketCode::kRead, 1, Bytes(text)); },
      [&](Insider& in) { in.Put(PacketCode::kRead, 1, bytes_of(read)); },
      [&](Insider& in) { in.Put(PacketCode::kWrite, 1, bytes_of(write)); },
      [&](Insider& in) {
        in.Put(PacketCode::kRequest, 7, Bytes(text));
        in.Put(PacketCode::kRequest, 7, Bytes(text));
      },
      [&](Insider& in) {
        for (std::uint64_t i = 0; i <= options_.limits.outstanding_max; ++i) {
          in.Put(PacketCode::kRequest, i, {});
        }
      },
      [&](Insider& in) {
        in.agreement->segment->control(1).head = 64;
        // Seen as soon as somebody looks.
        for (std::uint64_t i = 0; i <= options_.limits.outstanding_max; ++i) {
          static_cast<void>(service_.connections.back()->Send(OnePart("x")).ok());
          in.agreement->segment->control(1).head += 4096;
        }
      },
      [&](Insider& in) { static_cast<void>(in.agreement->socket.Send(Bytes(text), {}).ok()); },
  };
  service_.on_request = [](const Recorder::Asked& asked) {
    if (asked.connection->peer() == "shm://@insider") return;
    EXPECT_TRUE(asked.connection->Reply(asked.request, OnePart(asked.text)).ok());
  };
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    SCOPED_TRACE(i);
    const auto insider = Enter();
    attacks[i](*insider);
    ExpectEnded(*insider);
  }
}

TEST_F(ShmSecurityTest, WhoDoesNotHearItsWakeUpsBlocksNobody) {
  const auto insider = Enter();
  Segment& segment = *insider->agreement->segment;
  RingReader reader(segment.ring(1), segment.control(1));
  const ConnectionPtr back = service_.connections.back();
  const auto send_to_sleeper = [&] {
    reader.SetWish(kWakeForPieces);
    ASSERT_TRUE(back->Send(OnePart("x")).ok());
    ASSERT_TRUE(reader.Next().value().has_value());
    reader.Release();
  };
  std::byte word{};
  const auto is_woken = [&] {
    const auto received = insider->agreement->socket.Receive({&word, 1});
    return received.got == ControlSocket::Got::kMessage && received.bytes == 1 && word == kWakeUp;
  };
  // More of them than its socket has room for.
  for (int i = 0; i < 10'000; ++i) send_to_sleeper();
  EXPECT_TRUE(is_woken());
  while (is_woken()) {
  }
  send_to_sleeper();
  EXPECT_TRUE(is_woken());
  EXPECT_FALSE(is_woken());
  // It may wake its peer as often as it likes, too.
  for (int i = 0; i < 10'000; ++i) {
    static_cast<void>(insider->agreement->socket.Send({&kWakeUp, 1}, {}).ok());
  }
  RunRounds();
  EXPECT_TRUE(service_.closed.empty());
}

TEST_F(ShmSecurityTest, ScribblesHarmNobodyElse) {
  Random random(test::Seed());
  service_.on_request = [](const Recorder::Asked& asked) {
    static_cast<void>(asked.connection->Reply(asked.request, OnePart(asked.text)).ok());
  };
  for (int round = 0; round < 200; ++round) {
    const auto insider = Enter();
    const Segment& segment = *insider->agreement->segment;
    for (int burst = 0; burst < 4; ++burst) {
      for (std::uint64_t i = random.Below(8); i > 0; --i) {
        insider->Put(static_cast<PacketCode>(1 + random.Below(9)), random.Below(4),
                     Bytes(RandomText(random, random.Below(200))));
      }
      for (std::uint64_t i = random.Below(6); i > 0; --i) {
        const auto ring = segment.ring(static_cast<unsigned>(random.Below(2)));
        // Near the beginning, where they look.
        std::uint64_t word = random() >> random.Below(64);
        if (random.OneIn(2)) word = random.Below(5000) | (1 + random.Below(9)) << 32 | 1ULL << 40;
        std::memcpy(ring.data() + 8 * random.Below(100), &word, sizeof word);
      }
      if (random.OneIn(2)) segment.control(1).head = random() >> random.Below(64);
      if (random.OneIn(2)) segment.control(0).asleep = static_cast<std::uint32_t>(random());
      for (int i = 0; i < 20; ++i) home_->RunOnce();
    }
    service_.messages.clear();
    service_.asked.clear();
    insider->agreement->socket.Close();
    RunRounds();
    // At most as much as a ring of the largest size is taken from one who has gone.
    for (int i = 0; i < 100'000 && service_.closed.size() < service_.connections.size() - 1; ++i) {
      home_->RunOnce();
    }
    ASSERT_EQ(service_.closed.size(), service_.connections.size() - 1);
  }
}

}  // namespace
}  // namespace cirein::fabric
