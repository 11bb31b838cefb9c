// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

namespace cirein {

/// One setting that exists: the table of these makes validation, `cirein config` and the docs.
struct ConfigKey {
  enum class Type : unsigned char { kString, kBool, kInteger, kBytes, kDuration };
  std::string_view name;  ///< Dotted, as in TOML: "memory.limit".
  Type type;
  std::string_view default_value;  ///< As a user would write it: "64MiB", "60s".
  std::string_view constraint;     ///< Which values fit: "1 to 1024, a power of two".
  std::string_view description;    ///< One sentence.
};

/// The settings of a program: defaults, then a TOML file, then the environment, then flags or code;
/// later wins. A name that does not exist and a value that does not fit are errors which say where
/// and what was probably meant, and nothing of that source is taken.
/// Value type; const calls may run concurrently. All errors are InvalidArgument.
class Config {
 public:
  /// A longer TOML text is refused.
  static constexpr std::size_t kMaxTomlBytes = 1 << 20;

  /// Every setting that exists, sorted by name.
  static std::span<const ConfigKey> Keys();

  /// The defaults.
  Config() = default;

  /// Adds the settings of a TOML text; `origin` names it in errors ("cirein.toml:3:7: ..."). Sizes
  /// are strings with a unit or whole numbers of bytes, durations strings with a unit.
  Status AddToml(std::string_view text, std::string_view origin);
  /// Adds settings from the environment: CIREIN_MEMORY_LIMIT sets memory.limit. `environment` gives
  /// NAME=VALUE strings, such as the process's own; other names than CIREIN_* are passed over, and
  /// CIREIN_CONFIG and CIREIN_TEST_* are not settings.
  Status AddEnvironment(std::span<const std::string> environment);
  /// Sets one value, given as text; `origin` is named in errors ("--set").
  Status Set(std::string_view name, std::string_view value, std::string_view origin = "code");

  /// The value, of a name that exists and has that type (else the program is wrong: it aborts).
  std::string GetString(std::string_view name) const;
  bool GetBool(std::string_view name) const;
  std::int64_t GetInteger(std::string_view name) const;
  std::uint64_t GetBytes(std::string_view name) const;
  std::chrono::nanoseconds GetDuration(std::string_view name) const;

  /// The value as text, in one form for equal values ("1MiB" for "1024KiB"); aborts as above.
  std::string GetText(std::string_view name) const;

  /// Where a value comes from: "default", "cirein.toml:3:7", "CIREIN_MEMORY_LIMIT", "--set".
  std::string Origin(std::string_view name) const;

  /// The values that differ from the defaults, as a TOML text that AddToml reads back.
  std::string ToToml() const;

  /// Are all values equal, wherever they come from?
  friend bool operator==(const Config& a, const Config& b);

 private:
  struct Value {
    std::string text;  // In canonical form, so that equal values are equal texts.
    std::string origin;
  };
  using Values = std::map<std::string, Value, std::less<>>;

  Values values_;  // What was set; the table has the defaults of the others.
};

}  // namespace cirein
