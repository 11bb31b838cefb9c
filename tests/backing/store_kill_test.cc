// SPDX-License-Identifier: Apache-2.0

// A process that is killed in the middle of a write leaves the old object or the new one.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "backing/stores.h"
#include "base/random.h"
#include "runtime/file.h"
#include "support/seed.h"

namespace cirein {
namespace {

class StoreKillTest : public testing::TestWithParam<std::string_view> {};

INSTANTIATE_TEST_SUITE_P(Stores, StoreKillTest, test::StoresToTest(), test::StoreToTestName);

TEST_P(StoreKillTest, AWriteIsWhollyThereOrNotAtAll) {
  Random random(test::Seed());
  const TemporaryDirectory directory = TemporaryDirectory::Create().value();
  const std::string spec = std::string(GetParam()) + ":" + directory.path() + "?durability=process";
  const Key key = Key("row", "column").set_bucket(Bucket(7));
  for (int round = 0; round < 10; ++round) {
    std::FILE* const output = popen(("exec " CIREIN_STORE_KEEPER " " + spec).c_str(), "r");
    ASSERT_NE(output, nullptr);
    int process = 0;
    ASSERT_EQ(std::fscanf(output, "%d", &process), 1);
    unsigned long long answered = 0;
    for (auto left = 1 + random.Below(20); left > 0; --left) {
      ASSERT_EQ(std::fscanf(output, "%llu", &answered), 1);
    }
    kill(process, SIGKILL);
    // It may have said more before it was killed.
    for (unsigned long long more = 0; std::fscanf(output, "%llu", &more) == 1;) answered = more;
    pclose(output);
    const auto store = test::OpenStore(spec);
    ASSERT_OK(store);
    const auto read = (*store)->Read(key);
    ASSERT_OK(read) << "round " << round;
    EXPECT_GE(read->version.counter, answered);
    EXPECT_LE(read->version.counter, answered + 1);
    EXPECT_EQ(read->object.text(),
              std::string(300'000, static_cast<char>(read->version.counter % 251)));
    // What died there is cleared away by the next who writes.
    const BackedItem item{key, *read};
    ASSERT_OK((*store)->Write(std::span(&item, 1)));
    if (GetParam() == "rocksdb") continue;
    std::string shard = directory.path() + "/" + Bucket(7).ToString();
    shard += "/" + ListDirectory(shard)->front().name;
    EXPECT_EQ(ListDirectory(shard)->size(), 1U);
  }
}

}  // namespace
}  // namespace cirein
