// SPDX-License-Identifier: Apache-2.0
#include "simulation/stored_value.h"

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::simulation {

std::string BytesOfValue(ValueId value, std::uint64_t bytes) {
  std::string text = fmt::format("{:0{}}", value, kValueBytesMin);
  for (std::uint64_t i = text.size(); i < bytes; ++i) {
    text.push_back(static_cast<char>('a' + (value * 7 + i) % 26));
  }
  return text;
}

ValueId ValueOfBytes(std::string_view bytes) {
  const Result<std::uint64_t> value = ParseUint64(bytes.substr(0, kValueBytesMin));
  if (!value.ok() || *value > UINT32_MAX) return kNoValue;
  const auto id = static_cast<ValueId>(*value);
  return bytes == BytesOfValue(id, bytes.size()) ? id : kNoValue;
}

}  // namespace cirein::simulation
