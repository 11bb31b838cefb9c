// SPDX-License-Identifier: Apache-2.0
#include "object/list_cursor.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

void ExpectRoundTrip(const ListCursor& cursor) {
  const std::string text = cursor.ToString();
  const Result<ListCursor> back = ListCursor::Parse(text);
  ASSERT_OK(back);
  EXPECT_EQ(back->row, cursor.row);
  EXPECT_EQ(back->inside, cursor.inside);
  EXPECT_EQ(back->column, cursor.column);
  EXPECT_EQ(back->place, cursor.place);
  EXPECT_EQ(back->ToString(), text);
}

TEST(ListCursor, RoundTripsEveryPlace) {
  for (const std::string_view row : test::kRowNames) {
    ExpectRoundTrip({.row = std::string(row), .inside = false, .column = {}, .place = {}});
    ExpectRoundTrip({.row = std::string(row), .inside = true, .column = {}, .place = {}});
    for (const std::string_view column : test::kColumnNames) {
      ExpectRoundTrip(
          {.row = std::string(row), .inside = true, .column = std::string(column), .place = {}});
    }
  }
}

TEST(ListCursor, StandsBeforeAHash) {
  for (const std::uint64_t place : {std::uint64_t{0}, std::uint64_t{10}, UINT64_MAX}) {
    ExpectRoundTrip({.row = "", .inside = false, .column = {}, .place = place});
  }
}

TEST(ListCursor, CarriesEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  ExpectRoundTrip({.row = all, .inside = true, .column = all, .place = {}});
}

TEST(ListCursor, RefusesTextItDidNotMake) {
  for (const std::string_view text : {"x",
                                      "1",
                                      "1:",
                                      "1:b",
                                      "2:b:row",
                                      "1:x:row",
                                      "1:c:row",
                                      "1:b:row:column",
                                      "1:o:row:column",
                                      "1:c:row:column:more",
                                      "1:b:%",
                                      "1:b:%4",
                                      "1:b:%zz",
                                      "1:b:%61",
                                      "1:b:%ff",
                                      "1:b:a b",
                                      "1:c:row:%",
                                      "1 b:row",
                                      " 1:b:row",
                                      "1:b:row ",
                                      "1:h:",
                                      "1:h:00",
                                      "1:h:A",
                                      "1:h:g",
                                      "1:h:0x1",
                                      "1:h:11111111111111111"}) {
    EXPECT_CODE(ListCursor::Parse(text), kInvalidArgument) << text;
  }
  EXPECT_CODE(ListCursor::Parse(std::string(1 << 20, ':')), kInvalidArgument);
}

TEST(ListCursor, SurvivesAnyText) {
  Random random(test::Seed());
  const std::string good =
      ListCursor{.row = "a b", .inside = true, .column = "c:d", .place = {}}.ToString();
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (std::uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
      text[random.Below(text.size())] = static_cast<char>(random.Below(256));
    }
    const Result<ListCursor> cursor = ListCursor::Parse(text);
    if (cursor.ok()) {
      EXPECT_EQ(cursor->ToString(), text);
    }
  }
}

}  // namespace
}  // namespace cirein
