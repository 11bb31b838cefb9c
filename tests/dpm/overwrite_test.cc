// SPDX-License-Identifier: Apache-2.0

// Steady overwriting of a fixed set of keys stays within a stated bound: a pool of three times
// their size on the medium never runs out. CIREIN_OVERWRITE_KEYS sets how many keys (20,000 unless
// told; the slow test takes 1,000,000).

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/dpm.h"
#include "dpm/verify.h"
#include "region/directory_space.h"
#include "support/dpm_user.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

constexpr std::uint64_t kValueBytes = 1024;
constexpr int kRounds = 20;
constexpr std::uint64_t kBatch = 32;

std::string Row(std::uint64_t key) { return "key" + std::to_string(key); }

std::string Data(std::uint64_t key, int round) {
  std::string data = std::to_string(round) + "/" + std::to_string(key) + "/";
  data.resize(kValueBytes, static_cast<char>('a' + (key + static_cast<std::uint64_t>(round)) % 26));
  return data;
}

TEST(OverwriteTest, AFixedSetOfKeysNeverFillsThePool) {
  const char* const given = std::getenv("CIREIN_OVERWRITE_KEYS");
  const std::uint64_t keys = given != nullptr ? std::strtoull(given, nullptr, 10) : 20'000;
  Random random(test::Seed());
  std::string path = "/dev/shm/cirein_overwrite_XXXXXX";
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  const auto remove = [](const std::string* made) { std::filesystem::remove_all(*made); };
  const std::unique_ptr<std::string, decltype(remove)> removed(&path, remove);

  CreateOptions options;
  options.log_bytes = 3 * keys * (kValueBytes + sizeof(EntryHeader) + 16);
  options.segment_bytes = keys >= 100'000 ? kDefaultSegmentBytes : 256 * 1024;
  options.pool_id = random();
  {
    auto space = OpenDirectorySpace(path);
    ASSERT_OK(space.status());
    ASSERT_OK(Dpm::Create(**space, options));
  }
  Findings findings;
  {
    auto space = OpenDirectorySpace(path);
    ASSERT_OK(space.status());
    auto pool = Dpm::Open(std::move(*space), {}, &findings);
    ASSERT_OK(pool.status());
    test::DpmUser user(**pool, 0);
    std::vector<int> last(keys, 0);
    for (int round = 1; round <= kRounds; ++round) {
      for (std::uint64_t i = 0; i < keys; ++i) {
        const std::uint64_t key = round == 1 ? i : random.Below(keys);
        ASSERT_OK(
            user.Stage({{test::DpmUser::Write::Kind::kPut, Row(key), {}, Data(key, round), {}}}))
            << "round " << round << ", write " << i;
        last[key] = round;
        if (i % kBatch == 0) {
          ASSERT_OK(user.Commit());
        }
      }
    }
    ASSERT_OK(user.Commit());
    for (std::uint64_t i = 0; i < 10'000; ++i) {
      const std::uint64_t key = random.Below(keys);
      const auto data = user.Get(Row(key));
      ASSERT_OK(data.status());
      ASSERT_TRUE(data->has_value()) << key;
      ASSERT_EQ(**data, Data(key, last[key]));
    }
    ASSERT_OK(user.Seal());
    ASSERT_OK((*pool)->Close());
  }
  auto space = OpenDirectorySpace(path);
  ASSERT_OK(space.status());
  const auto report = VerifyPool(**space);
  ASSERT_OK(report.status());
  for (const Finding& finding : report->findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(report->summary.objects, keys);
}

}  // namespace
}  // namespace cirein::dpm
