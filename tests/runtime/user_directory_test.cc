// SPDX-License-Identifier: Apache-2.0
#include "runtime/user_directory.h"

#include <string>
#include <unistd.h>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace cirein {
namespace {

class UserDirectoryTest : public testing::Test {
 protected:
  UserDirectoryTest() : path_("/tmp/" + prefix_ + "-" + std::to_string(geteuid())) {}
  ~UserDirectoryTest() override { rmdir(path_.c_str()); }

  const std::string prefix_ = "cirein-test-" + std::to_string(getpid());
  const std::string path_;
};

TEST_F(UserDirectoryTest, IsMadeOnceAndForTheUserAlone) {
  EXPECT_EQ(UserDirectory(prefix_).value(), path_);
  EXPECT_EQ(UserDirectory(prefix_).value(), path_) << "it is there now";
  struct stat made = {};
  ASSERT_EQ(stat(path_.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0700U);
}

TEST_F(UserDirectoryTest, RefusesWhatOthersMayEnter) {
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0770), 0);
  EXPECT_EQ(UserDirectory(prefix_).code(), StatusCode::kPermissionDenied);
}

TEST_F(UserDirectoryTest, RefusesALinkToOne) {
  ASSERT_EQ(symlink("/tmp", path_.c_str()), 0);
  EXPECT_EQ(UserDirectory(prefix_).code(), StatusCode::kPermissionDenied);
  unlink(path_.c_str());
}

}  // namespace
}  // namespace cirein
