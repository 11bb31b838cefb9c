// SPDX-License-Identifier: Apache-2.0
#include "cli/verb_table.h"

#include <set>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(VerbTableTest, EachVerbOnceAndWhole) {
  std::set<std::string_view> names;
  for (const VerbEntry& entry : Verbs()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.summary.empty());
    EXPECT_FALSE(entry.summary.ends_with('.')) << entry.summary;
    EXPECT_LE(entry.summary.size(), 72U) << entry.summary;
    EXPECT_NE(entry.make(), nullptr);
    for (const VerbExample& example : entry.examples) {
      EXPECT_NE(example.command.find("cirein " + std::string(entry.name)), std::string_view::npos);
    }
  }
}

TEST(VerbTableTest, FindsOrSuggests) {
  EXPECT_EQ((*FindVerb("doctor"))->name, "doctor");
  EXPECT_EQ(FindVerb("docter").status().hint(), "did you mean \"doctor\"?");
  EXPECT_EQ(FindVerb("xyzzy").status().hint(), "see cirein --help");
}

}  // namespace
}  // namespace cirein
