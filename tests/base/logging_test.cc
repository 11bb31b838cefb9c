// SPDX-License-Identifier: Apache-2.0
#include "base/logging.h"

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cirein {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(LogLevelTest, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(LogLevel::kOff); ++i) {
    const auto level = static_cast<LogLevel>(i);
    EXPECT_EQ(*ParseLogLevel(LogLevelName(level)), level);
  }
  EXPECT_EQ(ParseLogLevel("wran").status().hint(), "did you mean \"warn\"?");
  EXPECT_EQ(*ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat("xml").code(), StatusCode::kInvalidArgument);
}

TEST(LogTest, LinesBelowTheLevelAreNotBuilt) {
  const LogCapture capture(LogLevel::kWarn);
  LogInfo("pool", "quiet");
  LogWarn("pool", "loud {}", 7);
  LogError("pool", "louder");
  const std::vector<LogRecord> records = capture.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].level, LogLevel::kWarn);
  EXPECT_EQ(records[0].component, "pool");
  EXPECT_EQ(records[0].message, "loud 7");
  EXPECT_TRUE(capture.Contains("louder"));
  EXPECT_FALSE(capture.Contains("quiet"));
}

TEST(LogTest, OffMeansOff) {
  const LogCapture capture(LogLevel::kOff);
  LogError("pool", "lost");
  Log(LogLevel::kOff, "pool", "lost too");
  EXPECT_TRUE(capture.records().empty());
}

TEST(LogTest, CapturesNestAndPutTheLevelBack) {
  const LogLevel before = CurrentLogLevel();
  {
    const LogCapture outer(LogLevel::kInfo);
    {
      const LogCapture inner;
      LogTrace("a", "in");
      EXPECT_TRUE(inner.Contains("in"));
    }
    LogTrace("a", "too low");
    LogInfo("a", "out");
    EXPECT_EQ(outer.records().size(), 1U);
  }
  EXPECT_EQ(CurrentLogLevel(), before);
}

TEST(LogTest, FieldsComeAlong) {
  const LogCapture capture;
  LogWith(LogLevel::kDebug, "node", {{"slot", "17"}}, "moved {}", "away");
  ASSERT_EQ(capture.records().size(), 1U);
  EXPECT_EQ(capture.records()[0].fields[0].value, "17");
}

TEST(LogTest, ThreadsMayLogTogether) {
  const LogCapture capture;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int n = 0; n < 200; ++n) LogInfo("t", "{} {}", i, n);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(capture.records().size(), 800U);
}

TEST(LogLineTest, TextStaysOnOneLine) {
  const LogRecord record{LogLevel::kWarn, "pool", "a\nb", {{"k", "v"}, {"s", "a b\n"}, {"e", ""}}};
  EXPECT_EQ(LogLine(record, LogFormat::kText), "warn pool: a\\x0ab k=v s=\"a b\\n\" e=\"\"");
}

TEST(LogLineTest, JsonIsWellFormed) {
  const LogRecord record{LogLevel::kError, "pool", "a\"b\n\xFF", {{"k", "v"}, {"l", "w"}}};
  EXPECT_EQ(LogLine(record, LogFormat::kJson),
            "\"level\":\"error\",\"component\":\"pool\",\"message\":\"a\\\"b\\n\xEF\xBF\xBD\","
            "\"fields\":{\"k\":\"v\",\"l\":\"w\"}}");
}

TEST(LogOutputTest, GoesToStandardErrorInTheChosenFormat) {
  testing::internal::CaptureStderr();
  LogRecordNow({LogLevel::kWarn, "pool", "text {} %v", {}});
  SetLogFormat(LogFormat::kJson);
  LogRecordNow({LogLevel::kWarn, "pool", "json", {}});
  SetLogFormat(LogFormat::kText);
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr(" warn pool: text {} %v\n"));
  EXPECT_THAT(lines,
              HasSubstr("Z\",\"level\":\"warn\",\"component\":\"pool\",\"message\":\"json\"}\n"));
  EXPECT_THAT(lines.substr(lines.find('{', lines.find('\n'))),
              MatchesRegex("\\{\"time\":\"[0-9]+-[0-9]+-[0-9]+T[0-9:]+\\.[0-9]+Z\",.*\n"));
}

}  // namespace
}  // namespace cirein
