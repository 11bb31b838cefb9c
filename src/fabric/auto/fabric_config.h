// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cirein/config.h"
#include "cirein/status.h"

#include "fabric/auto/auto_transport.h"

namespace cirein::fabric {

/// What the settings fabric.* and default.deadline say. Reads the secret's file: blocks.
/// InvalidArgument, which names the setting and its origin, for a listening address or a secret
/// that cannot be; what ReadFirstLine says.
Result<AutoOptions> FabricOptions(const Config& config);

/// Settings that were set and have no effect beside the others: a sentence each.
std::vector<std::string> UnusedFabricSettings(const Config& config);

}  // namespace cirein::fabric
