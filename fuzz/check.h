// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/fatal.h"

/// Aborts when `condition` does not hold: how a fuzz target reports a broken invariant, in every
/// build type.
#define CIREIN_FUZZ_CHECK(condition)                                           \
  do {                                                                         \
    if (!(condition)) {                                                        \
      ::cirein::Fatal(std::string(__FILE__ ": does not hold: ") + #condition); \
    }                                                                          \
  } while (false)
