// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "simulation/history.h"

namespace cirein::simulation {

inline constexpr std::uint64_t kValueBytesMin = 8;

/// The bytes that stand for a value, at least kValueBytesMin of them, and back: kNoValue for bytes
/// that no value has.
std::string BytesOfValue(ValueId value, std::uint64_t bytes);
ValueId ValueOfBytes(std::string_view bytes);

}  // namespace cirein::simulation
