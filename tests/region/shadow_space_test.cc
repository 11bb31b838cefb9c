// SPDX-License-Identifier: Apache-2.0
#include "region/shadow_space.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace cirein {
namespace {

using Medium = ShadowSpace::Medium;
using Access = RegionSpace::Access;

constexpr PersistSite kSite = PersistSite::kBatch;

std::vector<std::byte> Repeated(char letter, std::size_t bytes) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(letter));
}

std::unique_ptr<Region> MustCreate(RegionSpace& space, const std::string& name, std::uint64_t bytes,
                                   RegionUse use = RegionUse::kLog) {
  Result<std::unique_ptr<Region>> region = space.Create(name, bytes, use);
  EXPECT_TRUE(region.ok()) << region.status().ToString();
  return region.ok() ? std::move(*region) : nullptr;
}

// A region whose name and zeros are persisted.
std::unique_ptr<Region> Settled(ShadowSpace& space, const std::string& name, std::uint64_t bytes,
                                RegionUse use = RegionUse::kLog) {
  auto region = MustCreate(space, name, bytes, use);
  EXPECT_TRUE(space.PersistNames(kSite).ok());
  return region;
}

void Put(Region& region, std::uint64_t offset, char letter, std::size_t bytes) {
  EXPECT_TRUE(region.Write(offset, Repeated(letter, bytes)).ok());
}

// What a file looks like, one letter for each unit ('0' for zeros, '?' for a mix); "-" if not
// there.
std::string Look(const SpaceImage& image, const std::string& name, std::size_t unit) {
  const auto found = image.find(name);
  if (found == image.end()) return "-";
  std::string look;
  for (std::size_t begin = 0; begin < found->second.size(); begin += unit) {
    const std::size_t end = std::min(begin + unit, found->second.size());
    const std::byte first = found->second[begin];
    bool even = true;
    for (std::size_t i = begin; i < end; ++i) even = even && found->second[i] == first;
    look += !even ? '?' : first == std::byte{0} ? '0' : static_cast<char>(first);
  }
  return look;
}

std::set<std::string> AllLooks(const ShadowSpace& space, std::uint64_t point,
                               const std::string& name, std::size_t unit) {
  std::set<std::string> looks;
  ImageOdometer odometer;
  do {
    looks.insert(Look(space.PowerCut(point, odometer.Choices()), name, unit));
  } while (odometer.Next());
  return looks;
}

using Looks = std::set<std::string>;

TEST(ShadowSpaceTest, TwoLinesGiveAllFourCombinations) {
  ShadowSpace space(Medium::kFlushable);
  const auto region = Settled(space, "a", 128);
  Put(*region, 0, 'x', 64);
  Put(*region, 64, 'y', 64);
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64), (Looks{"00", "0y", "x0", "xy"}));
  EXPECT_EQ(space.UnpersistedUnits(space.events()), 2U);

  // One write over both is torn between the lines as well.
  Put(*region, 0, 'z', 128);
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64),
            (Looks{"00", "0y", "0z", "x0", "xy", "xz", "z0", "zy", "zz"}));
}

TEST(ShadowSpaceTest, DrawnImagesComeToAllCombinationsToo) {
  ShadowSpace space(Medium::kFlushable);
  const auto region = Settled(space, "a", 128);
  Put(*region, 0, 'x', 64);
  Put(*region, 64, 'y', 64);
  Random random(1);
  Looks looks;
  for (int i = 0; i < 100; ++i) {
    looks.insert(Look(space.PowerCut(space.events(), random, 2), "a", 64));
  }
  EXPECT_EQ(looks, (Looks{"00", "0y", "x0", "xy"}));
  EXPECT_EQ(Look(space.PowerCut(space.events(), random, 0), "a", 64), "00");
  EXPECT_EQ(Look(space.PowerCut(space.events(), random, 1), "a", 64), "xy");
}

TEST(ShadowSpaceTest, APersistCoversTheLinesItTouchesAndNoOthers) {
  ShadowSpace space(Medium::kFlushable);
  const auto region = Settled(space, "a", 256);
  Put(*region, 0, 'x', 256);
  ASSERT_TRUE(region->Persist(127, 2, kSite).ok());
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64), (Looks{"0xx0", "0xxx", "xxx0", "xxxx"}));
  // What is stored after it is open again.
  Put(*region, 64, 'y', 64);
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64),
            (Looks{"0xx0", "0xxx", "xxx0", "xxxx", "0yx0", "0yxx", "xyx0", "xyxx"}));
}

TEST(ShadowSpaceTest, ALineStopsAtAnyOfItsStates) {
  ShadowSpace space(Medium::kFlushable);
  const auto region = Settled(space, "a", 64);
  Put(*region, 0, 'a', 32);
  Put(*region, 32, 'b', 32);
  Put(*region, 0, 'c', 32);
  // In order: never b without a.
  EXPECT_EQ(AllLooks(space, space.events(), "a", 32), (Looks{"00", "a0", "ab", "cb"}));
}

TEST(ShadowSpaceTest, FilesAreTornBetweenSectorsAndPersistedAsAWhole) {
  ShadowSpace space(Medium::kFile);
  const auto region = Settled(space, "a", 1024);
  Put(*region, 0, 'x', 1024);
  EXPECT_EQ(AllLooks(space, space.events(), "a", 512), (Looks{"00", "0x", "x0", "xx"}));
  ASSERT_TRUE(region->Persist(0, 1, kSite).ok());
  EXPECT_EQ(AllLooks(space, space.events(), "a", 512), (Looks{"xx"}));
  EXPECT_EQ(space.UnpersistedUnits(space.events()), 0U);
}

TEST(ShadowSpaceTest, WordsOfAFileReachTheMediumPageByPage) {
  ShadowSpace space(Medium::kFile);
  const auto region = Settled(space, "a", 8192, RegionUse::kWords);
  ASSERT_TRUE(region->has_stores());
  region->StoreWord(0, 1);
  region->StoreWord(4088, 2);
  region->StoreWord(4096, 3);
  Looks seen;
  ImageOdometer odometer;
  do {
    const SpaceImage image = space.PowerCut(space.events(), odometer.Choices());
    const auto& bytes = image.at("a");
    seen.insert({static_cast<char>('0' + static_cast<int>(bytes[0])),
                 static_cast<char>('0' + static_cast<int>(bytes[4088])),
                 static_cast<char>('0' + static_cast<int>(bytes[4096]))});
  } while (odometer.Next());
  EXPECT_EQ(seen, (Looks{"000", "100", "120", "003", "103", "123"}));
  ASSERT_TRUE(region->Persist(0, 8192, kSite).ok());
  EXPECT_EQ(space.UnpersistedUnits(space.events()), 0U);
}

TEST(ShadowSpaceTest, ANameThatWasNotPersistedIsThereOrNot) {
  ShadowSpace space(Medium::kFile);
  const auto region = MustCreate(space, "a", 1024);
  Put(*region, 0, 'x', 1024);
  ASSERT_TRUE(region->Persist(0, 1024, kSite).ok());
  Put(*region, 0, 'y', 512);
  EXPECT_EQ(AllLooks(space, space.events(), "a", 512), (Looks{"-", "xx", "yx"}));
  ASSERT_TRUE(space.PersistNames(kSite).ok());
  EXPECT_EQ(AllLooks(space, space.events(), "a", 512), (Looks{"xx", "yx"}));
  // Before it was made there was nothing, and never a part of it.
  EXPECT_EQ(AllLooks(space, 0, "a", 512), (Looks{"-"}));
  EXPECT_EQ(AllLooks(space, 1, "a", 512), (Looks{"-", "00"}));
}

TEST(ShadowSpaceTest, ARemovedNameComesBackUntilNamesArePersisted) {
  ShadowSpace space(Medium::kFlushable);
  const auto old_region = Settled(space, "a", 64);
  Put(*old_region, 0, 'o', 64);
  ASSERT_TRUE(old_region->Persist(0, 64, kSite).ok());
  ASSERT_TRUE(space.Remove("a").ok());
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64), (Looks{"-", "o"}));
  const auto new_region = MustCreate(space, "a", 128);
  Put(*new_region, 0, 'n', 64);
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64), (Looks{"-", "o", "00", "n0"}));
  // The old file goes on being usable, and is what may come back.
  Put(*old_region, 0, 'p', 64);
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64), (Looks{"-", "o", "p", "00", "n0"}));
  ASSERT_TRUE(space.PersistNames(kSite).ok());
  EXPECT_EQ(AllLooks(space, space.events(), "a", 64), (Looks{"00", "n0"}));
}

TEST(ShadowSpaceTest, ADroppedSiteCountsButPersistsNothing) {
  for (const Medium medium : {Medium::kFlushable, Medium::kFile}) {
    ShadowSpace space(medium);
    const auto region = Settled(space, "a", 512);
    space.DropPersists(PersistSite::kMark);
    Put(*region, 0, 'x', 512);
    ASSERT_TRUE(region->Persist(0, 512, PersistSite::kMark).ok());
    EXPECT_EQ(space.persists(PersistSite::kMark), 1U);
    Random random(1);
    EXPECT_EQ(Look(space.PowerCut(space.events(), random, 0), "a", 512), "0");
    ASSERT_TRUE(region->Persist(0, 512, kSite).ok());
    EXPECT_EQ(Look(space.PowerCut(space.events(), random, 0), "a", 512), "x");

    const auto other = MustCreate(space, "b", 64);
    ASSERT_TRUE(space.PersistNames(PersistSite::kMark).ok());
    EXPECT_EQ(Look(space.PowerCut(space.events(), random, 0), "b", 64), "-");
    space.DropPersists(std::nullopt);
    ASSERT_TRUE(space.PersistNames(PersistSite::kMark).ok());
    EXPECT_EQ(Look(space.PowerCut(space.events(), random, 0), "b", 64), "0");
    EXPECT_EQ(space.persists(PersistSite::kMark), 3U);
  }
}

TEST(ShadowSpaceTest, TheEndOfTheProcessLosesNoStore) {
  ShadowSpace space(Medium::kFile);
  const auto region = MustCreate(space, "a", 1024);
  Put(*region, 0, 'x', 512);
  Put(*region, 512, 'y', 512);
  EXPECT_EQ(Look(space.ProcessCrash(0), "a", 512), "-");
  EXPECT_EQ(Look(space.ProcessCrash(1), "a", 512), "00");
  EXPECT_EQ(Look(space.ProcessCrash(2), "a", 512), "x0");
  EXPECT_EQ(Look(space.ProcessCrash(3), "a", 512), "xy");
  EXPECT_EQ(Look(space.ProcessCrash(2, 0), "a", 512), "x0");
  EXPECT_EQ(Look(space.ProcessCrash(2, 100), "a", 512), "x?");
  EXPECT_EQ(space.ProcessCrash(2, 100).at("a")[611], std::byte{'y'});
  EXPECT_EQ(space.ProcessCrash(2, 100).at("a")[612], std::byte{0});
  EXPECT_EQ(Look(space.ProcessCrash(2, 512), "a", 512), "xy");
  ASSERT_TRUE(space.Remove("a").ok());
  EXPECT_EQ(Look(space.ProcessCrash(4), "a", 512), "-");
}

TEST(ShadowSpaceTest, WritesFailOnRequestAndLeaveAPart) {
  ShadowSpace space(Medium::kFile);
  const auto region = Settled(space, "a", 1024);
  space.FailWrites(ResourceExhausted("the disk is full"));
  EXPECT_EQ(region->Write(0, Repeated('x', 1024)).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(Look(space.ProcessCrash(space.events()), "a", 512), "x0");
  space.FailWrites(OkStatus());
  Put(*region, 0, 'y', 1024);
  EXPECT_EQ(Look(space.ProcessCrash(space.events()), "a", 512), "yy");
}

TEST(ShadowSpaceTest, AFailedPersistSticks) {
  ShadowSpace space(Medium::kFile);
  const auto region = Settled(space, "a", 512);
  const auto other = Settled(space, "b", 512);
  space.FailPersists(IoError("the disk fails"));
  EXPECT_EQ(region->Persist(0, 512, kSite).code(), StatusCode::kIoError);
  EXPECT_EQ(space.PersistNames(kSite).code(), StatusCode::kIoError);
  space.FailPersists(OkStatus());
  EXPECT_EQ(region->Persist(0, 512, kSite).code(), StatusCode::kIoError);
  EXPECT_TRUE(other->Persist(0, 512, kSite).ok());
  EXPECT_TRUE(space.PersistNames(kSite).ok());
}

TEST(ShadowSpaceTest, RoomIsLimitedAndGivenBack) {
  ShadowSpace space(Medium::kFile);
  space.LimitBytes(1000);
  const auto first = MustCreate(space, "a", 600);
  const auto refused = space.Create("b", 401, RegionUse::kLog);
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(refused.status().message().find("401"), std::string::npos);
  EXPECT_EQ(space.Create("b", UINT64_MAX, RegionUse::kLog).code(), StatusCode::kResourceExhausted);
  ASSERT_TRUE(space.Remove("a").ok());
  EXPECT_NE(MustCreate(space, "b", 1000), nullptr);
}

TEST(ShadowSpaceTest, AnImageIsTheBeginningOfTheNextSpace) {
  ShadowSpace space(Medium::kFlushable);
  const auto region = Settled(space, "a", 128);
  Put(*region, 0, 'x', 128);
  Random random(1);
  ShadowSpace next(Medium::kFlushable, "boot-2", space.PowerCut(space.events(), random, 1));
  EXPECT_EQ(next.boot_id(), "boot-2");
  EXPECT_EQ(next.events(), 0U);
  auto opened = next.Open("a", RegionUse::kLog, Access::kReadWrite);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ((*opened)->size(), 128U);
  EXPECT_EQ((*opened)->data()[127], std::byte{'x'});
  Put(**opened, 64, 'y', 64);
  EXPECT_EQ(AllLooks(next, next.events(), "a", 64), (Looks{"xx", "xy"}));
  EXPECT_EQ(AllLooks(next, 0, "a", 64), (Looks{"xx"}));
}

TEST(ShadowSpaceTest, ARegionOutlivesItsSpace) {
  auto space = std::make_unique<ShadowSpace>(Medium::kFlushable);
  const auto region = Settled(*space, "a", 64);
  space.reset();
  Put(*region, 0, 'x', 64);
  region->StoreWord(8, 1);
  EXPECT_EQ(region->data()[0], std::byte{'x'});
}

// The plainest reading of the rules: for each byte, all that it may be at the point. An image of
// which a byte is something else is impossible.
class Model {
 public:
  Model(std::uint64_t bytes, std::uint32_t unit) : unit_(unit), states_(UnitsOf(bytes)) {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      states_[i].push_back(std::string(std::min<std::size_t>(unit, bytes - i * unit), '\0'));
    }
  }

  void Store(std::uint64_t offset, char letter, std::uint64_t bytes) {
    for (std::uint64_t unit = offset / unit_; unit <= (offset + bytes - 1) / unit_; ++unit) {
      std::string next = states_[unit].back();
      for (std::uint64_t i = 0; i < next.size(); ++i) {
        const std::uint64_t at = unit * unit_ + i;
        if (at >= offset && at < offset + bytes) next[i] = letter;
      }
      states_[unit].push_back(next);
    }
  }
  void Persist(std::uint64_t offset, std::uint64_t bytes) {
    for (std::uint64_t unit = offset / unit_; unit <= (offset + bytes - 1) / unit_; ++unit) {
      states_[unit].erase(states_[unit].begin(), states_[unit].end() - 1);
    }
  }

  bool Allows(const std::vector<std::byte>& image) const {
    for (std::size_t unit = 0; unit < states_.size(); ++unit) {
      const std::string_view seen(reinterpret_cast<const char*>(image.data()) + unit * unit_,
                                  states_[unit][0].size());
      const auto& states = states_[unit];
      if (std::find(states.begin(), states.end(), seen) == states.end()) return false;
    }
    return true;
  }
  std::uint64_t Differing() const {
    std::uint64_t count = 0;
    for (const auto& states : states_) {
      for (const auto& state : states) {
        if (state != states[0]) {
          ++count;
          break;
        }
      }
    }
    return count;
  }
  std::string Newest() const {
    std::string all;
    for (const auto& states : states_) all += states.back();
    return all;
  }
  std::string Persisted() const {
    std::string all;
    for (const auto& states : states_) all += states.front();
    return all;
  }

 private:
  std::size_t UnitsOf(std::uint64_t bytes) const { return (bytes + unit_ - 1) / unit_; }

  std::uint64_t unit_;
  std::vector<std::vector<std::string>> states_;
};

std::string Text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ShadowModelTest : public testing::TestWithParam<Medium> {};

// Random runs, then images at points in random order: forward, backward and again.
TEST_P(ShadowModelTest, EveryImageIsPossible) {
  const bool flushable = GetParam() == Medium::kFlushable;
  const std::uint32_t unit = flushable ? 64 : 512;
  const std::uint64_t bytes = 16 * unit + 24;  // The last unit is short.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ShadowSpace space(GetParam());
    const auto region = Settled(space, "a", bytes);
    const std::uint64_t first = space.events();
    std::vector<Model> models{Model(bytes, unit)};
    for (int i = 0; i < 100; ++i) {
      Model next = models.back();
      const std::uint64_t offset = random.Below(bytes);
      const std::uint64_t length =
          1 + random.Below(std::min<std::uint64_t>(bytes - offset, random.OneIn(4) ? bytes : 64));
      if (random.OneIn(4)) {
        ASSERT_TRUE(region->Persist(offset, length, kSite).ok());
        next.Persist(flushable ? offset : 0, flushable ? length : bytes);
      } else {
        const char letter = static_cast<char>('a' + random.Below(26));
        Put(*region, offset, letter, length);
        next.Store(offset, letter, length);
      }
      models.push_back(std::move(next));
    }
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t step = random.Below(models.size());
      const std::uint64_t point = first + step;
      const auto keep = static_cast<std::uint32_t>(random.Below(4));
      const SpaceImage image = space.PowerCut(point, random, keep);
      ASSERT_TRUE(models[step].Allows(image.at("a"))) << "point " << point;
      if (keep == 0) {
        ASSERT_EQ(Text(image.at("a")), models[step].Persisted()) << point;
      }
      if (keep == 1) {
        ASSERT_EQ(Text(image.at("a")), models[step].Newest()) << point;
      }
      ASSERT_EQ(Text(space.ProcessCrash(point).at("a")), models[step].Newest()) << point;
      ASSERT_EQ(space.UnpersistedUnits(point), models[step].Differing()) << point;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Media, ShadowModelTest, testing::Values(Medium::kFlushable, Medium::kFile),
                         [](const testing::TestParamInfo<Medium>& tested) {
                           return tested.param == Medium::kFlushable ? "Flushable" : "File";
                         });

}  // namespace
}  // namespace cirein
