// SPDX-License-Identifier: Apache-2.0
#include "resp/server_handlers.h"

namespace cirein::resp {

std::span<const CommandSpec> ServerCommands() { return {}; }

}  // namespace cirein::resp
