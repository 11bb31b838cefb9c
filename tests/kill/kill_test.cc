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

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/random.h"
#include "dpm/verify.h"
#include "kill/numbered.h"
#include "region/directory_space.h"
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

void CheckAll(const std::string& path, const std::map<std::uint32_t, std::uint64_t>& acknowledged) {
  {
    auto space = OpenDirectorySpace(path);
    ASSERT_OK(space.status());
    const auto report = dpm::VerifyPool(**space);
    ASSERT_OK(report.status());
    for (const dpm::Finding& finding : report->findings) {
      EXPECT_NE(finding.severity, dpm::Finding::Severity::kCorruption) << finding.what;
    }
  }
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
  const char* const given = std::getenv("CIREIN_KILL_ROUNDS");
  const int rounds = given != nullptr ? std::atoi(given) : 8;
  std::string path = GetParam().base + "/cirein_kill_XXXXXX";
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  const auto remove = [](const std::string* made) { std::filesystem::remove_all(*made); };
  const std::unique_ptr<std::string, decltype(remove)> removed(&path, remove);
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
  std::map<std::uint32_t, std::uint64_t> acknowledged;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    {
      Child child(CIREIN_POOL_KEEPER, {"write", path, std::to_string(kShards)});
      // Killed after so much was acknowledged, at whatever instant that comes; sometimes at once.
      const std::uint64_t lines = random.OneIn(4) ? random.Below(3) : random.Below(1500);
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
      std::uint32_t shard = 0;
      std::uint64_t number = 0;
      while (stream >> shard >> number) acknowledged[shard] = number;
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

INSTANTIATE_TEST_SUITE_P(
    Media, KillTest,
    testing::Values(Setting{"TmpfsProcess", "/dev/shm", dpm::Durability::kProcess},
                    Setting{"TmpfsPower", "/dev/shm", dpm::Durability::kPower},
                    Setting{"DiskProcess", "/tmp", dpm::Durability::kProcess},
                    Setting{"DiskPower", "/tmp", dpm::Durability::kPower}),
    [](const testing::TestParamInfo<Setting>& test) { return test.param.name; });

}  // namespace
}  // namespace cirein::test
