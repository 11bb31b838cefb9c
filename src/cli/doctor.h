// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cirein/config.h"

#include "cli/machine.h"

namespace cirein {

/// One thing looked at on a machine.
struct Finding {
  enum class Verdict : std::uint8_t { kPass, kWarn };
  std::string check;
  Verdict verdict = Verdict::kPass;
  std::string found;
  std::string next;  ///< What to do; empty when nothing is to be done.
};

/// Looks at everything Cirein cares about. Blocks for some hundred milliseconds; writes a small
/// file to the temporary directory and removes it; exchanges messages with itself over each fabric
/// as the settings say, or the defaults where those cannot be read. Never fails: what cannot be
/// found out is a finding too.
std::vector<Finding> Diagnose(const Machine& machine, const Result<Config>& config);

}  // namespace cirein
