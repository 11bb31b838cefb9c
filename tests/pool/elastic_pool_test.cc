// SPDX-License-Identifier: Apache-2.0
#include "pool/elastic_pool.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/temporary_directory.h"
#include "support/library_test.h"
#include "support/status_matchers.h"

namespace cirein::test {
namespace {

using ::testing::HasSubstr;

DataObject Text(const std::string& text) { return DataObject::FromString(text).value(); }

std::string Bytes(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void WriteZeros(const std::string& file, std::size_t bytes) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream << std::string(bytes, '\0');
}

class ElasticPoolTest : public LibraryTest {
 protected:
  std::string Url(const std::string& options = "&size=4MiB") const {
    return "elastic:" + path_ + options;
  }

  TemporaryDirectory scratch_ = TemporaryDirectory::Create().value();
  const std::string path_ = scratch_.File("pool");
};

TEST_F(ElasticPoolTest, RefusesOptionsThatMeanNothing) {
  for (const char* options : {"&durability=often", "&size=much", "&create=maybe", "&cache=-1",
                              "&shards=3", "&shards=0", "&shards=128", "&colour=red"}) {
    EXPECT_EQ(Connect(Url(options)).code(), StatusCode::kInvalidArgument) << options;
  }
  EXPECT_EQ(Connect("elastic:").code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(path_)) << "what is refused makes nothing";
}

TEST_F(ElasticPoolTest, MakesAPoolUnlessToldNotTo) {
  EXPECT_EQ(Connect(Url("&create=no")).code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path_));
  { ASSERT_OK(Open(Url()).Publish(Key("k"), Text("v")).status()); }
  EXPECT_EQ(Open(Url("&create=no")).Need(Key("k")).value().text(), "v");
}

TEST_F(ElasticPoolTest, SaysWhenDurabilityIsNotWhatWasAskedFor) {
  const Pool pool = Open(Url("&size=4MiB&durability=power"));
  const auto other = Connect(Url("&durability=process"));
  EXPECT_EQ(other.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(other.status().ToString(), HasSubstr("durability=power"));
  EXPECT_OK(Connect(Url("&durability=power")).status());
}

TEST_F(ElasticPoolTest, ConnectionsToOnePathShareThePool) {
  const Pool first = Open(Url());
  const Pool second = Open(Url("&cache=1MiB"));
  ASSERT_OK(first.Publish(Key("k"), Text("v")).status());
  EXPECT_EQ(second.Need(Key("k")).value().text(), "v");
}

TEST_F(ElasticPoolTest, MakesWhatSomebodyDiedWhileMaking) {
  std::filesystem::create_directories(path_);
  const std::string control = path_ + "/control";
  std::ofstream(control) << std::string(10'000, '\0');
  std::ofstream(path_ + "/log") << std::string(1000, '\0');
  EXPECT_EQ(Connect(Url("&create=no")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::filesystem::file_size(control), 10'000U) << "and changes nothing";
  EXPECT_OK(Open(Url()).Publish(Key("k"), Text("v")).status());
}

TEST_F(ElasticPoolTest, MakesNothingOverADamagedPool) {
  { ASSERT_OK(Open(Url()).Publish(Key("k"), Text("worth something")).status()); }
  WriteZeros(path_ + "/control", 8192);
  const std::string log = Bytes(path_ + "/log");
  ASSERT_THAT(log, HasSubstr("worth something"));
  EXPECT_EQ(Connect(Url()).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Bytes(path_ + "/log"), log);
}

}  // namespace
}  // namespace cirein::test
