// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "object/store.h"

namespace cirein {
Status Refusal(const KeyView& key, const PutRequest& request, const PutOutcome& outcome) {
  const std::string name = key.ToKey().ToString();
  switch (outcome.code) {
    case PutOutcome::Code::kExists:
      return AlreadyExists(
          fmt::format("\"{}\" is published already, as version {}", name,
                      outcome.version.ToString()),
          "objects are write-once here: publish under another key, drop this one first, or ask for "
          "overwrite");
    case PutOutcome::Code::kVersionDiffers:
      return FailedPrecondition(
          fmt::format("\"{}\" has version {}, not {}", name, outcome.version.ToString(),
                      request.if_version.ToString()),
          "somebody else published or dropped it meanwhile: read it again and retry");
    default:
      return ResourceExhausted(
          fmt::format("no memory left for \"{}\" of {} bytes", name,
                      request.object.is_null() ? 0 : request.object.user_bytes()),
          "drop objects, publish with a ttl, or raise memory.limit");
  }
}

ObjectInfo Store::InfoOfNew(const PutRequest& request, const DataObject& object,
                            Version version) const {
  ObjectInfo info{.meta_bytes = object.meta_bytes(),
                  .data_bytes = object.data_bytes(),
                  .version = version,
                  .availability = request.store ? engine_->where() : Availability::kUnavailable,
                  .ttl = std::nullopt};
  if (request.expires != kEndOfTime) {
    info.ttl = std::max(request.expires - clock_.Now(), TimePoint::zero());
  }
  return info;
}

// Who waits is answered with the object, also where it passes by without being stored.
void Store::Collect(const KeyView& key, const DataObject& object, const ObjectInfo& info,
                    Effects& effects) {
  std::vector<std::shared_ptr<Waiter>> waiters;
  waiters_.Collect(key, waiters);
  if (waiters.empty()) return;
  stats_.answered += waiters.size();
  ObjectInfo seen = info;
  if (seen.availability == Availability::kUnavailable) {
    seen.availability = Availability::kLocalMemory;
  }
  effects.answers.push_back({{key.ToKey(), object, seen}, std::move(waiters)});
}

Result<ObjectInfo> Store::Publish(const KeyView& key, PutRequest&& request, Effects& effects) {
  Resume(key, effects);
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  if (!leases_.empty()) CIREIN_RETURN_IF_ERROR(CallBackFor(key, request, effects));
  ObjectInfo info = InfoOfNew(request, request.object, {});
  // The engine takes the handle; those who wait, and they are rare, need one more.
  const DataObject published = waiters_.empty() ? DataObject() : request.object;
  CIREIN_ASSIGN_OR_RETURN(const PutOutcome outcome, engine_->Put(key, request, effects.garbage));
  if (outcome.code != PutOutcome::Code::kStored) {
    ++stats_.refused;
    return Refusal(key, request, outcome);
  }
  ++stats_.publishes;
  watches_.Changed(key);
  info.version = outcome.version;
  if (!waiters_.empty()) Collect(key, published, info, effects);
  return info;
}

Result<std::vector<ObjectInfo>> Store::PublishGroup(std::span<PutItem> items, Effects& effects) {
  Resume(items[0].key, effects);
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  if (!leases_.empty()) CIREIN_RETURN_IF_ERROR(CallBackFor(items, effects));
  std::vector<ObjectInfo> infos;
  std::vector<DataObject> published;
  for (const PutItem& item : items) {
    infos.push_back(InfoOfNew(item.request, item.request.object, {}));
    published.push_back(item.request.object);
  }
  const Result<PutOutcome> outcome = engine_->PutGroup(items, effects.garbage);
  if (!outcome.ok() || outcome->code != PutOutcome::Code::kStored) {
    // The handles here must not be the last ones inside the partition.
    std::move(published.begin(), published.end(), std::back_inserter(effects.garbage));
    if (!outcome.ok()) return outcome.status();
    ++stats_.refused;
    const PutItem& refused = items[outcome->item];
    return Refusal(refused.key, refused.request, *outcome);
  }
  stats_.publishes += items.size();
  watches_.Changed(items[0].key);
  for (std::size_t i = 0; i < items.size(); ++i) {
    infos[i].version = outcome->version;
    infos[i].version.counter -= items.size() - 1 - i;
    if (!waiters_.empty()) Collect(items[i].key, published[i], infos[i], effects);
  }
  std::move(published.begin(), published.end(), std::back_inserter(effects.garbage));
  return infos;
}

Status Store::Check(const KeyView& key, const PutRequest& request) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  PutRequest question;
  question.mode = request.mode;
  question.if_version = request.if_version;
  question.store = false;
  Garbage garbage;
  CIREIN_ASSIGN_OR_RETURN(const PutOutcome outcome, engine_->Put(key, question, garbage));
  if (outcome.code == PutOutcome::Code::kStored) return OkStatus();
  ++stats_.refused;
  return Refusal(key, request, outcome);
}

Result<std::vector<Version>> Store::Reserve(std::span<PutItem> items) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  for (PutItem& item : items) {
    item.request.mode = PutMode::kOverwrite;
    item.request.store = false;
  }
  Garbage garbage;
  CIREIN_ASSIGN_OR_RETURN(const PutOutcome outcome, engine_->PutGroup(items, garbage));
  std::vector<Version> versions(items.size(), outcome.version);
  for (std::size_t i = 0; i < items.size(); ++i) versions[i].counter -= items.size() - 1 - i;
  return versions;
}

}  // namespace cirein
