// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "cirein/status.h"

#include "object/object_messages.h"
#include "object/object_transfers.h"
#include "runtime/timers.h"

namespace cirein::node {

/// What answers over one connection have lent, until the client says that it has read it, the
/// connection ends, or kLimit has passed. Thread-safe.
class AnswerLoans : public std::enable_shared_from_this<AnswerLoans> {
 public:
  /// So many objects are kept for a client that reads none of them.
  static constexpr std::size_t kLoansMax = 1024;
  static constexpr std::chrono::minutes kLimit{5};

  /// Without `transfers` nothing is lent. The clock and timers outlive Clear.
  AnswerLoans(std::shared_ptr<ObjectTransfers> transfers, const Clock& clock, TimerService& timers)
      : transfers_(std::move(transfers)), clock_(clock), timers_(timers) {}

  /// Lends the data of the answer's object if they are too large for a message: then it is changed
  /// to say so, or to the error.
  void LendLarge(wire::Reply& answer);
  /// The answer was not sent.
  void TakeBack(wire::Reply& answer);
  /// True when there was such a loan.
  bool Release(const wire::ReleaseRequest& request);
  /// Ends all loans; from now on there are none.
  void Clear();
  std::size_t size() const;

 private:
  struct Lent {
    ObjectTransfers::LoanPtr loan;
    TimerService::TimerId timer = 0;
  };
  Status Add(ObjectTransfers::LoanPtr loan);

  const std::shared_ptr<ObjectTransfers> transfers_;
  const Clock& clock_;
  TimerService& timers_;
  mutable std::mutex mutex_;  // Of all below. No loan ends under it.
  bool cleared_ = false;
  std::unordered_map<std::uint64_t, Lent> lent_;  // By grant.
};

}  // namespace cirein::node
