// SPDX-License-Identifier: Apache-2.0
#include "dpm/merger.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "dpm/dpm.h"
#include "region/shadow_space.h"
#include "support/dpm_user.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

using test::DpmUser;

std::unique_ptr<Dpm> NewPool() {
  CreateOptions options;
  options.segment_bytes = 1 << 20;
  options.log_bytes = 16 * options.segment_bytes;
  options.pool_id = 1;
  auto space = std::make_unique<ShadowSpace>(ShadowSpace::Medium::kFlushable);
  EXPECT_OK(Dpm::Create(*space, options));
  Findings findings;
  auto pool = Dpm::Open(std::move(space), {}, &findings);
  EXPECT_OK(pool.status());
  return pool.ok() ? std::move(*pool) : nullptr;
}

bool Has(const Dpm& pool, ReadEpochs::Reader& reader, const std::string& row) {
  const ReadEpochs::Guard guard(reader);
  return pool.Find(KeyView(Bucket{7}, row), SlotOfRow(row), 0).has_value();
}

TEST(MergerTest, ABusyLogDoesNotKeepAnotherWaiting) {
  const auto pool = NewPool();
  ASSERT_NE(pool, nullptr);
  ReadEpochs::Reader reader = pool->read_epochs().NewReader();
  DpmUser busy(*pool, 0);
  DpmUser quiet(*pool, 1);
  constexpr int kObjects = 40'000;
  for (int i = 0; i < kObjects; ++i) {
    ASSERT_OK(busy.Stage({{DpmUser::Write::Kind::kPut, "b" + std::to_string(i), {}, "x", {}}}));
  }
  ASSERT_OK(busy.Commit());
  ASSERT_OK(quiet.Put("quiet", "x"));
  // One piece of work is less than what the busy log has.
  ASSERT_OK(pool->Work(Dpm::Urgency::kNormal).status());
  ASSERT_FALSE(Has(*pool, reader, "b" + std::to_string(kObjects - 1)));
  ASSERT_OK(pool->Work(Dpm::Urgency::kNormal).status());
  EXPECT_TRUE(Has(*pool, reader, "quiet"));
  ASSERT_OK(pool->MergeAll());
  EXPECT_TRUE(Has(*pool, reader, "b" + std::to_string(kObjects - 1)));
}

}  // namespace
}  // namespace cirein::dpm
