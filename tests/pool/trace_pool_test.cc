// SPDX-License-Identifier: Apache-2.0
#include "pool/trace_pool.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "pool/trace_record.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "runtime/thread_group.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;
using Verb = TraceRecord::Verb;

class TracePoolTest : public test::LibraryTest {
 protected:
  std::string Url(const std::string& options = "&next_pool=local:/next") const {
    return "trace:/my/trace&file=" + directory_.File("trace") + options;
  }
  /// The requests in the file of a rank; the header is checked.
  std::vector<TraceRecord> Records(const std::string& rank = "0") const {
    const std::string text = ReadFile(directory_.File("trace." + rank), 1 << 24).value();
    std::vector<TraceRecord> records;
    std::size_t start = 0;
    bool header = true;
    while (start < text.size()) {
      const std::size_t end = text.find('\n', start);
      EXPECT_NE(end, std::string::npos) << "whole lines only";
      if (end == std::string::npos) break;
      const std::string line = text.substr(start, end - start);
      start = end + 1;
      if (header) {
        EXPECT_EQ(line, kTraceHeader);
        header = false;
        continue;
      }
      if (line.starts_with('#')) continue;
      const Result<TraceRecord> record = TraceRecord::Parse(line);
      EXPECT_OK(record);
      if (record.ok()) records.push_back(*record);
    }
    EXPECT_FALSE(header) << "a trace has a first line";
    return records;
  }

  TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
};

TEST_F(TracePoolTest, RecordsEachRequestAndHandsItOn) {
  Pool pool = Open(Url());
  EXPECT_EQ(pool.type(), "trace");
  PublishOptions options;
  options.overwrite = Overwrite::kYes;
  options.ttl = 90s;
  ASSERT_OK(pool.Publish(Key("row", "c"), MakeObject("data", "m"), options));
  EXPECT_EQ(pool.Need(Key("row", "c"))->text(), "data");
  EXPECT_OK(pool.Info(Key("row", "c")));
  EXPECT_OK(pool.RowInfo(Key("row", "ignored")));
  EXPECT_OK(pool.List(Pattern::RowPrefix("r")));
  EXPECT_OK(pool.Compute(Pattern::Row("row"), "concat", "a b"));
  EXPECT_EQ(pool.Drop(Pattern::Row("row")).value(), 1U);
  EXPECT_CODE(pool.Need(Key("none"), {.deadline = 1ms}), kDeadlineExceeded);

  const std::vector<TraceRecord> records = Records();
  ASSERT_EQ(records.size(), 8U);
  EXPECT_EQ(records[0].verb, Verb::kPublish);
  EXPECT_EQ(records[0].pattern, Pattern(Key("row", "c")));
  EXPECT_EQ(records[0].meta_bytes, 1U);
  EXPECT_EQ(records[0].data_bytes, 4U);
  EXPECT_EQ(records[0].overwrite, Overwrite::kYes);
  EXPECT_EQ(records[0].ttl, 90s);
  EXPECT_EQ(records[1].verb, Verb::kNeed);
  EXPECT_EQ(records[2].verb, Verb::kInfo);
  EXPECT_EQ(records[3].verb, Verb::kRowInfo);
  EXPECT_EQ(records[3].pattern, Pattern(Key("row")));
  EXPECT_EQ(records[4].verb, Verb::kList);
  EXPECT_EQ(records[4].pattern, Pattern::RowPrefix("r"));
  EXPECT_EQ(records[5].verb, Verb::kCompute);
  EXPECT_EQ(records[5].function, "concat");
  EXPECT_EQ(records[5].args, "a b");
  EXPECT_EQ(records[6].verb, Verb::kDrop);
  EXPECT_EQ(records[7].pattern, Pattern(Key("none"))) << "one that had to wait, once";
  EXPECT_EQ(records[7].verb, Verb::kWant) << "a need that has to wait is a want";
  for (const TraceRecord& record : records) EXPECT_GE(record.delay, 0ns);
}

TEST_F(TracePoolTest, RecordsThatThereWasAVersionOrACursor) {
  Pool pool = Open(Url());
  const ObjectInfo first = pool.Publish(Key("row", "a"), MakeObject("x")).value();
  PublishOptions exchange;
  exchange.if_version = first.version;
  ASSERT_OK(pool.Publish(Key("row", "a"), MakeObject("y"), exchange));
  ASSERT_OK(pool.Publish(Key("row", "b"), MakeObject("z")));
  ListOptions paging;
  paging.page_size = 1;
  paging.cursor = pool.List(Pattern::Row("row"), paging).value().next;
  ASSERT_FALSE(paging.cursor.empty());
  ASSERT_OK(pool.List(Pattern::Row("row"), paging));

  const std::vector<TraceRecord> records = Records();
  ASSERT_EQ(records.size(), 5U);
  EXPECT_EQ(records[0].condition, TraceRecord::Condition::kNone);
  EXPECT_EQ(records[1].condition, TraceRecord::Condition::kIfVersion);
  EXPECT_EQ(records[3].page_size, 1U);
  EXPECT_EQ(records[3].page, TraceRecord::Page::kFirst);
  EXPECT_EQ(records[4].page, TraceRecord::Page::kNext);
}

TEST_F(TracePoolTest, RecordsAGroupAsLinesThatCountDown) {
  Pool pool = Open(Url());
  PublishOptions options;
  options.overwrite = Overwrite::kYes;
  options.ttl = 90s;
  ASSERT_OK(pool.PublishGroup({{Key("row", "b"), MakeObject("1", "m")},
                               {Key("row"), MakeObject("22")},
                               {Key("row", "a"), MakeObject("333")}},
                              options));
  ASSERT_OK(pool.Publish(Key("row", "c"), MakeObject("x")));
  EXPECT_EQ(Open("local:/next").RowInfo(Key("row"))->columns, 3U) << "it is handed on";

  const std::vector<TraceRecord> records = Records();
  ASSERT_EQ(records.size(), 4U);
  const Key keys[] = {Key("row", "b"), Key("row"), Key("row", "a")};
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(records[i].verb, Verb::kPublish);
    EXPECT_EQ(records[i].pattern, Pattern(keys[i]));
    EXPECT_EQ(records[i].data_bytes, i + 1);
    EXPECT_EQ(records[i].meta_bytes, i == 0 ? 1U : 0U);
    EXPECT_EQ(records[i].overwrite, Overwrite::kYes);
    EXPECT_EQ(records[i].ttl, 90s);
    EXPECT_EQ(records[i].group_left, 3 - i);
  }
  EXPECT_EQ(records[1].delay, 0ns) << "all at one instant";
  EXPECT_EQ(records[3].group_left, 0U);
}

TEST_F(TracePoolTest, GroupsOfManyThreadsStandTogether) {
  Pool pool = Open(Url("&next_pool=null:"));
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kCalls = 100;
  ASSERT_OK(RunThreads(kThreads, "trace", [&](std::size_t index) -> Status {
    for (std::size_t i = 0; i < kCalls; ++i) {
      const std::string row = std::to_string(index);
      CIREIN_RETURN_IF_ERROR(
          pool.PublishGroup({{Key(row, "a"), MakeObject("x")}, {Key(row, "b"), MakeObject("y")}})
              .status());
      CIREIN_RETURN_IF_ERROR(pool.Publish(Key(row), MakeObject("z")).status());
    }
    return OkStatus();
  }));
  const std::vector<TraceRecord> records = Records();
  ASSERT_EQ(records.size(), 3 * kThreads * kCalls);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].group_left != 2) continue;
    ASSERT_LT(i + 1, records.size());
    ASSERT_EQ(records[i + 1].group_left, 1U);
    ASSERT_EQ(records[i + 1].pattern.row(), records[i].pattern.row());
  }
}

TEST_F(TracePoolTest, RecordsKeysOfAnyBytes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  Pool pool = Open(Url());
  ASSERT_OK(pool.Publish(Key(all, all), MakeObject("x")));
  ASSERT_EQ(Records().size(), 1U);
  EXPECT_EQ(Records()[0].pattern, Pattern(Key(all, all)));
}

TEST_F(TracePoolTest, WithoutNextPoolForgets) {
  Pool pool = Open(Url(""));
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  EXPECT_EQ(pool.Need(Key("row"))->data_bytes(), 0U) << "null: is behind it";
  EXPECT_EQ(Records().size(), 2U);
}

TEST_F(TracePoolTest, SharesItsBucketWithTheNextPool) {
  Pool pool = Open(Url("&next_pool=local:/next&bucket=mine"));
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  EXPECT_OK(Open("local:[mine]").Info(Key("row")));
  Pool other = Open(Url("&next_pool=local:[other]/next&rank=1"));
  ASSERT_OK(other.Publish(Key("row"), MakeObject("y")));
  EXPECT_EQ(Open("local:[other]").Need(Key("row"))->text(), "y");
  EXPECT_EQ(Records("1").size(), 1U);
}

TEST_F(TracePoolTest, ManyThreadsWriteWholeLines) {
  Pool pool = Open(Url());
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kCalls = 200;
  ASSERT_OK(RunThreads(kThreads, "trace", [&](std::size_t index) -> Status {
    for (std::size_t i = 0; i < kCalls; ++i) {
      const Key key(std::to_string(index), std::to_string(i));
      CIREIN_RETURN_IF_ERROR(pool.Publish(key, MakeObject("x")).status());
    }
    return OkStatus();
  }));
  EXPECT_EQ(Records().size(), kThreads * kCalls);
}

TEST_F(TracePoolTest, AFileThatIsBeingWrittenIsNotBegunAnew) {
  std::optional<Pool> pool = Open(Url());
  ASSERT_OK(pool->Publish(Key("row"), MakeObject("x")));
  const Status taken = Connect(Url("&next_pool=local:/other")).status();
  EXPECT_CODE(taken, kAlreadyExists);
  EXPECT_NE(taken.message().find("trace.0"), std::string::npos) << taken.ToString();
  EXPECT_NE(taken.hint().find("rank="), std::string::npos) << taken.ToString();
  EXPECT_OK(Connect(Url("&rank=1")));
  EXPECT_EQ(Records().size(), 1U) << "what was recorded is still there";
  pool.reset();
  EXPECT_OK(Connect(Url("&next_pool=local:/other")));
  EXPECT_EQ(Records().size(), 0U);
}

TEST_F(TracePoolTest, ThreadsThatConnectAtOnceShareTheFile) {
  constexpr std::size_t kThreads = 8;
  std::vector<Pool> pools(kThreads);
  ASSERT_OK(RunThreads(kThreads, "connect", [&](std::size_t index) -> Status {
    CIREIN_ASSIGN_OR_RETURN(pools[index], Connect(Url()));
    return pools[index].Publish(Key(std::to_string(index)), MakeObject("x")).status();
  }));
  EXPECT_EQ(Records().size(), kThreads);
}

TEST_F(TracePoolTest, SaysWhichFileCannotBeWritten) {
  const Status missing = Connect("trace:/a&file=" + directory_.File("no/such")).status();
  EXPECT_CODE(missing, kNotFound);
  EXPECT_NE(missing.message().find("no/such.0"), std::string::npos) << missing.ToString();
  std::filesystem::create_directory(directory_.File("dir.0"));
  EXPECT_FALSE(Connect("trace:/a&file=" + directory_.File("dir")).ok());
}

TEST_F(TracePoolTest, SaysWhenTheDiskIsFull) {
  std::filesystem::create_symlink("/dev/full", directory_.File("trace.0"));
  EXPECT_CODE(Connect(Url()), kIoError);
}

TEST_F(TracePoolTest, RefusesANextPoolThatCannotBe) {
  EXPECT_CODE(Connect(Url("&next_pool=nowhere:/x")), kNotFound);
  EXPECT_CODE(Connect(Url("&next_pool=local:/x%26keep=0")), kInvalidArgument);
}

}  // namespace
}  // namespace cirein
