// SPDX-License-Identifier: Apache-2.0
#include "backing/file_names.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"

namespace cirein::backing {
namespace {

// File systems take 255 bytes, and what is written stands beside it under a longer name first.
constexpr std::size_t kMaxBytes = 180;
constexpr std::size_t kHashBytes = 33;

std::string Shortened(std::string name) {
  if (name.size() <= kMaxBytes) return name;
  const std::string hash = fmt::format("={:016x}{:016x}", Hash64(name, 1), Hash64(name, 2));
  name.resize(kMaxBytes - kHashBytes);
  return name + hash;
}

}  // namespace

std::string FileNameOf(std::string_view name) { return Shortened(PercentEncode(name)); }

std::string FileNameOf(const Key& key) {
  std::string name = PercentEncode(key.row());
  if (key.has_column()) name += "+" + PercentEncode(key.column());
  return Shortened(std::move(name));
}

bool MayBeginWith(std::string_view file_name, std::string_view prefix) {
  const std::string encoded = PercentEncode(prefix);
  const std::size_t whole = std::min(file_name.find('='), file_name.size());
  const std::size_t compared = std::min(encoded.size(), whole);
  return file_name.substr(0, compared) == std::string_view(encoded).substr(0, compared);
}

std::string ShardOf(std::string_view row) { return fmt::format("{:02x}", Hash64(row) >> 56); }

}  // namespace cirein::backing
