// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cirein/status.h"

#include "fabric/transport.h"
#include "runtime/clock.h"

namespace cirein::fabric {

/// What one side of a connection has on its way or unanswered.
struct Load {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
};

/// A share of a Load, given back when it is destroyed.
class Toll {
 public:
  Toll() = default;
  Toll(std::shared_ptr<Load> load, std::uint64_t bytes) : load_(std::move(load)), bytes_(bytes) {
    ++load_->number;
    load_->bytes += bytes_;
  }
  Toll(Toll&& other) noexcept = default;
  Toll& operator=(Toll&& other) noexcept {
    if (this == &other) return *this;
    GiveBack();
    load_ = std::move(other.load_);
    bytes_ = other.bytes_;
    return *this;
  }
  Toll(const Toll&) = delete;
  Toll& operator=(const Toll&) = delete;
  ~Toll() { GiveBack(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void GiveBack() {
    if (load_ == nullptr) return;
    --load_->number;
    load_->bytes -= bytes_;
    load_.reset();
  }

  std::shared_ptr<Load> load_;
  std::uint64_t bytes_ = 0;
};

enum class PacketKind : std::uint8_t {
  kHello,    ///< Asks for a connection.
  kWelcome,  ///< It is there.
  kMessage,
  kRequest,
  kReply,
  kRead,
  kWrite,
  kSwap,
  kAdd,
  kPersist,
  kDone,  ///< How a one-sided operation ended.
  kEnd,   ///< The connection has ended, or could not be made.
};

/// What travels.
struct Packet {
  PacketKind kind = PacketKind::kMessage;
  std::uint64_t number = 0;  ///< Which request or operation.
  std::vector<std::byte> bytes;
  Grant grant{};
  ByteRange range{};
  WordSwap swap{};
  std::uint64_t word = 0;  ///< What to add, or what was there before.
  Status status;
  Toll toll;
  Toll asker_toll;                   ///< Of a reply: what its request took.
  std::chrono::nanoseconds held{0};  ///< It leaves so much later, and so does what follows it.
  TimePoint arrives{};
};
/// What the journal calls it.
const char* PacketName(PacketKind kind);
/// Does the fabric do it by itself, without the target's code?
bool IsOneSided(PacketKind kind);

using PacketPtr = std::shared_ptr<Packet>;

}  // namespace cirein::fabric
