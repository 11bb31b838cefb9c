// SPDX-License-Identifier: Apache-2.0
#include "pool/launched_rank.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/library_test.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using Variables = std::vector<std::string>;

LaunchedRank Mpi(const Variables& environment) { return RankOfMpi(environment).value().value(); }
LaunchedRank Slurm(const Variables& environment) {
  return RankOfSlurm(environment).value().value();
}

TEST(LaunchedRankTest, OpenMpiSaysAll) {
  const LaunchedRank rank =
      Mpi({"PATH=/bin", "OMPI_COMM_WORLD_RANK=3", "OMPI_COMM_WORLD_SIZE=8",
           "OMPI_COMM_WORLD_LOCAL_SIZE=8", "PMIX_NAMESPACE=prterun-host 12/34@1"});
  EXPECT_EQ(rank, (LaunchedRank{3, 8, "mpi-prterun-host_12_34@1", true}));
  EXPECT_FALSE(
      Mpi({"OMPI_COMM_WORLD_RANK=0", "OMPI_COMM_WORLD_SIZE=8", "OMPI_COMM_WORLD_LOCAL_SIZE=4"})
          .one_host);
}

TEST(LaunchedRankTest, TwoLaunchersOfOneNumberAreTwoRuns) {
  const auto run = [](const std::string& port) {
    return Mpi({"OMPI_COMM_WORLD_RANK=0", "OMPI_COMM_WORLD_SIZE=1", "PMIX_NAMESPACE=7",
                "OMPI_MCA_orte_hnp_uri=6.0;tcp://127.0.0.1:" + port})
        .run;
  };
  EXPECT_EQ(run("4000"), run("4000"));
  EXPECT_NE(run("4000"), run("4001"));
  EXPECT_TRUE(IsRunName(run("4000")));
}

TEST(LaunchedRankTest, SoDoesWhoSpeaksPmi) {
  EXPECT_EQ(Mpi({"PMI_RANK=0", "PMI_SIZE=2", "MPI_LOCALNRANKS=2", "PMI_JOBID=j7"}),
            (LaunchedRank{0, 2, "mpi-j7", true}));
  EXPECT_EQ(Mpi({"PMI_RANK=0", "PMI_SIZE=2"}).run, "") << "nobody says";
}

TEST(LaunchedRankTest, SlurmTellsItsSteps) {
  const Variables step = {"SLURM_PROCID=1",  "SLURM_NTASKS=9",  "SLURM_STEP_NUM_TASKS=4",
                          "SLURM_JOB_ID=77", "SLURM_STEP_ID=2", "SLURM_STEP_NUM_NODES=1",
                          "SLURM_NNODES=3"};
  EXPECT_EQ(Slurm(step), (LaunchedRank{1, 4, "slurm-77.2.0", true}));
  Variables again = step;
  again.emplace_back("SLURM_RESTART_COUNT=1");
  EXPECT_EQ(Slurm(again).run, "slurm-77.2.1") << "what the first try left behind is not looked at";
  // The batch script itself.
  EXPECT_FALSE(
      RankOfSlurm(Variables{"SLURM_PROCID=0", "SLURM_NTASKS=4", "SLURM_JOB_ID=77"}).value());
}

TEST(LaunchedRankTest, WithoutALauncherThereIsNone) {
  const Variables none = {"PATH=/bin", "OMPI_COMM_WORLD_RANK=", "PMI_SIZE=4", "PMI_RANKS=1"};
  EXPECT_FALSE(RankOfMpi(none).value());
  EXPECT_FALSE(RankOfSlurm(none).value());
  EXPECT_FALSE(RankOfSettings(test::TestConfig()).value());
}

TEST(LaunchedRankTest, RefusesRanksThatCannotBe) {
  for (const auto& [rank, size] : std::vector<std::pair<std::string, std::string>>{
           {"4", "4"}, {"-1", "4"}, {"x", "4"}, {"0", "0"}, {"0", "4097"}, {"0", "many"}}) {
    EXPECT_CODE(RankOfMpi(Variables{"PMI_RANK=" + rank, "PMI_SIZE=" + size}), kInvalidArgument);
    EXPECT_CODE(RankOfSettings(test::TestConfig({{"group.rank", rank}, {"group.size", size}})),
                kInvalidArgument)
        << rank << " of " << size;
  }
  EXPECT_CODE(RankOfSettings(test::TestConfig({{"group.rank", "0"}})), kInvalidArgument);
  EXPECT_CODE(RankOfSettings(test::TestConfig({{"group.size", "2"}})), kInvalidArgument);
  EXPECT_EQ(
      RankOfSettings(test::TestConfig({{"group.rank", "1"}, {"group.size", "2"}})).value().value(),
      (LaunchedRank{1, 2, "", false}));
}

TEST(LaunchedRankTest, NamesOfRunsCannotLeadElsewhere) {
  EXPECT_TRUE(IsRunName("job-7.2@host:1_a"));
  for (const std::string name : {"", "a/b", "a b", "\n", "a\\b"}) EXPECT_FALSE(IsRunName(name));
  EXPECT_TRUE(IsRunName(std::string(200, 'a')));
  EXPECT_FALSE(IsRunName(std::string(201, 'a')));
}

}  // namespace
}  // namespace cirein
