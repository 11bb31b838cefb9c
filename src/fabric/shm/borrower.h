// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "cirein/status.h"

#include "fabric/packet/packet_head.h"
#include "fabric/shm/loan.h"
#include "fabric/shm/segment.h"
#include "runtime/file_descriptor.h"

namespace cirein::fabric {

/// What one side of a connection has borrowed from the other: mappings of what it holds grants of.
/// The connection's mutex guards it, but for what an operation does to the memory.
class Borrower {
 public:
  Borrower(std::shared_ptr<const Segment> segment, unsigned side, Mappings mappings)
      : segment_(std::move(segment)), side_(side), mappings_(mappings) {}

  /// A mapping while an operation is under way in it.
  struct Mapped;
  struct Use {
    std::shared_ptr<Mapped> mapped;
    std::byte* place;
  };
  /// Where the operation is to be carried out. Nothing when it must be the other side's to do; who
  /// was never asked for this grant will be.
  std::optional<Use> Begin(PacketCode kind, const OperationHead& operation);
  /// Carries it out: the word that was there, or 0. The mutex need not be held.
  static std::uint64_t Operate(PacketCode kind, const OperationHead& operation, const Use& use,
                               std::span<const std::byte> bytes, std::span<std::byte> into);
  void End(Use use);

  /// What is to be asked for, and what is given back, each once.
  std::vector<LoanMessage> TakeMessages();
  bool has_messages() const { return has_messages_.load(std::memory_order_acquire); }

  // What the other side says, which is checked. False: it may not. An answer to be sent, or none.

  bool TakeLend(const LoanMessage& lend, const FileDescriptor& file,
                std::optional<LoanMessage>& answer);
  bool TakeRefuse(const LoanMessage& refuse);
  bool TakeWithdraw(const LoanMessage& withdraw, std::optional<LoanMessage>& answer);

  /// The connection has ended: waits for what is under way, without the mutex, which `lock` holds.
  /// Nothing is called any more.
  void Clear(std::unique_lock<std::mutex>& lock);

 private:
  struct Loan {
    enum class State : std::uint8_t { kAsked, kRefused, kMapped } state = State::kAsked;
    std::uint64_t key = 0;
    std::shared_ptr<Mapped> mapped;
  };

  LoanLine& LineOf(const Mapped& mapped) const;
  void PutMessage(const LoanMessage& message);
  void Ask(std::uint64_t grant, std::uint64_t key);
  void Refuse(Loan& loan);

  std::shared_ptr<const Segment> segment_;  // Null after Clear.
  const unsigned side_;                     // Of the other one, whose lines they are.
  const Mappings mappings_;
  std::unordered_map<std::uint64_t, Loan> loans_;
  std::size_t asked_ = 0;    // Without an answer.
  std::size_t refused_ = 0;  // Remembered, so that they are not asked for again.
  std::vector<LoanMessage> messages_;
  std::atomic<bool> has_messages_{false};
  std::size_t uses_ = 0;
  std::condition_variable unused_;
};

}  // namespace cirein::fabric
