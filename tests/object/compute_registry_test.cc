// SPDX-License-Identifier: Apache-2.0
#include "object/compute_registry.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using testing::HasSubstr;

Result<DataObject> Nothing(const ComputeInput& /*input*/) { return test::MakeObject(""); }

Result<DataObject> RunIt(const ComputeFunction& function) {
  const std::vector<NamedObject> objects = {{Key("row"), test::MakeObject("x"), {}}};
  const Pattern pattern = Key("row");
  return RunComputeFunction("f", function, {pattern, "", objects});
}

TEST(ComputeRegistry, KnowsTheBuiltInsAndTheUsersOwn) {
  ASSERT_OK(RegisterComputeFunction("registry-test.Own_1", Nothing));
  const std::vector<std::string> names = ComputeFunctionNames();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_THAT(names, testing::IsSupersetOf({"pick", "concat", "count", "size", "sum", "min", "max",
                                            "registry-test.Own_1"}));
  EXPECT_OK(FindComputeFunction("registry-test.Own_1"));
}

TEST(ComputeRegistry, RefusesNamesThatAreTaken) {
  EXPECT_CODE(RegisterComputeFunction("sum", Nothing), kAlreadyExists);
  ASSERT_OK(RegisterComputeFunction("registry-test.twice", Nothing));
  EXPECT_CODE(RegisterComputeFunction("registry-test.twice", Nothing), kAlreadyExists);
}

TEST(ComputeRegistry, RefusesNamesThatCannotBe) {
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("\xc3\xa4"),
        std::string("a\0b", 3), std::string(65, 'x')}) {
    EXPECT_CODE(RegisterComputeFunction(name, Nothing), kInvalidArgument) << name;
  }
  EXPECT_OK(RegisterComputeFunction(std::string(64, 'x'), Nothing));
  EXPECT_CODE(RegisterComputeFunction("registry-test.empty", nullptr), kInvalidArgument);
}

TEST(ComputeRegistry, SuggestsTheNearestName) {
  const Status near = FindComputeFunction("conact").status();
  EXPECT_CODE(near, kNotFound);
  EXPECT_THAT(std::string(near.hint()), HasSubstr("concat"));
  const Status far = FindComputeFunction("something else entirely").status();
  EXPECT_CODE(far, kNotFound);
  EXPECT_THAT(std::string(far.hint()), HasSubstr("pick"));
}

TEST(ComputeRegistry, MakesErrorsOfWhatFunctionsThrow) {
  const Status thrown = RunIt([](const ComputeInput&) -> Result<DataObject> {
                          throw std::runtime_error("no luck");
                        }).status();
  EXPECT_CODE(thrown, kAborted);
  EXPECT_THAT(thrown.ToString(), HasSubstr("no luck"));
  EXPECT_THAT(thrown.ToString(), HasSubstr("\"f\""));
  EXPECT_CODE(RunIt([](const ComputeInput&) -> Result<DataObject> { throw 7; }), kAborted);
  EXPECT_CODE(RunIt([](const ComputeInput&) -> Result<DataObject> { return DataObject(); }),
              kAborted);
  const Status own = RunIt([](const ComputeInput&) -> Result<DataObject> {
                       return DataLoss("mine", "my hint");
                     }).status();
  EXPECT_CODE(own, kDataLoss);
  EXPECT_EQ(own.message(), "mine");
}

}  // namespace
}  // namespace cirein
