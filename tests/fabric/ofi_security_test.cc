// SPDX-License-Identifier: Apache-2.0

// What a process over libfabric does with one who is not what it should be.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fabric/conformance.h"
#include "fabric/ofi/ofi_endpoint.h"
#include "fabric/ofi/ofi_handshake.h"
#include "fabric/ofi/ofi_messages.h"
#include "fabric/ofi/ofi_port.h"
#include "fabric/ofi/ofi_transport.h"
#include "fabric/ofi_fabric.h"
#include "runtime/entropy.h"
#include "runtime/reactor.h"
#include "runtime/stream_socket.h"
#include "runtime/virtual_clock.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

constexpr const char* kProvider = "tcp";

constexpr std::uint64_t kRegisteredBytes = 8 * kShownBytesMax;

OfiOptions OptionsWith(const std::string& secret) {
  OfiOptions options = OfiFabric::SmallOptions();
  options.provider = kProvider;
  options.secret = secret;
  options.registered_bytes_max = kRegisteredBytes;
  return options;
}

/// A port of one who does as it likes, and what was said to it.
struct Stranger final : OfiPort::Handler {
  Stranger()
      : port(OfiPort::Open(
                 {.provider = kProvider, .bind = "127.0.0.1", .registered_bytes_max = 16U << 20})
                 .value()) {}
  void Received(std::span<const std::byte> message) override {
    const auto read = ReadOfiMessage(message);
    ASSERT_TRUE(read.ok());
    heads.push_back(read->head);
  }
  void SendFailed(OfiPort::PeerId, const Status&) override {}
  bool HasReply(std::uint64_t token, std::uint64_t number) const {
    return std::any_of(heads.begin(), heads.end(), [&](const OfiHead& head) {
      return head.token == token && head.number == number &&
             head.kind == static_cast<std::uint8_t>(PacketCode::kReply);
    });
  }

  std::unique_ptr<OfiPort> port;
  std::vector<OfiHead> heads;
};

/// A transport that listens, with a good connection to it, and room for one who is not good. All on
/// one home.
class OfiSecurityTest : public testing::Test {
 protected:
  OfiSecurityTest() : home_(Reactor::Create(clock_).value()) {
    listener_ = OfiTransport::Create(*home_, OptionsWith("right")).value();
    EXPECT_TRUE(listener_->Listen(service_).ok());
    good_ = TryConnect(OptionsWith("right"), listener_->address()).value();
  }
  ~OfiSecurityTest() override {
    // Whatever was done: nobody else was disturbed.
    service_.on_request = nullptr;
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE(good_->Request(OnePart("x"), 10s, ReplyInto(outcome)).ok());
    EXPECT_TRUE(RunUntil(10s, [&] { return outcome->done(); }));
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    EXPECT_EQ(outcome->text, "x");
    others_.clear();
    listener_.reset();
  }

  /// Lets things happen until it is so, at most for so long. Time passes only when nobody has had
  /// anything to do for a moment: libfabric hands over what has arrived in several rounds, and what
  /// it refused is tried again after up to 20 ms that are real.
  bool RunUntil(std::chrono::nanoseconds limit, const std::function<bool()>& holds) {
    const TimePoint end = clock_.Now() + limit;
    auto quiet_since = std::chrono::steady_clock::now();
    int quiet_rounds = 0;
    while (!holds()) {
      bool did_something = home_->RunOnce();
      if (stranger_ != nullptr) did_something |= stranger_->port->Poll(*stranger_);
      const auto now = std::chrono::steady_clock::now();
      if (did_something) {
        quiet_since = now;
        quiet_rounds = 0;
      }
      const TimePoint next = std::min(home_->NextTimer(), end);
      const auto quiet = next - clock_.Now() > kSoon ? kLongQuiet : kQuiet;
      if (++quiet_rounds < kQuietRounds || now - quiet_since < quiet) continue;
      quiet_since = now;
      quiet_rounds = 0;
      clock_.AdvanceTo(next);
      if (next == end) return holds();
    }
    return true;
  }
  /// What has begun has come to where it stays.
  void Settle() {
    RunUntil(5ms, [] { return false; });
  }

  Result<ConnectionPtr> TryConnect(OfiOptions options, const Address& to) {
    others_.push_back(OfiTransport::Create(*home_, std::move(options)).value());
    auto result = std::make_shared<std::optional<Result<ConnectionPtr>>>();
    CIREIN_RETURN_IF_ERROR(others_.back()->Connect(
        to, other_service_, 10s,
        [result](Result<ConnectionPtr> made) { *result = std::move(made); }));
    RunUntil(30s, [&] { return result->has_value(); });
    return result->has_value() ? **result : Internal("no callback");
  }
  /// A socket to the listener that was told nothing yet.
  StreamSocket OpenSocket() {
    return ConnectStream(StreamAddressIn(listener_->address()).value()).value();
  }
  static bool HasEnded(StreamSocket& socket) {
    std::array<std::byte, 512> answer{};
    for (;;) {
      const StreamResult got = socket.Receive(answer);
      if (got.code == StreamResult::Code::kEnded) return true;
      if (got.code == StreamResult::Code::kWouldBlock) return false;
    }
  }
  static HelloMessage MakeHello() {
    HelloMessage hello;
    const Limits limits = OfiFabric::SmallOptions().limits;
    hello.message_bytes_max = limits.message_bytes_max;
    hello.outstanding_bytes_max = limits.outstanding_bytes_max;
    hello.outstanding_max = limits.outstanding_max;
    hello.address = ToFixedText("ofi://127.0.0.1:1");
    return hello;
  }

  /// One who knows the secret, and then says what it likes.
  struct Insider {
    IntroductionTerms terms;
    std::unique_ptr<ConnectionAttempt> handshake;
    std::optional<Result<OfiAgreement>> agreement;
    OfiPort::PeerId to = 0;
    std::uint64_t sequence = 0;
  };
  using Change = std::function<void(OfiCardMessage&)>;
  /// With a card that says something else.
  std::unique_ptr<Insider> TryEnter(const Change& change) {
    if (stranger_ == nullptr) stranger_ = std::make_unique<Stranger>();
    auto insider = std::make_unique<Insider>();
    insider->terms = {.address = "ofi://127.0.0.1:1",
                      .secret = "right",
                      .limits = OfiFabric::SmallOptions().limits};
    Insider* const raw = insider.get();
    const auto make_card = [this, change] {
      OfiCard card;
      card.message.token = ++last_token_;
      card.message.message_bytes_max = stranger_->port->eager_bytes_max();
      const auto name = stranger_->port->name();
      card.message.name_bytes = name.size();
      std::memcpy(card.message.name.data(), name.data(), name.size());
      stranger_->port->provider().copy(card.message.provider.data(), card.message.provider.size());
      if (change) change(card.message);
      return card;
    };
    insider->handshake =
        OfiHandshake::Ask(
            {.home = *home_, .terms = insider->terms, .entropy = entropy_, .make_card = make_card},
            listener_->address(),
            BeginConnectStream(StreamAddressIn(listener_->address()).value()).value(),
            [raw](Result<OfiAgreement> made) { raw->agreement = std::move(made); })
            .value();
    EXPECT_TRUE(RunUntil(30s, [&] { return insider->agreement.has_value(); }));
    return insider;
  }
  /// From a port of its own: libfabric ends all that goes between two ports when one of them reads
  /// what it may not.
  std::unique_ptr<Insider> EnterAnew() {
    stranger_.reset();
    return Enter();
  }
  std::unique_ptr<Insider> Enter() {
    const std::size_t before = service_.connections.size();
    auto insider = TryEnter(nullptr);
    EXPECT_TRUE(insider->agreement->ok()) << insider->agreement->status().ToString();
    insider->to = stranger_->port->AddPeer((*insider->agreement)->peer_name).value();
    EXPECT_TRUE(RunUntil(1s, [&] { return service_.connections.size() == before + 1; }));
    return insider;
  }
  /// A whole packet's part, as it should be but for what is changed in it before it goes.
  OfiHead Part(Insider& in, PacketCode kind, std::uint64_t number, std::uint64_t bytes) const {
    OfiHead head;
    head.part = OfiPart::kFirst;
    head.kind = static_cast<std::uint8_t>(kind);
    head.token = (*in.agreement)->peer_token;
    head.sequence = ++in.sequence;
    head.number = number;
    head.bytes = bytes;
    head.part_bytes = bytes;
    return head;
  }
  void PutBytes(Insider& in, std::span<const std::byte> first,
                std::span<const std::byte> second = {}) {
    const std::array parts{first, second};
    ASSERT_TRUE(RunUntil(1min, [&] {
      const Result<bool> sent = stranger_->port->Send(in.to, parts);
      EXPECT_TRUE(sent.ok()) << sent.status().ToString();
      return !sent.ok() || *sent;
    }));
  }
  void Put(Insider& in, const OfiHead& head, std::span<const std::byte> bytes = {}) {
    PutBytes(in, std::as_bytes(std::span(&head, 1)), bytes);
  }
  void PutShown(Insider& in, OfiHead head, const OfiPort::RemoteBuffer& at) {
    head.is_shown = 1;
    const OfiShown shown{.address = at.address, .key = at.key};
    Put(in, head, std::as_bytes(std::span(&shown, 1)));
  }
  void Leave(Insider& in) {
    stranger_->port->RemovePeer(in.to);
    (*in.agreement)->stream.Close();
  }
  void ExpectEnded(Insider& in, std::size_t closed_before) {
    EXPECT_TRUE(RunUntil(1min, [&] { return service_.closed.size() == closed_before + 1; }));
    StreamSocket& socket = (*in.agreement)->stream.socket();
    EXPECT_TRUE(RunUntil(1s, [&] { return HasEnded(socket); }));
    Leave(in);
  }
  void ExpectAnswered(Insider& in, std::uint64_t number) {
    Put(in, Part(in, PacketCode::kRequest, number, 1), Bytes("x"));
    EXPECT_TRUE(
        RunUntil(1s, [&] { return stranger_->HasReply((*in.agreement)->own_token, number); }));
  }
  /// Whoever asked for it gets as many bytes as fit into an operation.
  void ExpectLongRead() {
    std::vector<std::uint64_t> words(OfiFabric::SmallOptions().limits.outstanding_bytes_max / 8, 7);
    const auto bytes = std::as_writable_bytes(std::span(words));
    const auto id = listener_->Register(bytes, nullptr).value();
    const Grant grant = listener_->MakeGrant(id, {0, bytes.size()}, kAll).value();
    std::vector<std::byte> into(bytes.size());
    const auto outcome = std::make_shared<Outcome>();
    ASSERT_TRUE(good_->Read(grant, 0, into, 10s, Into(outcome)).ok());
    EXPECT_TRUE(RunUntil(20s, [&] { return outcome->done(); }));
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    EXPECT_TRUE(std::equal(into.begin(), into.end(), bytes.begin()));
    EXPECT_TRUE(listener_->Unregister(id).ok());
  }

  static constexpr std::chrono::milliseconds kSoon{10};
  static constexpr std::chrono::milliseconds kQuiet{3};
  static constexpr std::chrono::milliseconds kLongQuiet{50};
  static constexpr int kQuietRounds = 20;
  VirtualClock clock_;
  std::unique_ptr<Reactor> home_;
  Entropy entropy_ = Entropy::FromSystem();
  Recorder service_;
  Recorder other_service_;
  std::unique_ptr<OfiTransport> listener_;
  std::vector<std::unique_ptr<OfiTransport>> others_;
  ConnectionPtr good_;
  std::unique_ptr<Stranger> stranger_;
  std::uint64_t last_token_ = 0;
};

TEST_F(OfiSecurityTest, OnlyWhoKnowsTheSecretComesIn) {
  for (const char* secret : {"wrong", "", "righ", "right "}) {
    const auto made = TryConnect(OptionsWith(secret), listener_->address());
    EXPECT_EQ(made.code(), StatusCode::kPermissionDenied) << made.status().ToString();
  }
  EXPECT_EQ(service_.connections.size(), 1U);
  EXPECT_TRUE(TryConnect(OptionsWith("right"), listener_->address()).ok());
}

TEST_F(OfiSecurityTest, AListenerThatDoesNotKnowTheSecretIsLeft) {
  const auto false_one = OfiTransport::Create(*home_, OptionsWith("guessed")).value();
  Recorder service;
  ASSERT_TRUE(false_one->Listen(service).ok());
  EXPECT_EQ(TryConnect(OptionsWith("right"), false_one->address()).code(),
            StatusCode::kPermissionDenied);
  Settle();
  EXPECT_TRUE(service.connections.empty());
}

TEST_F(OfiSecurityTest, OtherLimitsAreRefused) {
  OfiOptions options = OptionsWith("right");
  options.limits.message_bytes_max *= 2;
  EXPECT_EQ(TryConnect(options, listener_->address()).code(), StatusCode::kUnavailable);
  EXPECT_EQ(service_.connections.size(), 1U);
}

TEST_F(OfiSecurityTest, WhatIsNoHelloEndsTheSocket) {
  HelloMessage other_version = MakeHello();
  other_version.head.version = 2;
  HelloMessage other_magic = MakeHello();
  other_magic.head.magic ^= 1;
  HelloMessage other_kind = MakeHello();
  other_kind.head.kind = HandshakeKind::kProof;
  HelloMessage no_kind = MakeHello();
  no_kind.head.kind = static_cast<HandshakeKind>(77);
  const ProofMessage proof;
  const OfiCardMessage card;
  const std::string garbage(4000, 'g');
  const std::vector<std::span<const std::byte>> all = {
      BytesOf(other_version), BytesOf(other_magic), BytesOf(other_kind), BytesOf(no_kind),
      BytesOf(proof),         BytesOf(card),        Bytes(garbage)};
  for (const auto& bytes : all) {
    StreamSocket socket = OpenSocket();
    static_cast<void>(socket.Send({&bytes, 1}));
    EXPECT_TRUE(RunUntil(1s, [&] { return HasEnded(socket); })) << bytes.size();
  }
  EXPECT_EQ(service_.connections.size(), 1U);
}

TEST_F(OfiSecurityTest, AWrongOrBorrowedProofIsRefused) {
  for (const bool reflects : {false, true}) {
    ControlStream stream(OpenSocket());
    const HelloMessage hello = MakeHello();
    ASSERT_TRUE(stream.Send(BytesOf(hello)).ok());
    const auto receive = [&] {
      auto received = stream.Receive();
      EXPECT_TRUE(RunUntil(1s, [&] {
        if (received.ok() && received->got == ControlStream::Got::kNothing) {
          received = stream.Receive();
        }
        return !received.ok() || received->got != ControlStream::Got::kNothing;
      }));
      return received.value();
    };
    const auto challenge = ReadHandshake<ChallengeMessage>(receive().message);
    ASSERT_TRUE(challenge.ok());
    ProofMessage proof;
    if (reflects) proof.proof = challenge->proof;
    ASSERT_TRUE(stream.Send(BytesOf(proof)).ok());
    // No card: it is not told where messages would go to.
    const auto refusal = ReadHandshake<RefusalMessage>(receive().message);
    ASSERT_TRUE(refusal.ok());
    EXPECT_EQ(refusal->code, static_cast<std::uint64_t>(StatusCode::kPermissionDenied));
    EXPECT_EQ(receive().got, ControlStream::Got::kEnd);
  }
  EXPECT_EQ(service_.connections.size(), 1U);
}

TEST_F(OfiSecurityTest, TheSilentAreSentAwayAndTheOthersCome) {
  const HelloMessage hello = MakeHello();
  const auto half = BytesOf(hello).first(100);
  std::vector<StreamSocket> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(OpenSocket());
  for (std::size_t i = 0; i < 20; ++i) static_cast<void>(silent[i].Send({&half, 1}));
  Settle();
  EXPECT_TRUE(TryConnect(OptionsWith("right"), listener_->address()).ok());
  EXPECT_EQ(std::count_if(silent.begin(), silent.end(), HasEnded), 0);
  // More than are heard at once: those wait until the time of the first ones is over.
  for (int i = 0; i < 60; ++i) silent.push_back(OpenSocket());
  Settle();
  EXPECT_EQ(std::count_if(silent.begin(), silent.end(), HasEnded), 0);
  EXPECT_TRUE(TryConnect(OptionsWith("right"), listener_->address()).ok());
  EXPECT_GE(std::count_if(silent.begin(), silent.end(), HasEnded), 64);
  RunUntil(2 * OfiOptions().handshake_max,
           [&] { return std::all_of(silent.begin(), silent.end(), HasEnded); });
  EXPECT_TRUE(std::all_of(silent.begin(), silent.end(), HasEnded));
}

TEST_F(OfiSecurityTest, ACardThatCannotBeIsRefused) {
  const std::vector<Change> changes = {
      [](OfiCardMessage& card) {
        card.provider = {'n', 'e', 't'};
      },
      [](OfiCardMessage& card) { card.provider.fill('p'); },
      [](OfiCardMessage& card) { card.message_bytes_max += 1; },
      [](OfiCardMessage& card) { card.message_bytes_max = ~std::uint64_t{0}; },
      [](OfiCardMessage& card) { card.name_bytes = 0; },
      [](OfiCardMessage& card) { card.name_bytes = card.name.size() + 1; },
      [](OfiCardMessage& card) { card.name_bytes = ~std::uint64_t{0}; },
      [](OfiCardMessage& card) { card.head.version = 2; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_FALSE(TryEnter(changes[i])->agreement->ok());
  }
  // These look like names, but not to the port: who sent them is told by the end of the socket.
  const std::vector<Change> names = {
      [](OfiCardMessage& card) { --card.name_bytes; },
      [](OfiCardMessage& card) { card.name_bytes = card.name.size(); },
      [](OfiCardMessage& card) { card.name.fill(0xff); },
      [](OfiCardMessage& card) { card.name.fill(0); },
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    SCOPED_TRACE(i);
    const auto insider = TryEnter(names[i]);
    if (!insider->agreement->ok()) continue;
    StreamSocket& socket = (*insider->agreement)->stream.socket();
    EXPECT_TRUE(RunUntil(1s, [&] { return HasEnded(socket); }));
  }
  EXPECT_EQ(service_.connections.size(), 1U);
}

TEST_F(OfiSecurityTest, OptionsThatCannotBe) {
  const auto code = [this](const std::function<void(OfiOptions&)>& change) {
    OfiOptions options = OptionsWith("right");
    change(options);
    return OfiTransport::Create(*home_, std::move(options)).code();
  };
  const StreamAddress taken = StreamAddressIn(listener_->address()).value();
  EXPECT_EQ(code([&](auto& options) { options.listen = taken; }), StatusCode::kAlreadyExists);
  EXPECT_EQ(code([](auto& options) {
              options.listen.host = "192.0.2.1";
              options.secret.clear();
            }),
            StatusCode::kFailedPrecondition);
  using Wrong = std::function<void(OfiOptions&)>;
  const std::vector<Wrong> all = {
      [](auto& options) { options.listen.host = "0.0.0.0"; },
      [](auto& options) { options.listen.host = "::"; },
      [](auto& options) { options.listen.host.clear(); },
      [](auto& options) { options.listen = {.host = {}, .port = 0, .path = "/tmp/x"}; },
      [](auto& options) { options.provider = "nonsense"; },
      [](auto& options) { options.registered_bytes_max = (8U << 20) - 1; },
      [](auto& options) { options.keepalive = 0s; },
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(code(all[i]), StatusCode::kInvalidArgument) << i;
  }
  // Not an address of this host.
  EXPECT_NE(code([](auto& options) { options.listen.host = "192.0.2.1"; }), StatusCode::kOk);
}

// --- One who knows the secret ---

TEST_F(OfiSecurityTest, WhatIsNoMessageIsIgnored) {
  const auto insider = Enter();
  Insider& in = *insider;
  using Forge = std::function<void(OfiHead&)>;
  const std::vector<Forge> forged = {
      [](OfiHead& head) { head.magic ^= 1; },
      [](OfiHead& head) { head.token ^= 1; },
      [](OfiHead& head) { head.token = 0; },
      [](OfiHead& head) { head.part = static_cast<OfiPart>(0); },
      [](OfiHead& head) { head.part = static_cast<OfiPart>(4); },
      [](OfiHead& head) { head.part = OfiPart::kAck; },
      [](OfiHead& head) { head.is_shown = 2; },
      [](OfiHead& head) { head.is_shown = 1; },
      [](OfiHead& head) { head.bytes = head.part_bytes - 1; },
      [](OfiHead& head) { head.part_bytes -= 1; },
      [](OfiHead& head) { head.bytes = head.part_bytes = ~std::uint64_t{0}; },
  };
  for (const Forge& forge : forged) {
    OfiHead head = Part(in, PacketCode::kRequest, 1, 10);
    --in.sequence;
    forge(head);
    Put(in, head, Bytes("0123456789"));
  }
  const OfiHead head = Part(in, PacketCode::kRequest, 1, 0);
  --in.sequence;
  for (const std::size_t bytes : {0U, 1U, 63U}) {
    PutBytes(in, std::as_bytes(std::span(&head, 1)).first(bytes));
  }
  for (const std::uint64_t bytes : {std::uint64_t{0}, kShownBytesMax + 1, ~std::uint64_t{0}}) {
    OfiHead shown = Part(in, PacketCode::kRequest, 1, bytes);
    --in.sequence;
    PutShown(in, shown, {});
  }
  ExpectAnswered(in, 7);
  EXPECT_EQ(service_.asked.size(), 1U);
  EXPECT_TRUE(service_.closed.empty());
  (*in.agreement)->stream.Close();
  EXPECT_TRUE(RunUntil(1s, [&] { return service_.closed.size() == 1; }));
}

TEST_F(OfiSecurityTest, WhoBreaksTheRulesIsLeft) {
  const std::string text = "more bytes than a head of the handshake has";
  const OperationHead read{.bytes = ~std::uint64_t{0}};
  const OperationHead write{.bytes = 1000};
  const auto bytes_of = [](const OperationHead& head) {
    return std::as_bytes(std::span(&head, 1));
  };
  const auto put = [&](Insider& in, PacketCode kind, std::uint64_t number,
                       std::span<const std::byte> bytes) {
    Put(in, Part(in, kind, number, bytes.size()), bytes);
  };
  const auto put_changed = [&](Insider& in, const std::function<void(OfiHead&)>& change) {
    OfiHead head = Part(in, PacketCode::kMessage, 0, text.size());
    change(head);
    Put(in, head, Bytes(text));
  };
  const Limits limits = OfiFabric::SmallOptions().limits;
  using Attack = std::function<void(Insider&)>;
  const std::vector<Attack> attacks = {
      // Of the carrier.
      [&](Insider& in) { put_changed(in, [](OfiHead& head) { head.sequence = 2; }); },
      [&](Insider& in) { put_changed(in, [](OfiHead& head) { head.sequence = 0; }); },
      [&](Insider& in) { put_changed(in, [](OfiHead& head) { head.sequence = ~0ULL; }); },
      [&](Insider& in) {
        put_changed(in, [](OfiHead&) {});
        put_changed(in, [](OfiHead& head) { head.sequence = 1; });
      },
      [&](Insider& in) { put_changed(in, [](OfiHead& head) { head.read_up_to = 1000; }); },
      [&](Insider& in) { put_changed(in, [](OfiHead& head) { head.read_up_to = ~0ULL; }); },
      [&](Insider& in) { put_changed(in, [](OfiHead& head) { head.part = OfiPart::kMore; }); },
      [&](Insider& in) { put_changed(in, [](OfiHead& head) { head.bytes = ~0ULL; }); },
      [&](Insider& in) {
        put_changed(in, [&](OfiHead& head) { head.bytes = limits.message_bytes_max + 1; });
      },
      [&](Insider& in) {  // An acknowledgement before what it follows.
        OfiHead head = Part(in, PacketCode::kMessage, 0, 0);
        head.part = OfiPart::kAck;
        head.sequence = 5;
        Put(in, head);
      },
      [&](Insider& in) {  // The second one begins before the first one has ended.
        put_changed(in, [](OfiHead& head) { head.bytes = 100; });
        put_changed(in, [](OfiHead&) {});
      },
      [&](Insider& in) {  // More than it said.
        put_changed(in, [&](OfiHead& head) { head.bytes = text.size() + 5; });
        put_changed(in, [&](OfiHead& head) {
          head.part = OfiPart::kMore;
          head.bytes = text.size() + 5;
        });
      },
      [&](Insider& in) { static_cast<void>((*in.agreement)->stream.Send(Bytes(text)).ok()); },
      [&](Insider& in) {  // A whole message, but there is no handshake any more.
        const HelloMessage hello = MakeHello();
        static_cast<void>((*in.agreement)->stream.Send(BytesOf(hello)).ok());
      },
      // What is shown is not there.
      [&](Insider& in) {
        PutShown(in, Part(in, PacketCode::kMessage, 0, 1000), {.address = 0, .key = 12345});
      },
      [&](Insider& in) {
        PutShown(in, Part(in, PacketCode::kMessage, 0, 1000), {.address = ~0ULL, .key = ~0ULL});
      },
      [&](Insider& in) {
        // More than the packet may have.
        PutShown(in, Part(in, PacketCode::kMessage, 0, kShownBytesMax), {.address = 0, .key = 1});
      },
      [&](Insider& in) {  // More than it may have on its way.
        for (int i = 0; i < 10; ++i) {
          if (service_.closed.size() + 1 == service_.connections.size()) break;
          OfiHead head = Part(in, PacketCode::kMessage, 0, kShownBytesMax);
          PutShown(in, head, {.address = 0, .key = 1});
        }
      },
      // Of the packets.
      [&](Insider& in) { put(in, PacketCode::kReply, 1, Bytes(text)); },
      [&](Insider& in) { put(in, PacketCode::kDone, 1, Bytes(text)); },
      [&](Insider& in) { put(in, static_cast<PacketCode>(0), 1, Bytes(text)); },
      [&](Insider& in) { put(in, static_cast<PacketCode>(10), 1, Bytes(text)); },
      [&](Insider& in) { put(in, static_cast<PacketCode>(255), 1, Bytes(text)); },
      [&](Insider& in) { put(in, PacketCode::kRead, 1, Bytes(text)); },
      [&](Insider& in) { put(in, PacketCode::kRead, 1, bytes_of(read)); },
      [&](Insider& in) { put(in, PacketCode::kWrite, 1, bytes_of(write)); },
      [&](Insider& in) {
        put(in, PacketCode::kRequest, 7, Bytes(text));
        put(in, PacketCode::kRequest, 7, Bytes(text));
      },
      [&](Insider& in) {
        for (std::uint64_t i = 0; i <= limits.outstanding_max; ++i) {
          put(in, PacketCode::kRequest, i, {});
        }
      },
  };
  service_.on_request = [](const Recorder::Asked&) {};  // Nobody answers.
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    SCOPED_TRACE(i);
    const auto insider = EnterAnew();
    const std::size_t closed_before = service_.closed.size();
    attacks[i](*insider);
    ExpectEnded(*insider, closed_before);
  }
}

TEST_F(OfiSecurityTest, WhatIsShownIsReadAndWhatIsNotCostsNothing) {
  constexpr std::uint64_t kWriteBytes = 250'000;
  // Together more than the memory that may be registered.
  for (std::uint64_t i = 0; i <= kRegisteredBytes / kWriteBytes; ++i) {
    SCOPED_TRACE(i);
    const auto insider = EnterAnew();
    OfiPort::Lease lease = stranger_->port->Lend(60'000).value();
    std::fill(lease.bytes().begin(), lease.bytes().end(), std::byte{'s'});
    OfiPort::RemoteBuffer shown = stranger_->port->Describe(lease);
    PutShown(*insider, Part(*insider, PacketCode::kMessage, 0, 60'000), shown);
    EXPECT_TRUE(RunUntil(1s, [&] { return !service_.messages.empty(); }));
    EXPECT_EQ(service_.messages.back(), std::string(60'000, 's'));
    service_.messages.clear();
    const std::size_t closed_before = service_.closed.size();
    shown.key ^= 1;
    PutShown(*insider, Part(*insider, PacketCode::kWrite, 1, kWriteBytes), shown);
    ExpectEnded(*insider, closed_before);
  }
  ExpectLongRead();
}

TEST_F(OfiSecurityTest, AnyHeadsHarmNobodyElse) {
  Random random(test::Seed());
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const auto insider = EnterAnew();
    for (std::uint64_t left = random.Below(30); left > 0; --left) {
      const std::string bytes = RandomText(random, random.Below(200));
      OfiHead head = Part(*insider, static_cast<PacketCode>(1 + random.Below(9)), random.Below(4),
                          bytes.size());
      if (random.OneIn(4)) head.part = static_cast<OfiPart>(1 + random.Below(3));
      if (random.OneIn(8)) head.bytes += random() >> random.Below(64);
      if (random.OneIn(16)) head.sequence = random.Below(40);
      if (random.OneIn(16)) head.status = static_cast<std::uint8_t>(random());
      if (random.OneIn(4)) head.read_up_to = random.Below(4);
      if (random.OneIn(8)) {
        head.bytes = head.part_bytes = 1 + (random() >> random.Below(64)) % kShownBytesMax;
        PutShown(*insider, head, {.address = random() >> random.Below(64), .key = random()});
      } else {
        Put(*insider, head, Bytes(bytes));
      }
    }
    const auto ended = [&] { return service_.closed.size() == service_.connections.size() - 1; };
    RunUntil(5ms, ended);
    Leave(*insider);
    ASSERT_TRUE(RunUntil(1min, ended));
  }
  ExpectLongRead();
}

}  // namespace
}  // namespace cirein::fabric
