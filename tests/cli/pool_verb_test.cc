// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/pool_report.h"
#include "cli/run_for_test.h"
#include "dpm/dpm.h"
#include "region/directory_space.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/dpm_user.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class PoolVerbTest : public ::testing::Test {
 protected:
  CommandRun Create(const std::string& size = "512KiB") const {
    return RunForTest({"pool", "create", path_, "--size", size, "--segment-size", "32KiB"});
  }
  std::unique_ptr<dpm::Dpm> Open() const {
    dpm::Findings findings;
    auto pool = dpm::Dpm::Open(*OpenDirectorySpace(path_), {}, &findings);
    EXPECT_OK(pool);
    return pool.ok() ? std::move(*pool) : nullptr;
  }
  void Fill(int rows) const {
    const auto pool = Open();
    {
      test::DpmUser user(*pool, 0);
      for (int i = 0; i < rows; ++i) {
        EXPECT_OK(user.Put("row" + std::to_string(i), std::string(100, 'x')));
      }
      EXPECT_OK(user.Seal());
    }
    EXPECT_OK(pool->Close());
  }
  void Damage(const std::string& name, std::size_t offset) const {
    std::string bytes = *ReadFile(path_ + "/" + name, 1 << 24);
    bytes.at(offset) = static_cast<char>(bytes[offset] ^ 1);
    EXPECT_OK(WriteFileAtomically(path_ + "/" + name, bytes));
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  const std::string path_ = directory_.File("pool");
};

TEST_F(PoolVerbTest, CreatesAndInspects) {
  const CommandRun made = Create();
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("512KiB"));
  const CommandRun seen = RunForTest({"pool", "inspect", path_, "-o", "json"});
  EXPECT_EQ(seen.code, 0) << seen.err;
  EXPECT_THAT(seen.out, HasSubstr("\"durability\":\"process\""));
  EXPECT_THAT(seen.out, HasSubstr("\"state\":\"closed in order\""));
  EXPECT_THAT(seen.out, HasSubstr("\"segment_bytes\":32768,\"segments\":16,\"free_segments\":16"));
}

TEST_F(PoolVerbTest, EveryOptionCounts) {
  const CommandRun made = RunForTest(
      {"pool", "create", path_, "--size", "1MiB", "--segment-size", "64KiB", "--index-size", "2MiB",
       "--extent-limit", "3MiB", "--large-object", "10000", "--durability", "power", "-o", "json"});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("\"durability\":\"power\""));
  EXPECT_THAT(made.out, HasSubstr("\"index_bytes\":2097152"));
  EXPECT_THAT(made.out, HasSubstr("\"limit_bytes\":3145728,\"from_bytes\":10000"));
}

TEST_F(PoolVerbTest, SmallPoolsGetSmallSegments) {
  const CommandRun made = RunForTest({"pool", "create", path_, "--size", "1MiB", "-o", "json"});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("\"segment_bytes\":65536,\"segments\":16"));
}

TEST_F(PoolVerbTest, WhatCannotBeIsRefusedWithANextStep) {
  EXPECT_EQ(RunForTest({"pool"}).code, 1);
  EXPECT_EQ(RunForTest({"pool", "create"}).code, 1);
  EXPECT_EQ(RunForTest({"pool", "make", path_}).code, 1);
  const CommandRun sizeless = RunForTest({"pool", "create", path_});
  EXPECT_EQ(sizeless.code, 1);
  EXPECT_THAT(sizeless.err, HasSubstr("--size 1GiB"));
  EXPECT_EQ(Create("64KiB").code, 1);
  EXPECT_EQ(RunForTest({"pool", "create", path_, "--size", "1MiB", "--durability", "much"}).code,
            1);
  const CommandRun stray = RunForTest({"pool", "verify", path_, "--size", "1MiB"});
  EXPECT_EQ(stray.code, 1);
  EXPECT_THAT(stray.err, HasSubstr("pool verify takes no --size"));
  EXPECT_THAT(RunForTest({"pool", "inspect", path_, "--repair"}).err, HasSubstr("no --repair"));
}

TEST_F(PoolVerbTest, WhatIsNotThereIsSaid) {
  for (const char* action : {"inspect", "verify"}) {
    const CommandRun missing = RunForTest({"pool", action, path_});
    EXPECT_EQ(missing.code, 2) << action;
    const CommandRun empty = RunForTest({"pool", action, directory_.path()});
    EXPECT_EQ(empty.code, 2) << action;
    EXPECT_THAT(empty.err, HasSubstr("cirein pool create"));
  }
  EXPECT_TRUE(ListDirectory(directory_.path())->empty());
}

TEST_F(PoolVerbTest, APoolIsMadeOnceAndOpenOnce) {
  EXPECT_EQ(Create().code, 0);
  const CommandRun again = Create();
  EXPECT_EQ(again.code, 6);
  EXPECT_THAT(again.err, HasSubstr("holds a pool already"));
  const auto pool = Open();
  const CommandRun open = RunForTest({"pool", "verify", path_});
  EXPECT_EQ(open.code, 6);
  EXPECT_THAT(open.err, HasSubstr("in use"));
}

TEST_F(PoolVerbTest, VerifyCounts) {
  Create();
  Fill(30);
  const CommandRun run = RunForTest({"pool", "verify", path_, "-o", "json"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"entries\":30,\"objects\":30"));
  EXPECT_THAT(run.err, HasSubstr("is in order"));
  const CommandRun repair = RunForTest({"pool", "verify", path_, "--repair"});
  EXPECT_EQ(repair.code, 0);
  EXPECT_THAT(repair.err, HasSubstr("there is nothing to repair"));
}

TEST_F(PoolVerbTest, WhatAKilledProcessLeftIsInOrder) {
  Create();
  {
    const auto pool = Open();
    test::DpmUser user(*pool, 0);
    EXPECT_OK(user.Put("row", "data"));
  }
  const CommandRun run = RunForTest({"pool", "verify", path_});
  EXPECT_EQ(run.code, 0) << run.out;
  EXPECT_THAT(RunForTest({"pool", "inspect", path_}).out, HasSubstr("left open"));
}

TEST_F(PoolVerbTest, DamageIsToldAndRepairSavesTheRest) {
  Create();
  Fill(30);
  Damage("log", 4096 + 1000);
  const CommandRun run = RunForTest({"pool", "verify", path_});
  EXPECT_EQ(run.code, 5);
  EXPECT_THAT(run.out, HasSubstr("segment 0, entry at"));
  EXPECT_THAT(run.err, HasSubstr("--repair"));
  // Nothing was changed by that.
  EXPECT_EQ(RunForTest({"pool", "verify", path_}).out, run.out);

  const CommandRun repair = RunForTest({"pool", "verify", path_, "--repair", "-o", "json"});
  EXPECT_EQ(repair.code, 0) << repair.out << repair.err;
  EXPECT_THAT(repair.out, HasSubstr("29 valid entries of it were saved"));
  EXPECT_THAT(repair.out, HasSubstr("\"objects\":29"));
  EXPECT_EQ(RunForTest({"pool", "verify", path_}).code, 0);
}

TEST_F(PoolVerbTest, ADamagedIndexIsMadeAnew) {
  Create();
  Fill(30);
  Damage("index", 20);
  EXPECT_EQ(RunForTest({"pool", "verify", path_}).code, 5);
  const CommandRun repair = RunForTest({"pool", "verify", path_, "--repair", "-o", "json"});
  EXPECT_EQ(repair.code, 0) << repair.out << repair.err;
  EXPECT_THAT(repair.out, HasSubstr("\"objects\":30"));
}

TEST(PoolReportTest, TimesAreUtc) {
  EXPECT_EQ(UtcText(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(UtcText(951'827'696'789), "2000-02-29T12:34:56Z");
  EXPECT_EQ(UtcText(UINT64_MAX), "9999-12-31T23:59:59Z");
}

TEST(PoolReportTest, CorruptionComesFirst) {
  const dpm::Findings findings = {
      {dpm::Finding::Severity::kNote, "a note", {}, {}},
      {dpm::Finding::Severity::kCorruption, "a hole", 3, 4096},
  };
  const Report report = FindingsReport("findings", findings);
  EXPECT_EQ(RenderCsv({&report, 1}),
            "kind,segment,offset,what\ncorruption,3,4096,a hole\nnote,,,a note\n");
}

}  // namespace
}  // namespace cirein
