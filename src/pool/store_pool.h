// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/pool_backend.h"

#include "object/striped_store.h"

namespace cirein {

/// What the URL of a pool says that is over a store in this process.
struct StorePoolOptions {
  Bucket bucket;
  Behavior behavior{Behavior::kDefaultLocal};
  std::uint32_t keep = 0;  ///< Columns of a row; 0: any number.
  std::optional<std::chrono::nanoseconds> max_age;
};

/// What a publish asks of the node that owns its key.
struct PublishTerms {
  PutMode mode = PutMode::kWriteOnce;
  Version if_version = {};
  std::optional<std::chrono::nanoseconds> age;  ///< How long it lives.
  std::uint32_t keep = 0;
  bool store = true;
  bool to_backing = false;
};
/// What the call and the pool say together.
PublishTerms TermsOf(const PublishOptions& options, const StorePoolOptions& pool);

/// The names of these options in a URL, and those of a pool type's own.
std::vector<std::string> StorePoolOptionNames(std::vector<std::string> own = {});
/// InvalidArgument for a value that means nothing, or where the behavior writes to a store and the
/// URL names none.
Result<StorePoolOptions> ParseStorePoolOptions(const PoolContext& context);

/// A pool over a store in this process, which it keeps alive. `type` and `clock` outlive it. Calls
/// run on the caller's thread; with a store whose engines keep objects elsewhere they may block for
/// the medium, but not for other operations.
std::shared_ptr<PoolBackend> MakeStorePool(std::string_view type,
                                           std::shared_ptr<StripedStore> store, const Clock& clock,
                                           const StorePoolOptions& options);

}  // namespace cirein
