// SPDX-License-Identifier: Apache-2.0
#include "runtime/file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 24;

class FileTest : public testing::Test {
 protected:
  std::string Path(std::string_view name) const { return directory_.File(name); }
  std::size_t EntryCount() const { return ListDirectory(directory_.path())->size(); }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(FileTest, ReadsBackWhatWasWritten) {
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 3'000'000U}) {
    const std::string text(size, 'x');
    ASSERT_TRUE(WriteFileAtomically(Path("f"), text).ok());
    const auto read = ReadFile(Path("f"), kMaxBytes);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(*read, text);
    EXPECT_EQ(*FileBytes(Path("f")), size);
  }
  EXPECT_EQ(EntryCount(), 1U);
}

TEST_F(FileTest, WritesPartsInOrder) {
  const std::string a = "one ";
  const std::string b = "two";
  const std::array parts = {std::as_bytes(std::span(a)), std::span<const std::byte>(),
                            std::as_bytes(std::span(b))};
  ASSERT_TRUE(WriteFileAtomically(Path("f"), parts).ok());
  EXPECT_EQ(*ReadFile(Path("f"), kMaxBytes), "one two");
}

TEST_F(FileTest, RemovesWhatWasLeftBehindButNotWhatIsBeingFilled) {
  const std::string path = Path("f.tmp-1-1");
  ASSERT_TRUE(WriteFileAtomically(path, "half").ok());
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_TRUE(RemoveIfLeftBehind(path).ok());
  EXPECT_EQ(EntryCount(), 1U) << "somebody is at it";
  close(fd);
  EXPECT_TRUE(RemoveIfLeftBehind(path).ok());
  EXPECT_EQ(EntryCount(), 0U);
  EXPECT_TRUE(RemoveIfLeftBehind(path).ok()) << "gone is fine";
}

TEST_F(FileTest, HoldsAFileAlone) {
  auto held = HoldFile(Path("lock"));
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(HoldFile(Path("lock")).code(), StatusCode::kFailedPrecondition);
  held->Close();
  EXPECT_TRUE(HoldFile(Path("lock")).ok());
  EXPECT_EQ(HoldFile(Path("none/lock")).code(), StatusCode::kNotFound);
}

TEST_F(FileTest, WritesWithoutWaitingForTheMedium) {
  const std::string text = "text";
  const std::array parts = {std::as_bytes(std::span(text))};
  ASSERT_TRUE(WriteFileAtomically(Path("f"), parts, FileKept::kBySystem).ok());
  EXPECT_EQ(*ReadFile(Path("f"), kMaxBytes), "text");
  EXPECT_TRUE(SyncDirectory(directory_.path()).ok());
  EXPECT_FALSE(SyncDirectory(Path("f")).ok());
}

TEST_F(FileTest, ReadsFilesThatDoNotTellTheirSize) {
  const auto status = ReadFile("/proc/self/status", kMaxBytes);
  ASSERT_TRUE(status.ok());
  EXPECT_TRUE(status->starts_with("Name:"));
  EXPECT_EQ(*ReadFile("/dev/null", kMaxBytes), "");
}

TEST_F(FileTest, ReadsStandardInputToItsEnd) {
  const int saved = dup(STDIN_FILENO);
  for (const std::uint64_t max_bytes : {5U, 4U}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    ASSERT_EQ(write(ends[1], "12345", 5), 5);
    close(ends[1]);
    ASSERT_EQ(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    const auto read = ReadStandardInput(max_bytes);
    EXPECT_EQ(read.value_or("too long"), max_bytes == 5 ? "12345" : "too long");
  }
  if (saved >= 0) dup2(saved, STDIN_FILENO);
  close(saved);
}

TEST_F(FileTest, ClosedStandardFilesAreNotOpenedForOthers) {
  const pid_t child = fork();
  if (child == 0) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(fd);
    ReserveStandardFiles();
    char byte = 'x';
    const bool apart = open("/dev/null", O_RDWR | O_CLOEXEC) > STDERR_FILENO;
    const bool fails = read(STDIN_FILENO, &byte, 1) < 0 && write(STDOUT_FILENO, &byte, 1) < 0;
    _exit(apart && fails ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(FileTest, OpenStandardFilesStayAsTheyAre) {
  struct stat before {};
  struct stat after {};
  ASSERT_EQ(fstat(STDOUT_FILENO, &before), 0);
  ReserveStandardFiles();
  ASSERT_EQ(fstat(STDOUT_FILENO, &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(FileTest, TellsTheWorkingDirectory) {
  const auto path = WorkingDirectory();
  ASSERT_TRUE(path.ok());
  char buffer[4096];
  EXPECT_EQ(*path, getcwd(buffer, sizeof buffer));
}

TEST_F(FileTest, RefusesFilesThatAreTooLarge) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "12345").ok());
  EXPECT_EQ(*ReadFile(Path("f"), 5), "12345");
  const auto large = ReadFile(Path("f"), 4);
  EXPECT_EQ(large.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(large.status().message().find(Path("f")), std::string_view::npos);
  EXPECT_EQ(ReadFile(Path("f"), 0).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile("/dev/zero", 100'000).code(), StatusCode::kResourceExhausted);
}

TEST_F(FileTest, ReadsARange) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "0123456789").ok());
  std::string into(4, ' ');
  ASSERT_TRUE(ReadFileInto(Path("f"), 3, std::as_writable_bytes(std::span(into))).ok());
  EXPECT_EQ(into, "3456");
  const Status shorter = ReadFileInto(Path("f"), 8, std::as_writable_bytes(std::span(into)));
  EXPECT_EQ(shorter.code(), StatusCode::kDataLoss);
  EXPECT_NE(shorter.message().find("ends at byte 10"), std::string_view::npos);
}

TEST_F(FileTest, SaysWhatIsWrongWithAPath) {
  EXPECT_EQ(ReadFile(Path("none"), kMaxBytes).code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(directory_.path(), kMaxBytes).code(), StatusCode::kIoError);
  EXPECT_EQ(FileBytes(directory_.path()).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(FileBytes(Path("none")).code(), StatusCode::kNotFound);
  EXPECT_EQ(RemoveFile(Path("none")).code(), StatusCode::kNotFound);
  EXPECT_EQ(ListDirectory(Path("none")).code(), StatusCode::kNotFound);
  EXPECT_EQ(WriteFileAtomically(Path("none/f"), "x").code(), StatusCode::kNotFound);
  EXPECT_NE(ReadFile(Path("none"), kMaxBytes).status().message().find(Path("none")),
            std::string_view::npos);
}

TEST_F(FileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "old").ok());
  // A limit on the size of files acts as a full disk does.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status failed = WriteFileAtomically(Path("f"), std::string(10'000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(failed.code(), StatusCode::kIoError) << failed.ToString();
  EXPECT_EQ(*ReadFile(Path("f"), kMaxBytes), "old");
  EXPECT_EQ(EntryCount(), 1U);
  // A directory cannot be replaced by a file.
  ASSERT_TRUE(MakeDirectories(Path("d/full")).ok());
  EXPECT_FALSE(WriteFileAtomically(Path("d"), "x").ok());
  EXPECT_EQ(EntryCount(), 2U);
}

TEST_F(FileTest, KeepsTheModeOfAFileItReplaces) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "old").ok());
  ASSERT_EQ(chmod(Path("f").c_str(), 0640), 0);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "new").ok());
  struct stat facts {};
  ASSERT_EQ(stat(Path("f").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0640U);
}

TEST_F(FileTest, AReaderSeesOneWholeVersion) {
  const std::string a(50'000, 'a');
  const std::string b(70'000, 'b');
  ASSERT_TRUE(WriteFileAtomically(Path("f"), a).ok());
  std::atomic<bool> over{false};
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(WriteFileAtomically(Path("f"), i % 2 ? a : b).ok());
    over = true;
  });
  while (!over) {
    const auto text = ReadFile(Path("f"), kMaxBytes);
    ASSERT_TRUE(text.ok());
    ASSERT_TRUE(*text == a || *text == b);
  }
  writer.join();
}

TEST_F(FileTest, ListsADirectory) {
  ASSERT_TRUE(WriteFileAtomically(Path("b"), "12").ok());
  ASSERT_TRUE(MakeDirectories(Path("a")).ok());
  ASSERT_TRUE(MakeDirectories(Path("a")).ok());
  ASSERT_EQ(symlink("b", Path("c").c_str()), 0);
  ASSERT_EQ(symlink("nowhere", Path("d").c_str()), 0);
  using Kind = DirectoryEntry::Kind;
  const std::vector<DirectoryEntry> expected = {{"a", Kind::kDirectory, 0},
                                                {"b", Kind::kFile, 2},
                                                {"c", Kind::kFile, 2},
                                                {"d", Kind::kOther, 0}};
  const auto entries = ListDirectory(directory_.path());
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(*entries, expected);
  EXPECT_TRUE(RemoveFile(Path("b")).ok());
  EXPECT_EQ(EntryCount(), 3U);
  EXPECT_FALSE(MakeDirectories("/proc/none/at/all").ok());
}

TEST(Environ, HasTheVariables) {
  ASSERT_EQ(setenv("CIREIN_TEST_VARIABLE", "a=b", 1), 0);
  const auto variables = Environ();
  EXPECT_EQ(std::count(variables.begin(), variables.end(), "CIREIN_TEST_VARIABLE=a=b"), 1);
  unsetenv("CIREIN_TEST_VARIABLE");
}

}  // namespace
}  // namespace cirein
