// SPDX-License-Identifier: Apache-2.0
#include "pool/trace_record.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using Verb = TraceRecord::Verb;

void ExpectRoundTrip(const TraceRecord& record) {
  const std::string line = record.ToString();
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Result<TraceRecord> back = TraceRecord::Parse(line);
  ASSERT_TRUE(test::Succeeded(back)) << line;
  EXPECT_EQ(back->delay, record.delay);
  EXPECT_EQ(back->verb, record.verb);
  EXPECT_EQ(back->pattern, record.pattern) << line;
  EXPECT_EQ(back->meta_bytes, record.meta_bytes);
  EXPECT_EQ(back->data_bytes, record.data_bytes);
  EXPECT_EQ(back->overwrite, record.overwrite);
  EXPECT_EQ(back->ttl, record.ttl) << line;
  EXPECT_EQ(back->condition, record.condition) << line;
  EXPECT_EQ(back->group_left, record.group_left) << line;
  EXPECT_EQ(back->page_size, record.page_size) << line;
  EXPECT_EQ(back->page, record.page) << line;
  EXPECT_EQ(back->function, record.function);
  EXPECT_EQ(back->args, record.args);
}

TraceRecord Record(Verb verb, const Pattern& pattern) {
  TraceRecord record;
  record.verb = verb;
  record.pattern = pattern;
  return record;
}

std::string AllBytes() {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  return all;
}

TEST(TraceRecord, LooksAsItIsDocumented) {
  TraceRecord record = Record(Verb::kPublish, Key("run42", "7"));
  record.delay = 1500ns;
  record.data_bytes = 65536;
  record.overwrite = Overwrite::kYes;
  EXPECT_EQ(record.ToString(), "1500ns publish row=run42 column=7 meta=0 data=65536 overwrite=yes");
  record.overwrite = Overwrite::kPoolDefault;
  record.condition = TraceRecord::Condition::kIfVersion;
  EXPECT_EQ(record.ToString(),
            "1500ns publish row=run42 column=7 meta=0 data=65536 if_version=any");
  record.condition = TraceRecord::Condition::kNone;
  record.group_left = 3;
  EXPECT_EQ(record.ToString(), "1500ns publish row=run42 column=7 meta=0 data=65536 group=3");
  TraceRecord list = Record(Verb::kList, Pattern::RowPrefix("run"));
  list.page_size = 50;
  EXPECT_EQ(list.ToString(), "0ns list row=run%2A column=%2A page_size=50");
  list.page = TraceRecord::Page::kNext;
  EXPECT_EQ(list.ToString(), "0ns list row=run%2A column=%2A page_size=50 next=yes");
}

TEST(TraceRecord, AListNeedNotNameItsPage) {
  const TraceRecord list = TraceRecord::Parse("0 list row=a").value();
  EXPECT_EQ(list.page_size, ListOptions::kDefaultPageSize);
  EXPECT_EQ(list.page, TraceRecord::Page::kFirst);
}

TEST(TraceRecord, RoundTripsEveryVerb) {
  for (const Verb verb : {Verb::kPublish, Verb::kWant, Verb::kNeed, Verb::kDrop, Verb::kInfo,
                          Verb::kRowInfo, Verb::kList, Verb::kCompute}) {
    TraceRecord record = Record(verb, Key("row", "column"));
    if (verb == Verb::kCompute) record.function = "sum";
    ExpectRoundTrip(record);
    EXPECT_FALSE(TraceVerbName(verb).empty());
  }
}

TEST(TraceRecord, CarriesEveryByteInNamesAndArguments) {
  ExpectRoundTrip(Record(Verb::kNeed, Key(AllBytes(), AllBytes())));
  ExpectRoundTrip(Record(Verb::kWant, Pattern::ColumnPrefix(AllBytes(), AllBytes())));
  ExpectRoundTrip(Record(Verb::kList, Pattern::RowPrefix(AllBytes())));
  TraceRecord compute = Record(Verb::kCompute, Pattern::Row("row"));
  compute.function = AllBytes();
  compute.args = AllBytes();
  ExpectRoundTrip(compute);
}

TEST(TraceRecord, TellsNoColumnFromAnEmptyOneAndStarsFromStars) {
  for (const Pattern& pattern :
       {Pattern(Key("row")), Pattern(Key("row", "")), Pattern(Key("row", "*")),
        Pattern(Key("row", "**")), Pattern(Key("row*")), Pattern(Key("*", "*")),
        Pattern::Row("row"), Pattern::ColumnPrefix("row", ""), Pattern::RowPrefix(""),
        Pattern::RowPrefix("r"), Pattern::Parse("r*", "c*").value(), Pattern::Row("*")}) {
    ExpectRoundTrip(Record(Verb::kDrop, pattern));
  }
}

TEST(TraceRecord, RoundTripsAnyRequest) {
  Random random(test::Seed());
  for (int i = 0; i < 5000; ++i) {
    TraceRecord record;
    record.verb = static_cast<Verb>(random.Below(8));
    const bool one_key = record.verb == Verb::kPublish || record.verb == Verb::kNeed ||
                         record.verb == Verb::kInfo || record.verb == Verb::kRowInfo;
    record.pattern = one_key ? Pattern(test::RandomKey(random)) : test::RandomPattern(random);
    record.delay =
        std::chrono::nanoseconds(random.Below(std::uint64_t{1} << (1 + random.Below(60))));
    if (record.verb == Verb::kPublish) {
      record.meta_bytes = random.Below(65537);
      record.data_bytes = random();
      record.overwrite = static_cast<Overwrite>(random.Below(3));
      if (random.OneIn(2)) {
        record.ttl =
            std::chrono::nanoseconds(1 + random.Below(std::uint64_t{1} << (1 + random.Below(60))));
      }
      if (random.OneIn(2)) {
        record.condition = static_cast<TraceRecord::Condition>(random.Below(2));
      } else {
        record.group_left = static_cast<std::uint32_t>(random.Below(kMaxGroupItems + 1));
      }
    }
    if (record.verb == Verb::kList) {
      record.page_size = static_cast<std::uint32_t>(1 + random.Below(ListOptions::kMaxPageSize));
      record.page = static_cast<TraceRecord::Page>(random.Below(2));
    }
    if (record.verb == Verb::kCompute) {
      record.function = "f";
      record.args = test::RandomColumn(random);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(record));
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(TraceRecord, RefusesLinesThatAreNone) {
  for (const std::string_view line : {"",
                                      "publish row=a",
                                      "1ns",
                                      "1ns row=a",
                                      "1ns fetch row=a",
                                      "1ns publish",
                                      "1ns publish column=a",
                                      "1ns publish row=a row=b",
                                      "1ns publish row=%zz",
                                      "1ns publish row=a meta=x",
                                      "1ns publish row=a data=-1",
                                      "1ns publish row=a overwrite=maybe",
                                      "1ns publish row=a ttl=soon",
                                      "1ns publish row=a if_version=3",
                                      "1ns publish row=a group=0",
                                      "1ns publish row=a group=4097",
                                      "1ns publish row=a group=all",
                                      "1ns publish row=a group=1 if_version=any",
                                      "1ns list row=a page_size=0",
                                      "1ns list row=a page_size=10001",
                                      "1ns list row=a page_size=many",
                                      "1ns list row=a next=no",
                                      "1ns publish row=a*",
                                      "1ns need row=a column=*",
                                      "1ns want row=",
                                      "1ns want rwo=a",
                                      "1ns want row",
                                      "-1ns want row=a",
                                      "soon want row=a",
                                      "1ns want row=a*b",
                                      "1ns publish row=a data=99999999999999999999"}) {
    EXPECT_CODE(TraceRecord::Parse(line), kInvalidArgument) << line;
  }
  EXPECT_CODE(TraceRecord::Parse("1ns want row=" + std::string(2 << 20, 'a')), kInvalidArgument);
  EXPECT_NE(TraceRecord::Parse("1ns want rwo=a").status().hint().find("row"), std::string::npos);
  EXPECT_NE(TraceRecord::Parse("1ns pulbish row=a").status().hint().find("publish"),
            std::string::npos);
}

}  // namespace
}  // namespace cirein
