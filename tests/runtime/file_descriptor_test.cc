// SPDX-License-Identifier: Apache-2.0
#include "runtime/file_descriptor.h"

#include <fcntl.h>

#include <gtest/gtest.h>

namespace cirein {
namespace {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(FileDescriptor, ClosesWhatItOwns) {
  int fd = -1;
  {
    const FileDescriptor owner(open("/dev/null", O_RDONLY | O_CLOEXEC));
    fd = owner.get();
    ASSERT_TRUE(owner.is_open());
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
  EXPECT_FALSE(FileDescriptor().is_open());
}

TEST(FileDescriptor, MovesAndGivesUp) {
  FileDescriptor a(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fd = a.get();
  FileDescriptor b(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int replaced = b.get();
  b = std::move(a);
  EXPECT_FALSE(IsOpen(replaced));
  EXPECT_EQ(b.get(), fd);
  EXPECT_EQ(b.Release(), fd);
  EXPECT_FALSE(b.is_open());
  EXPECT_TRUE(IsOpen(fd));
  close(fd);
}

}  // namespace
}  // namespace cirein
