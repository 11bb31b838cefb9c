// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "cirein/status.h"

#include "fabric/auto/auto_transport.h"

namespace cirein::fabric {

/// What a fabric was seen to do.
struct FabricProbe {
  std::string reason;  ///< AutoTransport::reason.
  std::chrono::nanoseconds round_trip{};
};

/// Makes two transports in this process, lets one ask the other, and says how long that took: the
/// median of some. Blocks, at most for some seconds. Errors: of AutoTransport::Create and Connect.
Result<FabricProbe> ProbeFabric(const AutoOptions& options);

}  // namespace cirein::fabric
