// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "cirein/status.h"

#include "fabric/packet/packet_head.h"
#include "fabric/shm/loan.h"
#include "fabric/shm/segment.h"
#include "region/mapping.h"
#include "runtime/file_descriptor.h"

namespace cirein::fabric {

/// What one side of a connection has borrowed from the other: mappings of what it holds grants of.
/// The connection's mutex guards it.
class Borrower {
 public:
  Borrower(std::shared_ptr<const Segment> segment, unsigned side, Mappings mappings)
      : segment_(std::move(segment)), side_(side), mappings_(mappings) {}

  /// Carries the operation out in a mapping: the word that was there, or 0. Nothing when it must be
  /// the other side's to do; who was never asked for this grant will be.
  std::optional<std::uint64_t> TryOperation(PacketCode kind, const OperationHead& operation,
                                            std::span<const std::byte> bytes,
                                            std::span<std::byte> into);

  /// What is to be asked for, each once.
  std::vector<LoanMessage> TakeAsks();
  bool has_asks() const { return has_asks_.load(std::memory_order_acquire); }

  // What the other side says, which is checked. False: it may not. An answer to be sent, or none.

  bool TakeLend(const LoanMessage& lend, const FileDescriptor& file,
                std::optional<LoanMessage>& answer);
  bool TakeRefuse(const LoanMessage& refuse);
  bool TakeWithdraw(const LoanMessage& withdraw, std::optional<LoanMessage>& answer);

  /// The connection has ended: nothing is called any more.
  void Clear();

 private:
  struct Loan {
    enum class State : std::uint8_t { kAsked, kRefused, kMapped } state = State::kAsked;
    std::uint64_t key = 0;
    std::uint32_t line = 0;
    std::uint64_t access = 0;
    std::optional<FileMapping> mapping;
  };

  void Ask(std::uint64_t grant, std::uint64_t key);
  void Refuse(Loan& loan);

  std::shared_ptr<const Segment> segment_;  // Null after Clear.
  const unsigned side_;                     // Of the other one, whose lines they are.
  const Mappings mappings_;
  std::unordered_map<std::uint64_t, Loan> loans_;
  std::size_t asked_ = 0;    // Without an answer.
  std::size_t refused_ = 0;  // Remembered, so that they are not asked for again.
  std::vector<LoanMessage> asks_;
  std::atomic<bool> has_asks_{false};
};

}  // namespace cirein::fabric
