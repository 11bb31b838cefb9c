// SPDX-License-Identifier: Apache-2.0
#include "node/answer_loans.h"

#include <utility>
#include <variant>

#include <fmt/format.h>

namespace cirein::node {
namespace {

/// The object of an answer, and where it says that its data are lent.
struct Answered {
  const DataObject* object = nullptr;
  wire::Lent* lent = nullptr;
};

Answered ObjectOf(wire::Reply& answer) {
  if (auto* const found = std::get_if<wire::FoundObject>(&answer)) {
    return {&found->object, &found->lent};
  }
  if (auto* const leased = std::get_if<wire::LeasedObject>(&answer)) {
    return {&leased->object, &leased->lent};
  }
  if (auto* const computed = std::get_if<wire::ComputedObject>(&answer)) {
    return {&computed->object, &computed->lent};
  }
  return {};
}

}  // namespace

void AnswerLoans::LendLarge(wire::Reply& answer) {
  const Answered answered = ObjectOf(answer);
  if (transfers_ == nullptr || answered.object == nullptr) return;
  ObjectTransfers::Room room;
  Result<ObjectTransfers::LoanPtr> loan = transfers_->LendIfLarge(*answered.object, room);
  if (loan.ok() && *loan == nullptr) return;
  const fabric::Grant grant = loan.ok() ? (*loan)->grant() : fabric::Grant();
  const Status added = loan.ok() ? Add(std::move(*loan)) : loan.status();
  if (added.ok()) {
    *answered.lent = grant;
  } else {
    answer = added;
  }
}

Status AnswerLoans::Add(ObjectTransfers::LoanPtr loan) {
  const fabric::Grant grant = loan->grant();
  const std::lock_guard lock(mutex_);
  if (cleared_) return Unavailable("the connection has ended", "connect again");
  if (lent_.size() >= kLoansMax) {
    return ResourceExhausted(
        fmt::format("{} large objects were not fetched yet over this connection", kLoansMax),
        "ask for fewer at a time");
  }
  Lent& lent = lent_[grant.id];
  lent.loan = std::move(loan);
  lent.timer = timers_.RunAt(clock_.EndOf(kLimit), [weak = weak_from_this(), grant] {
    const auto loans = weak.lock();
    if (loans != nullptr) loans->Release({grant.id, grant.key});
  });
  return OkStatus();
}

void AnswerLoans::TakeBack(wire::Reply& answer) {
  const Answered answered = ObjectOf(answer);
  if (answered.lent != nullptr && *answered.lent) {
    Release({(*answered.lent)->id, (*answered.lent)->key});
  }
}

bool AnswerLoans::Release(const wire::ReleaseRequest& request) {
  Lent ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = lent_.find(request.grant);
    if (found == lent_.end() || found->second.loan->grant().key != request.key) return false;
    ended = std::move(found->second);
    lent_.erase(found);
  }
  timers_.CancelTimer(ended.timer);
  return true;
}

void AnswerLoans::Clear() {
  std::unordered_map<std::uint64_t, Lent> ended;
  {
    const std::lock_guard lock(mutex_);
    cleared_ = true;
    ended.swap(lent_);
  }
  for (const auto& [grant, lent] : ended) timers_.CancelTimer(lent.timer);
}

std::size_t AnswerLoans::size() const {
  const std::lock_guard lock(mutex_);
  return lent_.size();
}

}  // namespace cirein::node
