// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "fabric/grant_table.h"
#include "fabric/shm/loan.h"
#include "fabric/shm/segment.h"
#include "region/region.h"
#include "runtime/clock.h"
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
  /// Can nothing be done by it any more? It was given back; or revoked, and no operation is under
  /// way; or the other side's process is dead. The connection's end alone says nothing of it. Once
  /// it is over it stays so.
  bool IsOver(std::uint64_t grant);
  /// Blocks until it is over, or until `end`.
  void Await(std::uint64_t grant, TimePoint end);
  /// What was revoked and is to be told, each once.
  std::vector<LoanMessage> TakeWithdrawals();
  bool has_withdrawals() const { return has_withdrawals_.load(std::memory_order_acquire); }

  /// The connection has ended: what was lent, which is revoked. Waits a little for what is under
  /// way; what is not over then goes on as if the connection had not ended.
  std::vector<std::uint64_t> End();

 private:
  struct Loan {
    std::uint64_t grant = 0;
    enum class State : std::uint8_t { kFree, kLent, kRevoked, kWithdrawn } state = State::kFree;
    bool is_over = false;  ///< It was seen revoked and not in use.
  };

  LoanLine& line(std::size_t i) const { return segment_->loan(side_, static_cast<unsigned>(i)); }
  void SetRevoked(std::size_t i);
  std::optional<std::size_t> Find(std::uint64_t grant) const;
  /// Waits for as long.
  bool BorrowerIsDead(int wait_ms) const;

  const std::shared_ptr<const Segment> segment_;
  const unsigned side_;
  const FileDescriptor borrower_;
  std::atomic<bool> has_withdrawals_{false};

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  bool ended_ = false;
  std::array<Loan, kLoansMax> loans_;
};

/// All that a process has lent, by connections that are there and that were. It holds the memory of
/// each loan until that is over, so that nobody is given it who has other use for it: what was
/// taken back and is not over is in quarantine. Thread-safe.
class Loans {
 public:
  void Add(std::uint64_t grant, std::shared_ptr<Lender> lender, std::shared_ptr<Region> region);
  /// It was given back.
  void Remove(std::uint64_t grant, const Lender& lender);
  /// It was taken back: lets go of it if it is over, and says so; else it is in quarantine.
  bool Settle(std::uint64_t grant, Lender& lender);

  /// These were taken back: no operation may begin by them any more. What is to be waited for, of
  /// the region too when there is one: a grant that was revoked before may be in quarantine.
  struct Revoked {
    std::uint64_t grant;
    std::shared_ptr<Lender> lender;
  };
  std::vector<Revoked> Revoke(const GrantTable::Removed& removed);

  /// As many may be in quarantine before nothing more is lent.
  static constexpr std::size_t kQuarantineMax = 64;
  std::size_t quarantined() const { return quarantined_.load(std::memory_order_acquire); }
  /// Lets go of what is over.
  void Sweep();
  /// The transport has ended: what is in quarantine stays so, until it is over or the process ends.
  static void Keep(const std::shared_ptr<Loans>& loans);

 private:
  struct Loan {
    std::shared_ptr<Lender> lender;
    std::shared_ptr<Region> region;
    bool is_quarantined = false;
  };
  using Map = std::multimap<std::uint64_t, Loan>;

  Map::iterator Find(std::uint64_t grant, const Lender& lender);
  /// To be let go without the lock: what it keeps may call back.
  Map::node_type Take(Map::iterator loan);

  std::atomic<std::size_t> quarantined_{0};
  std::mutex mutex_;
  Map loans_;  // Guarded by mutex_.
};

}  // namespace cirein::fabric
