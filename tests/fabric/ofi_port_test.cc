// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_port.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <poll.h>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "fabric/ofi/ofi_provider.h"
#include "runtime/real_clock.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::byte>;
using PeerId = OfiPort::PeerId;

constexpr auto kLong = 60s;

Bytes Pattern(std::size_t size, std::size_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>((i * 31 + seed * 7 + (i >> 8)) & 0xFF);
  }
  return bytes;
}

/// A port and what it was told.
struct Side final : OfiPort::Handler {
  explicit Side(const OfiPortOptions& options) : port(OfiPort::Open(options).value()) {}

  void Received(std::span<const std::byte> message) override {
    received.emplace_back(message.begin(), message.end());
  }
  void SendFailed(PeerId peer, const Status&) override { failed.push_back(peer); }

  Result<bool> TrySend(PeerId peer, std::span<const std::byte> message) const {
    // In two parts, as others do.
    const std::size_t half = message.size() / 2;
    const std::array parts{message.first(half), message.subspan(half)};
    return port->Send(peer, parts);
  }
  PeerId Knows(const Side& other) const { return port->AddPeer(other.port->name()).value(); }

  std::unique_ptr<OfiPort> port;
  std::vector<Bytes> received;
  std::vector<PeerId> failed;
};

/// Polls the sides until it is so; false when that takes too long.
bool Until(std::initializer_list<Side*> sides, const std::function<bool()>& so) {
  const TimePoint end = RealClock::MonotonicNow() + kLong;
  while (!so()) {
    bool found = false;
    for (Side* side : sides) found = side->port->Poll(*side) || found;
    if (!found) std::this_thread::yield();
    if (RealClock::MonotonicNow() > end) return false;
  }
  return true;
}

bool SendOne(Side& from, PeerId peer, std::span<const std::byte> message,
             std::initializer_list<Side*> sides) {
  return Until(sides, [&] {
    const Result<bool> sent = from.TrySend(peer, message);
    EXPECT_TRUE(sent.ok()) << sent.status().ToString();
    return !sent.ok() || *sent;
  });
}

/// Reads all of `from`; what came of it, and the bytes.
struct ReadOutcome {
  Status status;
  Bytes bytes;
};
std::optional<ReadOutcome> ReadOne(Side& reader, PeerId peer, const OfiPort::RemoteBuffer& from,
                                   std::initializer_list<Side*> sides) {
  OfiPort::Lease into = reader.port->Lend(from.bytes, OfiPort::LeaseUse::kFilled).value();
  std::optional<ReadOutcome> outcome;
  const auto done = [&](const Status& status, const OfiPort::Lease& lease) {
    outcome = ReadOutcome{status, Bytes(lease.bytes().begin(), lease.bytes().end())};
  };
  const bool begun = Until(sides, [&] {
    const Result<bool> read = reader.port->Read(peer, from, into, done);
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    return !read.ok() || *read;
  });
  if (!begun || into || !Until(sides, [&] { return outcome.has_value(); })) return std::nullopt;
  return outcome;
}

class OfiPortTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const Result<OfiProvider> provider = FindOfiProvider(GetParam());
    ASSERT_TRUE(provider.ok()) << provider.status().ToString();
    if (!provider->usable) GTEST_SKIP() << provider->why_not;
    options_.provider = GetParam();
    options_.bind = "127.0.0.1";
  }

  OfiPortOptions options_;
};
INSTANTIATE_TEST_SUITE_P(Software, OfiPortTest, testing::Values("tcp"),
                         [](const auto& name) { return std::string(name.param); });

TEST_P(OfiPortTest, MessagesOfAllSizesArriveInOrder) {
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  const PeerId to_a = b.Knows(a);
  const std::size_t max = a.port->eager_bytes_max();
  EXPECT_GE(max, 8192U);
  std::vector<std::size_t> sizes = {0, 1, 2, 63, 64, 65, 4095, 4096, max - 1, max};
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 200; ++i) sizes.push_back(random() % (max + 1));
  for (const std::size_t size : sizes) {
    ASSERT_TRUE(SendOne(a, to_b, Pattern(size, 1), {&a, &b}));
    ASSERT_TRUE(SendOne(b, to_a, Pattern(size, 2), {&a, &b}));
  }
  const auto all_came = [&] {
    return a.received.size() == sizes.size() && b.received.size() == sizes.size();
  };
  ASSERT_TRUE(Until({&a, &b}, all_came));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    ASSERT_EQ(b.received[i], Pattern(sizes[i], 1)) << i;
    ASSERT_EQ(a.received[i], Pattern(sizes[i], 2)) << i;
  }
  EXPECT_EQ(a.TrySend(to_b, Bytes(max + 1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(a.TrySend(to_b + 1, Bytes(1)).code(), StatusCode::kNotFound);
  EXPECT_TRUE(a.failed.empty());
}

TEST_P(OfiPortTest, ReadsBringThePeersBytes) {
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  b.Knows(a);
  for (const std::size_t size : {1U, 63U, 4096U, 100'000U, 1U << 20, 8U << 20}) {
    const OfiPort::Lease shown = b.port->Lend(size).value();
    const Bytes bytes = Pattern(size, size);
    std::copy(bytes.begin(), bytes.end(), shown.bytes().begin());
    const std::optional<ReadOutcome> read = ReadOne(a, to_b, b.port->Describe(shown), {&a, &b});
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(read->status.ok()) << read->status.ToString();
    EXPECT_TRUE(read->bytes == bytes) << size;
  }
  EXPECT_EQ(a.port->registrations().lent, 0U);
}

TEST_P(OfiPortTest, AReadThatCannotBeLeavesTheLease) {
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  OfiPort::Lease into = a.port->Lend(100).value();
  OfiPort::Lease foreign = b.port->Lend(100).value();
  const auto code = [&](PeerId peer, std::uint64_t bytes, OfiPort::Lease& lease) {
    return a.port->Read(peer, {.address = 0, .key = 1, .bytes = bytes}, lease, nullptr).code();
  };
  EXPECT_EQ(code(to_b, 101, into), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(to_b, 0, into), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(to_b, ~std::uint64_t{0}, into), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(to_b, 10, foreign), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(to_b + 1, 10, into), StatusCode::kNotFound);
  EXPECT_EQ(into.bytes().size(), 100U);
  EXPECT_EQ(foreign.bytes().size(), 100U);
}

TEST_P(OfiPortTest, AKeyEndsWithItsLease) {
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  b.Knows(a);
  OfiPort::Lease shown = b.port->Lend(4096).value();
  const OfiPort::RemoteBuffer before = b.port->Describe(shown);
  const std::byte* const where = shown.bytes().data();
  shown = {};
  shown = b.port->Lend(4096).value();
  ASSERT_EQ(shown.bytes().data(), where);
  EXPECT_NE(b.port->Describe(shown).key, before.key);
  const std::optional<ReadOutcome> read = ReadOne(a, to_b, before, {&a, &b});
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->status.ok());
  // What is never shown cannot be described.
  const OfiPort::Lease filled = b.port->Lend(4096, OfiPort::LeaseUse::kFilled).value();
  EXPECT_EQ(b.port->Describe(filled).bytes, 0U);
}

TEST_P(OfiPortTest, SendsWaitForBuffersAndGoOn) {
  options_.send_buffers = 4;
  options_.receive_buffers = 8;
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  ASSERT_TRUE(SendOne(a, to_b, Pattern(1, 0), {&a, &b}));
  ASSERT_TRUE(Until({&a, &b}, [&] { return b.received.size() == 1; }));
  std::size_t sent = 1;
  while (a.TrySend(to_b, Pattern(100, sent)).value()) {
    ++sent;
    ASSERT_LE(sent, 5U);
  }
  for (; sent < 500; ++sent) {
    ASSERT_TRUE(SendOne(a, to_b, Pattern(100, sent), {&a, &b}));
  }
  ASSERT_TRUE(Until({&a, &b}, [&] { return b.received.size() == sent; }));
  for (std::size_t i = 1; i < sent; ++i) ASSERT_EQ(b.received[i], Pattern(100, i)) << i;
}

TEST_P(OfiPortTest, LeasesAreBoundedAndUsedAgain) {
  options_.registered_bytes_max = 1U << 20;
  Side a(options_);
  std::vector<OfiPort::Lease> leases;
  for (int i = 0; i < 4; ++i) leases.push_back(a.port->Lend(256U << 10).value());
  EXPECT_EQ(a.port->Lend(1).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(a.port->registrations().lent, 4U);
  EXPECT_EQ(a.port->registrations().bytes, 1U << 20);
  for (int round = 0; round < 100; ++round) {
    leases.pop_back();
    leases.push_back(a.port->Lend((200U << 10) + 1).value());
  }
  EXPECT_EQ(a.port->registrations().made, 4U);
  leases.clear();
  EXPECT_EQ(a.port->registrations().lent, 0U);
  EXPECT_EQ(a.port->registrations().kept, 4U);
  // What is kept gives way to what is asked for.
  EXPECT_EQ(a.port->Lend(1U << 20).value().bytes().size(), 1U << 20);
  EXPECT_EQ(a.port->registrations().bytes, 1U << 20);
  EXPECT_EQ(a.port->Lend((1U << 20) + 1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(a.port->Lend(0).code(), StatusCode::kInvalidArgument);
}

TEST_P(OfiPortTest, LeasesOfRandomSizesStayApart) {
  options_.registered_bytes_max = 300'000;
  Side a(options_);
  std::mt19937_64 random(test::Seed());
  std::vector<std::pair<OfiPort::Lease, std::size_t>> leases;
  for (std::size_t i = 0; i < 3000; ++i) {
    if (!leases.empty() && random() % 2 == 0) {
      std::swap(leases[random() % leases.size()], leases.back());
      const auto& [lease, seed] = leases.back();
      const Bytes expected = Pattern(lease.bytes().size(), seed);
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), lease.bytes().begin()));
      leases.pop_back();
    } else {
      const std::size_t size = 1 + random() % 100'000;
      Result<OfiPort::Lease> lease = a.port->Lend(
          size, random() % 2 == 0 ? OfiPort::LeaseUse::kShown : OfiPort::LeaseUse::kFilled);
      if (!lease.ok()) {
        ASSERT_EQ(lease.code(), StatusCode::kResourceExhausted);
        continue;
      }
      ASSERT_EQ(lease->bytes().size(), size);
      const Bytes bytes = Pattern(size, i);
      std::copy(bytes.begin(), bytes.end(), lease->bytes().begin());
      leases.emplace_back(std::move(*lease), i);
    }
    const OfiPort::Registrations now = a.port->registrations();
    ASSERT_LE(now.bytes, 300'000U);
    ASSERT_EQ(now.lent, leases.size());
  }
}

TEST_P(OfiPortTest, ALeaseMayOutliveItsPort) {
  auto a = std::make_unique<Side>(options_);
  const OfiPort::Lease lease = a->port->Lend(10'000).value();
  a.reset();
  std::fill(lease.bytes().begin(), lease.bytes().end(), std::byte{1});
  EXPECT_EQ(lease.bytes().size(), 10'000U);
}

TEST_P(OfiPortTest, AMessageWakesWhoWaits) {
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  ASSERT_GE(b.port->wait_fd(), 0);
  // The first one also connects, which takes several wakes on both sides.
  for (std::size_t i = 0; i < 20; ++i) {
    const TimePoint end = RealClock::MonotonicNow() + kLong;
    bool sent = false;
    while (b.received.size() <= i && RealClock::MonotonicNow() < end) {
      if (!sent) sent = a.TrySend(to_b, Pattern(10, i)).value();
      bool found = a.port->Poll(a);
      found = b.port->Poll(b) || found;
      if (found || !a.port->PrepareToBlock() || !b.port->PrepareToBlock()) continue;
      std::array<pollfd, 2> fds{pollfd{.fd = a.port->wait_fd(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = b.port->wait_fd(), .events = POLLIN, .revents = 0}};
      ASSERT_GT(poll(fds.data(), fds.size(), 30'000), 0) << "nobody was woken for message " << i;
    }
    ASSERT_EQ(b.received.size(), i + 1);
    ASSERT_EQ(b.received[i], Pattern(10, i));
  }
}

TEST_P(OfiPortTest, WhoIsRemovedTakesNothingAlong) {
  options_.send_buffers = 8;
  Side a(options_);
  auto stuck = std::make_unique<Side>(options_);
  auto stuck_too = std::make_unique<Side>(options_);
  Side c(options_);
  const Bytes large = Pattern(a.port->eager_bytes_max(), 1);
  const PeerId to_c = a.Knows(c);
  std::vector<PeerId> ids;
  for (Side* side : {stuck.get(), stuck_too.get()}) {
    const PeerId id = a.Knows(*side);
    ids.push_back(id);
    ASSERT_TRUE(SendOne(a, id, large, {&a, side}));
    ASSERT_TRUE(Until({&a, side}, [&] { return !side->received.empty(); }));
    // It looks no more, so what is sent to it stays.
    int refused = 0;
    ASSERT_TRUE(Until({&a}, [&] {
      refused = a.TrySend(id, large).value() ? 0 : refused + 1;
      return refused > 5'000;
    }));
  }
  // They have not all, however long they do not look.
  ASSERT_TRUE(SendOne(a, to_c, large, {&a, &c}));
  ASSERT_TRUE(Until({&a, &c}, [&] { return c.received.size() == 1; }));
  for (const PeerId id : ids) a.port->RemovePeer(id);
  EXPECT_EQ(a.port->stranded().peers, 2U);
  // Three of eight, then two of the five that were left.
  EXPECT_EQ(a.port->stranded().sends, 5U);
  ASSERT_TRUE(SendOne(a, to_c, large, {&a, &c}));
  ASSERT_TRUE(Until({&a, &c}, [&] { return c.received.size() == 2; }));
  stuck.reset();
  stuck_too.reset();
  ASSERT_TRUE(Until({&a, &c}, [&] { return a.port->stranded().sends == 0; }));
  EXPECT_EQ(a.port->stranded().peers, 0U);
  EXPECT_TRUE(a.failed.empty()) << "told of a peer that was removed";
}

TEST_P(OfiPortTest, AReadOutlivesThePeersRemoval) {
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  b.Knows(a);
  const OfiPort::Lease shown = b.port->Lend(1U << 20).value();
  ASSERT_TRUE(SendOne(a, to_b, Bytes(1), {&a, &b}));
  OfiPort::Lease into = a.port->Lend(1U << 20, OfiPort::LeaseUse::kFilled).value();
  int done = 0;
  ASSERT_TRUE(a.port
                  ->Read(to_b, b.port->Describe(shown), into,
                         [&](const Status& status, OfiPort::Lease) {
                           EXPECT_TRUE(status.ok()) << status.ToString();
                           ++done;
                         })
                  .value());
  a.port->RemovePeer(to_b);
  EXPECT_EQ(a.port->stranded().reads, 1U);
  ASSERT_TRUE(Until({&a, &b}, [&] { return done == 1; }));
  EXPECT_EQ(a.port->stranded().reads, 0U);
  EXPECT_EQ(a.port->registrations().lent, 0U);
}

TEST_P(OfiPortTest, APortEndsWithEverythingUnderWay) {
  auto a = std::make_unique<Side>(options_);
  Side b(options_);
  const PeerId to_b = a->Knows(b);
  const OfiPort::Lease shown = b.port->Lend(1U << 20).value();
  ASSERT_TRUE(SendOne(*a, to_b, Bytes(1), {a.get(), &b}));
  for (int i = 0; i < 8; ++i) {
    OfiPort::Lease into = a->port->Lend(1U << 20, OfiPort::LeaseUse::kFilled).value();
    static_cast<void>(a->port->Read(to_b, b.port->Describe(shown), into,
                                    [](const Status&, OfiPort::Lease) { ADD_FAILURE(); }));
    static_cast<void>(a->TrySend(to_b, Bytes(1000)));
  }
  a.reset();
}

// --- A process that is killed ---

/// Another process with a port that takes messages, and shows 4 MiB.
class Victim {
 public:
  explicit Victim(const OfiPortOptions& options) {
    std::array<int, 2> out{};
    if (pipe(out.data()) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      close(out[0]);
      Live(options, out[1]);
    }
    close(out[1]);
    std::uint64_t size = 0;
    if (ReadAll(out[0], &size, sizeof size) && size < 1000) {
      name_.resize(size);
      ready_ = ReadAll(out[0], name_.data(), size) && ReadAll(out[0], &shown_, sizeof shown_);
    }
    close(out[0]);
  }
  ~Victim() { Kill(); }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  bool ready() const { return ready_; }
  const Bytes& name() const { return name_; }
  const OfiPort::RemoteBuffer& shown() const { return shown_; }

 private:
  static bool ReadAll(int fd, void* into, std::size_t size) {
    auto* to = static_cast<std::byte*>(into);
    while (size > 0) {
      const ssize_t got = read(fd, to, size);
      if (got <= 0) return false;
      to += got;
      size -= static_cast<std::size_t>(got);
    }
    return true;
  }
  [[noreturn]] static void Live(const OfiPortOptions& options, int out) {
    Side side(options);
    const OfiPort::Lease lease = side.port->Lend(4U << 20).value();
    const OfiPort::RemoteBuffer shown = side.port->Describe(lease);
    const std::uint64_t size = side.port->name().size();
    bool told = write(out, &size, sizeof size) > 0;
    told = write(out, side.port->name().data(), size) > 0 && told;
    told = write(out, &shown, sizeof shown) > 0 && told;
    close(out);
    // Until it is killed, or left alone.
    const TimePoint end = RealClock::MonotonicNow() + 2 * kLong;
    while (told && RealClock::MonotonicNow() < end) {
      if (!side.port->Poll(side)) std::this_thread::yield();
      side.received.clear();
    }
    _exit(1);
  }

  pid_t pid_ = -1;
  bool ready_ = false;
  Bytes name_;
  OfiPort::RemoteBuffer shown_;
};

/// Sends to it and reads from it until some of it is under way.
void Attack(Side& a, Victim& victim, int* done) {
  const PeerId peer = a.port->AddPeer(victim.name()).value();
  ASSERT_TRUE(SendOne(a, peer, Bytes(10), {&a}));
  for (int i = 0; i < 6; ++i) {
    OfiPort::Lease into = a.port->Lend(4U << 20, OfiPort::LeaseUse::kFilled).value();
    ASSERT_TRUE(a.port
                    ->Read(peer, victim.shown(), into,
                           [done](const Status&, const OfiPort::Lease&) { ++*done; })
                    .ok());
  }
  const Bytes large = Pattern(a.port->eager_bytes_max(), 3);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(a.TrySend(peer, large).ok());
  victim.Kill();
  for (int i = 0; i < 10; ++i) static_cast<void>(a.TrySend(peer, large));
  a.port->RemovePeer(peer);
}

TEST_P(OfiPortTest, APeerThatIsKilledHoldsUpNobody) {
  options_.send_buffers = 16;
  options_.registered_bytes_max = 64U << 20;
  constexpr int kVictims = 3;
  // Before there is a port, which they would share.
  std::vector<std::unique_ptr<Victim>> victims;
  for (int i = 0; i < kVictims; ++i) {
    victims.push_back(std::make_unique<Victim>(options_));
    ASSERT_TRUE(victims.back()->ready());
  }
  Side a(options_);
  Side c(options_);
  const PeerId to_c = a.Knows(c);
  int done = 0;
  std::size_t sent = 0;
  for (const std::unique_ptr<Victim>& victim : victims) {
    ASSERT_NO_FATAL_FAILURE(Attack(a, *victim, &done));
    const TimePoint begin = RealClock::MonotonicNow();
    for (int i = 0; i < 100; ++i, ++sent) {
      ASSERT_TRUE(SendOne(a, to_c, Pattern(1000, sent), {&a, &c}));
    }
    ASSERT_TRUE(Until({&a, &c}, [&] { return c.received.size() == sent; }));
    EXPECT_LT(RealClock::MonotonicNow() - begin, 10s);
    EXPECT_LE(a.port->registrations().bytes, 64U << 20);
  }
  // Nothing is lost: it was either given back or is counted.
  const OfiPort::Stranded stranded = a.port->stranded();
  EXPECT_EQ(a.port->registrations().lent, stranded.reads);
  RecordProperty("reads_done", done);
  RecordProperty("reads_stranded", static_cast<int>(stranded.reads));
  RecordProperty("sends_stranded", static_cast<int>(stranded.sends));
}

// --- What cannot be ---

TEST_P(OfiPortTest, NamesThatCannotBe) {
  Side a(options_);
  const Bytes own(a.port->name().begin(), a.port->name().end());
  std::mt19937_64 random(test::Seed());
  for (std::size_t size = 0; size < 100; ++size) {
    if (size == own.size()) continue;
    Bytes name(size);
    for (std::byte& byte : name) byte = static_cast<std::byte>(random());
    EXPECT_EQ(a.port->AddPeer(name).code(), StatusCode::kInvalidArgument) << size;
  }
  // An address of IPv4 begins with its family, the port, and the host.
  ASSERT_EQ(own.size(), 16U);
  const auto with = [&](std::size_t first, std::size_t count, std::byte what) {
    Bytes name = own;
    std::fill_n(name.begin() + static_cast<std::ptrdiff_t>(first), count, what);
    return a.port->AddPeer(name).code();
  };
  EXPECT_EQ(with(0, 2, std::byte{0}), StatusCode::kInvalidArgument);     // No family.
  EXPECT_EQ(with(0, 1, std::byte{10}), StatusCode::kInvalidArgument);    // IPv6's.
  EXPECT_EQ(with(2, 2, std::byte{0}), StatusCode::kInvalidArgument);     // No port.
  EXPECT_EQ(with(4, 4, std::byte{0}), StatusCode::kInvalidArgument);     // No host.
  EXPECT_EQ(with(4, 4, std::byte{0xFF}), StatusCode::kInvalidArgument);  // All hosts.
  EXPECT_EQ(with(4, 1, std::byte{0xE0}), StatusCode::kInvalidArgument);  // Many hosts.
  EXPECT_EQ(with(0, 0, std::byte{0}), StatusCode::kOk);
}

TEST_P(OfiPortTest, NobodyAtAnAddress) {
  Side a(options_);
  PeerId peer = 0;
  {
    const Side gone(options_);
    peer = a.Knows(gone);
  }
  // Refused, or lost, but no harm.
  int refused = 0;
  ASSERT_TRUE(Until({&a}, [&] {
    const Result<bool> sent = a.TrySend(peer, Bytes(100));
    refused += !sent.ok() || !*sent ? 1 : 0;
    return refused > 1000;
  }));
  a.port->RemovePeer(peer);
  EXPECT_EQ(a.TrySend(peer, Bytes(100)).code(), StatusCode::kNotFound);
}

TEST_P(OfiPortTest, PlacesThatCannotBe) {
  const auto code = [&](const char* bind) {
    options_.bind = bind;
    const auto port = OfiPort::Open(options_);
    EXPECT_TRUE(port.ok() || !port.status().hint().empty());
    return port.code();
  };
  for (const char* bind :
       {"nowhere", "localhost:1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x",
        "[::1", "[::1]7000", "[]:1", "0.0.0.0", "[::]:7000", "0::0", "1.2.3"}) {
    EXPECT_EQ(code(bind), StatusCode::kInvalidArgument) << bind;
  }
  // Kept for documentation: no host has it.
  EXPECT_EQ(code("203.0.113.1"), StatusCode::kUnavailable);
  EXPECT_EQ(code("203.0.113.1:7000"), StatusCode::kUnavailable);
}

TEST_P(OfiPortTest, APlaceThatIsTaken) {
  const Side first(options_);
  std::uint16_t port = 0;
  std::memcpy(&port, first.port->name().data() + 2, sizeof port);
  options_.bind = "127.0.0.1:" + std::to_string(ntohs(port));
  EXPECT_EQ(OfiPort::Open(options_).code(), StatusCode::kUnavailable);
}

TEST_P(OfiPortTest, AddressesOfVersion6) {
  options_.bind = "[::1]";
  const Result<std::unique_ptr<OfiPort>> probe = OfiPort::Open(options_);
  if (!probe.ok()) GTEST_SKIP() << probe.status().ToString();
  Side a(options_);
  Side b(options_);
  const PeerId to_b = a.Knows(b);
  ASSERT_TRUE(SendOne(a, to_b, Pattern(10, 1), {&a, &b}));
  ASSERT_TRUE(Until({&a, &b}, [&] { return b.received.size() == 1; }));
  EXPECT_EQ(b.received[0], Pattern(10, 1));
}

TEST(OfiProviderTest, ProvidersThatCannotBe) {
  OfiPortOptions options;
  for (const char* name : {"carrier pigeon", "shm", "sockets", "udp;ofi_rxd"}) {
    options.provider = name;
    const auto port = OfiPort::Open(options);
    EXPECT_EQ(port.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_NE(port.status().hint().find("tcp;ofi_rxm"), std::string::npos)
        << port.status().ToString();
  }
}

TEST(OfiProviderTest, EachSaysWhyItIsNotUsed) {
  const std::vector<OfiProvider> providers = FindOfiProviders();
  std::map<std::string, bool> found;
  for (const OfiProvider& provider : providers) {
    EXPECT_EQ(provider.usable, provider.why_not.empty()) << provider.name;
    found[provider.name] = provider.usable;
  }
  for (const char* name : {"cxi", "efa", "verbs;ofi_rxm", "tcp;ofi_rxm"}) {
    EXPECT_TRUE(found.contains(name)) << name;
  }
  EXPECT_FALSE(found["shm"]);
  EXPECT_FALSE(found["sockets"]);
  EXPECT_TRUE(found["tcp;ofi_rxm"]);
}

TEST(OfiProviderTest, TheBestIsTakenWhenNoneIsNamed) {
  const auto port = OfiPort::Open({});
  ASSERT_TRUE(port.ok()) << port.status().ToString();
  for (const OfiProvider& provider : FindOfiProviders()) {
    if (!provider.usable) continue;
    EXPECT_EQ((*port)->provider(), provider.name);
    break;
  }
}

}  // namespace
}  // namespace cirein::fabric
