// SPDX-License-Identifier: Apache-2.0
#include "object/compute_library.h"

#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "object/compute_registry.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using testing::HasSubstr;

// Gives back what it sees: row, args, then column and data of each object.
int32_t Echo(const cirein_compute_input* input, cirein_compute_output* output) {
  const auto text = [](const cirein_bytes& bytes) {
    return std::string(static_cast<const char*>(bytes.data), bytes.size);
  };
  std::string all = text(input->row) + "(" + text(input->args) + ")";
  for (std::size_t i = 0; i < input->object_count; ++i) {
    const cirein_compute_object& object = input->objects[i];
    all += (object.column.data == nullptr ? " -" : " " + text(object.column)) + "=" +
           text(object.meta) + "/" + text(object.data) + "/" + std::to_string(object.type);
  }
  if (output->allocate(output, 1, all.size()) != 0) return 7;
  std::memcpy(output->meta, "m", 1);
  std::memcpy(output->data, all.data(), all.size());
  output->type = 5;
  return 0;
}

int32_t Fail(const cirein_compute_input* /*input*/, cirein_compute_output* output) {
  output->explain(output, "not on a Sunday");
  return 4;
}
int32_t FailSilently(const cirein_compute_input*, cirein_compute_output*) { return 2; }
int32_t FailOddly(const cirein_compute_input*, cirein_compute_output*) { return -3; }
int32_t GiveNothing(const cirein_compute_input*, cirein_compute_output*) { return 0; }
int32_t AskTooMuch(const cirein_compute_input*, cirein_compute_output* output) {
  return output->allocate(output, DataObject::kMaxMetaBytes + 1, 0);
}
int32_t Throw(const cirein_compute_input*, cirein_compute_output*) { throw std::bad_alloc(); }

Status Register(std::vector<cirein_compute_entry> entries) {
  const cirein_compute_table table = {CIREIN_COMPUTE_VERSION, static_cast<uint32_t>(entries.size()),
                                      entries.data()};
  return RegisterComputeTable(&table);
}

Result<DataObject> RunNamed(const std::string& name) {
  const auto function = FindComputeFunction(name).value();
  const std::vector<NamedObject> objects = {{Key("row"), test::MakeObject("one", "meta", 3), {}},
                                            {Key("row", ""), test::MakeObject("two"), {}},
                                            {Key("row", "c"), test::MakeObject(""), {}}};
  const Pattern pattern = Pattern::Row("row");
  return RunComputeFunction(name, *function, {pattern, "args", objects});
}

TEST(ComputeLibraryTest, AFunctionSeesTheRowAndMakesAnObject) {
  ASSERT_OK(Register({{"echo", Echo}}));
  const auto made = RunNamed("echo");
  ASSERT_OK(made);
  EXPECT_EQ(made->text(), "row(args) -=meta/one/3 =/two/0 c=//0");
  EXPECT_EQ(made->meta_text(), "m");
  EXPECT_EQ(made->type(), 5);
}

TEST(ComputeLibraryTest, ItsErrorIsTheCallers) {
  ASSERT_OK(Register({{"fail", Fail},
                      {"fail-silently", FailSilently},
                      {"fail-oddly", FailOddly},
                      {"nothing", GiveNothing},
                      {"too-much", AskTooMuch},
                      {"throw", Throw}}));
  const Status failed = RunNamed("fail").status();
  EXPECT_CODE(failed, kFailedPrecondition);
  EXPECT_EQ(failed.message(), "not on a Sunday");
  EXPECT_CODE(RunNamed("fail-silently"), kNotFound);
  EXPECT_CODE(RunNamed("fail-oddly"), kAborted);
  EXPECT_CODE(RunNamed("nothing"), kAborted);
  EXPECT_CODE(RunNamed("too-much"), kInvalidArgument);
  EXPECT_CODE(RunNamed("throw"), kAborted) << "no exception comes through";
}

TEST(ComputeLibraryTest, RefusesTablesThatMakeNoSense) {
  EXPECT_CODE(RegisterComputeTable(nullptr), kInvalidArgument);
  const cirein_compute_entry entry = {"later", Echo};
  const cirein_compute_table later = {CIREIN_COMPUTE_VERSION + 1, 1, &entry};
  const Status other = RegisterComputeTable(&later);
  EXPECT_CODE(other, kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr("of version 2"));
  const cirein_compute_table none = {CIREIN_COMPUTE_VERSION, 0, &entry};
  EXPECT_CODE(RegisterComputeTable(&none), kInvalidArgument);
  const cirein_compute_table empty = {CIREIN_COMPUTE_VERSION, 1, nullptr};
  EXPECT_CODE(RegisterComputeTable(&empty), kInvalidArgument);
  EXPECT_CODE(Register({{nullptr, Echo}}), kInvalidArgument);
  EXPECT_CODE(Register({{"null", nullptr}}), kInvalidArgument);
  EXPECT_CODE(Register({{"no name", Echo}}), kInvalidArgument);
  EXPECT_CODE(FindComputeFunction("later"), kNotFound);
}

TEST(ComputeLibraryTest, AllOfALibraryOrNone) {
  EXPECT_CODE(Register({{"fresh", Echo}, {"pick", Echo}}), kAlreadyExists) << "pick is built in";
  EXPECT_CODE(Register({{"fresh", Echo}, {"fresh", Fail}}), kAlreadyExists);
  EXPECT_CODE(FindComputeFunction("fresh"), kNotFound);
  EXPECT_OK(Register({{"fresh", Echo}}));
}

TEST(ComputeLibraryTest, SaysWhichLibraryCannotBe) {
  const TemporaryDirectory directory = *TemporaryDirectory::Create();
  const std::string text = directory.File("text.so");
  ASSERT_OK(WriteFileAtomically(text, "no library"));
  for (const std::string& path : {directory.File("absent.so"), text, std::string("libm.so.6")}) {
    const Status refused = LoadComputeLibraries(":" + path);
    EXPECT_CODE(refused, kFailedPrecondition) << path;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("compute.libraries"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr(path));
  }
  EXPECT_OK(LoadComputeLibraries(""));
  EXPECT_OK(LoadComputeLibraries("::"));
}

}  // namespace
}  // namespace cirein
