// SPDX-License-Identifier: Apache-2.0
#include "region/directory_space.h"

#include <csignal>
#include <filesystem>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "region/scratch_directory.h"
#include "runtime/file.h"

namespace cirein {
namespace {

using Access = RegionSpace::Access;
using test::ScratchDirectory;
using test::SmallFileSystem;
using testing::HasSubstr;

std::unique_ptr<RegionSpace> MustOpen(const std::string& path, FlushMode flush = FlushMode::kAuto) {
  auto space = OpenDirectorySpace(path, {.flush = flush});
  EXPECT_TRUE(space.ok()) << space.status().ToString();
  return space.ok() ? std::move(*space) : nullptr;
}

std::string Message(const Status& status) { return std::string(status.message()); }

TEST(DirectorySpaceTest, FindsOutWhatTmpfsIs) {
  const ScratchDirectory directory("/dev/shm");
  const auto space = MustOpen(directory.path());
  EXPECT_TRUE(space->traits().flushable);
  EXPECT_FALSE(space->traits().survives_power_cut);
  EXPECT_EQ(space->traits().granularity, 4096U);
  EXPECT_THAT(space->traits().description, HasSubstr("tmpfs"));

  const auto lines = MustOpen(directory.path(), FlushMode::kCacheLine);
  EXPECT_TRUE(lines->traits().flushable);
  EXPECT_FALSE(lines->traits().survives_power_cut);
  EXPECT_EQ(lines->traits().granularity, 64U);

  const auto synced = MustOpen(directory.path(), FlushMode::kFile);
  EXPECT_FALSE(synced->traits().flushable);
  EXPECT_FALSE(synced->traits().survives_power_cut);
  EXPECT_EQ(synced->traits().granularity, 512U);

  EXPECT_EQ(space->boot_id(), lines->boot_id());
  EXPECT_EQ(space->boot_id().size(), 36U);
}

TEST(DirectorySpaceTest, ADirectoryIsMadeOnlyWhenAskedFor) {
  const ScratchDirectory directory("/tmp");
  const std::string path = directory.path() + "/one/two/";
  const auto missing = OpenDirectorySpace(path);
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_THAT(Message(missing.status()), HasSubstr("two"));
  const DirectoryOptions making{.missing = DirectoryOptions::Missing::kMake};
  EXPECT_TRUE(OpenDirectorySpace(path, making).ok());
  EXPECT_TRUE(OpenDirectorySpace(path, making).ok());
  EXPECT_TRUE(OpenDirectorySpace(path).ok());

  ASSERT_TRUE(WriteFileAtomically(directory.path() + "/file", "text").ok());
  EXPECT_FALSE(OpenDirectorySpace(directory.path() + "/file").ok());
  EXPECT_FALSE(OpenDirectorySpace(directory.path() + "/file", making).ok());
}

TEST(DirectorySpaceTest, CacheLinesAreNotFlushedToADisk) {
  const ScratchDirectory directory("/tmp");
  if (MustOpen(directory.path())->traits().flushable) GTEST_SKIP() << "/tmp is no disk here";
  const auto space = OpenDirectorySpace(directory.path(), {.flush = FlushMode::kCacheLine});
  EXPECT_EQ(space.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(space.status()), HasSubstr("flushing cache lines"));
}

TEST(DirectorySpaceTest, OneSpaceAtATimeHoldsTheLock) {
  const ScratchDirectory directory("/tmp");
  auto first = MustOpen(directory.path());
  auto second = MustOpen(directory.path());
  ASSERT_TRUE(first->Lock().ok());
  const Status refused = second->Lock();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(refused), HasSubstr(std::to_string(getpid())));
  first.reset();
  EXPECT_TRUE(second->Lock().ok());
}

// Ends the child whatever becomes of the test.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() { Kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

TEST(DirectorySpaceTest, ALockEndsWithTheProcessThatIsKilled) {
  const ScratchDirectory directory("/tmp");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const auto space = OpenDirectorySpace(directory.path());
    const char answer = space.ok() && (*space)->Lock().ok() ? 'y' : 'n';
    [[maybe_unused]] const ssize_t ignored = write(ready[1], &answer, 1);
    for (;;) pause();
  }
  ASSERT_GT(pid, 0);
  Child child(pid);
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  close(ready[0]);
  close(ready[1]);
  ASSERT_EQ(answer, 'y');
  const auto space = MustOpen(directory.path());
  const Status refused = space->Lock();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(refused), HasSubstr("process " + std::to_string(child.pid())));
  child.Kill();
  EXPECT_TRUE(space->Lock().ok());
}

TEST(DirectorySpaceTest, RoomIsAllocatedWhenARegionIsMade) {
  for (const char* base : {"/dev/shm", "/tmp"}) {
    const ScratchDirectory directory(base);
    const auto space = MustOpen(directory.path());
    ASSERT_TRUE(space->Create("a", 1'000'000, RegionUse::kLog).ok());
    struct stat facts {};
    ASSERT_EQ(stat((directory.path() + "/a").c_str(), &facts), 0);
    EXPECT_GE(facts.st_blocks * 512, 1'000'000) << base;
  }
}

TEST(DirectorySpaceTest, HolesAreFilledBeforeARegionIsWritten) {
  for (const char* base : {"/dev/shm", "/tmp"}) {
    const ScratchDirectory directory(base);
    const std::string path = directory.path() + "/a";
    ASSERT_TRUE(WriteFileAtomically(path, "text").ok());
    ASSERT_EQ(truncate(path.c_str(), 1'000'000), 0);
    const auto space = MustOpen(directory.path());
    ASSERT_TRUE(space->Open("a", RegionUse::kWords, Access::kReadOnly).ok());
    struct stat facts {};
    ASSERT_EQ(stat(path.c_str(), &facts), 0);
    EXPECT_LT(facts.st_blocks * 512, 1'000'000) << base;
    ASSERT_TRUE(space->Open("a", RegionUse::kWords, Access::kReadWrite).ok());
    ASSERT_EQ(stat(path.c_str(), &facts), 0);
    EXPECT_GE(facts.st_blocks * 512, 1'000'000) << base;
    EXPECT_EQ(facts.st_size, 1'000'000) << base;
  }
}

TEST(DirectorySpaceTest, MoreThanAnyFileCanHaveIsRefused) {
  for (const char* base : {"/dev/shm", "/tmp"}) {
    const ScratchDirectory directory(base);
    const auto space = MustOpen(directory.path());
    for (const std::uint64_t bytes : {UINT64_MAX, std::uint64_t{1} << 63, std::uint64_t{1} << 61}) {
      const auto region = space->Create("a", bytes, RegionUse::kLog);
      EXPECT_EQ(region.code(), StatusCode::kResourceExhausted) << region.status().ToString();
      EXPECT_THAT(Message(region.status()), HasSubstr(std::to_string(bytes)));
    }
    EXPECT_TRUE(space->List()->empty());
  }
}

class FullDiskTest : public testing::TestWithParam<FlushMode> {};

TEST_P(FullDiskTest, IsMetAtCreationAlone) {
  const SmallFileSystem disk("size=1m");
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a file system";
  const auto space = MustOpen(disk.path(), GetParam());
  ASSERT_NE(space, nullptr);
  const auto region = space->Create("a", 700'000, RegionUse::kWords);
  ASSERT_TRUE(region.ok()) << region.status().ToString();
  const auto refused = space->Create("b", 600'000, RegionUse::kLog);
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(refused.status()), HasSubstr("600000 bytes"));
  EXPECT_THAT(std::string(refused.status().hint()), HasSubstr("ask for less"));
  // Nothing of it stays, and the rest can be had to the last page.
  ASSERT_EQ(space->List()->size(), 1U);
  std::uint64_t pages = 0;
  while (space->Create("page" + std::to_string(pages), 4096, RegionUse::kLog).ok()) ++pages;
  EXPECT_GE(pages, 60U);
  // Now the disk is full, and all that was allocated can be stored to.
  const std::vector<std::byte> bytes(700'000, std::byte{'x'});
  EXPECT_TRUE((*region)->Write(0, bytes).ok());
  EXPECT_TRUE((*region)->Persist(0, bytes.size(), PersistSite::kBatch).ok());
  EXPECT_EQ((*region)->data()[699'999], std::byte{'x'});
  ASSERT_TRUE(space->Remove("page0").ok());
  EXPECT_TRUE(space->Create("c", 4096, RegionUse::kLog).ok());
}

TEST_P(FullDiskTest, IsMetWhenHolesAreFilled) {
  const SmallFileSystem disk("size=1m");
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a file system";
  const std::string path = disk.path() + "/a";
  ASSERT_TRUE(WriteFileAtomically(path, "text").ok());
  ASSERT_EQ(truncate(path.c_str(), 2'000'000), 0);
  const auto space = MustOpen(disk.path(), GetParam());
  EXPECT_EQ(space->Open("a", RegionUse::kWords, Access::kReadWrite).code(),
            StatusCode::kResourceExhausted);
  EXPECT_TRUE(space->Open("a", RegionUse::kWords, Access::kReadOnly).ok());
}

TEST_P(FullDiskTest, AReadOnlyFileSystemIsReadAndNotWritten) {
  SmallFileSystem disk("size=1m");
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a file system";
  ASSERT_TRUE(MustOpen(disk.path(), GetParam())->Create("a", 5000, RegionUse::kLog).ok());
  ASSERT_TRUE(disk.MakeReadOnly());
  const auto space = MustOpen(disk.path(), GetParam());
  ASSERT_NE(space, nullptr);
  for (const Status& refused :
       {space->Create("b", 5000, RegionUse::kLog).status(), space->Remove("a"), space->Lock(),
        space->Open("a", RegionUse::kLog, Access::kReadWrite).status()}) {
    EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied) << refused.ToString();
    EXPECT_THAT(std::string(refused.hint()), HasSubstr("read-only"));
  }
  const auto region = space->Open("a", RegionUse::kLog, Access::kReadOnly);
  ASSERT_TRUE(region.ok()) << region.status().ToString();
  EXPECT_EQ((*region)->size(), 5000U);
}

INSTANTIATE_TEST_SUITE_P(Modes, FullDiskTest,
                         testing::Values(FlushMode::kAuto, FlushMode::kCacheLine, FlushMode::kFile),
                         [](const testing::TestParamInfo<FlushMode>& tested) {
                           switch (tested.param) {
                             case FlushMode::kAuto:
                               return "Auto";
                             case FlushMode::kCacheLine:
                               return "CacheLine";
                             case FlushMode::kFile:
                               return "File";
                           }
                           return "";
                         });

TEST(DirectorySpaceTest, WhatIsNoOrdinaryFileIsNeitherListedNorOpened) {
  const ScratchDirectory directory("/tmp");
  const auto space = MustOpen(directory.path());
  std::filesystem::create_directory(directory.path() + "/directory");
  ASSERT_EQ(mkfifo((directory.path() + "/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(space->List()->empty());
  for (const char* name : {"directory", "pipe"}) {
    for (const Access access : {Access::kReadOnly, Access::kReadWrite}) {
      EXPECT_EQ(space->Open(name, RegionUse::kLog, access).code(), StatusCode::kIoError) << name;
    }
  }
}

TEST(DirectorySpaceTest, StoresOfOneProcessAreSeenByAnother) {
  for (const FlushMode flush : {FlushMode::kAuto, FlushMode::kFile}) {
    const ScratchDirectory directory("/dev/shm");
    const auto space = MustOpen(directory.path(), flush);
    auto log = space->Create("log", 8192, RegionUse::kLog);
    auto words = space->Create("words", 8192, RegionUse::kWords);
    ASSERT_TRUE(log.ok() && words.ok());
    const pid_t pid = fork();
    if (pid == 0) {
      const std::byte byte{'x'};
      const bool written = (*log)->Write(5000, {&byte, 1}).ok();
      (*words)->StoreWord(4096, 77);
      // As if killed: nothing is closed or persisted in order.
      _exit(written ? 0 : 1);
    }
    ASSERT_GT(pid, 0);
    int outcome = 0;
    ASSERT_EQ(waitpid(pid, &outcome, 0), pid);
    EXPECT_EQ(outcome, 0);
    EXPECT_EQ((*log)->data()[5000], std::byte{'x'});
    EXPECT_EQ((*words)->LoadWord(4096), 77U);
  }
}

}  // namespace
}  // namespace cirein
