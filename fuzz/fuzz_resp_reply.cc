// SPDX-License-Identifier: Apache-2.0

// Any bytes as what a server says: however they are cut, the same replies come out, and what these
// mean to a client is an answer or an error.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "check.h"
#include "resp/reply_parser.h"
#include "resp/server_requests.h"

namespace {

using cirein::Key;
using cirein::Pattern;
using cirein::resp::Reply;
using cirein::resp::ReplyParser;

constexpr ReplyParser::Limits kLimits = {
    .max_bytes = 1 << 20, .max_elements = 1 << 12, .max_depth = 8};

void Show(const Reply& reply, std::string* out) {
  out->append(std::to_string(static_cast<int>(reply.kind))).append(":");
  out->append(std::to_string(reply.integer)).append("<").append(reply.text()).append(">");
  for (const Reply& element : reply.elements) Show(element, out);
  out->append(";");
}

void Understand(const Reply& reply) {
  namespace resp = cirein::resp;
  const Key key("row", "column");
  static_cast<void>(resp::ReadInfo(key, reply).ok());
  static_cast<void>(resp::ReadRowInfo(key, reply).ok());
  static_cast<void>(resp::ReadCount(reply).ok());
  static_cast<void>(resp::ReadWantId(reply).ok());
  static_cast<void>(resp::ReadComputed(reply).ok());
  const auto page = resp::ReadPage(Pattern::RowPrefix(""), 10, reply);
  if (page.ok()) {
    CIREIN_FUZZ_CHECK(page->objects.size() <= 10);
    for (const auto& object : page->objects) CIREIN_FUZZ_CHECK(object.key.Validate().ok());
  }
  auto push = resp::ReadWantPush(reply);
  const auto wanted =
      resp::ReadWanted(Pattern::RowPrefix("r"), push ? std::move(push->answer) : reply);
  if (wanted.ok()) {
    CIREIN_FUZZ_CHECK(wanted->key.row().starts_with('r') && !wanted->object.is_null());
  }
}

// All replies in the bytes, given in parts of `part_bytes`, as one text that tells them apart.
std::string ParseAll(std::string_view bytes, std::size_t part_bytes) {
  ReplyParser parser(kLimits);
  std::string out;
  while (!bytes.empty()) {
    const auto window = parser.window();
    CIREIN_FUZZ_CHECK(!window.empty());
    const std::size_t count = std::min({window.size(), bytes.size(), part_bytes});
    std::memcpy(window.data(), bytes.data(), count);
    parser.Received(count);
    bytes.remove_prefix(count);
    Reply reply;
    for (;;) {
      const ReplyParser::Outcome outcome = parser.Next(&reply);
      if (outcome == ReplyParser::Outcome::kMore) break;
      if (outcome == ReplyParser::Outcome::kError) {
        CIREIN_FUZZ_CHECK(!parser.error().empty());
        return out + "error";
      }
      Show(reply, &out);
      Understand(reply);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const std::string whole = ParseAll(text, SIZE_MAX);
  CIREIN_FUZZ_CHECK(ParseAll(text, 1) == whole);
  CIREIN_FUZZ_CHECK(ParseAll(text, 1000) == whole);
  return 0;
}
