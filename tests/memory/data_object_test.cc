// SPDX-License-Identifier: Apache-2.0
#include "cirein/data_object.h"

#include <array>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/arena.h"

#include "base/logging.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using test::MakeArray;
using test::MakeObject;
using Difference = DataObject::Difference;
using Kind = DataObject::Kind;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(DataObject, NullHasNoBody) {
  const DataObject null;
  EXPECT_TRUE(null.is_null());
  EXPECT_FALSE(null);
  EXPECT_EQ(null.use_count(), 0u);
  EXPECT_EQ(null, DataObject());
  const DataObject copy = null;
  EXPECT_TRUE(copy.is_null());
}

TEST(DataObject, IsAPointerWide) { EXPECT_EQ(sizeof(DataObject), sizeof(void*)); }

TEST(DataObject, AllocateGivesWhatWasAskedFor) {
  for (const std::size_t meta_bytes : {0ul, 1ul, 15ul, 16ul, 17ul, 300ul, 65'536ul}) {
    for (const std::uint64_t data_bytes : {0ul, 1ul, 64ul, 4'096ul, 300'000ul}) {
      auto object =
          DataObject::Allocate({.meta_bytes = meta_bytes, .data_bytes = data_bytes, .type = 7});
      ASSERT_OK(object);
      EXPECT_EQ(object->kind(), Kind::kOwned);
      EXPECT_EQ(object->type(), 7);
      EXPECT_EQ(object->meta_bytes(), meta_bytes);
      EXPECT_EQ(object->data_bytes(), data_bytes);
      EXPECT_EQ(object->user_bytes(), meta_bytes + data_bytes);
      EXPECT_EQ(object->image_bytes(), 32 + meta_bytes + data_bytes);
      EXPECT_GE(object->memory_bytes(), 32 + meta_bytes + data_bytes);
      EXPECT_EQ(object->registration(), DataObject::Registration::kNone);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(object->data().data()) % 16, 0u);
      // Meta and data are whole and apart.
      ASSERT_EQ(object->mutable_meta().size(), meta_bytes);
      ASSERT_EQ(object->mutable_data().size(), data_bytes);
      for (std::byte& byte : object->mutable_meta()) byte = std::byte{1};
      for (std::byte& byte : object->mutable_data()) byte = std::byte{2};
      for (const std::byte byte : object->meta()) ASSERT_EQ(byte, std::byte{1});
      for (const std::byte byte : object->data()) ASSERT_EQ(byte, std::byte{2});
    }
  }
}

TEST(DataObject, RefusesMoreThanItsLimits) {
  EXPECT_CODE(DataObject::Allocate({.meta_bytes = DataObject::kMaxMetaBytes + 1}),
              kInvalidArgument);
  EXPECT_CODE(DataObject::Allocate({.data_bytes = DataObject::kMaxDataBytes + 1}),
              kInvalidArgument);
  const std::string meta(DataObject::kMaxMetaBytes + 1, 'm');
  EXPECT_CODE(DataObject::FromString("data", meta), kInvalidArgument);
}

TEST(DataObject, ASmallObjectCostsItsHeaderAndItself) {
  EXPECT_EQ(DataObject::Allocate({.data_bytes = 64})->memory_bytes(), 96u);
  EXPECT_EQ(DataObject::Allocate({})->memory_bytes(), 32u);
}

TEST(DataObject, CopyHoldsTheSameBytes) {
  std::string data = "some data";
  const auto object = DataObject::Copy(Bytes(data), Bytes("and meta"), 65'535);
  ASSERT_OK(object);
  data[0] = 'X';
  EXPECT_EQ(object->text(), "some data");
  EXPECT_EQ(object->meta_text(), "and meta");
  EXPECT_EQ(object->type(), 65'535);
}

TEST(DataObject, HandlesShareTheBody) {
  DataObject first = MakeObject("x");
  EXPECT_EQ(first.use_count(), 1u);
  DataObject second = first;
  EXPECT_EQ(first.use_count(), 2u);
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.data().data(), second.data().data());
  const DataObject third = std::move(second);
  EXPECT_TRUE(second.is_null());  // NOLINT: a moved-from handle is null.
  EXPECT_EQ(first.use_count(), 2u);
  second = third;
  EXPECT_EQ(first.use_count(), 3u);
  second = DataObject();
  EXPECT_EQ(first.use_count(), 2u);
  first = MakeObject("y");
  EXPECT_EQ(third.use_count(), 1u);
  EXPECT_EQ(third.text(), "x");
  EXPECT_NE(first, third);
}

TEST(DataObject, AssigningAHandleToItselfKeepsIt) {
  DataObject object = MakeObject("x");
  DataObject& alias = object;
  object = alias;
  EXPECT_EQ(object.use_count(), 1u);
  object = std::move(alias);
  EXPECT_EQ(object.text(), "x");
}

TEST(DataObject, TypeCanBeSet) {
  DataObject object = MakeObject("x");
  object.set_type(40'000);
  EXPECT_EQ(object.type(), 40'000);
}

// ---- Wrapped memory and views

TEST(DataObject, WrapUsesTheUsersMemory) {
  std::vector<std::byte> mine(1'000, std::byte{5});
  int released = 0;
  {
    auto object = DataObject::Wrap(
        mine, [&] { ++released; }, Bytes("meta"), 3);
    ASSERT_OK(object);
    EXPECT_EQ(object->kind(), Kind::kWrapped);
    EXPECT_EQ(object->type(), 3);
    EXPECT_EQ(object->meta_text(), "meta");
    EXPECT_EQ(object->data().data(), mine.data());
    EXPECT_EQ(object->mutable_data().data(), mine.data());
    EXPECT_GE(object->memory_bytes(), 1'000u + 64 + 4);
    const DataObject other = *object;
    object = DataObject();
    EXPECT_EQ(released, 0);
    EXPECT_EQ(other.data()[999], std::byte{5});
  }
  EXPECT_EQ(released, 1);
}

TEST(DataObject, WrapWithoutAReleaseFunction) {
  std::vector<std::byte> mine(10);
  EXPECT_OK(DataObject::Wrap(mine, {}));
  EXPECT_OK(DataObject::Wrap({}, {}));
}

TEST(DataObject, WrapThatFailsLeavesTheMemoryToTheCaller) {
  std::vector<std::byte> mine(10);
  bool released = false;
  const std::string meta(DataObject::kMaxMetaBytes + 1, 'm');
  EXPECT_CODE(DataObject::Wrap(
                  mine, [&] { released = true; }, Bytes(meta)),
              kInvalidArgument);
  EXPECT_FALSE(released);
}

TEST(DataObject, AReleaseFunctionThatThrowsIsLogged) {
  LogCapture capture;
  std::vector<std::byte> mine(10);
  ASSERT_OK(DataObject::Wrap(mine, [] { throw std::runtime_error("no such buffer"); }));
  EXPECT_TRUE(capture.Contains("no such buffer"));
  ASSERT_OK(DataObject::Wrap(mine, [] { throw 5; }));
  EXPECT_TRUE(capture.Contains("no std::exception"));
}

TEST(DataObject, AReleaseFunctionMayUseObjects) {
  std::vector<std::byte> mine(10);
  DataObject made;
  ASSERT_OK(DataObject::Wrap(mine, [&] { made = MakeObject("inside"); }));
  EXPECT_EQ(made.text(), "inside");
}

TEST(DataObject, AViewKeepsItsOwner) {
  auto owner = std::make_shared<std::string>("viewed");
  const std::weak_ptr<std::string> watch = owner;
  auto object = DataObject::View(Bytes(*owner), owner, Bytes("meta"), 9);
  ASSERT_OK(object);
  owner.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(object->kind(), Kind::kView);
  EXPECT_EQ(object->type(), 9);
  EXPECT_EQ(object->text(), "viewed");
  EXPECT_EQ(object->meta_text(), "meta");
  EXPECT_TRUE(object->mutable_data().empty());
  EXPECT_TRUE(object->mutable_meta().empty());
  EXPECT_TRUE(object->mutable_array<char>().empty());
  object = DataObject();
  EXPECT_TRUE(watch.expired());
}

TEST(DataObject, AViewOfAPartOfAnotherObject) {
  auto whole = std::make_shared<DataObject>(MakeObject("one two three"));
  const DataObject part = DataObject::View(whole->data().subspan(4, 3), whole).value();
  whole.reset();
  EXPECT_EQ(part.text(), "two");
}

// Were a byte of the data copied or touched, half a TiB would show.
TEST(DataObject, WrappingAndViewingTouchNoByteOfTheData) {
  constexpr std::size_t kBytes = std::size_t{1} << 39;
  auto* const nowhere = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 44);
  const DataObject wrapped = DataObject::Wrap({nowhere, kBytes}, {}).value();
  const DataObject view = DataObject::View({nowhere, kBytes}, nullptr).value();
  EXPECT_EQ(wrapped.data_bytes(), kBytes);
  EXPECT_EQ(view.data().data(), nowhere);
  EXPECT_GE(view.memory_bytes(), kBytes);
}

// ---- Typed access

TEST(DataObject, ArraysAreTyped) {
  DataObject object = MakeArray<std::uint32_t>({1, 2, 3});
  ASSERT_EQ(object.array<std::uint32_t>().size(), 3u);
  EXPECT_EQ(object.array<std::uint32_t>()[2], 3u);
  object.mutable_array<std::uint32_t>()[2] = 30;
  EXPECT_EQ(object.array<std::uint32_t>()[2], 30u);
  EXPECT_EQ(object.array<std::uint64_t>().size(), 0u);  // 12 is no multiple of 8.
  EXPECT_EQ(object.array<char>().size(), 12u);
  EXPECT_TRUE(MakeObject("").array<int>().empty());
}

TEST(DataObject, ArraysMustBeAligned) {
  auto owner = std::make_shared<std::array<std::uint64_t, 3>>();
  const auto bytes = std::as_bytes(std::span(*owner));
  EXPECT_EQ(DataObject::View(bytes.subspan(8), owner)->array<std::uint64_t>().size(), 2u);
  EXPECT_TRUE(DataObject::View(bytes.subspan(4, 16), owner)->array<std::uint64_t>().empty());
}

TEST(DataObject, MetaIsTyped) {
  struct Shape {
    std::uint32_t rows;
    std::uint32_t columns;
  };
  const Shape shape{.rows = 3, .columns = 4};
  const auto bytes = std::as_bytes(std::span(&shape, 1));
  const DataObject object = DataObject::Copy({}, bytes).value();
  ASSERT_NE(object.meta_as<Shape>(), nullptr);
  EXPECT_EQ(object.meta_as<Shape>()->columns, 4u);
  EXPECT_EQ(object.meta_as<std::uint32_t>(), nullptr);
  EXPECT_NE(object.meta_as<std::uint64_t>(), nullptr);
}

// ---- Shrink, copy, compare

TEST(DataObject, ShrinkKeepsTheBeginning) {
  DataObject object = MakeObject("0123456789", "abcdef");
  const std::byte* const data = object.data().data();
  ASSERT_OK(object.Shrink(3, 4));
  EXPECT_EQ(object.meta_text(), "abc");
  EXPECT_EQ(object.text(), "0123");
  EXPECT_EQ(object.data().data(), data);
  EXPECT_CODE(object.Shrink(4, 4), kInvalidArgument);
  EXPECT_CODE(object.Shrink(3, 5), kInvalidArgument);
  EXPECT_OK(object.Shrink(3, 4));
  EXPECT_OK(object.Shrink(0, 0));
  EXPECT_EQ(object.user_bytes(), 0u);
}

TEST(DataObject, OnlyASoleHandleShrinks) {
  DataObject object = MakeObject("0123456789");
  {
    const DataObject other = object;
    EXPECT_CODE(object.Shrink(0, 1), kInvalidArgument);
  }
  EXPECT_OK(object.Shrink(0, 1));
}

TEST(DataObject, WrappedMemoryShrinksAndViewsDoNot) {
  std::vector<std::byte> mine(10);
  DataObject wrapped = DataObject::Wrap(mine, {}, Bytes("meta")).value();
  EXPECT_OK(wrapped.Shrink(2, 5));
  EXPECT_EQ(wrapped.data_bytes(), 5u);
  EXPECT_EQ(wrapped.meta_text(), "me");
  DataObject view = DataObject::View(mine, nullptr).value();
  EXPECT_CODE(view.Shrink(0, 5), kInvalidArgument);
}

TEST(DataObject, DeepCopyIsEqualAndOwned) {
  auto owner = std::make_shared<std::string>("viewed");
  const DataObject view = DataObject::View(Bytes(*owner), owner, Bytes("meta"), 2).value();
  const auto copy = view.DeepCopy();
  ASSERT_OK(copy);
  EXPECT_EQ(copy->kind(), Kind::kOwned);
  EXPECT_NE(*copy, view);
  EXPECT_EQ(copy->Compare(view), Difference::kEqual);
  (*owner)[0] = 'V';
  EXPECT_EQ(copy->text(), "viewed");
}

TEST(DataObject, CompareSaysWhatDiffersFirst) {
  const DataObject object = MakeObject("data", "meta", 1);
  EXPECT_EQ(object.Compare(object), Difference::kEqual);
  EXPECT_EQ(object.Compare(MakeObject("data", "meta", 1)), Difference::kEqual);
  EXPECT_EQ(object.Compare(DataObject()), Difference::kNull);
  EXPECT_EQ(DataObject().Compare(object), Difference::kNull);
  EXPECT_EQ(DataObject().Compare(DataObject()), Difference::kEqual);
  EXPECT_EQ(object.Compare(MakeObject("d", "m", 2)), Difference::kType);
  EXPECT_EQ(object.Compare(MakeObject("d", "m", 1)), Difference::kMetaSize);
  EXPECT_EQ(object.Compare(MakeObject("d", "META", 1)), Difference::kDataSize);
  EXPECT_EQ(object.Compare(MakeObject("DATA", "META", 1)), Difference::kMeta);
  EXPECT_EQ(object.Compare(MakeObject("datA", "meta", 1)), Difference::kData);
  EXPECT_EQ(MakeObject("").Compare(MakeObject("")), Difference::kEqual);
}

// ---- Threads

// Readers copy and drop handles of bodies that the last of them ends: the bytes they see are those
// the maker wrote, and each release function is called once.
TEST(DataObject, ThreadsShareBodies) {
  constexpr int kObjects = 300;
  std::vector<std::byte> mine(64, std::byte{7});
  std::atomic<int> released{0};
  std::vector<DataObject> objects;
  for (int i = 0; i < kObjects; ++i) {
    objects.push_back(DataObject::Wrap(mine, [&] { ++released; }).value());
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&wrong, shared = objects]() mutable {
      for (DataObject& object : shared) {
        const DataObject copy = object;
        object = DataObject();
        if (copy.data()[63] != std::byte{7}) ++wrong;
      }
    });
  }
  objects.clear();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(released, kObjects);
}

// What the droppers did before they dropped happens before the release: the count alone orders it.
TEST(DataObject, TheReleaseSeesWhatOthersWrote) {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::byte> mine(2);
    int sum = 0;
    DataObject first = DataObject::Wrap(mine, [&] {
                         sum = static_cast<int>(mine[0]) + static_cast<int>(mine[1]);
                       }).value();
    DataObject second = first;
    std::thread other([handle = std::move(second)]() mutable {
      handle.mutable_data()[0] = std::byte{1};
      handle = DataObject();
    });
    first.mutable_data()[1] = std::byte{2};
    first = DataObject();
    other.join();
    ASSERT_EQ(sum, 3);
  }
}

}  // namespace
}  // namespace cirein
