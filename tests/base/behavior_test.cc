// SPDX-License-Identifier: Apache-2.0
#include "cirein/behavior.h"

#include <string>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(BehaviorTest, NamesGiveTheirFlags) {
  EXPECT_EQ(Behavior::Parse("WriteToLocal")->flags(), 0x01);
  EXPECT_EQ(Behavior::Parse("writetoremote")->flags(), 0x02);
  EXPECT_EQ(Behavior::Parse("WRITETOIOM")->flags(), 0x04);
  EXPECT_EQ(Behavior::Parse("ReadToLocal_ReadToRemote")->flags(), 0x18);
  EXPECT_EQ(Behavior::Parse("WriteAround")->flags(), 0x04);
  EXPECT_EQ(Behavior::Parse("WriteMemory")->flags(), 0x03);
  EXPECT_EQ(Behavior::Parse("WriteAll")->flags(), 0x07);
  EXPECT_EQ(Behavior::Parse("ReadToNone")->flags(), 0x00);
  EXPECT_EQ(Behavior::Parse("DefaultLocal_EnableOverwrites")->flags(), 0x89);
  EXPECT_EQ(Behavior::Parse("DefaultRemote")->flags(), 0x0A);
  EXPECT_EQ(Behavior::Parse("DefaultIOM")->flags(), 0x04);
  EXPECT_EQ(Behavior::Parse("DefaultLocalIOM")->flags(), 0x0D);
  EXPECT_EQ(Behavior::Parse("DefaultRemoteIOM")->flags(), 0x16);
  EXPECT_EQ(Behavior::Parse("DefaultCachingIOM")->flags(), 0x1F);
}

TEST(BehaviorTest, UnknownNamesAreErrorsWithASuggestion) {
  for (const char* const text : {"", "_", "WriteToLocal_", "Write To Local", "EnableTrace"}) {
    EXPECT_EQ(Behavior::Parse(text).code(), StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(Behavior::Parse("WriteToLocl").status().hint(), "did you mean \"WriteToLocal\"?");
}

TEST(BehaviorTest, EveryTextReadsBack) {
  for (int flags = 0; flags < 256; ++flags) {
    const Behavior behavior(static_cast<std::uint8_t>(flags));
    EXPECT_EQ(behavior.flags(), flags & Behavior::kAllFlags);
    EXPECT_EQ(*Behavior::Parse(behavior.ToString()), behavior) << flags;
  }
  EXPECT_EQ(Behavior(0).ToString(), "ReadToNone");
  EXPECT_EQ(Behavior().ToString(), "WriteToLocal_ReadToLocal");
}

TEST(BehaviorTest, TheOwnerTakesRemoteFlagsForLocalOnes) {
  EXPECT_EQ(Behavior(0x92).AtOwner().flags(), 0x89);
  EXPECT_EQ(Behavior(0x09).AtOwner().flags(), 0x00);
  EXPECT_EQ(Behavior(0x04).AtOwner().flags(), 0x04);
}

}  // namespace
}  // namespace cirein
