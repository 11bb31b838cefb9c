// SPDX-License-Identifier: Apache-2.0

// Any bytes as what a client and a node say to each other: a message that can be read is written as
// the very same bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "check.h"
#include "object/object_messages.h"

namespace {

void CheckSame(std::span<const std::byte> bytes, const std::vector<std::byte>& again) {
  CIREIN_FUZZ_CHECK(std::equal(bytes.begin(), bytes.end(), again.begin(), again.end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace wire = cirein::wire;
  const auto bytes = std::as_bytes(std::span(data, size));
  const cirein::Result<wire::Request> request = wire::DecodeRequest(bytes);
  if (request.ok()) {
    const auto again = wire::Encode(*request);
    CIREIN_FUZZ_CHECK(again.ok());
    CheckSame(bytes, *again);
  } else {
    CIREIN_FUZZ_CHECK(request.code() == cirein::StatusCode::kInvalidArgument);
  }
  const cirein::Result<wire::Reply> reply = wire::DecodeReply(bytes);
  if (reply.ok()) {
    CheckSame(bytes, wire::Encode(*reply));
  } else {
    CIREIN_FUZZ_CHECK(reply.code() == cirein::StatusCode::kInvalidArgument);
  }
  return 0;
}
