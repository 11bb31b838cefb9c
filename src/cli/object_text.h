// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cirein/operations.h"

/// Keys and versions as people type and read them. Pure functions.
namespace cirein {

/// "row" or "row|column", escaped as in Pattern::ParseText. Errors (InvalidArgument): those of
/// ParseText, and a pattern that names more than one key.
Result<Key> ParseKeyText(std::string_view text);
/// The whole key in printable ASCII, which ParseKeyText reads back.
std::string KeyText(const Key& key);

/// "EPOCH.COUNTER", as Version::ToString gives it. Errors: InvalidArgument.
Result<Version> ParseVersionText(std::string_view text);

/// The same error with another next step.
Status WithHint(const Status& error, std::string hint);

}  // namespace cirein
