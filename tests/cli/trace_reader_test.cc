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
