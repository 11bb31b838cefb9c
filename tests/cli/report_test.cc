// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <cmath>

#include <gtest/gtest.h>

namespace cirein {
namespace {

Report Example() {
  using Type = Report::Type;
  Report report("things", {{"name", "name"},
                           {"verdict", "verdict", Type::kVerdict},
                           {"count", "count", Type::kCount},
                           {"size_bytes", "size", Type::kBytes},
                           {"time_ns", "time", Type::kDuration},
                           {"per_s", "rate", Type::kRate}});
  report.AddRow({std::string("a \"b\", c"), std::string("PASS"), std::uint64_t{1234567},
                 std::uint64_t{65536}, 1500.0, 20000.25});
  report.AddRow({std::string("line\nbreak \x1b[31m"), std::string("WARN")});
  return report;
}

TEST(ReportTest, Table) {
  const Report report = Example();
  EXPECT_EQ(RenderTables({&report, 1}),
            "name                    verdict      count     size    time      rate\n"
            "a \"b\", c                PASS     1,234,567  64.0KiB  1.50us  20,000/s\n"
            "line\\x0abreak \\x1b[31m  WARN             -        -       -         -\n");
}

TEST(ReportTest, ColorsOnlyVerdictsAndOnlyWhenAsked) {
  const Report report = Example();
  EXPECT_EQ(RenderTables({&report, 1}).find('\x1b'), std::string::npos);
  const std::string colored = RenderTables({&report, 1}, TableColors::kColored);
  EXPECT_NE(colored.find("\x1b[32mPASS\x1b[0m"), std::string::npos);
  EXPECT_NE(colored.find("\x1b[33mWARN\x1b[0m"), std::string::npos);
}

TEST(ReportTest, AlignsByCharactersNotBytes) {
  Report report("x", {{"a", "a"}, {"b", "b"}});
  report.AddRow({std::string("\u00e9"), std::string("x")});
  report.AddRow({std::string("ee"), std::string("x")});
  EXPECT_EQ(RenderTables({&report, 1}), "a   b\n\u00e9   x\nee  x\n");
}

TEST(ReportTest, Json) {
  const Report report = Example();
  EXPECT_EQ(RenderJson({&report, 1}),
            "{\"schema\":1,\n\"things\":[\n"
            "{\"name\":\"a \\\"b\\\", c\",\"verdict\":\"PASS\",\"count\":1234567,"
            "\"size_bytes\":65536,\"time_ns\":1500,\"per_s\":20000.25},\n"
            "{\"name\":\"line\\nbreak \\u001b[31m\",\"verdict\":\"WARN\",\"count\":null,"
            "\"size_bytes\":null,\"time_ns\":null,\"per_s\":null}]}\n");
}

// A part of the example with these of its rows.
Report PartOf(const Report& whole, std::size_t begin, std::size_t end) {
  Report part(whole.name(), whole.columns());
  for (std::size_t i = begin; i < end; ++i) part.AddRow(whole.rows()[i]);
  return part;
}

TEST(ReportStreamTest, PartsAreTheWhole) {
  const Report whole = Example();
  for (const OutputFormat format : {OutputFormat::kJson, OutputFormat::kCsv}) {
    const std::string expected =
        format == OutputFormat::kJson ? RenderJson({&whole, 1}) : RenderCsv({&whole, 1});
    for (const std::size_t cut : {0U, 1U, 2U}) {
      ReportStream stream(format);
      std::string text = stream.Part(PartOf(whole, 0, cut));
      text += stream.Part(PartOf(whole, cut, 2));
      EXPECT_EQ(text + stream.End(), expected) << cut;
    }
  }
}

TEST(ReportStreamTest, TablesKeepTheirWidths) {
  Report first("x", {{"a", "a"}, {"b", "b"}});
  first.AddRow({std::string("wide"), std::string("x")});
  Report second("x", first.columns());
  second.AddRow({std::string("w"), std::string("x")});
  second.AddRow({std::string("widest"), std::string("x")});
  ReportStream stream(OutputFormat::kTable);
  EXPECT_EQ(stream.Part(first), "a     b\nwide  x\n");
  EXPECT_EQ(stream.Part(second), "w       x\nwidest  x\n");
  EXPECT_EQ(stream.Part(first), "wide    x\n");
  EXPECT_EQ(stream.End(), "");
}

TEST(ReportTest, JsonHasNoInfiniteNumbers) {
  Report report("x", {{"a", "a", Report::Type::kRate}});
  report.AddRow({INFINITY});
  EXPECT_EQ(RenderJson({&report, 1}), "{\"schema\":1,\n\"x\":[\n{\"a\":null}]}\n");
}

TEST(ReportTest, SeveralReportsAreOneJsonObjectButOneCsvTable) {
  Report first("first", {{"a", "a"}});
  first.AddRow({std::string("1")});
  Report second("second", {{"b", "b"}});
  const std::vector<Report> reports = {first, second};
  EXPECT_EQ(RenderJson(reports), "{\"schema\":1,\n\"first\":[\n{\"a\":\"1\"}],\n\"second\":[]}\n");
  EXPECT_EQ(RenderCsv(reports), "a\n1\n");
  EXPECT_EQ(RenderTables(reports), "a\n1\n\nb\n");
}

TEST(ReportTest, Csv) {
  const Report report = Example();
  EXPECT_EQ(RenderCsv({&report, 1}),
            "name,verdict,count,size_bytes,time_ns,per_s\n"
            "\"a \"\"b\"\", c\",PASS,1234567,65536,1500,20000.25\n"
            "\"line\nbreak \x1b[31m\",WARN,,,,\n");
}

TEST(ReportTest, FormatNames) {
  EXPECT_EQ(*ParseOutputFormat("json"), OutputFormat::kJson);
  const Status status = ParseOutputFormat("jsn").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.hint(), "did you mean \"json\"?");
}

}  // namespace
}  // namespace cirein
