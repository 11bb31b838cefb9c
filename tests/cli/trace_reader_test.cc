// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cirein {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string WithHeader(const std::string& lines) {
  return std::string(kTraceHeader) + "\n" + lines;
}

TEST(TraceReaderTest, GivesTheRecordsInOrder) {
  const auto trace = TraceReader::FromText(
      WithHeader("0 publish row=a meta=0 data=5\n# a comment\n\n3us need row=a\r\n1s drop row=a"),
      "t");
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  EXPECT_EQ(trace->count(), 3U);
  std::vector<TraceRecord::Verb> verbs;
  ASSERT_TRUE(trace
                  ->ForEach([&verbs](const TraceRecord& record) {
                    verbs.push_back(record.verb);
                    return OkStatus();
                  })
                  .ok());
  EXPECT_THAT(verbs, ::testing::ElementsAre(TraceRecord::Verb::kPublish, TraceRecord::Verb::kNeed,
                                            TraceRecord::Verb::kDrop));
}

TEST(TraceReaderTest, TellsTheFirstTenBadLines) {
  std::string lines;
  for (int i = 0; i < 12; ++i) lines += "0 need row=a\n0 nede row=a\n";
  const Status status = TraceReader::FromText(WithHeader(lines), "t").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("t:3: "));
  EXPECT_THAT(message, HasSubstr("did you mean \"need\"?"));
  EXPECT_THAT(message, HasSubstr("t:21: "));
  EXPECT_THAT(message, Not(HasSubstr("t:23: ")));
  EXPECT_THAT(message, HasSubstr("and 2 more"));
}

TEST(TraceReaderTest, RefusesGroupsThatAreNotWhole) {
  const auto error = [](const std::string& lines) {
    const auto trace = TraceReader::FromText(WithHeader(lines), "t");
    return trace.ok() ? std::string() : std::string(trace.status().message());
  };
  const std::string first = "0 publish row=a column=1 group=3\n";
  const std::string second = "0 publish row=a column=2 group=2\n";
  const std::string last = "0 publish row=a group=1\n";
  EXPECT_EQ(error(first + second + "# a comment\n" + last + last + second + last), "");
  EXPECT_THAT(error(first + last), HasSubstr("t:3: the line before has a group go on"));
  EXPECT_THAT(error(first + "0 need row=a\n"), HasSubstr("t:3: "));
  EXPECT_THAT(error(second + first + second + last), HasSubstr("t:3: "));
  EXPECT_THAT(error(first + second), HasSubstr("t:4: the trace ends before group=1"));
}

TEST(TraceReaderTest, RefusesOtherFiles) {
  EXPECT_THAT(TraceReader::FromText("", "t").status().ToString(), HasSubstr("t:1"));
  EXPECT_FALSE(TraceReader::FromText("0 need row=a\n", "t").ok());
  EXPECT_EQ(TraceReader::Open("/no/such/trace").status().code(), StatusCode::kNotFound);
}

TEST(TraceReaderTest, AnEmptyTraceIsFine) {
  EXPECT_EQ(TraceReader::FromText(WithHeader(""), "t")->count(), 0U);
}

}  // namespace
}  // namespace cirein
