// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "cirein/pool_backend.h"

#include "runtime/environment.h"

namespace cirein {

/// The bucket of the copies that the `replica`-th follower has of the objects of `bucket`.
Bucket BucketOfReplica(Bucket bucket, std::size_t replica);

/// Objects that are written once, at several members: the first decides between two who publish one
/// key, and is asked first; the others are asked when it has not, or cannot be reached. The design
/// notes' "Replicas" say what is asked of whom, and what holds when one fails.
///
/// `replicas` are pools over one member each, the first one first, which have nothing but the rows
/// of this one. `type` and `environment` outlive the pool.
std::shared_ptr<PoolBackend> MakeReplicatedPool(std::string_view type,
                                                std::vector<std::shared_ptr<PoolBackend>> replicas,
                                                const Environment& environment);

}  // namespace cirein
