// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/library.h"
#include "cirein/pool.h"

#include "cli/connect_pool.h"
#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"

namespace cirein {

/// The verbs of objects over a pool of each kind: in memory, which this process keeps from one
/// command to the next; and in files, which every command opens and closes.
class ObjectVerbTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  ObjectVerbTest() {
    if (GetParam() == "local") {
      kept_.emplace();
      pool_ = "local:[object-verbs]";
      return;
    }
    pool_ = directory_.File("pool");
    const CommandRun made = RunForTest({"pool", "create", pool_, "--size", "2MiB"});
    EXPECT_EQ(made.code, 0) << made.err;
  }

  const std::string& pool() const { return pool_; }
  std::string File(std::string_view name) const { return directory_.File(name); }

  /// `cirein VERB POOL ...`.
  CommandRun Run(const std::string& verb, std::vector<std::string> arguments) const {
    return RunWithInput(verb, std::move(arguments), "");
  }
  CommandRun RunWithInput(const std::string& verb, std::vector<std::string> arguments,
                          std::string input) const {
    arguments.insert(arguments.begin(), {verb, pool_});
    return RunWithInputForTest(std::move(arguments), std::move(input));
  }
  void Put(const std::string& key, const std::string& data) const {
    const CommandRun run = Run("put", {key, "--data", data});
    EXPECT_EQ(run.code, 0) << run.err;
  }
  /// Lets `use` have the pool as a program has it.
  template <typename Use>
  void WithPool(Use use) const {
    const Library library;
    const Result<Pool> pool = ConnectNamedPool(pool_, MissingPool::kRefuse);
    ASSERT_OK(pool);
    use(*pool);
  }

 private:
  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  std::optional<Library> kept_;
  std::string pool_;
};

inline auto PoolsToTest() {
  return ::testing::Values(std::string_view("local"), std::string_view("elastic"));
}
inline std::string PoolToTestName(const ::testing::TestParamInfo<std::string_view>& info) {
  return std::string(info.param);
}

}  // namespace cirein
