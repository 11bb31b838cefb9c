// SPDX-License-Identifier: Apache-2.0
#include "cirein/backing_store.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backing/stores.h"
#include "base/random.h"
#include "runtime/file.h"
#include "support/objects.h"
#include "support/random_names.h"
#include "support/seed.h"

namespace cirein {
namespace {

using test::MakeObject;
using test::OpenStore;
using testing::HasSubstr;

const Bucket kBucket{7};

Key In(Key key, Bucket bucket = kBucket) { return key.set_bucket(bucket); }
Pattern In(Pattern pattern, Bucket bucket = kBucket) { return pattern.set_bucket(bucket); }

class BackingStoreTest : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { Open(); }
  std::string Spec(const std::string& path) const { return std::string(GetParam()) + ":" + path; }
  void Open() {
    store_.reset();
    store_ = OpenStore(Spec(directory_.path())).value();
  }
  Status Write(const Key& key, const DataObject& object, Version version = {1, 1},
               std::uint64_t expiry_ms = 0) {
    const BackedItem item{key, {object, version, expiry_ms}};
    return store_->Write(std::span(&item, 1));
  }
  std::string Read(const Key& key) {
    const auto read = store_->Read(key);
    return read.ok() ? std::string(read->object.text()) : read.status().ToString();
  }
  std::vector<Key> List(const Pattern& pattern, std::optional<Key> after = {},
                        std::size_t max = SIZE_MAX) {
    std::vector<Key> keys;
    EXPECT_OK(store_->List(pattern, after, [&](const Key& key, const BackedFacts&) {
      keys.push_back(key);
      return keys.size() < max;
    }));
    return keys;
  }
  /// Changes one byte behind each place where a file has this text; how many.
  int Damage(const std::string& text) {
    int places = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      if (!entry.is_regular_file()) continue;
      std::string bytes = ReadFile(entry.path().string(), 1 << 30).value();
      bool changed = false;
      for (auto at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1)) {
        bytes[at + text.size() / 2] ^= 1;
        changed = true;
        ++places;
      }
      if (changed) std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << bytes;
    }
    return places;
  }

  const TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
  std::shared_ptr<BackingStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Stores, BackingStoreTest, test::StoresToTest(), test::StoreToTestName);

TEST_P(BackingStoreTest, KeepsAllOfAnObject) {
  const Key key = In(Key("row", "column"));
  EXPECT_CODE(store_->Read(key), kNotFound);
  EXPECT_CODE(store_->Look(key), kNotFound);
  ASSERT_OK(Write(key, MakeObject("data", "meta", 42), {3, 4}, 1'000));
  for (int round = 0; round < 2; ++round) {
    const auto read = store_->Read(key);
    ASSERT_OK(read);
    EXPECT_EQ(read->object.text(), "data");
    EXPECT_EQ(read->object.meta_text(), "meta");
    EXPECT_EQ(read->object.type(), 42);
    EXPECT_EQ(read->version, (Version{3, 4}));
    EXPECT_EQ(read->expiry_ms, 1'000U);
    const auto facts = store_->Look(key);
    ASSERT_OK(facts);
    EXPECT_EQ(*facts, (BackedFacts{4, 4, {3, 4}, 1'000}));
    Open();  // And again, as another process would see it.
  }
  ASSERT_OK(Write(key, MakeObject("new")));
  EXPECT_EQ(Read(key), "new");
  EXPECT_EQ(store_->Look(key)->meta_bytes, 0U);
  ASSERT_OK(store_->Remove(key));
  EXPECT_CODE(store_->Read(key), kNotFound);
}

TEST_P(BackingStoreTest, KeepsEmptyAndLargeObjects) {
  ASSERT_OK(Write(In(Key("empty")), MakeObject("")));
  const std::string large(10 << 20, 'x');
  ASSERT_OK(Write(In(Key("large")), MakeObject(large, std::string(65'536, 'm'))));
  EXPECT_EQ(Read(In(Key("empty"))), "");
  EXPECT_TRUE(Read(In(Key("large"))) == large);
  EXPECT_EQ(store_->Look(In(Key("large")))->meta_bytes, 65'536U);
}

TEST_P(BackingStoreTest, TakesLongNamesAndTellsThemApart) {
  const std::string row(65'535, 'r');
  std::string other = row;
  other.back() = 's';
  const std::string column(65'535, '\0');
  const std::vector<Key> keys = {In(Key(row)), In(Key(other)), In(Key(row, column)),
                                 In(Key(row, column.substr(1)))};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_OK(Write(keys[i], MakeObject("data" + std::to_string(i))));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(Read(keys[i]), "data" + std::to_string(i));
  }
  EXPECT_THAT(List(In(Pattern::RowPrefix("rrr"))), testing::UnorderedElementsAreArray(keys));
  EXPECT_THAT(List(In(Pattern::Row(row))), testing::ElementsAre(keys[0], keys[3], keys[2]));
}

TEST_P(BackingStoreTest, ListsTheColumnsOfARowInOrderAndGoesOnBehindAName) {
  const std::vector<std::string> columns = {"", std::string(1, '\0'), "*", ".", "..", "@", "x/y"};
  std::vector<Key> keys = {In(Key("row"))};
  for (const std::string& column : columns) keys.push_back(In(Key("row", column)));
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) ASSERT_OK(Write(*key, MakeObject("x")));
  ASSERT_OK(Write(In(Key("ro", "w")), MakeObject("x")));
  ASSERT_OK(Write(In(Key("row", "x"), Bucket(8)), MakeObject("x")));
  EXPECT_EQ(List(In(Pattern::Row("row"))), keys);
  EXPECT_EQ(List(In(Pattern::Row("row")), keys[2], 2), std::vector<Key>({keys[3], keys[4]}));
  ASSERT_OK(store_->Remove(keys[2]));
  EXPECT_EQ(List(In(Pattern::Row("row")), keys[2], 2), std::vector<Key>({keys[3], keys[4]}));
}

TEST_P(BackingStoreTest, WritesAGroupAsOneOrSaysThatItCannot) {
  std::vector<BackedItem> items;
  for (int i = 0; i < 100; ++i) {
    items.push_back(
        {In(Key("row", std::to_string(i))), {MakeObject(std::to_string(i)), {1, 1}, 0}});
  }
  const Status written = store_->Write(items);
  if (GetParam() == "posix") {
    EXPECT_CODE(written, kUnimplemented);
    EXPECT_TRUE(List(In(Pattern::RowPrefix(""))).empty());
    return;
  }
  ASSERT_OK(written);
  Open();
  EXPECT_EQ(List(In(Pattern::Row("row"))).size(), 100U);
  EXPECT_EQ(Read(items[57].key), "57");
}

TEST_P(BackingStoreTest, DoesWhatASortedMapDoes) {
  Random random(test::Seed());
  using Entry = std::tuple<std::string, std::string, Version>;
  std::map<Key, Entry> model;
  for (int step = 0; step < 400; ++step) {
    const Key key = In(test::RandomKey(random), Bucket(random.OneIn(2) ? 7 : 8));
    switch (random.Below(6)) {
      case 0:
      case 1: {
        const Entry entry{std::string(random.Below(40), 'd'), std::string(random.Below(4), 'm'),
                          Version{1, static_cast<std::uint64_t>(step)}};
        ASSERT_OK(
            Write(key, MakeObject(std::get<0>(entry), std::get<1>(entry)), std::get<2>(entry)));
        model.insert_or_assign(key, entry);
        break;
      }
      case 2: {
        const Status removed = store_->Remove(key);
        const bool was_there = model.erase(key) > 0;
        ASSERT_TRUE(removed.ok() || (!was_there && removed.code() == StatusCode::kNotFound))
            << removed.ToString();
        break;
      }
      case 3: {
        const auto read = store_->Read(key);
        const auto facts = store_->Look(key);
        const auto entry = model.find(key);
        ASSERT_EQ(read.ok(), entry != model.end()) << read.status().ToString();
        ASSERT_EQ(facts.ok(), read.ok());
        if (!read.ok()) break;
        ASSERT_EQ(read->object.text(), std::get<0>(entry->second));
        ASSERT_EQ(read->object.meta_text(), std::get<1>(entry->second));
        ASSERT_EQ(facts->version, std::get<2>(entry->second));
        break;
      }
      case 4: {
        if (random.OneIn(10)) Open();
        break;
      }
      default: {
        const Pattern pattern = In(test::RandomPattern(random), key.bucket());
        std::vector<Key> expected;
        for (const auto& [name, entry] : model) {
          if (pattern.Matches(name)) expected.push_back(name);
        }
        std::vector<Key> listed;
        const std::size_t page = 1 + random.Below(5);
        for (std::vector<Key> more;;) {
          more = List(pattern, listed.empty() ? std::optional<Key>() : listed.back(), page);
          listed.insert(listed.end(), more.begin(), more.end());
          if (more.size() < page) break;
        }
        std::sort(listed.begin(), listed.end());
        ASSERT_EQ(listed, expected) << pattern.ToString();
      }
    }
  }
}

TEST_P(BackingStoreTest, TellsOfDamage) {
  const std::string data = "some bytes that stand in the file as they are";
  ASSERT_OK(Write(In(Key("damaged")), MakeObject(data)));
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(Write(In(Key("whole" + std::to_string(i))), MakeObject("other")));
  }
  store_.reset();
  ASSERT_GT(Damage(data), 0);
  const auto opened = OpenStore(Spec(directory_.path()));
  const Status told = opened.ok() ? (*opened)->Read(In(Key("damaged"))).status() : opened.status();
  EXPECT_CODE(told, kDataLoss);
  if (!opened.ok()) return;
  EXPECT_OK((*opened)->Read(In(Key("whole3")))) << "the others are in order";
}

TEST_P(BackingStoreTest, SaysWhatIsWrongWithADirectoryOrAnOption) {
  const std::string path = directory_.path();
  const Status missing = OpenStore(Spec(path + "/missing")).status();
  EXPECT_CODE(missing, kNotFound);
  EXPECT_THAT(std::string(missing.hint()), HasSubstr("mkdir"));
  EXPECT_CODE(OpenStore(Spec("")), kInvalidArgument);
  EXPECT_CODE(OpenStore(Spec(path) + "?durability=process"), kFailedPrecondition) << "in use";
  EXPECT_OK(OpenStore(Spec(path))) << "the same one, shared";
  ASSERT_OK(WriteFileAtomically(path + "/file", "x"));
  EXPECT_THAT(OpenStore(Spec(path + "/file")).status().ToString(), HasSubstr("file"));
  EXPECT_FALSE(OpenStore(Spec("/proc/self/fdinfo")).ok()) << "cannot be written to";
  EXPECT_CODE(OpenStore(Spec(path) + "?durability=perhaps"), kInvalidArgument);
  EXPECT_THAT(OpenStore(Spec(path) + "?durabilty=power").status().ToString(),
              HasSubstr("durability"));
  EXPECT_CODE(OpenStore(Spec(path) + "?durability"), kInvalidArgument);
}

TEST(BackingSpecTest, NamesTypesAndOptions) {
  EXPECT_CODE(OpenStore("pasix:/x"), kNotFound);
  EXPECT_THAT(std::string(OpenStore("pasix:/x").status().hint()), HasSubstr("posix"));
  for (const char* text : {"", "posix", ":/x", "posix:/x?=1", "posix:/x?a=1,b"}) {
    EXPECT_CODE(BackingSpec::Parse(text), kInvalidArgument) << text;
  }
  const auto spec = BackingSpec::Parse("posix:/a:b?z=1,durability=power");
  ASSERT_OK(spec);
  EXPECT_EQ(spec->path, "/a:b");
  EXPECT_EQ(spec->ToString(), "posix:/a:b?durability=power,z=1");
}

TEST(RegisterBackingStoreTypeTest, RefusesWhatCannotBe) {
  backing::RegisterBackingStores();
  const auto factory = [](const BackingStoreContext&) -> Result<std::shared_ptr<BackingStore>> {
    throw std::runtime_error("no store today");
  };
  EXPECT_CODE(RegisterBackingStoreType({"posix", "", {}, factory}), kAlreadyExists);
  EXPECT_CODE(RegisterBackingStoreType({"Upper", "", {}, factory}), kInvalidArgument);
  EXPECT_CODE(RegisterBackingStoreType({"nothing", "", {}, {}}), kInvalidArgument);
  ASSERT_OK(RegisterBackingStoreType({"throws", "", {}, factory}));
  EXPECT_THAT(BackingStoreTypeNames(),
              testing::IsSupersetOf({"hdf5", "posix", "rocksdb", "throws"}));
  const Status thrown = OpenStore("throws:/x").status();
  EXPECT_CODE(thrown, kAborted);
  EXPECT_THAT(thrown.ToString(), HasSubstr("no store today"));
}

TEST(PackBackedTest, BelievesNothing) {
  const BackedItem item{In(Key("row", "column")), {MakeObject("data", "meta", 5), {1, 2}, 3}};
  const std::string image = PackBacked(item).value();
  const auto whole = UnpackBacked(item.key, image);
  ASSERT_OK(whole);
  EXPECT_EQ(whole->object.Compare(item.value.object), DataObject::Difference::kEqual);
  EXPECT_EQ(UnpackBackedKey(image).value(), item.key);
  EXPECT_CODE(UnpackBacked(In(Key("row", "other")), image), kDataLoss);
  EXPECT_CODE(UnpackBacked(In(Key("row", "column"), Bucket(8)), image), kDataLoss);
  EXPECT_OK(UnpackBackedFacts(item.key, image.substr(0, kBackedHeadBytes + 9)));
  for (std::size_t i = 0; i < image.size(); ++i) {
    EXPECT_CODE(UnpackBacked(item.key, image.substr(0, i)), kDataLoss) << i;
    std::string changed = image;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    EXPECT_CODE(UnpackBacked(item.key, changed), kDataLoss) << i;
  }
}

}  // namespace
}  // namespace cirein
