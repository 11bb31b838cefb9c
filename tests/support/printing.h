// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>

#include "cirein/operations.h"

/// How failing tests show what is compared.
namespace cirein {

inline void PrintTo(const Key& key, std::ostream* out) {
  *out << key.ToString() << (key.has_column() ? "" : " (no column)");
}
inline void PrintTo(const Pattern& pattern, std::ostream* out) { *out << pattern.ToString(); }
inline void PrintTo(const Version& version, std::ostream* out) { *out << version.ToString(); }
inline void PrintTo(StatusCode code, std::ostream* out) { *out << StatusCodeName(code); }
inline void PrintTo(const Status& status, std::ostream* out) { *out << status.ToString(); }

}  // namespace cirein
