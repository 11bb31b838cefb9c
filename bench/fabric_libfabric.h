// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "bench/fabric_carrier.h"

namespace cirein::bench {

/// libfabric by itself: an endpoint of reliable datagrams of one provider, over the loopback where
/// it is one of the network. Writes and atomics end when they are delivered. Null when the
/// benchmark was built without it, or there is no such provider.
std::unique_ptr<Carrier> MakeLibfabric(const std::string& provider);

}  // namespace cirein::bench
