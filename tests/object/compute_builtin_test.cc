// SPDX-License-Identifier: Apache-2.0
#include "object/compute_builtin.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using test::MakeArray;
using test::MakeObject;

Result<DataObject> RunIt(std::string_view name, std::string_view args,
                         const std::vector<DataObject>& objects) {
  std::vector<NamedObject> named;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    named.push_back({Key("row", std::to_string(i)), objects[i], {}});
  }
  const Pattern pattern = Pattern::Row("row");
  for (const auto& [known, function] : BuiltInComputeFunctions()) {
    if (known == name) return function({pattern, args, named});
  }
  return NotFound("no such function");
}

std::string Text(std::string_view name, std::string_view args,
                 const std::vector<DataObject>& objects) {
  const Result<DataObject> result = RunIt(name, args, objects);
  return result.ok() ? std::string(result->text()) : result.status().ToString();
}

TEST(ComputePick, TakesOneOfThem) {
  const std::vector<DataObject> objects = {MakeObject("bb"), MakeObject("ccc"), MakeObject("a"),
                                           MakeObject("dd")};
  EXPECT_EQ(Text("pick", "", objects), "bb");
  EXPECT_EQ(Text("pick", "first", objects), "bb");
  EXPECT_EQ(Text("pick", "last", objects), "dd");
  EXPECT_EQ(Text("pick", "smallest", objects), "a");
  EXPECT_EQ(Text("pick", "largest", objects), "ccc");
  EXPECT_CODE(RunIt("pick", "biggest", objects), kInvalidArgument);
  EXPECT_EQ(*RunIt("pick", "", objects), objects[0]) << "the object itself, no copy";
}

TEST(ComputePick, CountsMetaAsSize) {
  EXPECT_EQ(Text("pick", "largest", {MakeObject("aa"), MakeObject("b", "much meta")}), "b");
  EXPECT_EQ(Text("pick", "largest", {MakeObject("aa"), MakeObject("bb")}), "aa")
      << "the first of equals";
}

TEST(ComputeConcat, JoinsInOrder) {
  EXPECT_EQ(Text("concat", "", {MakeObject("a"), MakeObject(""), MakeObject("bc")}), "abc");
  EXPECT_EQ(Text("concat", ", ", {MakeObject("a"), MakeObject(""), MakeObject("bc")}), "a, , bc");
  EXPECT_EQ(Text("concat", "-", {MakeObject("one")}), "one");
  EXPECT_EQ(Text("concat", "", {MakeObject("")}), "");
}

TEST(ComputeCountAndSize, AreDecimalText) {
  EXPECT_EQ(Text("count", "", {MakeObject("a"), MakeObject("")}), "2");
  EXPECT_EQ(Text("size", "", {MakeObject("abc", "mm"), MakeObject("")}), "5");
}

template <typename T>
class ComputeFold : public testing::Test {
 public:
  static std::string Name() {
    if (std::is_same_v<T, std::int32_t>) return "i32";
    if (std::is_same_v<T, std::int64_t>) return "i64";
    if (std::is_same_v<T, std::uint32_t>) return "u32";
    if (std::is_same_v<T, std::uint64_t>) return "u64";
    return std::is_same_v<T, float> ? "f32" : "f64";
  }
};
using Types =
    testing::Types<std::int32_t, std::int64_t, std::uint32_t, std::uint64_t, float, double>;
TYPED_TEST_SUITE(ComputeFold, Types);

TYPED_TEST(ComputeFold, FoldsOverAllArrays) {
  const std::string type = TestFixture::Name();
  const std::vector<DataObject> arrays = {MakeArray<TypeParam>({3, 1}), MakeArray<TypeParam>({}),
                                          MakeArray<TypeParam>({7, 2})};
  EXPECT_EQ(Text("sum", type, arrays), "13");
  EXPECT_EQ(Text("min", type, arrays), "1");
  EXPECT_EQ(Text("max", type, arrays), "7");
}

TYPED_TEST(ComputeFold, FindsTheExtremesOfTheType) {
  const std::string type = TestFixture::Name();
  using Limits = std::numeric_limits<TypeParam>;
  const std::vector<DataObject> most = {MakeArray<TypeParam>({Limits::max()})};
  const std::vector<DataObject> least = {MakeArray<TypeParam>({Limits::lowest()})};
  EXPECT_EQ(Text("min", type, most), Text("max", type, most));
  EXPECT_EQ(Text("min", type, least), Text("max", type, least));
  EXPECT_NE(Text("min", type, least), Text("min", type, most));
}

TYPED_TEST(ComputeFold, TellsOfEmptyAndBrokenArrays) {
  const std::string type = TestFixture::Name();
  EXPECT_EQ(Text("sum", type, {MakeArray<TypeParam>({})}), "0");
  EXPECT_CODE(RunIt("min", type, {MakeArray<TypeParam>({})}), kNotFound);
  EXPECT_CODE(RunIt("max", type, {MakeArray<TypeParam>({})}), kNotFound);
  for (const char* fold : {"sum", "min", "max"}) {
    EXPECT_CODE(RunIt(fold, type, {MakeArray<TypeParam>({1}), MakeObject("odd")}),
                kInvalidArgument);
  }
}

TYPED_TEST(ComputeFold, ReadsDataThatIsNotAligned) {
  const std::vector<TypeParam> values = {5, 9};
  auto bytes = std::make_shared<std::vector<std::byte>>(sizeof(TypeParam) * 2 + 1);
  std::memcpy(bytes->data() + 1, values.data(), sizeof(TypeParam) * 2);
  const DataObject view =
      DataObject::View(std::span(*bytes).subspan(1), std::shared_ptr<const void>(bytes)).value();
  EXPECT_EQ(Text("sum", TestFixture::Name(), {view}), "14");
  EXPECT_EQ(Text("max", TestFixture::Name(), {view}), "9");
}

TEST(ComputeSum, GrowsBeyondSmallTypes) {
  EXPECT_EQ(Text("sum", "i32", {MakeArray<std::int32_t>({INT32_MAX, INT32_MAX})}), "4294967294");
  EXPECT_EQ(Text("sum", "i32", {MakeArray<std::int32_t>({INT32_MIN, INT32_MIN})}), "-4294967296");
  EXPECT_EQ(Text("sum", "u32", {MakeArray<std::uint32_t>({UINT32_MAX, 1})}), "4294967296");
}

TEST(ComputeSum, TellsOfOverflow) {
  EXPECT_CODE(RunIt("sum", "i64", {MakeArray<std::int64_t>({INT64_MAX, 1})}), kAborted);
  EXPECT_CODE(RunIt("sum", "i64", {MakeArray<std::int64_t>({INT64_MIN, -1})}), kAborted);
  EXPECT_CODE(RunIt("sum", "u64", {MakeArray<std::uint64_t>({UINT64_MAX, 1})}), kAborted);
  EXPECT_EQ(Text("sum", "f64", {MakeArray<double>({1e308, 1e308})}), "inf");
}

TEST(ComputeFolds, DefaultToDoubles) {
  EXPECT_EQ(Text("sum", "", {MakeArray<double>({0.5, 0.25})}), "0.75");
  EXPECT_EQ(Text("min", "", {MakeArray<double>({0.5, -0.25})}), "-0.25");
}

TEST(ComputeFolds, PassOverWhatIsNoNumberUnlessNothingElseIsThere) {
  const double nan = std::nan("");
  const double inf = std::numeric_limits<double>::infinity();
  for (const auto& values : {std::vector<double>{nan, 2, 1, 3}, {2, nan, 3, 1}, {3, 1, 2, nan}}) {
    EXPECT_EQ(Text("min", "f64", {MakeArray(values)}), "1");
    EXPECT_EQ(Text("max", "f64", {MakeArray(values)}), "3");
    EXPECT_EQ(Text("sum", "f64", {MakeArray(values)}), "nan");
  }
  EXPECT_EQ(Text("min", "f64", {MakeArray<double>({nan, nan})}), "nan");
  EXPECT_EQ(Text("max", "f64", {MakeArray<double>({nan})}), "nan");
  EXPECT_EQ(Text("min", "f64", {MakeArray<double>({inf})}), "inf");
  EXPECT_EQ(Text("max", "f64", {MakeArray<double>({-inf, -inf})}), "-inf");
}

TEST(ComputeFolds, RefuseTypesThatAreNone) {
  for (const char* type : {"i8", "int", "f64 ", "F64", "double"}) {
    EXPECT_CODE(RunIt("sum", type, {MakeArray<double>({1})}), kInvalidArgument) << type;
  }
}

}  // namespace
}  // namespace cirein
