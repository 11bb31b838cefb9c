// SPDX-License-Identifier: Apache-2.0
#include "cli/connect_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/library.h"

#include "runtime/file.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(ConnectPoolTest, TellsAnUnknownTypeFirst) {
  const Library library;
  for (const char* const url : {"locl:", "locl:[b]", "locl:no/slash", "locl:/a"}) {
    const Status status = ConnectPool(url).status();
    EXPECT_EQ(status.code(), StatusCode::kNotFound) << url;
    EXPECT_THAT(status.message(), HasSubstr("no pool type \"locl\"")) << url;
    EXPECT_THAT(status.hint(), HasSubstr("did you mean \"local\"?")) << url;
  }
}

TEST(ConnectPoolTest, TellsWhatIsWrongWithTheUrlOfAKnownType) {
  const Library library;
  for (const char* const url : {"trace:", "LKV:no/slash", "ref:", "1x:", "", "nonsense", ":"}) {
    EXPECT_EQ(ConnectPool(url).status().code(), StatusCode::kInvalidArgument) << url;
  }
  EXPECT_THAT(ConnectPool("trace:").status().message(), HasSubstr("no path"));
}

TEST(ConnectPoolTest, Connects) {
  const Library library;
  EXPECT_EQ(ConnectPool("local:").value().type(), "local");
  EXPECT_EQ(ConnectPool("LKV:/a").value().type(), "local");
}

TEST(PoolUrlOfTest, PathsBecomeAbsolute) {
  const std::string here = WorkingDirectory().value();
  ASSERT_TRUE(here.starts_with('/'));
  EXPECT_EQ(PoolUrlOf("/data/pool").value(), "elastic:/data/pool");
  EXPECT_EQ(PoolUrlOf("/data//./pool/").value(), "elastic:/data/pool");
  EXPECT_EQ(PoolUrlOf("/").value(), "elastic:/");
  EXPECT_EQ(PoolUrlOf("./pool").value(), "elastic:" + here + "/pool");
  EXPECT_EQ(PoolUrlOf(".").value(), "elastic:" + here);
  EXPECT_EQ(PoolUrlOf("../pool").value(), "elastic:" + here + "/../pool");
  EXPECT_EQ(PoolUrlOf("..").value(), "elastic:" + here + "/..");
}

TEST(PoolUrlOfTest, OptionsStayAsTheyAre) {
  EXPECT_EQ(PoolUrlOf("/a/./b&bucket=x/./y").value(), "elastic:/a/b&bucket=x/./y");
}

TEST(PoolUrlOfTest, AddressesAreThoseOfServers) {
  EXPECT_EQ(PoolUrlOf("127.0.0.1:6380").value(), "server:/127.0.0.1:6380");
  EXPECT_EQ(PoolUrlOf("local-host:1&bucket=b").value(), "server:/local-host:1&bucket=b");
  EXPECT_EQ(PoolUrlOf("[::1]:6380").value(), "server:/&address=[::1]:6380");
  EXPECT_EQ(PoolUrlOf("tcp://host:6380").value(), "server:/host:6380");
  EXPECT_EQ(PoolUrlOf("tcp://[::1]:6380").value(), "server:/&address=[::1]:6380");
  EXPECT_EQ(PoolUrlOf("unix:/run/a%b&password-file=/p").value(),
            "server:/&unix=/run/a%25b&password-file=/p");
}

TEST(PoolUrlOfTest, UrlsStayAsTheyAre) {
  for (const char* const url :
       {"local:", "elastic:/a/./b", "elastic:[b]/a", "[b]/a", "pool", ".hidden:/a", "",
        "host:", "a:b:1", ":6380", "host:6x", "server:/127.0.0.1:6380"}) {
    EXPECT_EQ(PoolUrlOf(url).value(), url);
  }
}

TEST(PoolUrlOfTest, WhatCannotStandInAUrlIsRefused) {
  const Library library;
  EXPECT_EQ(ConnectNamedPool("/a/b[c]", MissingPool::kRefuse).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(ConnectNamedPool("local:", MissingPool::kRefuse).value().type(), "local");
}

}  // namespace
}  // namespace cirein
