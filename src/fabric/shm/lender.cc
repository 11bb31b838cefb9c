// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/lender.h"

#include <chrono>
#include <cstdint>
#include <fcntl.h>
#include <poll.h>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "runtime/real_clock.h"

namespace cirein::fabric {
namespace {

// Most operations end within the first of them.
constexpr int kYields = 100;
constexpr int kWaitMs = 1;
// Of the home, at a connection's end, for one who is in the middle of an operation.
constexpr std::chrono::milliseconds kWaitAtEnd{100};

bool IsSealed(int file) {
  const int seals = fcntl(file, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

}  // namespace

std::optional<Offer> MakeOffer(const GrantTable::Whole& whole, Mappings mappings) {
  const int file = whole.region->descriptor();
  // A mapping can always be read.
  if (mappings == Mappings::kNone || file < 0 || !Allows(whole.access, Access::kRead)) return {};
  Offer offer;
  const bool sealed = IsSealed(file);
  if (!sealed && mappings == Mappings::kMemory) return {};
  // Who may store words could store anything there.
  const bool writable = Allows(whole.access, Access::kRead | Access::kWrite) &&
                        whole.region->has_stores() && (sealed || mappings == Mappings::kFiles);
  if (writable) offer.access = whole.access;
  offer.bytes = whole.region->size();
  struct stat facts {};
  if (fstat(file, &facts) != 0 || facts.st_size < 0 ||
      static_cast<std::uint64_t>(facts.st_size) < offer.bytes) {
    return {};
  }
  // Anew: the descriptor that is shared otherwise has flags and a lock that are shared too.
  const std::string path = fmt::format("/proc/self/fd/{}", file);
  offer.file = FileDescriptor(open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  if (!offer.file.is_open()) return {};
  return offer;
}

void Lender::SetRevoked(std::size_t i) {
  std::atomic_ref<std::uint32_t>(line(i).revoked).store(1, std::memory_order_seq_cst);
}

std::optional<std::size_t> Lender::Find(std::uint64_t grant) const {
  for (std::size_t i = 0; i < loans_.size(); ++i) {
    if (loans_[i].state != Loan::State::kFree && loans_[i].grant == grant) return i;
  }
  return std::nullopt;
}

std::optional<unsigned> Lender::Lend(std::uint64_t grant) {
  const std::lock_guard lock(mutex_);
  if (ended_) return std::nullopt;
  for (std::size_t i = 0; i < loans_.size(); ++i) {
    if (loans_[i].state != Loan::State::kFree) continue;
    loans_[i] = {.grant = grant, .state = Loan::State::kLent};
    // Nobody is told of it yet.
    std::atomic_ref<std::uint32_t>(line(i).in_use).store(0, std::memory_order_relaxed);
    std::atomic_ref<std::uint32_t>(line(i).revoked).store(0, std::memory_order_seq_cst);
    return static_cast<unsigned>(i);
  }
  return std::nullopt;
}

bool Lender::HasLent(std::uint64_t grant) const {
  const std::lock_guard lock(mutex_);
  return Find(grant).has_value();
}

bool Lender::Release(unsigned line, std::uint64_t grant) {
  const std::lock_guard lock(mutex_);
  if (line >= loans_.size()) return false;
  Loan& loan = loans_[line];
  if (loan.state == Loan::State::kFree || loan.grant != grant) return false;
  loan = {};
  return true;
}

void Lender::Revoke(std::uint64_t grant) {
  const std::lock_guard lock(mutex_);
  const auto found = Find(grant);
  if (!found || loans_[*found].state != Loan::State::kLent) return;
  loans_[*found].state = Loan::State::kRevoked;
  SetRevoked(*found);
  has_withdrawals_.store(true, std::memory_order_release);
}

std::vector<LoanMessage> Lender::TakeWithdrawals() {
  std::vector<LoanMessage> withdrawals;
  const std::lock_guard lock(mutex_);
  has_withdrawals_.store(false, std::memory_order_relaxed);
  for (std::size_t i = 0; i < loans_.size(); ++i) {
    if (loans_[i].state != Loan::State::kRevoked) continue;
    loans_[i].state = Loan::State::kWithdrawn;
    withdrawals.push_back({.kind = LoanKind::kWithdraw,
                           .line = static_cast<std::uint32_t>(i),
                           .grant = loans_[i].grant});
  }
  return withdrawals;
}

bool Lender::BorrowerIsDead(int wait_ms) const {
  // All its threads are past their last store when its pidfd is readable.
  pollfd wait{.fd = borrower_.get(), .events = POLLIN, .revents = 0};
  return poll(&wait, borrower_.is_open() ? 1 : 0, wait_ms) > 0;
}

bool Lender::IsOver(std::uint64_t grant) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = Find(grant);
    // Given back; its line may be another grant's by now.
    if (!found) return true;
    Loan& loan = loans_[*found];
    // Who tries again after this says so for a moment, but sees that it may not.
    if (loan.state != Loan::State::kLent && !loan.is_over) {
      const std::atomic_ref<std::uint32_t> in_use(line(*found).in_use);
      loan.is_over = in_use.load(std::memory_order_seq_cst) == 0;
    }
    if (loan.is_over) return true;
  }
  return BorrowerIsDead(0);
}

void Lender::Await(std::uint64_t grant, TimePoint end) {
  for (int yields = 0; !IsOver(grant); ++yields) {
    if (yields < kYields) {
      std::this_thread::yield();
    } else if (RealClock::MonotonicNow() >= end) {
      return;
    } else {
      BorrowerIsDead(kWaitMs);
    }
  }
}

std::vector<std::uint64_t> Lender::End() {
  std::vector<std::uint64_t> grants;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (std::size_t i = 0; i < loans_.size(); ++i) {
      if (loans_[i].state == Loan::State::kFree) continue;
      grants.push_back(loans_[i].grant);
      loans_[i].state = Loan::State::kWithdrawn;
      SetRevoked(i);
    }
  }
  const TimePoint end = RealClock::MonotonicNow() + kWaitAtEnd;
  for (const std::uint64_t grant : grants) Await(grant, end);
  return grants;
}

void Loans::Add(std::uint64_t grant, std::shared_ptr<Lender> lender,
                std::shared_ptr<Region> region) {
  const std::lock_guard lock(mutex_);
  loans_.emplace(grant, Loan{std::move(lender), std::move(region)});
}

Loans::Map::iterator Loans::Find(std::uint64_t grant, const Lender& lender) {
  const auto [first, last] = loans_.equal_range(grant);
  for (auto it = first; it != last; ++it) {
    if (it->second.lender.get() == &lender) return it;
  }
  return loans_.end();
}

Loans::Map::node_type Loans::Take(Map::iterator loan) {
  if (loan == loans_.end()) return {};
  if (loan->second.is_quarantined) --quarantined_;
  return loans_.extract(loan);
}

void Loans::Remove(std::uint64_t grant, const Lender& lender) {
  Map::node_type gone;
  const std::lock_guard lock(mutex_);
  gone = Take(Find(grant, lender));
}

bool Loans::Settle(std::uint64_t grant, Lender& lender) {
  Map::node_type gone;
  const bool is_over = lender.IsOver(grant);
  const std::lock_guard lock(mutex_);
  const auto found = Find(grant, lender);
  // It may have been given back since.
  if (found == loans_.end()) return true;
  if (is_over) {
    gone = Take(found);
  } else if (!found->second.is_quarantined) {
    found->second.is_quarantined = true;
    ++quarantined_;
  }
  return is_over;
}

std::vector<Loans::Revoked> Loans::Revoke(const GrantTable::Removed& removed) {
  std::vector<Revoked> revoked;
  {
    const std::lock_guard lock(mutex_);
    if (loans_.empty()) return revoked;
    for (const std::uint64_t grant : removed.grants) {
      const auto [first, last] = loans_.equal_range(grant);
      for (auto it = first; it != last; ++it) revoked.push_back({grant, it->second.lender});
    }
    if (removed.region != nullptr && quarantined() > 0) {
      for (const auto& [grant, loan] : loans_) {
        if (loan.is_quarantined && loan.region == removed.region) {
          revoked.push_back({grant, loan.lender});
        }
      }
    }
  }
  for (const Revoked& one : revoked) one.lender->Revoke(one.grant);
  return revoked;
}

void Loans::Sweep() {
  if (quarantined() == 0) return;
  std::vector<Revoked> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [grant, loan] : loans_) {
      if (loan.is_quarantined) waiting.push_back({grant, loan.lender});
    }
  }
  for (const Revoked& one : waiting) static_cast<void>(Settle(one.grant, *one.lender));
}

void Loans::Keep(const std::shared_ptr<Loans>& loans) {
  static std::mutex mutex;
  // Stays until the process ends: whoever ends last must not let go of it either.
  static auto* const kept = new std::vector<std::shared_ptr<Loans>>();
  std::vector<std::shared_ptr<Loans>> all;
  {
    const std::lock_guard lock(mutex);
    kept->push_back(loans);
    all = *kept;
  }
  // Without the lock: what is let go may call back.
  for (const std::shared_ptr<Loans>& one : all) one->Sweep();
  const std::lock_guard lock(mutex);
  std::erase_if(*kept, [](const auto& one) { return one->quarantined() == 0; });
}

}  // namespace cirein::fabric
