// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "cirein/pool_backend.h"

#include "pool/member_link.h"
#include "pool/store_pool.h"
#include "runtime/clock.h"
#include "runtime/timers.h"

namespace cirein {

/// A pool over the store of one other process.
///
/// What looks is asked again when a connection ends before it was answered; what changes only when
/// it was not sent (SAFETY 22): else its outcome is Unavailable and unknown. A want is parked anew
/// until it is answered or its deadline passes, however often its owner goes away (SAFETY 21).
///
/// `type`, `clock` and `timers` outlive it.
std::shared_ptr<PoolBackend> MakeRemotePool(std::string_view type,
                                            std::shared_ptr<MemberLink> member, const Clock& clock,
                                            TimerService& timers, const StorePoolOptions& options);

}  // namespace cirein
