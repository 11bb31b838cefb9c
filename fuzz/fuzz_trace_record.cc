// SPDX-License-Identifier: Apache-2.0

// Any bytes as a line of a trace: what parses must be written as a line that reads back the same.

#include <cstddef>
#include <cstdint>
#include <string>

#include "check.h"
#include "pool/trace_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using cirein::TraceRecord;
  const std::string line(data, data + size);
  const cirein::Result<TraceRecord> record = TraceRecord::Parse(line);
  if (!record.ok()) {
    CIREIN_FUZZ_CHECK(record.code() == cirein::StatusCode::kInvalidArgument);
    return 0;
  }
  CIREIN_FUZZ_CHECK(record->pattern.Validate().ok());
  const std::string written = record->ToString();
  CIREIN_FUZZ_CHECK(written.find('\n') == std::string::npos);
  const cirein::Result<TraceRecord> again = TraceRecord::Parse(written);
  CIREIN_FUZZ_CHECK(again.ok());
  CIREIN_FUZZ_CHECK(again->ToString() == written);
  CIREIN_FUZZ_CHECK(again->pattern == record->pattern);
  CIREIN_FUZZ_CHECK(again->condition == record->condition);
  CIREIN_FUZZ_CHECK(again->page_size == record->page_size && again->page == record->page);
  return 0;
}
