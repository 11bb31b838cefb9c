// SPDX-License-Identifier: Apache-2.0
#include "region/region.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "region/cache_flush.h"

namespace cirein {
namespace {

TEST(RegionTest, EachSiteHasANameOfItsOwn) {
  std::set<std::string> names;
  for (std::size_t site = 0; site < kPersistSites; ++site) {
    names.insert(PersistSiteName(static_cast<PersistSite>(site)));
  }
  EXPECT_EQ(names.size(), kPersistSites);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_STREQ(PersistSiteName(static_cast<PersistSite>(kPersistSites)), "unknown");
}

TEST(RegionTest, FlushingCacheLinesChangesNothing) {
  if (!CanFlushCacheLines()) GTEST_SKIP() << "this processor has no flushes that are known";
  std::vector<std::byte> bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  const std::vector<std::byte> before = bytes;
  FlushCacheLines(bytes.data(), bytes.size());
  FlushCacheLines(bytes.data() + 63, 2);
  FlushCacheLines(bytes.data(), 0);
  EXPECT_EQ(bytes, before);
}

}  // namespace
}  // namespace cirein
