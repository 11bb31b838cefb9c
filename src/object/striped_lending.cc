// SPDX-License-Identifier: Apache-2.0

// What a StripedStore does about copies elsewhere: lends them, and has changes wait for them.

#include <utility>

#include "object/stripe_lock.h"
#include "object/striped_store.h"
#include "runtime/notification.h"

namespace cirein {

void StripedStore::Lend(const KeyView& key, const std::shared_ptr<CopyHolder>& holder,
                        std::chrono::nanoseconds longest, LendCallback done) {
  if (BackedBy(key.bucket) != nullptr) return done(LentObject());
  Stripe& stripe = StripeFor(key);
  std::unique_lock lock = LockSoon(stripe.mutex);
  Result<LentObject> lent = stripe.store.Lend(key, holder, longest);
  const std::uint64_t ticket = stripe.store.TakeTicket();
  lock.unlock();
  if (lent.ok() && lent->lease > std::chrono::nanoseconds::zero()) ArmSweep();
  WhenKept(stripe, ticket, [done = std::move(done), lent = std::move(lent)](const Status& kept) {
    done(kept.ok() ? lent : kept);
  });
}

void StripedStore::Returned(const Key& key, std::uint64_t lease) {
  const KeyView view(key.bucket(), key);
  Stripe& stripe = StripeFor(view);
  std::vector<std::shared_ptr<Recall>> waited;
  {
    const std::lock_guard lock(stripe.mutex);
    stripe.store.leases().Returned(view, lease, waited);
  }
  for (const auto& recall : waited) recall->Returned();
}

void StripedStore::Tell(Effects& effects) {
  for (const LeaseTable::Lent& lent : std::exchange(effects.lent, {})) {
    lent.holder->Recall(lent.key, lent.lease);
  }
}

void StripedStore::CallBack(Effects& effects, Length length, std::function<void()> resume) {
  const bool here = length == Length::kShort && stripes_.front()->keeper == nullptr;
  effects.recall->Begin(environment_.timers,
                        [here, &callbacks = environment_.callbacks, resume = std::move(resume)] {
                          if (here || !callbacks.Submit(resume).ok()) resume();
                        });
  Tell(effects);
}

void StripedStore::AwaitRecall(Effects& effects) {
  Notification over;
  effects.recall->Begin(environment_.timers, [&over] { over.Notify(); });
  Tell(effects);
  over.WaitUntil(kEndOfTime);
}

}  // namespace cirein
