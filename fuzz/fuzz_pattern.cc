// SPDX-License-Identifier: Apache-2.0

// Any bytes as a Pattern: what parses must read back equal, and match the key it is made of.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/pattern.h"

#include "check.h"

namespace {

using cirein::Key;
using cirein::Pattern;

void CheckPattern(const Pattern& pattern) {
  CIREIN_FUZZ_CHECK(pattern.Validate().ok());
  const cirein::Result<Pattern> again = Pattern::ParseText(pattern.ToString());
  CIREIN_FUZZ_CHECK(again.ok());
  CIREIN_FUZZ_CHECK(*again == pattern);
  for (const char c : pattern.ToString()) CIREIN_FUZZ_CHECK(c >= 0x20 && c < 0x7F);

  if (pattern.column_match() == Pattern::ColumnMatch::kNone) {
    CIREIN_FUZZ_CHECK(pattern.Matches(Key(pattern.row())));
  } else {
    CIREIN_FUZZ_CHECK(pattern.Matches(Key(pattern.row(), pattern.column())));
  }
  if (pattern.is_exact()) CIREIN_FUZZ_CHECK(Pattern(pattern.key()) == pattern);
  CIREIN_FUZZ_CHECK(pattern.MatchesRow(pattern.row() + "x") == pattern.row_is_prefix());
}

void CheckResult(const cirein::Result<Pattern>& pattern) {
  if (pattern.ok()) {
    CheckPattern(*pattern);
  } else {
    CIREIN_FUZZ_CHECK(pattern.code() == cirein::StatusCode::kInvalidArgument);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  CheckResult(Pattern::Parse(text));
  CheckResult(Pattern::ParseText(text));
  const std::string_view whole = text;
  CheckResult(Pattern::Parse(whole.substr(0, size / 2), whole.substr(size / 2)));
  return 0;
}
