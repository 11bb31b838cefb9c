// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "cli/object_verbs.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

// A command before this one in a pipe, which has the pool open until its output ends.
class PipeFromPool final : public StringConsole {
 public:
  explicit PipeFromPool(std::string pool) : pool_(std::move(pool)) {}
  Result<std::string> ReadInput(std::uint64_t) override {
    const CommandRun verify = RunForTest({"pool", "verify", pool_});
    EXPECT_EQ(verify.code, 0) << verify.err;
    return RunForTest({"get", pool_, "from"}).out;
  }

 private:
  const std::string pool_;
};

class PutVerbTest : public ObjectVerbTest {};

// Of a local pool there is nothing that somebody else could have open.
class ElasticPutVerbTest : public PutVerbTest {};
TEST_P(ElasticPutVerbTest, OpensThePoolOnlyWhenTheInputHasEnded) {
  Put("from", "piped");
  PipeFromPool console(pool());
  const std::vector<std::string> arguments = {"put", pool(), "to"};
  EXPECT_EQ(RunCommand(arguments, std::vector<std::string>(), console), ExitCode::kOk);
  EXPECT_EQ(Run("get", {"to"}).out, "piped");
}

TEST_P(PutVerbTest, TakesATextAFileOrStandardInput) {
  const std::string bytes("\0\xff\n binary \x01", 12);
  ASSERT_OK(WriteFileAtomically(File("f"), bytes));
  EXPECT_EQ(Run("put", {"text", "--data", "rain"}).code, 0);
  EXPECT_EQ(Run("put", {"file", File("f")}).code, 0);
  EXPECT_EQ(RunWithInput("put", {"dash", "-"}, bytes).code, 0);
  EXPECT_EQ(RunWithInput("put", {"none"}, bytes).code, 0);
  EXPECT_EQ(Run("get", {"text"}).out, "rain");
  for (const char* const key : {"file", "dash", "none"}) {
    EXPECT_EQ(Run("get", {key}).out, bytes) << key;
  }
}

TEST_P(PutVerbTest, TakesWhatDoesNotTellItsSize) {
  const CommandRun run = Run("put", {"stat", "/proc/self/stat"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(Run("get", {"stat"}).out, HasSubstr("_test)"));
}

TEST_P(PutVerbTest, EmptyDataIsAnObject) {
  EXPECT_EQ(Run("put", {"nothing", "--data", ""}).code, 0);
  ASSERT_OK(WriteFileAtomically(File("empty"), ""));
  EXPECT_EQ(Run("put", {"empty", File("empty")}).code, 0);
  for (const char* const key : {"nothing", "empty"}) {
    const CommandRun run = Run("get", {key});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.out, "");
  }
}

TEST_P(PutVerbTest, TellsVersionAndSizes) {
  const CommandRun run = Run("put", {"run7|mesh", "--data", "12345", "--meta", "abc", "-o", "csv"});
  EXPECT_THAT(run.out, ::testing::MatchesRegex("key,meta_bytes,data_bytes,version\n"
                                               "run7.mesh,3,5,[0-9]+\\.[0-9]+\n"));
}

TEST_P(PutVerbTest, MetaTypeAndTtlArriveInThePool) {
  EXPECT_EQ(Run("put", {"k", "--data", "d", "--meta", "m", "--type", "65535", "--ttl", "1h"}).code,
            0);
  WithPool([](const Pool& pool) {
    const auto object = pool.Need(Key("k"));
    ASSERT_OK(object);
    EXPECT_EQ(object->meta_text(), "m");
    EXPECT_EQ(object->type(), 65535);
    const auto info = pool.Info(Key("k"));
    ASSERT_OK(info);
    ASSERT_TRUE(info->ttl);
    EXPECT_LE(*info->ttl, std::chrono::hours(1));
    EXPECT_GT(*info->ttl, std::chrono::minutes(50));
  });
  EXPECT_EQ(Run("put", {"k2", "--data", "d", "--type", "65536"}).code, 1);
  EXPECT_EQ(Run("put", {"k2", "--data", "d", "--ttl", "0s"}).code, 1);
}

TEST_P(PutVerbTest, ReplacesOnlyWhenTold) {
  Put("k", "old");
  const CommandRun again = Run("put", {"k", "--data", "new"});
  EXPECT_EQ(again.code, 6);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
  EXPECT_EQ(Run("get", {"k"}).out, "old");
  EXPECT_EQ(Run("put", {"k", "--data", "new", "--overwrite"}).code, 0);
  EXPECT_EQ(Run("get", {"k"}).out, "new");
}

TEST_P(PutVerbTest, IfVersionReplacesThatVersionOnly) {
  EXPECT_EQ(Run("put", {"k", "--data", "1", "--if-version", "0.0"}).code, 0);
  const CommandRun late = Run("put", {"k", "--data", "2", "--if-version", "0.0"});
  EXPECT_EQ(late.code, 6);
  EXPECT_THAT(late.err, HasSubstr("cirein info"));
  const std::string seen = Run("info", {"k", "-o", "json"}).out;
  const std::size_t at = seen.find("\"version\":\"") + 11;
  const std::string version = seen.substr(at, seen.find('"', at) - at);
  EXPECT_EQ(Run("put", {"k", "--data", "2", "--if-version", version}).code, 0) << version;
  EXPECT_EQ(Run("get", {"k"}).out, "2");
  EXPECT_EQ(Run("put", {"k", "--data", "3", "--if-version", version}).code, 6);
}

TEST_P(PutVerbTest, NothingBeyondTheLimitIsTaken) {
  const std::vector<std::string> limit = {"--set", "memory.object_limit=4B"};
  ASSERT_OK(WriteFileAtomically(File("f"), "12345"));
  const CommandRun file = Run("put", {"k", File("f"), limit[0], limit[1]});
  EXPECT_EQ(file.code, 6);
  EXPECT_THAT(file.err, HasSubstr(File("f")));
  EXPECT_THAT(file.err, HasSubstr("memory.object_limit"));
  const CommandRun endless = Run("put", {"k", "/dev/zero", limit[0], limit[1]});
  EXPECT_EQ(endless.code, 6);
  EXPECT_THAT(endless.err, HasSubstr("/dev/zero"));
  EXPECT_EQ(RunWithInput("put", {"k", limit[0], limit[1]}, "12345").code, 6);
  EXPECT_EQ(RunWithInput("put", {"k", limit[0], limit[1]}, "1234").code, 0);
}

TEST_P(PutVerbTest, RefusesWhatCannotBe) {
  const CommandRun both = Run("put", {"k", File("f"), "--data", "x"});
  EXPECT_EQ(both.code, 1);
  EXPECT_THAT(both.err, HasSubstr("not both"));
  const CommandRun missing = Run("put", {"k", File("none")});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr(File("none")));
  EXPECT_NE(Run("put", {"k", "/"}).code, 0);
  const CommandRun pattern = Run("put", {"row|*", "--data", "x"});
  EXPECT_EQ(pattern.code, 1);
  EXPECT_THAT(pattern.err, HasSubstr("\\*"));
  EXPECT_EQ(Run("put", {"", "--data", "x"}).code, 1);
  EXPECT_EQ(Run("put", {"k", "--data", "x", "--meta", std::string(65'537, 'm')}).code, 1);
  EXPECT_EQ(Run("put", {"k", "--data", "x", "--if-version", "3"}).code, 1);
  EXPECT_EQ(Run("get", {"k"}).code, 2);
}

INSTANTIATE_TEST_SUITE_P(Pools, PutVerbTest, PoolsToTest(), PoolToTestName);
INSTANTIATE_TEST_SUITE_P(Pools, ElasticPutVerbTest, testing::Values(std::string_view("elastic")),
                         PoolToTestName);

}  // namespace
}  // namespace cirein
