// SPDX-License-Identifier: Apache-2.0

// What a StripedStore does to publish: at once, when copies elsewhere are back, when it is kept.

#include <utility>

#include <fmt/format.h>

#include "object/backed_bucket.h"
#include "object/striped_store.h"

namespace cirein {
namespace {

Status NoBacking(const KeyView& key) {
  return FailedPrecondition(
      fmt::format(
          "\"{}\" is to be written to a store, and there is none behind bucket {} where the "
          "object belongs",
          key.ToKey().ToString(), key.bucket.ToString()),
      "have all who use the pool, its members first, name the store in its URL: &store=TYPE:PATH");
}

}  // namespace

Status StripedStore::Prepare(Stripe& stripe, const KeyView& key, PutRequest& request) {
  if (request.object.data_bytes() <= stripe.prepare_bytes || !request.store) return OkStatus();
  // A large object that would be refused is not worth the way.
  auto [checked, ticket] = Inside(stripe, [&](Store& store) { return store.Check(key, request); });
  if (!checked.ok()) {
    // What it was refused for may not be kept yet.
    if (ticket != 0) CIREIN_RETURN_IF_ERROR(stripe.keeper->Await(ticket));
    return checked;
  }
  return stripe.keeper->Prepare(key, request);
}

// What the store does not take of the request dies with the caller's: outside of the stripe.
Result<ObjectInfo> StripedStore::PublishHere(Stripe& stripe, const KeyView& key,
                                             PutRequest& request, Effects& effects) {
  const bool expires = request.expires != kEndOfTime;
  auto [info, ticket] =
      Inside(stripe, [&](Store& store) { return store.Publish(key, std::move(request), effects); });
  if (ticket != 0) {
    const Status kept = stripe.keeper->Await(ticket);
    Answer(effects, kept);
    if (!kept.ok()) return kept;
  } else if (!effects.answers.empty()) {
    Answer(effects, OkStatus());
  }
  if (expires && info.ok()) ArmSweep();
  return std::move(info);
}

Result<ObjectInfo> StripedStore::Publish(const KeyView& key, PutRequest&& request) {
  if (const auto backed = BackedBy(key.bucket)) return backed->Publish(key, std::move(request));
  if (request.to_backing) return NoBacking(key);
  Stripe& stripe = StripeFor(key);
  CIREIN_RETURN_IF_ERROR(Prepare(stripe, key, request));
  Effects effects;  // Freed on return, outside of the stripe.
  Result<ObjectInfo> info = PublishHere(stripe, key, request, effects);
  while (effects.recall != nullptr) {
    AwaitRecall(effects);
    info = PublishHere(stripe, key, request, effects);
  }
  return info;
}

std::optional<Result<ObjectInfo>> StripedStore::TryPublish(const KeyView& key,
                                                           PutRequest& request) {
  if (BackedBy(key.bucket) != nullptr) return std::nullopt;
  if (request.to_backing) return NoBacking(key);
  Stripe& stripe = StripeFor(key);
  if (Status prepared = Prepare(stripe, key, request); !prepared.ok()) return prepared;
  Effects effects;
  Result<ObjectInfo> info = PublishHere(stripe, key, request, effects);
  if (effects.recall == nullptr) return info;
  // The copies are on their way back already when it is published by the other form.
  Tell(effects);
  const std::lock_guard lock(stripe.mutex);
  stripe.store.leases().Leave(key);
  return std::nullopt;
}

void StripedStore::Publish(const KeyView& key, PutRequest&& request, PublishCallback done) {
  if (const auto backed = BackedBy(key.bucket)) {
    return backed->Publish(key, std::move(request), done);
  }
  Stripe& stripe = StripeFor(key);
  if (request.to_backing) return done(NoBacking(key));
  if (Status prepared = Prepare(stripe, key, request); !prepared.ok()) return done(prepared);
  PublishAfter(key, std::move(request), nullptr, std::move(done));
}

void StripedStore::PublishAfter(const KeyView& key, PutRequest&& request,
                                std::shared_ptr<Recall> recall, PublishCallback done) {
  Stripe& stripe = StripeFor(key);
  const auto again = [&](Effects& effects) {
    CallBack(effects, Length::kShort,
             [self = shared_from_this(), bucket = key.bucket, name = key.ToKey(),
              held = std::make_shared<PutRequest>(std::move(request)), after = effects.recall,
              done = std::move(done)] {
               self->PublishAfter(KeyView(bucket, name), std::move(*held), after, done);
             });
  };
  if (stripe.keeper == nullptr) {
    Effects effects;
    effects.recall = std::move(recall);
    Result<ObjectInfo> info = PublishHere(stripe, key, request, effects);
    return effects.recall != nullptr ? again(effects) : done(std::move(info));
  }
  const bool expires = request.expires != kEndOfTime;
  auto effects = std::make_shared<Effects>();
  effects->recall = std::move(recall);
  auto [info, ticket] = Inside(
      stripe, [&](Store& store) { return store.Publish(key, std::move(request), *effects); });
  if (effects->recall != nullptr) return again(*effects);
  if (expires && info.ok()) ArmSweep();
  WhenKept(stripe, ticket,
           [effects, done = std::move(done), info = std::move(info)](const Status& kept) {
             Answer(*effects, kept);
             done(kept.ok() ? info : kept);
           });
}

void StripedStore::PublishGroup(std::vector<PutItem> items, GroupCallback done) {
  if (items.empty()) return done(std::vector<ObjectInfo>());
  if (const auto backed = BackedBy(items[0].key.bucket)) {
    return backed->PublishGroup(std::move(items), done);
  }
  if (items[0].request.to_backing) return done(NoBacking(items[0].key));
  Stripe& stripe = StripeFor(items[0].key);
  for (PutItem& item : items) {
    if (Status status = Prepare(stripe, item.key, item.request); !status.ok()) return done(status);
  }
  PublishGroupAfter(std::move(items), nullptr, std::move(done));
}

void StripedStore::PublishGroupAfter(std::vector<PutItem> items, std::shared_ptr<Recall> recall,
                                     GroupCallback done) {
  Stripe& stripe = StripeFor(items[0].key);
  bool expires = false;
  for (const PutItem& item : items) expires = expires || item.request.expires != kEndOfTime;
  auto effects = std::make_shared<Effects>();
  effects->recall = std::move(recall);
  auto [infos, ticket] =
      Inside(stripe, [&](Store& store) { return store.PublishGroup(items, *effects); });
  if (effects->recall != nullptr) {
    struct Held {
      std::vector<Key> keys;
      std::vector<PutItem> items;
    };
    const auto held = std::make_shared<Held>();
    held->keys.reserve(items.size());  // Where they are is seen by the items.
    for (PutItem& item : items) {
      held->keys.push_back(item.key.ToKey());
      held->items.push_back({KeyView(item.key.bucket, held->keys.back()), std::move(item.request)});
    }
    return CallBack(
        *effects, Length::kShort,
        [self = shared_from_this(), held, recall = effects->recall, done = std::move(done)] {
          self->PublishGroupAfter(std::move(held->items), recall, done);
        });
  }
  if (expires && infos.ok()) ArmSweep();
  WhenKept(stripe, ticket,
           [effects, done = std::move(done), infos = std::move(infos)](const Status& kept) {
             Answer(*effects, kept);
             done(kept.ok() ? infos : kept);
           });
}

}  // namespace cirein
