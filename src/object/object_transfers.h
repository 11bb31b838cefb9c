// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "cirein/data_object.h"
#include "cirein/status.h"

#include "fabric/transport.h"
#include "runtime/clock.h"
#include "runtime/gate.h"

namespace cirein {

/// How objects that are too large for a message travel over one transport: who sends one lends its
/// data, and says so in the message; the other side reads them with one-sided operations
/// (ObjectFetcher) and then says that it is done. Thread-safe.
class ObjectTransfers : public std::enable_shared_from_this<ObjectTransfers> {
 public:
  /// What goes into one message at most, however many objects it has.
  static constexpr std::uint64_t kInlineBytesPerMessage = 2ULL << 20;

  struct Options {
    /// Data of one object that go into the message itself.
    std::uint64_t inline_bytes_max = 256ULL << 10;
    /// A larger object is not fetched.
    std::uint64_t object_bytes_max = DataObject::kMaxDataBytes;
  };

  /// `transport` outlives Stop, `clock` this.
  ObjectTransfers(fabric::Transport& transport, const Clock& clock, const Options& options)
      : transport_(transport), clock_(clock), options_(options) {}

  /// The data of an object, for who has the grant to read them. They stay where they are for as
  /// long as this lives, and after it for as long as an operation by the grant may be under way.
  class Loan {
   public:
    Loan(std::shared_ptr<ObjectTransfers> transfers, fabric::Transport::MemoryId memory,
         const fabric::Grant& grant)
        : transfers_(std::move(transfers)), memory_(memory), grant_(grant) {}
    /// Takes it back. Blocks as Transport::Unregister, which is not for plain memory.
    ~Loan();
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    const fabric::Grant& grant() const noexcept { return grant_; }

   private:
    const std::shared_ptr<ObjectTransfers> transfers_;
    const fabric::Transport::MemoryId memory_;
    const fabric::Grant grant_;
  };
  using LoanPtr = std::shared_ptr<const Loan>;

  /// What the objects of one message have taken of its room.
  struct Room {
    std::uint64_t left = kInlineBytesPerMessage;
  };
  /// Null when the object's data are to go into the message, whose room they then take. Errors: as
  /// Transport::MakeGrant; Unavailable after Stop.
  Result<LoanPtr> LendIfLarge(const DataObject& object, Room& room);

  const Clock& clock() const noexcept { return clock_; }
  const Options& options() const noexcept { return options_; }

  /// Before the transport ends: nothing is lent from now on. Blocks while somebody lends.
  void Stop() { gate_.CloseAndWait(); }

 private:
  Result<LoanPtr> Lend(const DataObject& object);

  fabric::Transport& transport_;
  const Clock& clock_;
  const Options options_;
  Gate gate_;  // Whoever uses the transport is inside.
};

}  // namespace cirein
