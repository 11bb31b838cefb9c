// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace cirein::resp {

/// What SCAN and HSCAN answer, read from its bytes.
struct ScanReply {
  std::string cursor;
  std::vector<std::string> elements;

  static ScanReply Read(std::string_view bytes) {
    ScanReply reply;
    reply.cursor = "0";
    if (!bytes.starts_with("*2\r\n")) {
      ADD_FAILURE() << "no answer to a scan: " << bytes;
      return reply;
    }
    bytes.remove_prefix(4);
    reply.cursor = TakeBulk(bytes);
    const std::size_t count = TakeNumber(bytes, '*');
    for (std::size_t i = 0; i < count; ++i) reply.elements.push_back(TakeBulk(bytes));
    EXPECT_TRUE(bytes.empty()) << bytes;
    return reply;
  }

 private:
  static std::size_t TakeNumber(std::string_view& bytes, char type) {
    std::size_t number = 0;
    const std::size_t end = bytes.find('\r');
    if (end == std::string_view::npos || bytes[0] != type) {
      ADD_FAILURE() << "not as it should be: " << bytes;
      return 0;
    }
    std::from_chars(bytes.data() + 1, bytes.data() + end, number);
    bytes.remove_prefix(end + 2);
    return number;
  }
  static std::string TakeBulk(std::string_view& bytes) {
    const std::size_t size = TakeNumber(bytes, '$');
    std::string bulk(bytes.substr(0, size));
    bytes.remove_prefix(std::min(bytes.size(), size + 2));
    return bulk;
  }
};

}  // namespace cirein::resp
