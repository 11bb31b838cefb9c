// SPDX-License-Identifier: Apache-2.0

// Any bytes as the cursor of a listing: what parses is written as the very same text.

#include <cstddef>
#include <cstdint>
#include <string>

#include "check.h"
#include "object/list_cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const cirein::Result<cirein::ListCursor> cursor = cirein::ListCursor::Parse(text);
  if (cursor.ok()) {
    CIREIN_FUZZ_CHECK(cursor->ToString() == text);
  } else {
    CIREIN_FUZZ_CHECK(cursor.code() == cirein::StatusCode::kInvalidArgument);
  }
  return 0;
}
