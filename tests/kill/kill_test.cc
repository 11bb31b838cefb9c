// SPDX-License-Identifier: Apache-2.0

// Programs that are killed with -9 while they write, again and again; whatever they were told is
// kept must be there.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "cirein/cirein.h"

#include "base/random.h"
#include "dpm/verify.h"
#include "kill/elastic_numbered.h"
#include "kill/numbered.h"
#include "region/directory_space.h"
#include "support/library_test.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::test {
namespace {

using dpm::Dpm;

constexpr int kShards = 2;

/// A child that prints lines until it is killed.
class Child {
 public:
  Child(const std::string& program, const std::vector<std::string>& arguments) {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      std::vector<char*> argv{const_cast<char*>(program.c_str())};
      for (const std::string& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
      }
      argv.push_back(nullptr);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    close(ends[1]);
    read_end_ = ends[0];
  }
  ~Child() {
    Kill();
    if (read_end_ >= 0) close(read_end_);
  }

  /// More of what it printed; false at the end.
  bool Read(std::string* text) {
    char buffer[4096];
    const ssize_t got = read(read_end_, buffer, sizeof buffer);
    if (got > 0) text->append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  bool Running() {
    if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int read_end_ = -1;
};

struct Setting {
  std::string name;
  std::string base;  // The file system.
  dpm::Durability durability;
};

class KillTest : public testing::TestWithParam<Setting> {};

/// By writer or shard, the last number that was acknowledged.
using Acknowledged = std::map<std::uint32_t, std::uint64_t>;

/// Kills the child after so many lines, at whatever instant they come; takes note of all it said.
void KillAfter(std::uint64_t lines, Child& child, Acknowledged& acknowledged) {
  std::string text;
  std::uint64_t seen = 0;
  std::size_t looked_at = 0;
  while (seen < lines && child.Read(&text)) {
    for (; looked_at < text.size(); ++looked_at) {
      if (text[looked_at] == '\n') ++seen;
    }
  }
  EXPECT_GE(seen, lines) << "it ended by itself";
  child.Kill();
  while (child.Read(&text)) {
  }
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  std::istringstream stream(text);
  std::uint32_t writer = 0;
  std::uint64_t number = 0;
  while (stream >> writer >> number) acknowledged[writer] = number;
}

int RoundsFromEnvironment() {
  const char* const given = std::getenv("CIREIN_TEST_KILL_ROUNDS");
  return given != nullptr ? std::atoi(given) : 8;
}

/// A directory that goes away with it.
class Scratch {
 public:
  explicit Scratch(const std::string& base) : path_(base + "/cirein_kill_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~Scratch() {
    if (!path_.empty()) std::filesystem::remove_all(path_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void CheckClean(const std::string& path) {
  auto space = OpenDirectorySpace(path);
  ASSERT_OK(space.status());
  const auto report = dpm::VerifyPool(**space);
  ASSERT_OK(report.status());
  for (const dpm::Finding& finding : report->findings) {
    EXPECT_NE(finding.severity, dpm::Finding::Severity::kCorruption) << finding.what;
  }
}

void CheckAll(const std::string& path, const Acknowledged& acknowledged) {
  CheckClean(path);
  auto space = OpenDirectorySpace(path);
  ASSERT_OK(space.status());
  dpm::Findings findings;
  auto pool = Dpm::Open(std::move(*space), {}, &findings);
  ASSERT_OK(pool.status());
  DpmUser user(**pool, 1000);
  for (const auto& [shard, last] : acknowledged) ASSERT_OK(CheckNumbered(user, shard, last));
}

TEST_P(KillTest, WhatWasAcknowledgedIsThere) {
  Random random(Seed());
  const int rounds = RoundsFromEnvironment();
  const Scratch scratch(GetParam().base);
  const std::string& path = scratch.path();
  ASSERT_NE(path, "");
  {
    auto space = OpenDirectorySpace(path);
    ASSERT_OK(space.status());
    dpm::CreateOptions options;
    options.segment_bytes = 128 * 1024;
    options.log_bytes = 48 * options.segment_bytes;  // Small: the cleaner is busy.
    options.index_bytes = 4 << 20;
    options.extent_limit_bytes = 256 << 20;
    options.durability = GetParam().durability;
    options.pool_id = random();
    ASSERT_OK(Dpm::Create(**space, options));
  }
  Acknowledged acknowledged;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    {
      Child child(CIREIN_POOL_KEEPER, {"write", path, std::to_string(kShards)});
      // Sometimes at once.
      KillAfter(random.OneIn(4) ? random.Below(3) : random.Below(1500), child, acknowledged);
    }
    CheckAll(path, acknowledged);
    if (HasFatalFailure()) return;
    // Where it is now is where the next one goes on from.
  }
  std::uint64_t sum = 0;
  for (const auto& [shard, last] : acknowledged) sum += last;
  RecordProperty("acknowledged", std::to_string(sum));
  EXPECT_GT(sum, 0u);
}

std::vector<Key> ListAll(const Pool& pool) {
  std::vector<Key> keys;
  ListOptions options;
  do {
    const Result<ListPage> page = pool.List(Pattern::RowPrefix(""), options);
    EXPECT_OK(page.status());
    if (!page.ok()) break;
    for (const ListedObject& object : page->objects) keys.push_back(object.key);
    options.cursor = page->next;
  } while (!options.cursor.empty());
  return keys;
}

// Opens the pool as any program does. It holds of each writer what was acknowledged, and maybe the
// one call more that was under way, whole; which of them it was is remembered.
void CheckElastic(const std::string& url, const Acknowledged& acknowledged,
                  std::vector<ElasticExpected>& expected) {
  const Library library(TestConfig());
  ASSERT_OK(library.status());
  const auto pool = Connect(url);
  ASSERT_OK(pool.status());
  const std::vector<Key> listed = ListAll(*pool);
  for (const auto& [writer, last] : acknowledged) {
    ElasticExpected& state = expected[writer];
    state.AdvanceTo(last);
    const Status at_last = state.Check(*pool, listed);
    if (at_last.ok()) continue;
    state.AdvanceTo(last + 1);
    const Status one_more = state.Check(*pool, listed);
    EXPECT_TRUE(one_more.ok()) << at_last.ToString() << "\n" << one_more.ToString();
  }
}

// The same through the public API: publishes, groups, large objects and drops of two threads.
TEST_P(KillTest, WhatAnElasticPoolAcknowledgedIsThere) {
  Random random(Seed());
  const int rounds = RoundsFromEnvironment();
  const Scratch scratch(GetParam().base);
  ASSERT_NE(scratch.path(), "");
  // Small: the cleaner is busy. The first writer makes the pool, if it comes to that.
  const std::string path = scratch.path() + "/pool";
  const std::string url = "elastic:" + path + "&shards=2&size=6MiB&cache=1MiB&durability=" +
                          (GetParam().durability == dpm::Durability::kPower ? "power" : "process");
  std::vector<ElasticExpected> expected{ElasticExpected(0), ElasticExpected(1)};
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    Acknowledged acknowledged{{0, expected[0].last()}, {1, expected[1].last()}};
    {
      Child child(CIREIN_ELASTIC_KEEPER, {"write", url, std::to_string(expected[0].last() + 1),
                                          std::to_string(expected[1].last() + 1)});
      // Sometimes at once; but there is a pool after the first time.
      const std::uint64_t lines = random.OneIn(4) ? random.Below(3) : random.Below(1500);
      KillAfter(round == 0 ? lines + 1 : lines, child, acknowledged);
    }
    CheckClean(path);
    CheckElastic(url, acknowledged, expected);
    if (HasFailure()) return;
    // Closed, as opposed to killed.
    if (random.OneIn(4)) CheckClean(path);
  }
  RecordProperty("acknowledged", std::to_string(expected[0].last() + expected[1].last()));
  EXPECT_GT(expected[0].last() + expected[1].last(), 0U);
}

std::uint64_t FilesIn(const std::string& directory) {
  std::error_code none;
  const std::filesystem::directory_iterator files(directory, none);
  return static_cast<std::uint64_t>(std::distance(begin(files), end(files)));
}

// Killed while it makes the pool, before or after this or that of its files is there: the next
// program makes or finds one.
TEST_P(KillTest, AnElasticPoolThatIsHalfMadeIsMade) {
  Random random(Seed());
  const std::string durability =
      GetParam().durability == dpm::Durability::kPower ? "power" : "process";
  for (int round = 0; round < RoundsFromEnvironment(); ++round) {
    SCOPED_TRACE(round);
    const Scratch scratch(GetParam().base);
    ASSERT_NE(scratch.path(), "");
    const std::string path = scratch.path() + "/pool";
    const std::string url = "elastic:" + path + "&shards=2&size=6MiB&durability=" + durability;
    Acknowledged acknowledged{{0, 0}, {1, 0}};
    {
      Child child(CIREIN_ELASTIC_KEEPER, {"write", url, "1", "1"});
      const std::uint64_t files = random.Below(5);
      while (FilesIn(path) < files && child.Running()) {
      }
      KillAfter(0, child, acknowledged);
    }
    std::vector<ElasticExpected> expected{ElasticExpected(0), ElasticExpected(1)};
    CheckElastic(url, acknowledged, expected);
    CheckClean(path);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Media, KillTest,
    testing::Values(Setting{"TmpfsProcess", "/dev/shm", dpm::Durability::kProcess},
                    Setting{"TmpfsPower", "/dev/shm", dpm::Durability::kPower},
                    Setting{"DiskProcess", "/tmp", dpm::Durability::kProcess},
                    Setting{"DiskPower", "/tmp", dpm::Durability::kPower}),
    [](const testing::TestParamInfo<Setting>& test) { return test.param.name; });

}  // namespace
}  // namespace cirein::test
