// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cirein/config.h"
#include "cirein/status.h"

namespace cirein {

/// A ConfigKey with the check of its values: a row of the one table of settings. To add a setting,
/// add a row to the table in config_table.cc; everything else follows from it.
struct Setting {
  enum class Check : unsigned char {
    kRange,       ///< A number (bytes, nanoseconds) from `least` to `most`.
    kPowerOfTwo,  ///< The same, and a power of two.
    kChoice,      ///< One of the words in the key's constraint, which are parted by ", ".
    kBucket,      ///< What Bucket::Parse takes.
    kText,        ///< Any UTF-8 text without control characters, which its user looks at.
  };
  ConfigKey key;
  Check check = Check::kRange;
  std::int64_t least = 0;
  std::int64_t most = 0;
};

/// Every setting that exists, sorted by name; the ConfigKeys alone in the same order.
std::span<const Setting> Settings();
std::span<const ConfigKey> SettingKeys();

/// The setting of that name, or null.
const Setting* FindSetting(std::string_view name);

/// The name of the variable that sets it: CIREIN_MEMORY_LIMIT for memory.limit.
std::string EnvironmentName(std::string_view setting_name);

/// The one form of a value that a user wrote: equal values give equal texts, which the setting
/// takes again. Errors: InvalidArgument, naming setting, value and what would fit.
Result<std::string> CanonicalValue(const Setting& setting, std::string_view text);

}  // namespace cirein
