// SPDX-License-Identifier: Apache-2.0
#include "resp/server_wants.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cirein::resp {
namespace {

// Between two attempts to reach a server that has gone.
constexpr std::chrono::milliseconds kFirstPause{10};
constexpr std::chrono::milliseconds kLongestPause{2000};

}  // namespace

ServerWants::~ServerWants() {
  if (timer_ != 0) reactor_.CancelTimer(timer_);
}

void ServerWants::Park(const std::shared_ptr<Waiter>& waiter) { Ask(waiter, Before::kNever); }

void ServerWants::Ask(const std::shared_ptr<Waiter>& waiter, Before before) {
  const auto done = [this, waiter, before](const Result<Reply>& reply, ServerLink::Fate fate) {
    if (waiter->is_over() && fate != ServerLink::Fate::kAnswered) return;
    if (fate == ServerLink::Fate::kAnswered) return Answered(waiter, reply);
    const bool can_reach_later = reply.code() == StatusCode::kUnavailable;
    if (!can_reach_later || (before == Before::kNever && fate == ServerLink::Fate::kNotSent)) {
      return waiter->End(reply.status());
    }
    lost_.insert(waiter);
    ParkLostLater();
  };
  link_.Send({.bytes = WantRequest(waiter->pattern()),
              .is_wanted = [waiter] { return !waiter->is_over(); },
              .done = done});
}

void ServerWants::Answered(const std::shared_ptr<Waiter>& waiter, const Result<Reply>& reply) {
  pause_ = {};
  const Result<std::int64_t> id = ReadWantId(*reply);
  if (!id.ok()) return waiter->End(id.status());
  if (waiter->is_over()) return Unwant(*id);
  parked_[*id] = waiter;
  ids_[waiter.get()] = *id;
}

void ServerWants::GiveUp(const std::shared_ptr<Waiter>& waiter) {
  lost_.erase(waiter);
  const auto id = ids_.find(waiter.get());
  if (id == ids_.end()) return;  // It will not be sent, or Answered sees that it is over.
  const std::int64_t number = id->second;
  ids_.erase(id);
  parked_.erase(number);
  Unwant(number);
}

void ServerWants::Unwant(std::int64_t id) {
  if (!link_.is_up()) return;  // The server's side ended with the connection.
  link_.Send({.bytes = UnwantRequest(id),
              .is_wanted = nullptr,
              .done = [](const Result<Reply>&, ServerLink::Fate) {}});
}

void ServerWants::OnPush(Reply push) {
  std::optional<WantPush> answer = ReadWantPush(std::move(push));
  if (!answer) return;
  const auto parked = parked_.find(answer->id);
  if (parked == parked_.end()) return;  // Given up meanwhile.
  const std::shared_ptr<Waiter> waiter = std::move(parked->second);
  parked_.erase(parked);
  ids_.erase(waiter.get());
  waiter->End(ReadWanted(waiter->pattern(), std::move(answer->answer)));
}

void ServerWants::OnBroken() {
  for (const auto& [id, waiter] : parked_) {
    if (!waiter->is_over()) lost_.insert(waiter);
  }
  parked_.clear();
  ids_.clear();
  if (!lost_.empty()) ParkLostLater();
}

void ServerWants::ParkLostLater() {
  if (timer_ != 0) return;
  timer_ = reactor_.RunAt(reactor_.clock().Now() + pause_, [this] { ParkLost(); });
  pause_ = std::min(std::max(2 * pause_, kFirstPause), kLongestPause);
}

void ServerWants::ParkLost() {
  timer_ = 0;
  const std::unordered_set<std::shared_ptr<Waiter>> lost = std::exchange(lost_, {});
  for (const std::shared_ptr<Waiter>& waiter : lost) Ask(waiter, Before::kParked);
  link_.Flush();
}

}  // namespace cirein::resp
