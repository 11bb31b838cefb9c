// SPDX-License-Identifier: Apache-2.0

// Connect: every way in which a URL can be wrong, and what a right one becomes.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/thread_group.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

class ConnectTest : public test::LibraryTest {
 protected:
  ConnectTest() : LibraryTest({{"default.bucket", "configured"}}) {}
  static Status Try(std::string_view url) { return Connect(url).status(); }
  static std::string Hint(std::string_view url) { return std::string(Try(url).hint()); }
};

TEST_F(ConnectTest, RefusesTextThatIsNoUrl) {
  for (const std::string_view url :
       {"", "local:path", "local:/a//b", "local:/<x>", "local:[]", "local:[0x0]", "local:[a][b]",
        "local:<nothex>/a", "local:/a&keep", "1local:/a", "local:/a\n"}) {
    EXPECT_CODE(Try(url), kInvalidArgument) << url;
  }
}

TEST_F(ConnectTest, AReferenceNeedsADirectory) {
  EXPECT_CODE(Try("ref:/my/pool"), kFailedPrecondition);
  EXPECT_CODE(Try("/my/pool"), kFailedPrecondition);
  EXPECT_CODE(Try("/"), kFailedPrecondition);
  EXPECT_OK(Connect("/local/of/this/process")) << "but this is the local pool";
}

TEST_F(ConnectTest, SuggestsTheTypeThatWasMeant) {
  EXPECT_CODE(Try("locla:/a"), kNotFound);
  EXPECT_NE(Hint("locla:/a").find("\"local\""), std::string::npos) << Hint("locla:/a");
  EXPECT_CODE(Try("something-else:/a"), kNotFound);
  EXPECT_NE(Hint("something-else:/a").find("trace"), std::string::npos)
      << "it lists those there are";
}

TEST_F(ConnectTest, SuggestsTheOptionThatWasMeant) {
  EXPECT_CODE(Try("local:/a&max_aeg=5s"), kInvalidArgument);
  EXPECT_NE(Hint("local:/a&max_aeg=5s").find("max_age"), std::string::npos);
  EXPECT_CODE(Try("local:/a&file=x"), kInvalidArgument) << "an option of another type";
  EXPECT_CODE(Try("null:&keep=5"), kInvalidArgument);
  EXPECT_NE(Hint("local:/a&behaviour=ReadToNone").find("behavior"), std::string::npos);
}

TEST_F(ConnectTest, RefusesValuesThatCannotBe) {
  for (const std::string_view url :
       {"local:/a&keep=0", "local:/a&keep=-1", "local:/a&keep=many", "local:/a&keep=5000",
        "local:/a&keep=", "local:/a&max_age=0s", "local:/a&max_age=soon",
        "local:/a&max_age=", "local:/a&max_age=-5s", "local:/a&behavior=WriteNowhere",
        "local:/a&behavior=", "local:/a&bucket=", "local:/a&bucket=0x0", "local:/a&bucket=0xgg",
        "trace:/a&rank=first", "trace:/a&next_pool=nonsense:%26x"}) {
    const Status status = Try(url);
    EXPECT_FALSE(status.ok()) << url;
    EXPECT_CODE(status, kInvalidArgument) << url;
  }
  EXPECT_CODE(Try("local:/a&behavior=WriteToLocal_WriteToIOM"), kInvalidArgument);
}

TEST_F(ConnectTest, FillsInTheBucket) {
  EXPECT_EQ(Connect("local:/a")->bucket(), Bucket::FromLabel("configured"));
  EXPECT_EQ(Connect("local:[mine]/a")->bucket(), Bucket::FromLabel("mine"));
  EXPECT_EQ(Connect("local:/a&bucket=mine")->bucket(), Bucket::FromLabel("mine"));
  EXPECT_EQ(Connect("local:[mine]/a&bucket=mine")->bucket(), Bucket::FromLabel("mine"));
  EXPECT_EQ(Connect("local:[0x7]/a")->bucket(), Bucket(7));
  const Status two = Try("local:[mine]/a&bucket=yours");
  EXPECT_CODE(two, kInvalidArgument);
  EXPECT_NE(two.message().find("two buckets"), std::string::npos);
}

TEST_F(ConnectTest, ResolvesToOneUrl) {
  Pool pool = Open("LOCAL:/a&bucket=mine&max_age=5s");
  EXPECT_EQ(pool.url().type(), "local");
  EXPECT_EQ(pool.url().option("bucket"), std::nullopt) << "it stands in the brackets";
  EXPECT_EQ(pool.url().option("max_age"), "5s");
  EXPECT_TRUE(Open("local:[mine]/a&max_age=5s") == pool);
  EXPECT_TRUE(Open("lkv:[mine]/a&max_age=5s") == pool);
  EXPECT_FALSE(Open("local:[mine]/a") == pool);
  EXPECT_TRUE(Connect(pool.url().ToString()).value() == pool);
}

TEST_F(ConnectTest, ManyThreadsGetOneConnection) {
  std::vector<Pool> pools(8);
  ASSERT_OK(RunThreads(pools.size(), "connect", [&](std::size_t index) -> Status {
    CIREIN_ASSIGN_OR_RETURN(pools[index], Connect("local:/shared"));
    return OkStatus();
  }));
  for (const Pool& pool : pools) EXPECT_TRUE(pool == pools[0]);
}

TEST_F(ConnectTest, PoolsOfOneBucketShareTheirObjectsButNotTheirOptions) {
  Pool careful = Open("local:/careful");
  Pool bold = Open("local:/bold&behavior=DefaultLocal_EnableOverwrites");
  ASSERT_OK(careful.Publish(Key("row"), test::MakeObject("one")));
  EXPECT_CODE(careful.Publish(Key("row"), test::MakeObject("two")), kAlreadyExists);
  EXPECT_OK(bold.Publish(Key("row"), test::MakeObject("three")));
  EXPECT_EQ(careful.Need(Key("row"))->text(), "three");
  Pool brief = Open("local:/brief&max_age=1h");
  EXPECT_LE(brief.Publish(Key("brief"), test::MakeObject("x"))->ttl, std::chrono::hours(1));
  PublishOptions longer;
  longer.ttl = std::chrono::hours(100);
  EXPECT_LE(brief.Publish(Key("longer"), test::MakeObject("x"), longer)->ttl,
            std::chrono::hours(1));
  PublishOptions shorter;
  shorter.ttl = std::chrono::minutes(1);
  EXPECT_LE(brief.Publish(Key("shorter"), test::MakeObject("x"), shorter)->ttl,
            std::chrono::minutes(1));
}

}  // namespace
}  // namespace cirein
