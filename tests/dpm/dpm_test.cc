// SPDX-License-Identifier: Apache-2.0
#include "dpm/dpm.h"

#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "region/shadow_space.h"
#include "support/dpm_user.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

using test::DpmUser;
using Write = DpmUser::Write;
using Medium = ShadowSpace::Medium;

CreateOptions SmallPool(Durability durability) {
  CreateOptions options;
  options.segment_bytes = 16 * 1024;
  options.log_bytes = 16 * options.segment_bytes;
  options.index_bytes = 1 << 20;
  options.extent_limit_bytes = 1 << 20;
  options.durability = durability;
  options.pool_id = 0x1234'5678'9ABC'DEF0;
  options.created_ms = 1;
  return options;
}

struct Setting {
  Medium medium;
  Durability durability;
};

class DpmTest : public testing::TestWithParam<Setting> {
 protected:
  SpaceImage Create() {
    ShadowSpace space(GetParam().medium);
    EXPECT_OK(Dpm::Create(space, SmallPool(GetParam().durability)));
    return space.ProcessCrash(space.events());
  }

  std::unique_ptr<Dpm> Open(SpaceImage image, const std::string& boot = "boot-1") {
    auto space = std::make_unique<ShadowSpace>(GetParam().medium, boot, std::move(image));
    shadow_ = space.get();
    findings_.clear();
    auto pool = Dpm::Open(std::move(space), {}, &findings_);
    EXPECT_OK(pool.status());
    return pool.ok() ? std::move(*pool) : nullptr;
  }

  ShadowSpace* shadow_ = nullptr;
  Findings findings_;
};

TEST_P(DpmTest, KeepsWhatItWasTold) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  std::map<std::string, std::string> expected;
  {
    DpmUser user(*pool, 0);
    for (int i = 0; i < 200; ++i) {
      const std::string row = "row" + std::to_string(i % 70);
      const std::string data(static_cast<std::size_t>(i) * 3, static_cast<char>('a' + i % 26));
      ASSERT_OK(user.Put(row, data));
      expected[row] = data;
    }
    ASSERT_OK(user.Drop("row3"));
    expected.erase("row3");
    const auto all = user.All();
    ASSERT_OK(all.status());
    EXPECT_EQ(*all, expected);
    ASSERT_OK(user.Seal());
  }
  ASSERT_OK(pool->Close());
  pool = Open(shadow_->ProcessCrash(shadow_->events()));
  ASSERT_NE(pool, nullptr);
  EXPECT_TRUE(findings_.empty());
  DpmUser user(*pool, 0);
  const auto all = user.All();
  ASSERT_OK(all.status());
  EXPECT_EQ(*all, expected);
}

TEST_P(DpmTest, AKilledProcessLosesNothing) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  std::map<std::string, std::string> expected;
  for (int round = 0; round < 5; ++round) {
    {
      DpmUser user(*pool, 0);
      for (int i = 0; i < 100; ++i) {
        const std::string row = "row" + std::to_string(i % (10 + round));
        const std::string data = std::to_string(round * 1000 + i) + std::string(300, 'x');
        ASSERT_OK(user.Put(row, data));
        expected[row] = data;
      }
    }
    SpaceImage image = shadow_->ProcessCrash(shadow_->events());
    pool.reset();
    pool = Open(std::move(image));
    ASSERT_NE(pool, nullptr);
    DpmUser user(*pool, 0);
    const auto all = user.All();
    ASSERT_OK(all.status());
    EXPECT_EQ(*all, expected);
  }
}

TEST_P(DpmTest, OverwritingNeverFillsThePool) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 4000; ++i) {
    const std::string row = "row" + std::to_string(i * 7 % 60);
    const std::string data = std::to_string(i) + std::string(1000, 'y');
    ASSERT_OK(user.Put(row, data)) << i;
    expected[row] = data;
  }
  const auto all = user.All();
  ASSERT_OK(all.status());
  EXPECT_EQ(*all, expected);
}

TEST_P(DpmTest, InsertingAndDroppingNeverFillsThePool) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  ASSERT_OK(user.Put("static", std::string(2000, 's')));
  for (int i = 0; i < 5000; ++i) {
    const std::string row = "row" + std::to_string(i);
    ASSERT_OK(user.Put(row, std::string(200, 'y'))) << i;
    ASSERT_OK(user.Drop(row)) << i;
  }
  const auto all = user.All();
  ASSERT_OK(all.status());
  EXPECT_EQ(all->size(), 1u);
}

TEST_P(DpmTest, AFullPoolSaysSoAndDropsMakeRoom) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  std::map<std::string, std::string> expected;
  int i = 0;
  for (;; ++i) {
    const std::string row = "row" + std::to_string(i);
    const Status status = user.Put(row, std::string(500, 'y'));
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
      break;
    }
    expected[row] = std::string(500, 'y');
    ASSERT_LT(i, 1000);
  }
  EXPECT_GT(i, 250);  // 16 segments, three of them in reserve.
  auto all = user.All();
  ASSERT_OK(all.status());
  EXPECT_EQ(*all, expected);
  for (int j = 0; j < i; j += 2) {
    ASSERT_OK(user.Drop("row" + std::to_string(j))) << j;
    expected.erase("row" + std::to_string(j));
  }
  for (int j = 0; j < i / 4; ++j) {
    const std::string row = "new" + std::to_string(j);
    ASSERT_OK(user.Put(row, std::string(500, 'z'))) << j;
    expected[row] = std::string(500, 'z');
  }
  all = user.All();
  ASSERT_OK(all.status());
  EXPECT_EQ(*all, expected);
}

INSTANTIATE_TEST_SUITE_P(Media, DpmTest,
                         testing::Values(Setting{Medium::kFlushable, Durability::kProcess},
                                         Setting{Medium::kFlushable, Durability::kPower},
                                         Setting{Medium::kFile, Durability::kProcess},
                                         Setting{Medium::kFile, Durability::kPower}),
                         [](const testing::TestParamInfo<Setting>& test) {
                           return std::string(test.param.medium == Medium::kFile ? "File"
                                                                                 : "Flushable") +
                                  (test.param.durability == Durability::kPower ? "Power"
                                                                               : "Process");
                         });

}  // namespace
}  // namespace cirein::dpm
