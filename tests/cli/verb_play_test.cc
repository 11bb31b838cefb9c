// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>
#include <signal.h>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

std::set<std::string> Contents(Pool pool) {
  std::set<std::string> contents;
  for (const ListedObject& object : pool.List(Pattern::RowPrefix("")).value().objects) {
    contents.insert(
        fmt::format("{} {} {}", object.key.ToString(), object.meta_bytes, object.data_bytes));
  }
  return contents;
}

class VerbPlayTest : public ::testing::Test {
 protected:
  // Records what a small program asks; gives the trace's name without its rank.
  std::string Record() {
    ResourceUrl url;
    url.set_type("trace").set_option("file", directory_.File("trace"));
    url.set_option("next_pool", "local:[recorded]").set_option("rank", "3");
    EXPECT_TRUE(url.PushDir("recorded").ok());
    Pool pool = Connect(url).value();
    pool.Want(Key("row", "late"), [](const auto&) {});
    for (std::size_t i = 0; i < 20; ++i) {
      const Key key("row", fmt::format("odd name\n{}|*", i));
      EXPECT_TRUE(
          pool.Publish(key, DataObject::FromString(std::string(100 * i, 'x'), "m").value()).ok());
      EXPECT_TRUE(pool.Need(key).ok());
    }
    EXPECT_TRUE(pool.Publish(Key("row", "late"), DataObject::FromString("x").value()).ok());
    EXPECT_TRUE(pool.Drop(Pattern::ColumnPrefix("row", "odd name\n1")).ok());
    EXPECT_TRUE(pool.Compute(Pattern::ColumnPrefix("row", ""), "count").ok());
    return directory_.File("trace");
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  const Library library_;  // Keeps what is played, so that it can be looked at.
};

TEST_F(VerbPlayTest, APlayedTraceLeavesTheSameNamesAndSizes) {
  const std::string trace = Record();
  for (const std::string speed : {"full", "original"}) {
    const std::string bucket = "local:[played-" + speed + "]";
    const CommandRun run =
        RunForTest({"play", trace, "--rank", "3", "--pool", bucket, "--speed", speed, "-o", "csv"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("publish,21,0,"));
    EXPECT_THAT(run.out, HasSubstr("want,1,0,"));
    EXPECT_THAT(run.out, HasSubstr("need,20,0,"));
    EXPECT_EQ(Contents(Connect(bucket).value()), Contents(Connect("local:[recorded]").value()));
    EXPECT_EQ(Contents(Connect(bucket).value()).size(), 10U);
  }
}

TEST_F(VerbPlayTest, FailedRequestsArePartOfTheResult) {
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "# cirein trace 1\n0 want row=never\n0 info row=never\n"
                                  "0 publish row=a data=1\n0 publish row=a data=1\n")
                  .ok());
  const CommandRun run =
      RunForTest({"play", path, "--pool", "local:[failing]", "--deadline", "20ms", "-o", "csv"});
  EXPECT_EQ(run.code, 5);
  EXPECT_THAT(run.out, HasSubstr("want,1,1,"));
  EXPECT_THAT(run.out, HasSubstr("info,1,1,"));
  EXPECT_THAT(run.out, HasSubstr("publish,2,1,"));
  EXPECT_THAT(run.err, HasSubstr("the first failure was"));
}

TEST_F(VerbPlayTest, AGroupIsPlayedAsOne) {
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "# cirein trace 1\n"
                                  "0 publish row=a column=1 data=10 group=2\n"
                                  "0 publish row=a column=2 meta=1 data=20 group=1\n"
                                  "5us publish row=a column=3 data=30 group=2\n"
                                  "0 publish row=a column=1 data=40 group=1\n"
                                  "0 publish row=b data=50\n")
                  .ok());
  for (const std::string speed : {"full", "original"}) {
    const std::string bucket = "local:[group-" + speed + "]";
    const CommandRun run =
        RunForTest({"play", path, "--pool", bucket, "--speed", speed, "-o", "csv"});
    EXPECT_EQ(run.code, 5) << "the second group is refused: a column 1 is there";
    EXPECT_THAT(run.out, HasSubstr("publish,3,1,"));
    EXPECT_EQ(Contents(Connect(bucket).value()),
              (std::set<std::string>{"a|1 0 10", "a|2 1 20", "b 0 50"}));
  }
}

TEST_F(VerbPlayTest, BadFilesAreRefusedBeforeAnythingIsPlayed) {
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(
      WriteFileAtomically(path, "# cirein trace 1\n0 publish row=a data=1\n0 pulbish row=b\n")
          .ok());
  const CommandRun run = RunForTest({"play", path, "--pool", "local:[untouched]"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr(path + ":3: "));
  EXPECT_TRUE(Contents(Connect("local:[untouched]").value()).empty());
}

TEST_F(VerbPlayTest, ReadModifyWritesOfALoadPlayBack) {
  const std::string file = directory_.File("load");
  const CommandRun load = RunForTest({"blast", "trace:/load&file=" + file + "&next_pool=local:/x",
                                      "-w", "ycsb-f", "-k", "50", "-n", "400", "-o", "csv"});
  ASSERT_EQ(load.code, 0) << load.err;
  EXPECT_THAT(ReadFile(file + ".0", 1 << 24).value(), HasSubstr(" if_version=any\n"));
  const CommandRun run =
      RunForTest({"play", file + ".0", "--pool", "local:[played-load]", "-o", "csv"});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_EQ(Contents(Connect("local:[played-load]").value()).size(), 50U);
}

// Three pages of two objects, played into a trace of their own: its lines are the same, and the
// pages ended where the recorded ones did, as a fourth would begin anew.
TEST_F(VerbPlayTest, PagesOfAListGoOnWhereTheOneBeforeEnded) {
  const std::string file = directory_.File("pages");
  std::string lines = "# cirein trace 1\n";
  for (int i = 0; i < 5; ++i) lines += fmt::format("0 publish row=r column={}\n", i);
  lines += "0 list row=r column=%2A page_size=2\n";
  for (int i = 0; i < 3; ++i) lines += "0 list row=r column=%2A page_size=2 next=yes\n";
  ASSERT_TRUE(WriteFileAtomically(file, lines).ok());
  const std::string again = directory_.File("again");
  const CommandRun run = RunForTest(
      {"play", file, "--pool", "trace:/again&file=" + again + "&next_pool=local:/x", "-o", "csv"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("list,4,0,"));
  std::vector<std::string> lists;
  std::istringstream text(ReadFile(again + ".0", 1 << 20).value());
  for (std::string line; std::getline(text, line);) {
    if (const auto at = line.find("list "); at != std::string::npos)
      lists.push_back(line.substr(at));
  }
  const std::string first = "list row=r column=%2A page_size=2";
  EXPECT_THAT(lists,
              ::testing::ElementsAre(first, first + " next=yes", first + " next=yes", first));
}

// The test runs itself anew for this: the first interrupt of a process is its last.
TEST_F(VerbPlayTest, AnInterruptEndsAPlayWhoseWantsWait) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "# cirein trace 1\n0 want row=never\n0 publish row=a data=1\n"
                                  "0 compute row=a function=interrupt\n")
                  .ok());
  const auto play = [&] {
    const Status known = RegisterComputeFunction("interrupt", [](const ComputeInput&) {
      kill(getpid(), SIGINT);  // Not raise: the threads of the library let signals pass.
      return DataObject::FromString("done");
    });
    const CommandRun run = RunForTest(
        {"play", path, "--pool", "local:[interrupted]", "--deadline", "1h", "-o", "csv"});
    std::cerr << known.ToString() << run.out << run.err;
    std::filesystem::remove_all(directory_.path());  // Nothing else does, after _Exit.
    std::_Exit(run.code);
  };
  EXPECT_EXIT(play(), ::testing::ExitedWithCode(5), "compute,1,0,.*given up: 1");
}

class VerbPlayRanksTest : public VerbPlayTest {
 protected:
  VerbPlayRanksTest() {
    // There is no rank 1, and what only looks like a rank is passed over.
    Write("0", "# began 5000000000ns\n0ns publish row=a data=1\n0ns want row=c\n");
    Write("2", "# began 5000000000ns\n0ns publish row=b data=2\n");
    Write("3", "# began 5050000000ns\n0ns publish row=c data=3\n0ns want row=b\n");
    Write("3.bak", "no trace\n");
    Write("03", "no trace\n");
  }
  void Write(const std::string& rank, const std::string& lines) const {
    ASSERT_TRUE(WriteFileAtomically(Trace() + "." + rank, "# cirein trace 1\n" + lines).ok());
  }
  std::string Trace() const { return directory_.File("ranks"); }
  CommandRun Play(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"play", Trace(), "-o", "csv", "--deadline", "10s"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunForTest(std::move(arguments));
  }
};

TEST_F(VerbPlayRanksTest, OneProcessPlaysAllSideBySide) {
  const CommandRun run = Play({"--of", "1", "--pool", "local:[all-ranks]"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("publish,3,0,"));
  EXPECT_THAT(run.out, HasSubstr("want,2,0,"));
}

TEST_F(VerbPlayRanksTest, SeveralProcessesShareThem) {
  const std::string pool = "local:[shared-ranks]";
  const CommandRun second = Play({"--rank", "1", "--of", "3", "--pool", pool});
  EXPECT_EQ(second.code, 0) << "nothing is left for it: " << second.err;
  EXPECT_EQ(Contents(Connect(pool).value()).size(), 0U);
  EXPECT_EQ(Play({"--rank", "2", "--of", "3", "--pool", pool}).code, 0);
  EXPECT_EQ(Contents(Connect(pool).value()), (std::set<std::string>{"b 0 2"}));
  EXPECT_EQ(Play({"--rank", "0", "--of", "3", "--pool", pool}).code, 0) << "ranks 0 and 3";
  EXPECT_EQ(Contents(Connect(pool).value()), (std::set<std::string>{"a 0 1", "b 0 2", "c 0 3"}));
}

TEST_F(VerbPlayRanksTest, ARankThatBeganLaterBeginsLater) {
  const CommandRun run =
      Play({"--of", "1", "--pool", "local:[later-ranks]", "--speed", "original", "-o", "json"});
  EXPECT_EQ(run.code, 0) << run.err;
  const std::size_t at = run.out.find("\"run_ns\":");
  ASSERT_NE(at, std::string::npos) << run.out;
  EXPECT_GE(std::stoull(run.out.substr(at + 9)), 50'000'000U);
}

TEST_F(VerbPlayRanksTest, SaysWhatIsWrong) {
  EXPECT_EQ(Play({"--of", "2"}).code, 1) << "which of the two?";
  EXPECT_EQ(Play({"--of", "2", "--rank", "2"}).code, 1);
  EXPECT_EQ(RunForTest({"play", directory_.File("none"), "--of", "1"}).code, 2);
  Write("4", "0ns pulbish row=a\n");
  EXPECT_EQ(Play({"--of", "5", "--rank", "0"}).code, 1) << "another's file is bad";
  Write("4", "# began yesterday\n");
  EXPECT_THAT(Play({"--of", "1"}).err, HasSubstr("ranks.4:2: "));
}

TEST_F(VerbPlayTest, OriginalSpeedKeepsTheRecordedTimes) {
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(
      WriteFileAtomically(path, "# cirein trace 1\n20ms info row=a\n20ms list row=a\n").ok());
  const CommandRun run =
      RunForTest({"play", path, "--pool", "null:", "--speed", "original", "-o", "json"});
  EXPECT_EQ(run.code, 0) << run.err;
  const std::size_t at = run.out.find("\"run_ns\":");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GE(std::stoull(run.out.substr(at + 9)), 40'000'000U);
}

}  // namespace
}  // namespace cirein
