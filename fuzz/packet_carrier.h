// SPDX-License-Identifier: Apache-2.0
#pragma once

// What fuzz_packets.cc puts a connection over packets between: a carrier that has no room now and
// then, and memory that is granted in part and held against a model.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "check.h"
#include "fabric/packet/packet_connection.h"
#include "fabric/packet/packet_endpoint.h"
#include "fabric/packet/packet_transport.h"
#include "fabric/packet/pending_table.h"
#include "region/region.h"
#include "runtime/reactor.h"
#include "runtime/virtual_clock.h"

namespace cirein::fuzz {

using namespace fabric;  // NOLINT: all of it is under test

inline constexpr int kMostSteps = 400;
inline constexpr Limits kLimits = {.message_bytes_max = 4096,
                                   .outstanding_bytes_max = 8192,
                                   .outstanding_max = 8,
                                   .connections_max = 1,
                                   .grants_max = 8};
// No packet that may come has as many.
inline constexpr std::uint64_t kTooManyBytes =
    sizeof(OperationHead) + kLimits.outstanding_bytes_max + 1;

/// Takes the input apart; at its end all is zero.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::uint8_t Byte() { return Value<std::uint8_t>(); }
  std::size_t Below(std::size_t bound) { return Byte() % bound; }
  template <typename T>
  T Value() {
    T value{};
    const std::size_t size = std::min(bytes_.size(), sizeof value);
    if (size > 0) std::memcpy(&value, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
};

/// What this side sends: at each place of a message what is there in every one.
inline std::span<const std::byte> OwnBytes(std::size_t offset, std::size_t size) {
  static const auto all = [] {
    std::array<std::byte, 1U << 15> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 251);
    return bytes;
  }();
  return std::span(all).subspan(offset, size);
}

inline bool AreSame(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

/// What should be outstanding.
struct Tally {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  void Add(std::uint64_t more_bytes) {
    ++number;
    bytes += more_bytes;
    CIREIN_FUZZ_CHECK(number <= kLimits.outstanding_max);
    CIREIN_FUZZ_CHECK(bytes <= kLimits.outstanding_bytes_max);
  }
  void Remove(std::uint64_t less_bytes) {
    CIREIN_FUZZ_CHECK(number > 0 && bytes >= less_bytes);
    --number;
    bytes -= less_bytes;
  }
  bool Fits(std::uint64_t more_bytes) const {
    return number < kLimits.outstanding_max && more_bytes <= kLimits.outstanding_bytes_max - bytes;
  }
};

/// Carries packets to nobody, as far as there is room.
class FuzzConnection final : public PacketConnection {
 public:
  FuzzConnection(std::shared_ptr<PacketEndpoint> endpoint, Service& service)
      : PacketConnection(std::move(endpoint), "fuzz://there", service) {}

  Status Start() override { return OkStatus(); }
  bool Poll() override {
    if (!is_open()) return false;
    const bool called = CallFinished();
    if (!is_open() || !has_waiting()) return called;
    const std::lock_guard lock(mutex_);
    return PumpOut() || called;
  }
  bool PrepareToBlock() override { return !has_finished(); }

  using PacketConnection::End;
  using PacketConnection::in_packet;
  using PacketConnection::is_open;
  using PacketConnection::Shared;
  using PacketConnection::TakeBytes;
  using PacketConnection::TakeHead;

  void AddRoom(std::uint64_t bytes) { room_ += bytes; }
  /// The other side reads on.
  void ReadOn(std::uint64_t bytes) { read_ = std::min(written_, read_ + bytes); }
  void SwitchHere() { acts_here_ = !acts_here_; }
  /// Was the last operation carried out here?
  bool TakeWasHere() { return std::exchange(was_here_, false); }

  Tally begun;
  Tally replies;

  /// How operations of the other side should end that were not told to it yet.
  struct Answer {
    std::uint64_t number;
    bool is_ok;
    std::uint64_t word;
    std::vector<std::byte> bytes;
  };
  std::deque<Answer> answers;

 protected:
  void TrySome(PacketCursor& packet) override {
    CIREIN_FUZZ_CHECK(!has_left_ && !packet.done());
    if (room_ == 0) return;
    if (!packet.begun()) Spend(1);
    const std::uint64_t offset = packet.head().bytes - packet.rest();
    std::vector<std::byte> bytes(std::min(packet.rest(), room_));
    packet.CopyTo(bytes);
    Spend(bytes.size());
    Check(packet.head(), offset, bytes);
    const auto kind = static_cast<PacketCode>(packet.head().kind);
    if (!packet.done()) return;
    if (kind == PacketCode::kDone) answers.pop_front();
    if (kind == PacketCode::kMessage) unread_.push_back({written_, packet.head().bytes, &begun});
    if (kind == PacketCode::kReply) unread_.push_back({written_, packet.head().bytes, &replies});
  }
  std::uint64_t LastMark() const override { return written_; }
  void Look() override {
    CIREIN_FUZZ_CHECK(!has_left_);
    ReadUpTo(read_);
    for (; !unread_.empty() && unread_.front().mark <= read_; unread_.pop_front()) {
      unread_.front().tally->Remove(unread_.front().bytes);
    }
  }
  void Sent() override { CIREIN_FUZZ_CHECK(!has_left_); }
  void LeaveCarrier() override { has_left_ = true; }
  std::optional<std::uint64_t> TryHere(PacketCode /*kind*/, const OperationHead& operation,
                                       std::span<const std::byte> /*bytes*/,
                                       std::span<std::byte> into,
                                       std::unique_lock<std::mutex>& lock) override {
    CIREIN_FUZZ_CHECK(!has_left_);
    if (!acts_here_) return std::nullopt;
    was_here_ = true;
    lock.unlock();
    std::fill(into.begin(), into.end(), std::byte{1});
    lock.lock();
    return operation.word;
  }

 private:
  struct Unread {
    std::uint64_t mark;
    std::uint64_t bytes;
    Tally* tally;
  };

  void Spend(std::uint64_t bytes) {
    room_ -= bytes;
    written_ += bytes;
  }
  /// What goes is what was to go, whether it had to wait or not.
  void Check(const PacketHead& head, std::uint64_t offset, std::span<const std::byte> bytes) {
    const auto kind = static_cast<PacketCode>(head.kind);
    if (kind == PacketCode::kDone) return CheckAnswer(head, offset, bytes);
    if (kind <= PacketCode::kReply) {
      CIREIN_FUZZ_CHECK(AreSame(bytes, OwnBytes(offset, bytes.size())));
    } else if (offset >= sizeof(OperationHead)) {
      offset -= sizeof(OperationHead);
      CIREIN_FUZZ_CHECK(AreSame(bytes, OwnBytes(offset, bytes.size())));
    }
  }
  void CheckAnswer(const PacketHead& head, std::uint64_t offset,
                   std::span<const std::byte> bytes) const {
    CIREIN_FUZZ_CHECK(!answers.empty() && answers.front().number == head.number);
    const Answer& answer = answers.front();
    CIREIN_FUZZ_CHECK(answer.is_ok == (head.status == 0));
    if (!answer.is_ok) return;
    CIREIN_FUZZ_CHECK(answer.word == head.word && answer.bytes.size() == head.bytes);
    CIREIN_FUZZ_CHECK(AreSame(bytes, std::span(answer.bytes).subspan(offset, bytes.size())));
  }

  std::uint64_t room_ = 100;
  std::uint64_t written_ = 0;
  std::uint64_t read_ = 0;
  std::deque<Unread> unread_;
  bool acts_here_ = false;
  bool was_here_ = false;
  bool has_left_ = false;
};

/// Connects to whoever is asked for, and is never listened on.
class FuzzEndpoint final : public PacketEndpoint {
 public:
  explicit FuzzEndpoint(Reactor& home)
      : PacketEndpoint(home, {.limits = kLimits,
                              .default_deadline = std::chrono::milliseconds(50),
                              .handshake_max = std::chrono::seconds(1)}) {}
  const Address& address() const override { return address_; }
  void Rename(Address address) override { address_ = std::move(address); }

 private:
  Status CheckAddress(const Address& /*address*/) const override { return OkStatus(); }
  Status OpenListener() override { return Unavailable("nobody can come"); }
  void StartListener() override {}
  void CloseListener(Leaves /*leaves*/) override {}
  Result<std::unique_ptr<ConnectionAttempt>> Ask(const Address& /*address*/, Ended ended) override {
    Submit([self = shared_from_this(), ended = std::move(ended)] {
      ended(Agreed(
          [self](Service& service) { return std::make_shared<FuzzConnection>(self, service); }));
    });
    return std::make_unique<ConnectionAttempt>();
  }

  Address address_ = "fuzz://here";
};

class FuzzTransport final : public PacketTransport {
 public:
  explicit FuzzTransport(Reactor& home) : PacketTransport(std::make_shared<FuzzEndpoint>(home)) {}
};

class MemoryRegion final : public Region {
 public:
  explicit MemoryRegion(std::span<std::byte> bytes) : Region("memory", bytes.size()) {
    stores_ = bytes.data();
    data_ = stores_;
  }
  Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    CIREIN_FUZZ_CHECK(CheckRange(offset, bytes.size()).ok());
    std::memcpy(stores_ + offset, bytes.data(), bytes.size());
    return OkStatus();
  }
  Status Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite /*site*/) override {
    CIREIN_FUZZ_CHECK(CheckRange(offset, bytes).ok());
    return OkStatus();
  }
};

/// Memory of which parts are granted, and what should be in it.
class GrantedMemory {
 public:
  GrantedMemory() { std::fill(words_.begin(), words_.end(), 0xe5e5'e5e5'e5e5'e5e5); }

  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(words_)); }
  std::span<std::byte> expected() { return std::as_writable_bytes(std::span(expected_)); }
  void Register(Transport& transport, std::shared_ptr<Region> region) {
    id_ = *(region != nullptr ? transport.Register(std::move(region))
                              : transport.Register(bytes(), nullptr));
    expected_ = words_;
  }
  const Grant& Make(Transport& transport, ByteRange range, Access access) {
    granted_.push_back({*transport.MakeGrant(id_, range, access), range, true});
    return granted_.back().grant;
  }
  void Revoke(Transport& transport, std::size_t which) {
    Granted& granted = granted_[which % granted_.size()];
    CIREIN_FUZZ_CHECK(transport.Revoke(granted.grant).ok() == granted.is_live);
    granted.is_live = false;
  }
  void Unregister(Transport& transport) {
    static_cast<void>(transport.Unregister(id_).ok());
    for (Granted& granted : granted_) granted.is_live = false;
  }

  /// Of what should be there, where an operation is that may take place.
  std::optional<std::span<std::byte>> Find(const OperationHead& operation, std::uint64_t bytes,
                                           Access asked) {
    for (const Granted& granted : granted_) {
      if (!granted.is_live || granted.grant.id != operation.grant) continue;
      if (granted.grant.key != operation.key || !Allows(granted.grant.access, asked)) continue;
      if (operation.offset > granted.range.bytes) continue;
      if (bytes > granted.range.bytes - operation.offset) continue;
      return expected().subspan(granted.range.offset + operation.offset, bytes);
    }
    return std::nullopt;
  }
  void Check() const { CIREIN_FUZZ_CHECK(words_ == expected_); }

 private:
  struct Granted {
    Grant grant;
    ByteRange range;
    bool is_live;
  };

  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(512);
  std::vector<std::uint64_t> expected_;
  Transport::MemoryId id_ = 0;
  std::vector<Granted> granted_;
};

}  // namespace cirein::fuzz
