// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "object/store.h"

namespace cirein {
namespace {

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

}  // namespace

Result<ObjectInfo> Store::Publish(const KeyView& key, PutRequest&& request, Effects& effects) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  const std::uint64_t meta_bytes = request.object.meta_bytes();
  const std::uint64_t data_bytes = request.object.data_bytes();
  // The engine takes the handle; those who wait, and they are rare, need one more.
  if (!waiters_.empty()) effects.published = request.object;
  const PutOutcome outcome = engine_->Put(key, request, effects.garbage);
  if (outcome.code != PutOutcome::Code::kStored) {
    ++stats_.refused;
    return Refusal(key, request, outcome);
  }
  ++stats_.publishes;
  if (!waiters_.empty()) {
    waiters_.Collect(key, effects.waiters);
    stats_.answered += effects.waiters.size();
  }
  ObjectInfo info{.meta_bytes = meta_bytes,
                  .data_bytes = data_bytes,
                  .version = outcome.version,
                  .availability = Availability::kLocalMemory,
                  .ttl = std::nullopt};
  if (!request.store) info.availability = Availability::kUnavailable;
  if (request.expires != kEndOfTime)
    info.ttl = std::max(request.expires - clock_.Now(), TimePoint::zero());
  return info;
}

}  // namespace cirein
