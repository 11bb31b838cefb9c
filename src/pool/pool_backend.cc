// SPDX-License-Identifier: Apache-2.0
#include "cirein/pool_backend.h"

namespace cirein {

std::optional<Result<ObjectInfo>> PoolBackend::TryPublish(const Key& /*key*/,
                                                          DataObject& /*object*/,
                                                          const PublishOptions& /*options*/) {
  return std::nullopt;
}

std::optional<Result<DataObject>> PoolBackend::TryNeed(const Key& /*key*/) { return std::nullopt; }

}  // namespace cirein
