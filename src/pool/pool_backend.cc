// SPDX-License-Identifier: Apache-2.0
#include "cirein/pool_backend.h"

#include <fmt/format.h>

namespace cirein {

// NOLINTBEGIN(performance-unnecessary-value-param): those who can take what they are given.
Operation PoolBackend::PublishGroup(std::vector<PublishItem> /*items*/,
                                    const PublishOptions& /*options*/, GroupCallback done) {
  done(Unimplemented(fmt::format("a {}: pool cannot publish a group as one", type()),
                     "publish its objects one by one, or use a pool type that can"));
  return Operation();
}
// NOLINTEND(performance-unnecessary-value-param)

std::optional<Result<ObjectInfo>> PoolBackend::TryPublish(const Key& /*key*/,
                                                          DataObject& /*object*/,
                                                          const PublishOptions& /*options*/) {
  return std::nullopt;
}

std::optional<Result<DataObject>> PoolBackend::TryNeed(const Key& /*key*/) { return std::nullopt; }

}  // namespace cirein
