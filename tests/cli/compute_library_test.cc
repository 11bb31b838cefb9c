// SPDX-License-Identifier: Apache-2.0

// Compute functions of a shared library, over a pool in another process which has loaded it.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_process.h"
#include "cli/run_for_test.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class ComputeLibraryVerbTest : public ::testing::Test {
 protected:
  CommandRun Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--set", "directory.file=" + directory_.File("directory")});
    return RunForTest(std::move(arguments));
  }
  static CommandRun RunWith(const std::string& libraries) {
    return RunForTest({"get", "local:", "key", "--set", "compute.libraries=" + libraries});
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(ComputeLibraryVerbTest, AMemberComputesWithWhatItHasLoaded) {
  CommandProcess member({"serve", "--set",
                         std::string("compute.libraries=") + CIREIN_TEST_COMPUTE_LIBRARY,
                         "--directory-file", directory_.File("directory"), "--join", "dht:/texts"});
  std::string line;
  do {
    line = member.ReadLine();
  } while (!line.empty() && line != "cirein is ready");
  ASSERT_EQ(line, "cirein is ready");
  EXPECT_EQ(Run({"put", "dht:/texts", "letters|a", "--data", "to be or not"}).code, 0);
  EXPECT_EQ(Run({"put", "dht:/texts", "letters|b", "--data", "that is"}).code, 0);
  EXPECT_EQ(Run({"compute", "dht:/texts", "letters|*", "words"}).out, "6");
  EXPECT_EQ(Run({"compute", "dht:/texts", "letters|*", "words", "3"}).out, "2");
  const CommandRun refused = Run({"compute", "dht:/texts", "letters|*", "words", "x"});
  EXPECT_NE(refused.code, 0);
  EXPECT_THAT(refused.err, HasSubstr("words takes how many letters")) << "its own words";
}

TEST_F(ComputeLibraryVerbTest, ALibraryThatCannotBeUsedEndsTheStart) {
  const CommandRun other = RunWith(CIREIN_TEST_OTHER_VERSION_LIBRARY);
  EXPECT_NE(other.code, 0);
  EXPECT_THAT(other.err, HasSubstr("of version 2"));
  EXPECT_THAT(other.err, HasSubstr("other_version_library"));
  EXPECT_THAT(RunWith("/no/such.so").err, HasSubstr("/no/such.so"));
  // It is loaded once, however often the library starts.
  EXPECT_EQ(RunWith(CIREIN_TEST_COMPUTE_LIBRARY).code, 2) << "there is no such key";
  EXPECT_EQ(RunWith(CIREIN_TEST_COMPUTE_LIBRARY).code, 2);
}

}  // namespace
}  // namespace cirein
