// SPDX-License-Identifier: Apache-2.0
#include "cirein/resource_url.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/random_bytes.h"
#include "support/seed.h"

namespace cirein {
namespace {

struct Good {
  const char* text;
  const char* canonical;
};

class GoodUrlTest : public testing::TestWithParam<Good> {};

TEST_P(GoodUrlTest, ParsesAndReadsBack) {
  const Result<ResourceUrl> url = ResourceUrl::Parse(GetParam().text);
  ASSERT_TRUE(url.ok()) << url.status().ToString();
  EXPECT_EQ(url->ToString(), GetParam().canonical);
  EXPECT_TRUE(url->Validate().ok());
  EXPECT_EQ(*ResourceUrl::Parse(url->ToString()), *url);
}

INSTANTIATE_TEST_SUITE_P(
    All, GoodUrlTest,
    testing::Values(
        Good{"/a/b", "ref:/a/b"}, Good{"ref:/a/b", "ref:/a/b"}, Good{":/a/b", "ref:/a/b"},
        Good{"REF:/a/b/", "ref:/a/b"}, Good{"[0x7]/a/b", "ref:[0x7]/a/b"},
        Good{"ref:<0xdead>[0x7]/a/b", "ref:<0xdead>[0x7]/a/b"},
        Good{"ref:[0x7]<0xDEAD>/a/b", "ref:<0xdead>[0x7]/a/b"}, Good{"<0x0>/a", "ref:<0x0>/a"},
        Good{"<0xffffffffffffffff>/a", "ref:<0xffffffffffffffff>/a"},
        Good{"dht:/my/dht&min_members=4", "dht:/my/dht&min_members=4"},
        Good{"dht:<0x1>[0x1234]/x&num=2&ag0=0xa&ag1=0xb",
             "dht:<0x1>[0x1234]/x&ag0=0xa&ag1=0xb&num=2"},
        Good{"rft:/x&rank=3", "rft:/x&rank=3"}, Good{"tft:/x", "tft:/x"}, Good{"local:", "local:"},
        Good{"local:[0xb]", "local:[0xb]"}, Good{"local:/x&iom=disk", "local:/x&iom=disk"},
        Good{"local:&iom=disk", "local:&iom=disk"}, Good{"lkv:/x", "local:/x"},
        Good{"LocalKV:", "local:"}, Good{"null:", "null:"},
        Good{"trace:/t&next_pool=dht:/my/dht", "trace:/t&next_pool=dht:/my/dht"},
        Good{"dht:/x&iom=d&iom_type=posixindividualobjects&iom_path=/tmp/"
             "d&behavior=WriteToRemote_WriteToIOM",
             "dht:/x&behavior=WriteToRemote_WriteToIOM&iom=d&iom_path=/tmp/"
             "d&iom_type=posixindividualobjects"},
        Good{"/", "ref:/"}, Good{"dht:/", "dht:/"}, Good{"/local", "local:/local"},
        Good{"/local/x", "local:/local/x"}, Good{"ref:/local/", "local:/local"},
        Good{"/localstuff", "ref:/localstuff"}, Good{"mine.v-2_x:/a", "mine.v-2_x:/a"},
        Good{"/a b:c=%", "ref:/a b:c=%"}, Good{"/x&a=1&a=2", "ref:/x&a=2"},
        Good{"/x&a=", "ref:/x&a="}, Good{"/x&a=b=c", "ref:/x&a=b=c"},
        Good{"/x&a=%26%25%41%", "ref:/x&a=%26%25%2541%25"}));

struct Bad {
  const char* text;
  const char* said;
};

class BadUrlTest : public testing::TestWithParam<Bad> {};

TEST_P(BadUrlTest, IsAnErrorThatSaysWhy) {
  const Result<ResourceUrl> url = ResourceUrl::Parse(GetParam().text);
  ASSERT_EQ(url.code(), StatusCode::kInvalidArgument) << GetParam().text;
  EXPECT_NE(url.status().message().find(GetParam().said), std::string::npos)
      << url.status().ToString();
  EXPECT_FALSE(url.status().hint().empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadUrlTest,
    testing::Values(Bad{"", "empty"}, Bad{"foo", "neither"}, Bad{"foo/bar", "neither"},
                    Bad{"foo&a=b:c", "neither"}, Bad{"my type:/a", "the type \"my type\""},
                    Bad{"1x:/a", "type"}, Bad{"dht:", "no path"}, Bad{"ref:", "no path"},
                    Bad{"[b]", "no path"}, Bad{"dht:a/b", "begin with '/'"},
                    Bad{"dht:<0x1/a", "closing '>'"}, Bad{"dht:<12>/a", "node"},
                    Bad{"dht:<0x>/a", "node"}, Bad{"dht:<0xg>/a", "node"},
                    Bad{"dht:<0x12345678123456781>/a", "node"}, Bad{"<>/a", "node"},
                    Bad{"<0x1><0x2>/a", "two nodes"}, Bad{"[a][b]/a", "two buckets"},
                    Bad{"[a/a", "closing ']'"}, Bad{"[]/a", "bucket"}, Bad{"[0x0]/a", "bucket"},
                    Bad{"[0x123456789]/a", "bucket"}, Bad{"[a<b]/a", "bucket"},
                    Bad{"//", "empty part"}, Bad{"/a//b", "empty part"}, Bad{"/a/[b]", "before"},
                    Bad{"/a\nb", "control"}, Bad{"/a&b", "no '='"}, Bad{"/a&", "no '='"},
                    Bad{"/a&b=1&", "no '='"}, Bad{"/a&=1", "option name"},
                    Bad{"/a&b c=1", "option name"}));

TEST(ResourceUrlTest, PartsAreTakenApart) {
  const ResourceUrl url = *ResourceUrl::Parse("dht:<0xdead>[sim]/my/pool&num=2&x=a%26b");
  EXPECT_EQ(url.type(), "dht");
  EXPECT_FALSE(url.is_reference());
  EXPECT_EQ(url.node(), 0xDEADU);
  EXPECT_EQ(url.bucket(), Bucket::FromLabel("sim"));
  EXPECT_EQ(url.path(), "/my/pool");
  EXPECT_EQ(url.name(), "pool");
  EXPECT_EQ(url.parent(), "/my");
  EXPECT_EQ(url.depth(), 2U);
  EXPECT_EQ(url.option("x"), "a&b");
  EXPECT_EQ(url.option("y"), std::nullopt);
  EXPECT_EQ(url.BucketPath(), "[" + url.bucket().ToString() + "]/my/pool");
  EXPECT_EQ(url.Dashify(), "-my-pool");
}

TEST(ResourceUrlTest, RootAndItsLevel) {
  const ResourceUrl root = *ResourceUrl::Parse("/");
  EXPECT_TRUE(root.is_root());
  EXPECT_EQ(root.depth(), 0U);
  EXPECT_EQ(root.name(), "");
  EXPECT_EQ(root.parent(), "/");
  EXPECT_EQ(root.Parent(), root);
  const ResourceUrl top = *ResourceUrl::Parse("/a");
  EXPECT_TRUE(top.is_root_level());
  EXPECT_EQ(top.parent(), "/");
  EXPECT_EQ(top.Parent(), root);
  const ResourceUrl none = *ResourceUrl::Parse("local:");
  EXPECT_FALSE(none.is_root());
  EXPECT_EQ(none.name() + none.parent() + none.Dashify(), "");
}

TEST(ResourceUrlTest, DirectoriesArePushedAndPopped) {
  ResourceUrl url = *ResourceUrl::Parse("/");
  EXPECT_TRUE(url.PushDir("a").ok());
  EXPECT_TRUE(url.PushDir("b").ok());
  EXPECT_EQ(url.path(), "/a/b");
  for (const char* const part : {"", "a/b", "a&b", "a[b", "a\tb"}) {
    EXPECT_EQ(url.PushDir(part).code(), StatusCode::kInvalidArgument) << part;
  }
  EXPECT_EQ(url.PushDir(std::string(ResourceUrl::kMaxBytes, 'x')).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(url.PopDir(), "b");
  EXPECT_EQ(url.PopDir(), "a");
  EXPECT_EQ(url.PopDir(), "");
  EXPECT_TRUE(url.is_root());
}

TEST(ResourceUrlTest, SettersKeepTheCanonicalForm) {
  ResourceUrl url = *ResourceUrl::Parse("/local/x");
  EXPECT_EQ(url.set_type("ref").type(), "local");
  EXPECT_EQ(url.set_type("LKV").type(), "local");
  url.set_type("dht").set_node(5).set_bucket(Bucket(6)).set_option("k", "a&%b");
  EXPECT_EQ(url.ToString(), "dht:<0x5>[0x6]/local/x&k=a%26%25b");
  EXPECT_EQ(*ResourceUrl::Parse(url.ToString()), url);
  EXPECT_EQ(url.Parent().ToString(), "dht:<0x5>[0x6]/local");
  url.remove_option("k").remove_option("unknown");
  EXPECT_TRUE(url.options().empty());
}

TEST(ResourceUrlTest, ValidateFindsWhatSettersLetThrough) {
  ResourceUrl url = *ResourceUrl::Parse("local:");
  EXPECT_FALSE(ResourceUrl().Validate().ok());
  EXPECT_FALSE(ResourceUrl(url).set_type("dht").Validate().ok());
  EXPECT_FALSE(ResourceUrl(url).set_type("a b").Validate().ok());
  EXPECT_FALSE(ResourceUrl(url).set_option("a=b", "").Validate().ok());
  EXPECT_FALSE(
      ResourceUrl(url).set_option("a", std::string(ResourceUrl::kMaxBytes, '.')).Validate().ok());
  EXPECT_TRUE(url.Validate().ok());
}

TEST(ResourceUrlTest, LengthIsLimited) {
  const std::string longest = "/" + std::string(ResourceUrl::kMaxBytes - 5, 'x');
  EXPECT_TRUE(ResourceUrl::Parse(longest).ok());
  const Result<ResourceUrl> url = ResourceUrl::Parse(longest + "xxxxx");
  EXPECT_EQ(url.code(), StatusCode::kInvalidArgument);
  EXPECT_LT(url.status().message().size(), 300U);
}

TEST(ResourceUrlTest, WhateverParsesReadsBack) {
  Random random(test::Seed());
  int parsed = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = RandomBytes(&random, 24, "a:/&=%26<>[]0x1lo");
    const Result<ResourceUrl> url =
        ResourceUrl::Parse(random.OneIn(2) ? "/x&v=" + text : "dht:" + text);
    if (!url.ok()) continue;
    ++parsed;
    const Result<ResourceUrl> again = ResourceUrl::Parse(url->ToString());
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    ASSERT_EQ(*again, *url) << url->ToString();
  }
  EXPECT_GT(parsed, 500);
}

TEST(ResourceUrlTest, AnyOptionValueReadsBack) {
  Random random(test::Seed());
  for (int i = 0; i < 3000; ++i) {
    ResourceUrl url = *ResourceUrl::Parse("local:/x");
    const std::string value = RandomBytes(&random, 40, "%256&=/");
    url.set_option("v", value);
    ASSERT_EQ(ResourceUrl::Parse(url.ToString())->option("v"), value);
  }
}

}  // namespace
}  // namespace cirein
