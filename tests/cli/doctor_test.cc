// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class DoctorTest : public ::testing::Test {
 protected:
  void Put(const std::string& path, std::string_view text) {
    const std::string whole = root_.path() + path;
    ASSERT_TRUE(MakeDirectories(whole.substr(0, whole.rfind('/'))).ok());
    ASSERT_TRUE(WriteFileAtomically(whole, text).ok());
  }
  Finding Find(std::string_view check) {
    for (const Finding& finding : Diagnose(Machine(root_.path()), config_)) {
      if (finding.check == check) return finding;
    }
    ADD_FAILURE() << "nothing is said about " << check;
    return {};
  }
  Config config_;
  const TemporaryDirectory root_ = *TemporaryDirectory::Create();
};

TEST_F(DoctorTest, AGoodMachinePasses) {
  Put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
  Put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  Put("/proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\nHugePages_Total: 0\n");
  Put("/proc/self/limits",
      "Max open files            65536                65536                files\n"
      "Max locked memory         unlimited            unlimited            bytes\n");
  Put("/proc/cpuinfo", "flags : clwb clflushopt\n");
  Put("/sys/class/infiniband/mlx5_0/node_type", "1");
  for (const std::string_view check :
       {"clock source", "huge pages", "memory", "open files", "memory lock", "cache flush"}) {
    EXPECT_EQ(Find(check).verdict, Finding::Verdict::kPass) << check << ": " << Find(check).found;
  }
  EXPECT_EQ(Find("RDMA").found, "mlx5_0");
}

TEST_F(DoctorTest, SaysOfEachWayBetweenHostsWhetherItIsThere) {
  // By names that there are everywhere; which of them can be used is the machine's affair.
  for (const std::string_view check :
       {"libfabric cxi", "libfabric efa", "libfabric verbs;ofi_rxm", "libfabric tcp;ofi_rxm"}) {
    EXPECT_FALSE(Find(check).found.empty()) << check;
  }
}

TEST_F(DoctorTest, TriesTheFabricsThatTheSettingsAllow) {
  EXPECT_EQ(Find("fabric shm").verdict, Finding::Verdict::kPass) << Find("fabric shm").found;
  EXPECT_THAT(Find("fabric shm").found, HasSubstr("there and back"));
  EXPECT_EQ(Find("fabric ofi").verdict, Finding::Verdict::kPass) << Find("fabric ofi").found;
  EXPECT_THAT(Find("fabric ofi").found, HasSubstr("there and back"));

  ASSERT_TRUE(config_.Set("fabric.use", "shm").ok());
  ASSERT_TRUE(config_.Set("fabric.provider", "tcp").ok());
  EXPECT_THAT(Find("fabric ofi").found, HasSubstr("not used: fabric.use is shm"));
  const Finding unused = Find("settings");
  EXPECT_EQ(unused.verdict, Finding::Verdict::kWarn);
  EXPECT_THAT(unused.found, HasSubstr("fabric.provider (code) is not used"));
}

TEST_F(DoctorTest, SaysWhatIsWrongWithAFabricsSettings) {
  ASSERT_TRUE(config_.Set("fabric.provider", "tpc").ok());
  const Finding provider = Find("fabric ofi");
  EXPECT_EQ(provider.verdict, Finding::Verdict::kWarn);
  EXPECT_THAT(provider.found, HasSubstr("tpc"));
  EXPECT_THAT(provider.next, HasSubstr("tcp;ofi_rxm"));

  ASSERT_TRUE(config_.Set("fabric.secret_file", root_.path() + "/missing").ok());
  const Finding secret = Find("settings");
  EXPECT_EQ(secret.verdict, Finding::Verdict::kWarn);
  EXPECT_THAT(secret.found, HasSubstr("fabric.secret_file"));
}

TEST_F(DoctorTest, LooksAtTheRestWhenTheSettingsAreWrong) {
  const CommandRun run = RunForTest({"doctor", "-o", "csv", "--set", "fabric.usee=shm"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\nsettings,WARN,"));
  EXPECT_THAT(run.out, HasSubstr("fabric.usee"));
  EXPECT_THAT(run.out, HasSubstr("\nfabric shm,PASS,"));
}

TEST_F(DoctorTest, EachWeaknessIsAWarningWithANextStep) {
  Put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  Put("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  Put("/proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8192 kB\n");
  Put("/proc/self/limits",
      "Max open files            256                  256                  files\n"
      "Max locked memory         65536                65536                bytes\n");
  Put("/proc/cpuinfo", "flags : fpu\n");
  for (const std::string_view check :
       {"clock source", "huge pages", "memory", "open files", "memory lock", "cache flush"}) {
    const Finding finding = Find(check);
    EXPECT_EQ(finding.verdict, Finding::Verdict::kWarn) << check;
    EXPECT_FALSE(finding.next.empty()) << check;
  }
}

TEST_F(DoctorTest, ASystemThatTellsNothingDoesNotFail) {
  for (const Finding& finding : Diagnose(Machine(root_.path()), config_)) {
    EXPECT_FALSE(finding.found.empty()) << finding.check;
    EXPECT_TRUE(finding.verdict == Finding::Verdict::kPass || !finding.next.empty());
  }
}

TEST_F(DoctorTest, TheVerbPrintsAllChecksAndIsStrictOnlyWhenAsked) {
  const CommandRun run = RunForTest({"doctor", "-o", "csv"});
  EXPECT_EQ(run.code, 0);
  for (const Finding& finding : Diagnose(Machine(), config_)) {
    EXPECT_THAT(run.out, HasSubstr("\n" + finding.check + ","));
  }
  const CommandRun strict = RunForTest({"doctor", "--strict", "-o", "csv"});
  const bool warned = strict.out.find(",WARN,") != std::string::npos;
  EXPECT_EQ(strict.code, warned ? 5 : 0);
}

}  // namespace
}  // namespace cirein
