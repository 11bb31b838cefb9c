// SPDX-License-Identifier: Apache-2.0

// A program that writes to a pool beneath all that is above it, until it is killed: what the kill
// test kills.
//
//   pool_keeper write DIR SHARDS  writes numbered values for ever, one thread for each shard;
//                                 prints "SHARD N" when all of the shard up to number N is
//                                 acknowledged
//   pool_keeper check DIR         reads lines as `write` prints them, and checks what the pool
//                                 holds

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include "dpm/processor.h"
#include "kill/numbered.h"
#include "region/directory_space.h"
#include "runtime/reactor_thread.h"
#include "runtime/real_clock.h"
#include "runtime/thread_group.h"
#include "runtime/worker_pool.h"
#include "support/dpm_user.h"

namespace cirein::test {
namespace {

using dpm::Dpm;

void Fail(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "pool_keeper: %s\n", status.ToString().c_str());
  std::_Exit(1);
}

/// A pool with its processor, as a node will have it.
class Pool {
 public:
  explicit Pool(const std::string& path) {
    auto space = OpenDirectorySpace(path);
    Fail(space.status());
    dpm::Findings findings;
    auto pool = Dpm::Open(std::move(*space), {}, &findings);
    for (const dpm::Finding& finding : findings) {
      std::fprintf(stderr, "pool_keeper: note: %s\n", finding.what.c_str());
    }
    Fail(pool.status());
    pool_ = std::move(*pool);
    auto reactor = ReactorThread::Start(clock_);
    Fail(reactor.status());
    reactor_ = std::move(*reactor);
    workers_ = std::make_unique<WorkerPool>(WorkerPoolOptions{.name = "dpm", .threads_max = 1},
                                            clock_, reactor_->reactor());
    processor_ = std::make_unique<dpm::Processor>(*pool_, clock_, reactor_->reactor(), *workers_,
                                                  dpm::Processor::Options{});
  }
  Dpm& operator*() { return *pool_; }

 private:
  RealClock clock_;
  std::unique_ptr<Dpm> pool_;
  std::unique_ptr<ReactorThread> reactor_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<dpm::Processor> processor_;
};

/// One write system call, so that lines of several threads stay whole.
void Print(const std::string& line) {
  const ssize_t written = write(STDOUT_FILENO, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) std::_Exit(0);  // Nobody listens any more.
}

void WriteShard(Dpm& pool, std::uint32_t shard) {
  DpmUser user(pool, shard);
  auto first = FindLastNumber(user, shard);
  Fail(first.status());
  for (std::uint64_t number = *first + 1;;) {
    const std::uint64_t batch = 1 + Numbered(shard, number).hash % kMaxBatch;
    for (std::uint64_t i = 0; i < batch; ++i, ++number) {
      Fail(user.Stage(Numbered(shard, number).Group()));
    }
    Fail(user.Commit());
    Print(std::to_string(shard) + " " + std::to_string(number - 1) + "\n");
  }
}

int RunWrite(const std::string& path, const std::string& shards) {
  Pool pool(path);
  const std::size_t count = std::strtoul(shards.c_str(), nullptr, 10);
  Fail(RunThreads(count, "shard", [&](std::size_t shard) {
    WriteShard(*pool, static_cast<std::uint32_t>(shard));
    return OkStatus();
  }));
  return 0;
}

int RunCheck(const std::string& path) {
  std::map<std::uint32_t, std::uint64_t> acknowledged;
  std::uint32_t shard = 0;
  std::uint64_t number = 0;
  while (std::cin >> shard >> number) acknowledged[shard] = number;
  Pool pool(path);
  DpmUser user(*pool, 1000);
  for (const auto& [of_shard, last] : acknowledged) {
    Fail(CheckNumbered(user, of_shard, last));
    std::printf("shard %u: all up to %llu\n", of_shard, static_cast<unsigned long long>(last));
  }
  return acknowledged.empty() ? 1 : 0;
}

int Main(const std::vector<std::string>& arguments) {
  if (arguments.size() == 3 && arguments[0] == "write") return RunWrite(arguments[1], arguments[2]);
  if (arguments.size() == 2 && arguments[0] == "check") return RunCheck(arguments[1]);
  std::fputs("usage: pool_keeper write DIR SHARDS | check DIR\n", stderr);
  return 2;
}

}  // namespace
}  // namespace cirein::test

int main(int argc, char** argv) {
  return cirein::test::Main(std::vector<std::string>(argv + 1, argv + argc));
}
