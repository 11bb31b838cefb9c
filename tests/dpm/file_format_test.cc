// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dpm/entry.h"
#include "dpm/layout.h"
#include "support/project_file.h"

namespace cirein::dpm {
namespace {

/// As docs/file-format.md shows bytes: offset, four groups of four, text.
std::string HexDump(std::span<const std::byte> bytes) {
  std::string dump;
  for (std::size_t line = 0; line < bytes.size(); line += 16) {
    std::string text;
    dump += fmt::format("{:02X}", line);
    for (std::size_t i = line; i < line + 16; ++i) {
      if (i % 4 == 0) dump += ' ';
      const auto byte = static_cast<unsigned char>(bytes[i]);
      dump += fmt::format(" {:02X}", byte);
      text += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '.';
    }
    dump += "   " + text + "\n";
  }
  return dump;
}

std::string FileFormatPage() {
  std::ifstream file(cirein::test::ProjectFile("docs/file-format.md"));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The bytes that docs/file-format.md gives as an example.
TEST(FileFormatTest, TheBatchIsByteForByteAsDocumented) {
  constexpr std::string_view kMeta = "m";
  constexpr std::string_view kData = "data!";
  KeyView column(Bucket(0x2A), "run42");
  column.has_column = true;
  column.column = "7";
  const EntryFields object{.key = column,
                           .slot = SlotOfRow("run42"),
                           .version = {1, 7},
                           .type = 0x0102,
                           .meta = std::as_bytes(std::span(kMeta)),
                           .data = std::as_bytes(std::span(kData))};
  const EntryFields gone{.kind = EntryKind::kGone,
                         .key = KeyView(Bucket(0x2A), "run41"),
                         .slot = SlotOfRow("run41"),
                         .version = {1, 8}};
  BatchBuilder batch;
  batch.Begin(SegmentSeed(0x0123'4567'89AB'CDEF, 3, 1), kFirstBatch, 4096);
  ASSERT_TRUE(batch.Add(object));
  ASSERT_TRUE(batch.Add(gone));
  const std::string dump = HexDump(batch.Finish(kFirstBatch));
  EXPECT_NE(FileFormatPage().find("```\n" + dump + "```\n"), std::string::npos) << dump;
}

}  // namespace
}  // namespace cirein::dpm
