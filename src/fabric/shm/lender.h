// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "fabric/grant_table.h"
#include "fabric/shm/loan.h"
#include "fabric/shm/segment.h"
#include "runtime/file_descriptor.h"

namespace cirein::fabric {

/// What may be lent of a grant, and a descriptor of it that allows no more.
struct Offer {
  FileDescriptor file;
  std::uint64_t bytes = 0;
  Access access = Access::kRead;
};
/// Nothing when the memory of the grant has no file, or is not to be mapped.
std::optional<Offer> MakeOffer(const GrantTable::Whole& whole, Mappings mappings);

/// What one side of a connection has lent to the other. Thread-safe.
class Lender {
 public:
  /// `borrower` is the other side's pidfd; not open when it is this process.
  Lender(std::shared_ptr<const Segment> segment, unsigned side, FileDescriptor borrower)
      : segment_(std::move(segment)), side_(side), borrower_(std::move(borrower)) {}

  /// A line for the grant; nothing when there is none, or the connection has ended.
  std::optional<unsigned> Lend(std::uint64_t grant);
  bool HasLent(std::uint64_t grant) const;
  /// The other side has it no more. False when it was not lent so.
  bool Release(unsigned line, std::uint64_t grant);

  /// No operation may begin by it any more, if it was lent.
  void Revoke(std::uint64_t grant);
  /// Returns when none is under way by it: it has been revoked. Blocks for as long as there is one.
  void Await(std::uint64_t grant) const;
  /// What was revoked and is to be told, each once.
  std::vector<LoanMessage> TakeWithdrawals();
  bool has_withdrawals() const { return has_withdrawals_.load(std::memory_order_acquire); }

  /// Whether the other side may still do something.
  enum class Borrower : std::uint8_t { kMayLive, kHasGone };
  /// The connection has ended: what was lent, which is revoked. Waits a little for what is under
  /// way.
  std::vector<std::uint64_t> End(Borrower borrower);

 private:
  struct Loan {
    std::uint64_t grant = 0;
    enum class State : std::uint8_t { kFree, kLent, kRevoked, kWithdrawn } state = State::kFree;
  };

  LoanLine& line(std::size_t i) const { return segment_->loan(side_, static_cast<unsigned>(i)); }
  void SetRevoked(std::size_t i);
  std::optional<std::size_t> Find(std::uint64_t grant) const;
  bool IsInUse(std::uint64_t grant) const;
  bool BorrowerIsDead() const;

  const std::shared_ptr<const Segment> segment_;
  const unsigned side_;
  const FileDescriptor borrower_;
  std::atomic<bool> ended_{false};
  std::atomic<bool> has_withdrawals_{false};

  mutable std::mutex mutex_;
  std::array<Loan, kLoansMax> loans_;  // Guarded by mutex_.
};

/// Which of a process's lenders have lent which grants. Thread-safe.
class Lenders {
 public:
  void Add(std::uint64_t grant, std::shared_ptr<Lender> lender);
  void Remove(std::uint64_t grant, const Lender& lender);
  /// These were taken back: revokes them. Returns whom to wait for.
  struct Revoked {
    std::uint64_t grant;
    std::shared_ptr<Lender> lender;
  };
  std::vector<Revoked> Revoke(std::span<const std::uint64_t> grants);

 private:
  std::mutex mutex_;
  std::multimap<std::uint64_t, std::shared_ptr<Lender>> lenders_;  // Guarded by mutex_.
};

}  // namespace cirein::fabric
