// SPDX-License-Identifier: Apache-2.0
#include "memory/object_image.h"

#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "cirein/arena.h"

#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using test::MakeObject;
using test::MakeObjectOf;
using Difference = DataObject::Difference;

class ObjectImageTest : public testing::Test {
 protected:
  std::string Path(std::string_view name = "image") const { return directory_.File(name); }
  std::string Bytes(const std::string& path) const { return ReadFile(path, 1 << 24).value(); }
  // Without the sync of the real thing, which many small files would wait for.
  void Write(const std::string& bytes) const {
    std::ofstream(Path(), std::ios::binary | std::ios::trunc) << bytes;
  }
  void ExpectDamaged(std::string_view what) const {
    const auto object = DataObject::ReadImage(Path());
    ASSERT_CODE(object, kDataLoss);
    const std::string_view message = object.status().message();
    EXPECT_NE(message.find(Path()), std::string_view::npos) << message;
    EXPECT_NE(message.find(what), std::string_view::npos) << message;
  }

  TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
};

TEST_F(ObjectImageTest, ComesBackEqual) {
  for (const std::size_t meta_bytes : {0ul, 1ul, 17ul, DataObject::kMaxMetaBytes}) {
    for (const std::size_t data_bytes : {0ul, 1ul, 100ul, 3'000'000ul}) {
      const DataObject object =
          MakeObject(std::string(data_bytes, 'd'), std::string(meta_bytes, 'm'), 513);
      ASSERT_OK(object.WriteImage(Path()));
      EXPECT_EQ(FileBytes(Path()).value(), object.image_bytes());
      const auto back = DataObject::ReadImage(Path());
      ASSERT_OK(back);
      EXPECT_EQ(object.Compare(*back), Difference::kEqual);
    }
  }
}

TEST_F(ObjectImageTest, ViewsAndWrappedMemoryCanBeWritten) {
  std::vector<std::byte> mine(100, std::byte{3});
  const DataObject wrapped = DataObject::Wrap(mine, {}).value();
  ASSERT_OK(wrapped.WriteImage(Path()));
  EXPECT_EQ(wrapped.Compare(DataObject::ReadImage(Path()).value()), Difference::kEqual);
}

// The bytes that docs/file-format.md gives as an example.
TEST_F(ObjectImageTest, IsByteForByteAsDocumented) {
  ASSERT_OK(MakeObject("data!", "meta", 0x0102).WriteImage(Path()));
  const std::string image = Bytes(Path());
  const std::string fields(
      "CIRO\x01\x00\x02\x01\x04\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00"
      "\x00\x00\x00\x00",
      24);
  const std::string checksum("\xF7\x75\xBB\xA0\x9C\x66\xA8\x78", 8);
  EXPECT_EQ(image, fields + checksum + "metadata!") << testing::PrintToString(image);
}

TEST_F(ObjectImageTest, EveryFlippedBitIsNoticed) {
  ASSERT_OK(MakeObject("the data", "meta", 7).WriteImage(Path()));
  const std::string image = Bytes(Path());
  for (std::size_t i = 0; i < image.size() * 8; ++i) {
    std::string damaged = image;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    Write(damaged);
    ASSERT_CODE(DataObject::ReadImage(Path()), kDataLoss) << "bit " << i;
  }
  Write(image);
  EXPECT_OK(DataObject::ReadImage(Path()));
}

TEST_F(ObjectImageTest, EveryWrongLengthIsNoticed) {
  ASSERT_OK(MakeObject("the data", "meta", 7).WriteImage(Path()));
  const std::string image = Bytes(Path());
  for (std::size_t length = 0; length < image.size(); ++length) {
    Write(image.substr(0, length));
    ASSERT_CODE(DataObject::ReadImage(Path()), kDataLoss) << length;
  }
  Write(image + "x");
  ExpectDamaged("announces");
}

TEST_F(ObjectImageTest, ErrorsSayWhatIsWrong) {
  ASSERT_OK(MakeObject("the data", "meta", 7).WriteImage(Path()));
  const std::string image = Bytes(Path());
  const auto with = [&](std::size_t offset, std::string_view bytes) {
    std::string changed = image;
    changed.replace(offset, bytes.size(), bytes);
    Write(changed);
  };
  Write("short");
  ExpectDamaged("5 bytes");
  with(0, "NOPE");
  ExpectDamaged("CIRO");
  with(4, "\x02");
  ExpectDamaged("version");
  with(12, "\x01");
  ExpectDamaged("flags");
  with(8, "\xFF\xFF\xFF\xFF");
  ExpectDamaged("of meta");
  with(16, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  ExpectDamaged("of data");
  with(32, "X");
  ExpectDamaged("checksum");
}

// A header that announces more than there is must not make the reader allocate it.
TEST_F(ObjectImageTest, AnnouncedSizesAreNotBelieved) {
  ImageHeader header = MakeImageHeader(MakeObject("x"));
  header.data_bytes = std::uint64_t{1} << 40;
  std::string bytes(sizeof(header), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  Write(bytes + "x");
  ExpectDamaged("announces");
}

TEST_F(ObjectImageTest, MissingFilesAndDirectoriesAreErrors) {
  EXPECT_CODE(DataObject::ReadImage(Path("nothing")), kNotFound);
  EXPECT_CODE(DataObject::ReadImage(directory_.path()), kInvalidArgument);
  EXPECT_CODE(MakeObject("x").WriteImage(Path("no/such/directory")), kNotFound);
}

TEST_F(ObjectImageTest, ReadsIntoTheArenaThatIsGiven) {
  const auto arena = Arena::Create({.limit_bytes = 8 << 20}).value();
  ASSERT_OK(MakeObjectOf(1'000).WriteImage(Path()));
  const auto object = DataObject::ReadImage(Path(), arena.get());
  ASSERT_OK(object);
  EXPECT_EQ(arena->Stats().live_blocks, 1u);
  ASSERT_OK(MakeObjectOf(10'000'000).WriteImage(Path()));
  EXPECT_CODE(DataObject::ReadImage(Path(), arena.get()), kResourceExhausted);
  EXPECT_EQ(arena->Stats().live_blocks, 1u);
}

// A reader sees one image or the other while they replace each other, never a mixture.
TEST_F(ObjectImageTest, ReadersNeverSeeAMixture) {
  const DataObject one = MakeObject(std::string(100'000, '1'), "first");
  const DataObject two = MakeObject(std::string(50'000, '2'), "the second");
  ASSERT_OK(one.WriteImage(Path()));
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i) failed += (i % 2 == 0 ? two : one).WriteImage(Path()).ok() ? 0 : 1;
    done = true;
  });
  while (!done.load()) {
    const auto object = DataObject::ReadImage(Path());
    EXPECT_OK(object);
    if (!object.ok()) break;
    EXPECT_TRUE(object->Compare(one) == Difference::kEqual ||
                object->Compare(two) == Difference::kEqual);
  }
  writer.join();
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace cirein
