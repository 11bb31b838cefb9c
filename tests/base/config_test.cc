// SPDX-License-Identifier: Apache-2.0
#include "cirein/config.h"

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/config_table.h"
#include "base/random.h"
#include "support/seed.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

TEST(ConfigTest, DefaultsAreThoseOfTheTable) {
  const Config config;
  EXPECT_EQ(config.GetString("default.bucket"), "default");
  EXPECT_EQ(config.GetDuration("default.deadline"), 60s);
  EXPECT_EQ(config.GetString("log.level"), "warn");
  EXPECT_EQ(config.GetString("log.format"), "text");
  EXPECT_EQ(config.GetBytes("memory.limit"), 0U);
  EXPECT_EQ(config.GetBytes("memory.object_limit"), std::uint64_t{64} << 30);
  EXPECT_EQ(config.GetInteger("memory.stripes"), 64);
  EXPECT_EQ(config.GetInteger("runtime.callback_threads"), 1);
  EXPECT_EQ(config.GetInteger("runtime.callback_threads_max"), 16);
  EXPECT_EQ(config.GetDuration("runtime.stuck_after"), 100ms);
  EXPECT_EQ(config.GetInteger("runtime.operations_max"), 1'000'000);
  EXPECT_EQ(config.GetInteger("compute.threads"), 1);
  EXPECT_EQ(config.GetInteger("compute.threads_max"), 8);
  EXPECT_EQ(config.GetInteger("compute.queue_max"), 1024);
  EXPECT_EQ(config.Origin("memory.limit"), "default");
  EXPECT_EQ(config.ToToml(), "");
}

TEST(ConfigTest, EveryRowOfTheTableIsSound) {
  std::set<std::string> variables;
  for (const Setting& setting : Settings()) {
    EXPECT_TRUE(CanonicalValue(setting, setting.key.default_value).ok()) << setting.key.name;
    EXPECT_FALSE(setting.key.constraint.empty()) << setting.key.name;
    EXPECT_TRUE(setting.key.description.ends_with('.')) << setting.key.name;
    EXPECT_TRUE(variables.insert(EnvironmentName(setting.key.name)).second) << setting.key.name;
  }
  EXPECT_EQ(Config::Keys().size(), Settings().size());
}

TEST(ConfigTest, TomlSetsValuesAndRemembersWhere) {
  Config config;
  const Status status = config.AddToml(
      "[memory]\n"
      "limit = \"64MiB\"\n"
      "stripes = 8\n"
      "object_limit = 1048576\n"
      "[default]\n"
      "deadline = \"1.5s\"\n",
      "cirein.toml");
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(config.GetBytes("memory.limit"), 64U << 20);
  EXPECT_EQ(config.GetInteger("memory.stripes"), 8);
  EXPECT_EQ(config.GetText("memory.object_limit"), "1MiB");
  EXPECT_EQ(config.GetDuration("default.deadline"), 1500ms);
  EXPECT_EQ(config.Origin("memory.limit"), "cirein.toml:2:1");
}

TEST(ConfigTest, LaterSourcesWin) {
  Config config;
  ASSERT_TRUE(config.AddToml("memory.stripes = 8", "f.toml").ok());
  const std::vector<std::string> environment{"PATH=/bin", "CIREIN_MEMORY_STRIPES=16", "nonsense",
                                             "CIREIN_CONFIG=x", "CIREIN_TEST_SEED=1"};
  ASSERT_TRUE(config.AddEnvironment(environment).ok());
  EXPECT_EQ(config.GetInteger("memory.stripes"), 16);
  EXPECT_EQ(config.Origin("memory.stripes"), "CIREIN_MEMORY_STRIPES");
  ASSERT_TRUE(config.Set("memory.stripes", "32", "--set").ok());
  EXPECT_EQ(config.GetInteger("memory.stripes"), 32);
  EXPECT_EQ(config.Origin("memory.stripes"), "--set");
}

struct BadToml {
  const char* text;
  const char* place;
  const char* hint;
};

class BadTomlTest : public testing::TestWithParam<BadToml> {};

TEST_P(BadTomlTest, IsAnErrorWithPlaceAndHintAndChangesNothing) {
  Config config;
  const Status status = config.AddToml(GetParam().text, "c.toml");
  ASSERT_EQ(status.code(), StatusCode::kInvalidArgument) << GetParam().text;
  EXPECT_TRUE(status.message().starts_with(GetParam().place)) << status.ToString();
  EXPECT_NE(status.hint().find(GetParam().hint), std::string::npos) << status.ToString();
  EXPECT_EQ(config, Config()) << "a source with an error is not taken";
}

INSTANTIATE_TEST_SUITE_P(
    All, BadTomlTest,
    testing::Values(
        BadToml{"log.level = \"info\"\nmemory.limt = 1", "c.toml:2:8: ", "\"memory.limit\"?"},
        BadToml{"log.level = \"info\"\n[memory]\n  limit = \"64MX\"", "c.toml:3:3: ", "KiB"},
        BadToml{"[memroy]\nlimit = 1", "c.toml:2:1: ", "\"memory.limit\"?"},
        BadToml{"[colours]\nred = 1", "c.toml:2:1: ", "cirein config"},
        BadToml{"[colours]", "c.toml:1:2: ", "cirein config"},
        BadToml{"memory = 3", "c.toml:1:1: ", "cirein config"},
        BadToml{"\"memory.limit\" = 3", "c.toml:1:1: ", ""},
        BadToml{"memory.limit = true", "c.toml:1:", "64MiB"},
        BadToml{"memory.limit = -1", "c.toml:1:", ""},
        BadToml{"memory.limit = [1]", "c.toml:1:", "64MiB"},
        BadToml{"memory.limit = {a = 1}", "c.toml:1:", "64MiB"},
        BadToml{"memory.limit = \"1025PiB\"", "c.toml:1:", "1024PiB"},
        BadToml{"memory.stripes = \"8\"", "c.toml:1:", "without quotes"},
        BadToml{"memory.stripes = 12", "c.toml:1:", "power of two"},
        BadToml{"memory.stripes = 0", "c.toml:1:", "power of two"},
        BadToml{"memory.stripes = 2048", "c.toml:1:", "1024"},
        BadToml{"default.deadline = 60", "c.toml:1:", "unit"},
        BadToml{"default.deadline = \"60\"", "c.toml:1:", "250ms"},
        BadToml{"default.deadline = \"0s\"", "c.toml:1:", "1ms"},
        BadToml{"log.level = \"wran\"", "c.toml:1:", "\"warn\"?"},
        BadToml{"log.level = \"loud\"", "c.toml:1:", "one of trace"},
        BadToml{"default.bucket = \"a]b\"", "c.toml:1:", ""},
        BadToml{"default.bucket = \"0x0\"", "c.toml:1:", "0x2a"},
        BadToml{"memory.limit = ", "c.toml:1:", "TOML"},
        BadToml{"a = 1\na = 2", "c.toml:2:", "TOML"}, BadToml{"x = \"\xFF\"", "c.toml:1:", "TOML"},
        // The first error in the file is reported, whatever the order of names.
        BadToml{"zz = 1\naa = 1", "c.toml:1:1: ", ""}));

TEST(ConfigTest, LongTextIsRefused) {
  Config config;
  const std::string text(Config::kMaxTomlBytes + 1, '\n');
  EXPECT_EQ(config.AddToml(text, "c.toml").code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(config.AddToml(text.substr(1), "c.toml").ok());
}

TEST(ConfigTest, BadEnvironmentChangesNothing) {
  Config config;
  const std::vector<std::string> unknown{"CIREIN_MEMORY_STRIPES=16", "CIREIN_MEMORY_LIMT=1"};
  Status status = config.AddEnvironment(unknown);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(status.message().starts_with("CIREIN_MEMORY_LIMT: "));
  EXPECT_EQ(status.hint(), "did you mean \"CIREIN_MEMORY_LIMIT\"?");
  const std::vector<std::string> bad{"CIREIN_MEMORY_STRIPES=16", "CIREIN_MEMORY_LIMIT=lots"};
  status = config.AddEnvironment(bad);
  EXPECT_TRUE(status.message().starts_with("CIREIN_MEMORY_LIMIT: ")) << status.ToString();
  EXPECT_EQ(config, Config());
}

TEST(ConfigTest, BadSetIsAnErrorWithItsOrigin) {
  Config config;
  const Status unknown = config.Set("memory.limt", "1", "--set");
  EXPECT_EQ(unknown.message(), "--set: there is no setting \"memory.limt\"");
  EXPECT_EQ(unknown.hint(), "did you mean \"memory.limit\"?");
  EXPECT_FALSE(config.Set("memory.stripes", "8.0").ok());
  EXPECT_FALSE(config.Set("memory.stripes", "-8").ok());
  EXPECT_FALSE(config.Set("default.bucket", "").ok());
  EXPECT_FALSE(config.Set("default.bucket", "\xFF").ok());
  EXPECT_EQ(config, Config());
}

TEST(ConfigTest, EqualityGoesByValue) {
  Config a;
  Config b;
  ASSERT_TRUE(a.Set("memory.limit", "1MiB", "x").ok());
  EXPECT_FALSE(a == b);
  ASSERT_TRUE(b.Set("memory.limit", "1024KiB", "y").ok());
  EXPECT_EQ(a, b);
  Config c;
  ASSERT_TRUE(c.Set("memory.limit", "0B").ok());
  EXPECT_EQ(c, Config());
}

TEST(ConfigTest, TomlOfAnyConfigReadsBack) {
  Random random(test::Seed());
  for (int i = 0; i < 300; ++i) {
    Config config;
    for (const std::string_view name : {"memory.limit", "memory.object_limit"}) {
      const std::uint64_t bytes = random.Below(std::uint64_t{1} << 46) + 1;
      ASSERT_TRUE(config.Set(name, std::to_string(bytes)).ok());
    }
    ASSERT_TRUE(
        config.Set("default.deadline", std::to_string(random.Below(1'000'000) + 1) + "ms").ok());
    ASSERT_TRUE(config.Set("compute.threads", std::to_string(random.Below(1024) + 1)).ok());
    ASSERT_TRUE(config.Set("log.level", random.OneIn(2) ? "off" : "warn").ok());
    ASSERT_TRUE(config.Set("default.bucket", random.OneIn(2) ? "a\"\\ \xC3\xA9" : "0x2a").ok());
    Config again;
    const Status status = again.AddToml(config.ToToml(), "again");
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_EQ(again, config) << config.ToToml();
  }
}

TEST(ConfigDeathTest, AWrongProgramAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Config().GetInteger("no.such"), "unknown setting no.such");
  EXPECT_DEATH(Config().GetInteger("memory.limit"), "another type");
}

}  // namespace
}  // namespace cirein
