// SPDX-License-Identifier: Apache-2.0

// Any bytes as requests: however they are cut, the same commands come out, and nothing large is set
// aside for what did not come.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "resp/request_parser.h"

namespace {

using cirein::resp::Arg;
using cirein::resp::RequestParser;

constexpr RequestParser::Limits kLimits = {.max_bulk_bytes = 1 << 20,
                                           .trust = RequestParser::Trust::kKnown};

// All commands in the bytes, given in parts of `part_bytes`, as one text that tells them apart.
std::string ParseAll(std::string_view bytes, std::size_t part_bytes) {
  RequestParser parser;
  std::string input;
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += part_bytes) {
    input = std::string(input).append(bytes.substr(at, part_bytes));
    for (;;) {
      const RequestParser::Outcome outcome = parser.Parse(input, kLimits);
      if (outcome == RequestParser::Outcome::kError) return out + "!" + std::string(parser.error());
      if (outcome == RequestParser::Outcome::kMore) {
        CIREIN_FUZZ_CHECK(parser.keep() <= input.size());
        CIREIN_FUZZ_CHECK(parser.held_bytes() <= 64 * (bytes.size() + 1));
        input.resize(parser.keep());
        break;
      }
      CIREIN_FUZZ_CHECK(parser.consumed() > 0 && parser.consumed() <= input.size());
      out += "*";
      for (const Arg& arg : parser.args()) {
        out += std::to_string(arg.text().size());
        out += ":";
        out += arg.text();
      }
      input.erase(0, parser.consumed());
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = ParseAll(bytes, std::max<std::size_t>(size, 1));
  CIREIN_FUZZ_CHECK(ParseAll(bytes, 1) == whole);
  CIREIN_FUZZ_CHECK(ParseAll(bytes, 7) == whole);
  return 0;
}
