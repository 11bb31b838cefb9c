// SPDX-License-Identifier: Apache-2.0

// Groups of real processes, one program however they are started: by hand, and by Open MPI's
// mpirun.

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_process.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class GroupProcessTest : public ::testing::Test {
 protected:
  using Processes = std::vector<std::unique_ptr<CommandProcess>>;

  /// By hand: one of so many, which meet in a folder.
  std::unique_ptr<CommandProcess> StartRank(std::size_t rank, std::size_t size,
                                            const std::string& what) const {
    return std::make_unique<CommandProcess>(std::vector<std::string>{
        "CIREIN_GROUP_FOLDER=" + directory_.path(), "CIREIN_GROUP_RUN=test",
        "CIREIN_GROUP_RANK=" + std::to_string(rank), "CIREIN_GROUP_SIZE=" + std::to_string(size),
        CIREIN_GROUP_MEMBER, what});
  }
  Processes StartAll(std::size_t size, const std::string& what) const {
    Processes processes;
    for (std::size_t rank = 0; rank < size; ++rank) {
      processes.push_back(StartRank(rank, size, what));
    }
    return processes;
  }
  /// What they leave where they met.
  std::size_t Left() const { return ListDirectory(directory_.path()).value().size(); }

  /// Has anybody said whole where it is?
  bool HasCome() const {
    const std::vector<DirectoryEntry> entries = ListDirectory(directory_.path()).value();
    return std::any_of(entries.begin(), entries.end(), [](const DirectoryEntry& entry) {
      return entry.name.find(".tmp") == std::string::npos;
    });
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(GroupProcessTest, RanksOfASharedFolderExchangeObjects) {
  const Processes processes = StartAll(4, "halo");
  for (std::size_t rank = 0; rank < processes.size(); ++rank) {
    const CommandRun run = processes[rank]->Wait();
    EXPECT_EQ(run.code, 0) << rank;
    EXPECT_EQ(run.out, "rank " + std::to_string(rank) + " of 4: sum 6\n");
  }
  EXPECT_EQ(Left(), 0U);
}

TEST_F(GroupProcessTest, APoolTypeOfTheProgramHasTwoMembers) {
  const Processes processes = StartAll(2, "mirror");
  EXPECT_EQ(processes[0]->Wait().out, "rank 0 has both\n");
  EXPECT_EQ(processes[1]->Wait().out, "rank 1 has both\n");
}

TEST_F(GroupProcessTest, ItHearsWhenTheOtherMemberIsKilled) {
  const Processes processes = StartAll(2, "killed");
  const CommandRun told = processes[0]->Wait();
  ASSERT_EQ(told.code, 0) << "and the other one lives";
  EXPECT_EQ(told.out, "rank 0 was told that rank 1 is gone\n");
  EXPECT_EQ(processes[1]->Wait().code, 128) << "by a signal";
  EXPECT_EQ(Left(), 1U) << "who is killed leaves where it was";
}

TEST_F(GroupProcessTest, ARankThatWasKilledMayComeAgain) {
  auto killed = StartRank(0, 2, "halo");
  // It has come when its file is there.
  ASSERT_TRUE(test::Eventually([&] { return HasCome(); }));
  killed->End(SIGKILL);
  EXPECT_EQ(Left(), 1U);
  const Processes processes = StartAll(2, "halo");
  for (const auto& process : processes) EXPECT_EQ(process->Wait().code, 0);
  EXPECT_EQ(Left(), 0U);
}

/// As users start it: the environment says everything.
class MpirunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::string_view(CIREIN_MPIRUN).empty()) GTEST_SKIP() << "openmpi-bin is not installed";
  }
  static CommandRun Run(const std::string& ranks, const std::string& what,
                        const std::vector<std::string>& settings = {}) {
    // Its own connections stay on this machine, too.
    std::vector<std::string> words = {"OMPI_MCA_oob_tcp_if_include=lo",
                                      CIREIN_MPIRUN,
                                      "--allow-run-as-root",
                                      "--oversubscribe",
                                      "-n",
                                      ranks};
    for (const std::string& setting : settings) {
      words.emplace_back("-x");
      words.push_back(setting);
    }
    words.emplace_back(CIREIN_GROUP_MEMBER);
    words.push_back(what);
    return CommandProcess(words).Wait();
  }
};

TEST_F(MpirunTest, RanksFindEachOtherWithoutSettings) {
  const CommandRun run = Run("4", "halo");
  EXPECT_EQ(run.code, 0);
  for (const char* line : {"rank 0 of 4: sum 6\n", "rank 1 of 4: sum 6\n", "rank 2 of 4: sum 6\n",
                           "rank 3 of 4: sum 6\n"}) {
    EXPECT_THAT(run.out, HasSubstr(line));
  }
}

TEST_F(MpirunTest, OrMeetInAFolder) {
  const TemporaryDirectory directory = *TemporaryDirectory::Create();
  const CommandRun run =
      Run("2", "mirror", {"CIREIN_GROUP_FORM=mpi", "CIREIN_GROUP_FOLDER=" + directory.path()});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.out, HasSubstr("rank 0 has both"));
  EXPECT_THAT(run.out, HasSubstr("rank 1 has both"));
  EXPECT_TRUE(ListDirectory(directory.path()).value().empty());
}

}  // namespace
}  // namespace cirein
