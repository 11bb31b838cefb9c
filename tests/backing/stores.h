// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "cirein/backing_store.h"

#include "backing/backing_stores.h"
#include "object/open_backing_store.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"

namespace cirein::test {

/// The stores that every rule of BackingStore is tried with. To add one: its type here.
inline auto StoresToTest() {
  return testing::Values(std::string_view("posix"), std::string_view("rocksdb"),
                         std::string_view("hdf5"));
}
inline std::string StoreToTestName(const testing::TestParamInfo<std::string_view>& info) {
  return std::string(info.param);
}

inline Result<std::shared_ptr<BackingStore>> OpenStore(const std::string& text) {
  backing::RegisterBackingStores();
  CIREIN_ASSIGN_OR_RETURN(const BackingSpec spec, BackingSpec::Parse(text));
  return OpenBackingStore(spec);
}

/// A program keeps the threads that RocksDB started for its first database: before anybody counts.
inline void WarmUpStores() {
  const TemporaryDirectory directory = TemporaryDirectory::Create().value();
  EXPECT_OK(OpenStore("rocksdb:" + directory.path()));
}

}  // namespace cirein::test
