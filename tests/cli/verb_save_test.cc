// SPDX-License-Identifier: Apache-2.0

// The verbs save and load, which belong together.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class VerbSaveTest : public ::testing::Test {
 protected:
  std::string folder() const { return directory_.File("saved"); }
  static void Put(const Pool& pool, const Key& key, std::string_view data) {
    ASSERT_TRUE(pool.Publish(key, DataObject::FromString(data, "m", 5).value()).ok());
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  const Library library_;  // Keeps what is saved and loaded, so that it can be looked at.
  const Pool from_ = Connect("local:[from]").value();
  const Pool to_ = Connect("local:[to]").value();
};

TEST_F(VerbSaveTest, WhatWasSavedIsLoaded) {
  for (std::size_t i = 0; i < 1500; i += 100) {
    ASSERT_NO_FATAL_FAILURE(Put(from_, Key("row", std::to_string(i)), std::string(i, 'x')));
  }
  ASSERT_NO_FATAL_FAILURE(Put(from_, Key("other"), "not of the row"));
  const CommandRun save =
      RunForTest({"save", "local:[from]", "row|*", "--to", folder(), "-o", "csv"});
  EXPECT_EQ(save.code, 0) << save.err;
  EXPECT_THAT(save.out, HasSubstr(",15,"));

  const CommandRun load = RunForTest({"load", "local:[to]", folder(), "-o", "csv"});
  EXPECT_EQ(load.code, 0) << load.err;
  EXPECT_THAT(load.out, HasSubstr(",15,0,"));
  for (std::size_t i = 0; i < 1500; i += 100) {
    const Key key("row", std::to_string(i));
    EXPECT_EQ(to_.Need(key)->Compare(*from_.Need(key)), DataObject::Difference::kEqual);
  }
  EXPECT_EQ(to_.Info(Key("other")).code(), StatusCode::kNotFound);
}

TEST_F(VerbSaveTest, ALoadGoesOnWhereOneWasInterrupted) {
  for (const char* name : {"a", "b", "c"}) ASSERT_NO_FATAL_FAILURE(Put(from_, Key(name), name));
  ASSERT_EQ(RunForTest({"save", "local:[from]", "--to", folder()}).code, 0);
  ASSERT_NO_FATAL_FAILURE(Put(to_, Key("a"), "a"));
  const CommandRun again = RunForTest({"load", "local:[to]", folder(), "-o", "csv"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr(",2,1,"));
}

TEST_F(VerbSaveTest, WhatIsThereIsReplacedOnlyWhenAsked) {
  ASSERT_NO_FATAL_FAILURE(Put(from_, Key("a"), "saved"));
  ASSERT_EQ(RunForTest({"save", "local:[from]", "--to", folder()}).code, 0);
  ASSERT_NO_FATAL_FAILURE(Put(to_, Key("a"), "another"));
  const CommandRun refused = RunForTest({"load", "local:[to]", folder()});
  EXPECT_EQ(refused.code, 6);
  EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
  EXPECT_EQ(to_.Need(Key("a"))->text(), "another");
  EXPECT_EQ(RunForTest({"load", "local:[to]", folder(), "--overwrite"}).code, 0);
  EXPECT_EQ(to_.Need(Key("a"))->text(), "saved");
}

TEST_F(VerbSaveTest, AFolderThatIsNotWholeLoadsNothing) {
  EXPECT_EQ(RunForTest({"load", "local:[to]", folder()}).code, 2);
  EXPECT_EQ(RunForTest({"save", "local:[from]"}).code, 1) << "where to?";
  for (const char* name : {"a", "b"}) ASSERT_NO_FATAL_FAILURE(Put(from_, Key(name), name));
  ASSERT_EQ(RunForTest({"save", "local:[from]", "--to", folder()}).code, 0);
  // The last object's image is cut short, as by a copy that was interrupted.
  const std::string file = folder() + "/" + ListDirectory(folder())->at(1).name;
  ASSERT_THAT(file, HasSubstr("/b."));
  const std::string image = ReadFile(file, 1 << 20).value();
  ASSERT_TRUE(WriteFileAtomically(file, image.substr(0, image.size() - 1)).ok());
  const CommandRun cut = RunForTest({"load", "local:[to]", folder()});
  EXPECT_NE(cut.code, 0);
  EXPECT_THAT(cut.err, HasSubstr("as it was saved it had"));
  EXPECT_EQ(to_.List(Pattern::RowPrefix(""))->objects.size(), 0U) << "nothing was published";
}

TEST_F(VerbSaveTest, APoolOfNothingIsAFolderOfNothing) {
  EXPECT_EQ(RunForTest({"save", "local:[from]", "--to", folder()}).code, 0);
  EXPECT_EQ(RunForTest({"load", "local:[to]", folder()}).code, 0);
}

}  // namespace
}  // namespace cirein
