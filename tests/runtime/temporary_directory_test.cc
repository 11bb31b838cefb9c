// SPDX-License-Identifier: Apache-2.0
#include "runtime/temporary_directory.h"

#include <gtest/gtest.h>

#include "runtime/file.h"

namespace cirein {
namespace {

TEST(TemporaryDirectory, GoesWithAllThatIsInIt) {
  std::string path;
  {
    auto directory = TemporaryDirectory::Create("cirein-test");
    ASSERT_TRUE(directory.ok()) << directory.status().ToString();
    path = directory->path();
    EXPECT_NE(path.find("/cirein-test-"), std::string::npos);
    ASSERT_TRUE(MakeDirectories(directory->File("a/b")).ok());
    ASSERT_TRUE(WriteFileAtomically(directory->File("a/b/c"), "text").ok());
    const TemporaryDirectory moved = std::move(*directory);
    EXPECT_TRUE(ListDirectory(path).ok());
  }
  EXPECT_EQ(ListDirectory(path).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace cirein
