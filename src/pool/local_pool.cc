// SPDX-License-Identifier: Apache-2.0
#include "pool/local_pool.h"

#include "pool/pool_backing.h"
#include "pool/process.h"
#include "pool/store_pool.h"

namespace cirein {
namespace {

Result<std::shared_ptr<PoolBackend>> MakeLocalPool(const PoolContext& context) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  CIREIN_ASSIGN_OR_RETURN(const StorePoolOptions options, ParseStorePoolOptions(context));
  CIREIN_RETURN_IF_ERROR(BackBucket(*process, context.url, options.behavior));
  return MakeStorePool("local", process->store(), process->environment().clock, options);
}

}  // namespace

PoolType LocalPoolType() {
  return {.name = "local",
          .description = "objects in the memory of this process, shared by all its local pools",
          .options = BackedOptionNames(StorePoolOptionNames()),
          .factory = MakeLocalPool};
}

}  // namespace cirein
