// SPDX-License-Identifier: Apache-2.0
#include "cli/object_folder.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class ObjectFolderTest : public ::testing::Test {
 protected:
  std::string folder() const { return directory_.File("saved"); }
  static DataObject Make(std::string_view data) {
    return DataObject::FromString(data, "meta", 7).value();
  }
  void Save(const std::vector<std::pair<Key, std::string>>& objects) const {
    auto writer = ObjectFolderWriter::Open(folder()).value();
    for (const auto& [key, data] : objects) ASSERT_TRUE(writer.Add(key, Make(data)).ok());
    ASSERT_TRUE(writer.Finish().ok());
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : ListDirectory(folder()).value()) {
      names.push_back(entry.name);
    }
    return names;
  }
  std::string Manifest() const { return folder() + "/manifest"; }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(ObjectFolderTest, AnyKeyHasAFileAndComesBack) {
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
  const std::vector<Key> keys = {
      Key("run7", "mesh"),
      Key("run7"),
      Key("run7", ""),
      Key("."),
      Key(".."),
      Key("../../etc/passwd"),
      Key("-rf"),
      Key(all_bytes, all_bytes),
      Key(std::string(kMaxRowBytes, '/'), std::string(kMaxColumnBytes, 'x')),
      Key(std::string(kMaxRowBytes, '/'), std::string(kMaxColumnBytes - 1, 'x') + "y"),
      Key("a+b"),
      Key("a", "b"),
      Key("manifest"),
      Key("two words", "\n# 0 objects"),
  };
  std::vector<std::pair<Key, std::string>> objects;
  for (const Key& key : keys) objects.emplace_back(key, "all the same");
  ASSERT_NO_FATAL_FAILURE(Save(objects));
  EXPECT_EQ(Files().size(), keys.size() + 1);
  for (const std::string& name : Files()) EXPECT_NE(name.front(), '.') << name;

  const ObjectFolder folder = ObjectFolder::Open(this->folder()).value();
  std::vector<Key> found;
  for (const FolderEntry& entry : folder.entries()) {
    found.push_back(entry.key);
    const DataObject object = folder.Read(entry).value();
    EXPECT_EQ(object.Compare(Make("all the same")), DataObject::Difference::kEqual);
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(keys));
}

TEST_F(ObjectFolderTest, ASaveThatIsNotFinishedChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(Save({{Key("a"), "old"}, {Key("b"), "old"}}));
  {
    auto writer = ObjectFolderWriter::Open(folder()).value();
    ASSERT_TRUE(writer.Add(Key("a"), Make("new")).ok());
  }
  const ObjectFolder folder = ObjectFolder::Open(this->folder()).value();
  ASSERT_EQ(folder.entries().size(), 2U);
  for (const FolderEntry& entry : folder.entries()) {
    EXPECT_EQ(folder.Read(entry)->text(), "old");
  }
}

TEST_F(ObjectFolderTest, AFinishedSaveReplacesTheOneBefore) {
  ASSERT_NO_FATAL_FAILURE(Save({{Key("a"), "old"}, {Key("b"), "old"}, {Key("c"), "stays"}}));
  ASSERT_NO_FATAL_FAILURE(Save({{Key("a"), "new"}, {Key("c"), "stays"}}));
  const ObjectFolder folder = ObjectFolder::Open(this->folder()).value();
  ASSERT_EQ(folder.entries().size(), 2U);
  EXPECT_EQ(folder.Read(folder.entries()[0])->text(), "new");
  EXPECT_EQ(folder.Read(folder.entries()[1])->text(), "stays");
  EXPECT_EQ(Files().size(), 3U) << "what nothing names is gone";
}

TEST_F(ObjectFolderTest, WhatIsNotWholeIsRefused) {
  EXPECT_EQ(ObjectFolder::Open(folder()).code(), StatusCode::kNotFound);
  ASSERT_NO_FATAL_FAILURE(Save({{Key("a"), "first"}, {Key("b"), "second"}}));
  const ObjectFolder whole = ObjectFolder::Open(folder()).value();
  const std::string manifest = ReadFile(Manifest(), 1 << 20).value();

  // Each beginning of the manifest, as a copy that was cut short has it.
  for (std::size_t length = 0; length < manifest.size(); ++length) {
    ASSERT_TRUE(WriteFileAtomically(Manifest(), manifest.substr(0, length)).ok());
    EXPECT_EQ(ObjectFolder::Open(folder()).code(), StatusCode::kDataLoss) << length;
  }
  ASSERT_TRUE(RemoveFile(Manifest()).ok());
  const Status no_manifest = ObjectFolder::Open(folder()).status();
  EXPECT_EQ(no_manifest.code(), StatusCode::kNotFound);
  EXPECT_THAT(no_manifest.message(), HasSubstr("no save into it was finished"));
  ASSERT_TRUE(WriteFileAtomically(Manifest(), manifest).ok());

  const std::string file = folder() + "/" + whole.entries()[0].file;
  const std::string image = ReadFile(file, 1 << 20).value();
  ASSERT_TRUE(WriteFileAtomically(file, image.substr(1)).ok());
  EXPECT_EQ(ObjectFolder::Open(folder()).code(), StatusCode::kDataLoss) << "too short";
  std::string flipped = image;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  ASSERT_TRUE(WriteFileAtomically(file, flipped).ok());
  EXPECT_EQ(whole.Read(whole.entries()[0]).code(), StatusCode::kDataLoss) << "other bytes";
  // A whole image of the same size, but another object's.
  ASSERT_TRUE(Make("fifth").WriteImage(file).ok());
  EXPECT_EQ(whole.Read(whole.entries()[0]).code(), StatusCode::kDataLoss) << "another object";
  ASSERT_TRUE(RemoveFile(file).ok());
  EXPECT_THAT(ObjectFolder::Open(folder()).status().message(), HasSubstr("is not there"));
}

TEST_F(ObjectFolderTest, ABadManifestIsToldOf) {
  ASSERT_NO_FATAL_FAILURE(Save({{Key("a"), "first"}}));
  const std::string manifest = ReadFile(Manifest(), 1 << 20).value();
  const std::string line = manifest.substr(manifest.find('\n') + 1);
  const std::string entry = line.substr(0, line.find('\n') + 1);
  const std::string header = "# cirein objects 1\n";
  for (const std::string& bad : {
           std::string("# cirein objects 2\n# 0 objects\n"),
           header + "# 1 objects\n",
           header + entry + entry + "# 2 objects\n",
           header + entry + "# 1 objects\nmore\n",
           header + "0 0 ../a a\n# 1 objects\n",
           header + "0 0 .a a\n# 1 objects\n",
           header + "0 x file a\n# 1 objects\n",
           header + "0 0 file a*\n# 1 objects\n",
           header + "0 0 file\n# 1 objects\n",
       }) {
    ASSERT_TRUE(WriteFileAtomically(Manifest(), bad).ok());
    EXPECT_EQ(ObjectFolder::Open(folder()).code(), StatusCode::kDataLoss) << bad;
    EXPECT_EQ(ObjectFolderWriter::Open(folder()).status().code(), StatusCode::kDataLoss) << bad;
  }
}

}  // namespace
}  // namespace cirein
