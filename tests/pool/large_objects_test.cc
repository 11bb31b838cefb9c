// SPDX-License-Identifier: Apache-2.0

// Large objects between processes, of which one is killed in the middle.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "cirein/cirein.h"

#include "pool/process.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

/// A copy of this process, made while it has no other threads. Killed at the end.
class Copy {
 public:
  /// What it reads and says: lines. It ends when `run` returns.
  struct Ends {
    int in = -1;
    int out = -1;
    std::string ReadLine() const {
      std::string line;
      for (char byte = 0; read(in, &byte, 1) == 1 && byte != '\n';) line += byte;
      return line;
    }
    void Say(std::string line) const {
      line += '\n';
      EXPECT_EQ(write(out, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    }
  };

  explicit Copy(const std::function<void(const Ends&)>& run) {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    if (pipe(to.data()) != 0 || pipe(from.data()) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      close(to[1]);
      close(from[0]);
      run({to[0], from[1]});
      _exit(0);
    }
    close(to[0]);
    close(from[1]);
    ends_ = {from[0], to[1]};
  }
  ~Copy() {
    Kill();
    close(ends_.in);
    close(ends_.out);
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  const Ends& ends() const { return ends_; }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  Ends ends_;
};

/// A member and a client of it, as processes; the parameter is the fabric by which they are
/// reached.
class LargeObjectsTest : public test::LibraryTest, public testing::WithParamInterface<const char*> {
 protected:
  static constexpr std::size_t kBytes = std::size_t{16} << 20;

  LargeObjectsTest() : LibraryTest({{"fabric.use", GetParam()}}) {}

  void SetUp() override {
    member_ = std::make_unique<Copy>(BeMember);
    client_ = std::make_unique<Copy>(BeClient);
    url_ = "dht:/large&num=1&ag0=" + member_->ends().ReadLine();
    LibraryTest::SetUp();
  }
  void TearDown() override {
    LibraryTest::TearDown();
    client_.reset();
    member_.reset();
  }

  static Config OfCopy() { return test::TestConfig({{"fabric.use", GetParam()}}); }
  static void BeMember(const Copy::Ends& ends) {
    const std::shared_ptr<Process> process = Process::Start(OfCopy()).value();
    ends.Say(process->network().value()->address());
    ends.ReadLine();
  }
  /// Publishes and needs large objects until it is killed.
  static void BeClient(const Copy::Ends& ends) {
    const std::string url = ends.ReadLine();
    if (url.empty() || !Start(OfCopy()).ok()) return;
    const Pool pool = Connect(url).value();
    const DataObject object = test::MakeObjectOf(kBytes);
    for (int i = 0;; ++i) {
      const Key key("client" + std::to_string(i % 4));
      if (!pool.Publish(key, object, {.overwrite = Overwrite::kYes}).ok()) return;
      if (!pool.Need(key).ok()) return;
      if (i == 0) ends.Say("under way");
    }
  }

  std::unique_ptr<Copy> member_;
  std::unique_ptr<Copy> client_;
  std::string url_;
};

INSTANTIATE_TEST_SUITE_P(Fabrics, LargeObjectsTest, testing::Values("shm", "ofi"),
                         [](const auto& fabric) { return std::string(fabric.param); });

TEST_P(LargeObjectsTest, AMemberThatIsKilledFailsWhatIsUnderWay) {
  Pool pool = Open(url_);
  const DataObject object = test::MakeObjectOf(kBytes);
  ASSERT_OK(pool.Publish(Key("there"), object));
  constexpr int kMany = 8;
  test::Countdown published(kMany);
  test::Countdown wanted(kMany);
  Notification first;
  std::atomic<int> good{0};
  for (int i = 0; i < kMany; ++i) {
    pool.Publish(Key("row" + std::to_string(i)), object, [&](const Result<ObjectInfo>& info) {
      if (info.ok()) {
        ++good;
      } else {
        EXPECT_CODE(info, kUnavailable);
      }
      first.Notify();
      published.CountDown();
    });
    pool.Want(Key("there"),
              [&](const Result<NamedObject>& named) {
                if (named.ok()) {
                  EXPECT_EQ(named->object.Compare(object), DataObject::Difference::kEqual);
                } else {
                  EXPECT_CODE(named, kDeadlineExceeded) << "it waits for the member to come again";
                }
                wanted.CountDown();
              },
              {.deadline = 5s});
  }
  ASSERT_TRUE(test::Await(first));
  member_->Kill();
  EXPECT_TRUE(published.Wait());
  EXPECT_TRUE(wanted.Wait());
  EXPECT_GE(good, 1);
  EXPECT_TRUE(test::Eventually([&] { return object.use_count() == 1; }))
      << "the memory is the user's alone again";
  EXPECT_CODE(pool.Publish(Key("late"), object), kUnavailable);
}

TEST_P(LargeObjectsTest, AClientThatIsKilledLeavesTheMemberToOthers) {
  client_->ends().Say(url_);
  ASSERT_EQ(client_->ends().ReadLine(), "under way");
  Pool pool = Open(url_);
  ASSERT_OK(pool.Publish(Key("ours"), test::MakeObjectOf(kBytes))) << "beside it";
  client_->Kill();
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK(pool.Publish(Key("row" + std::to_string(i)), test::MakeObjectOf(kBytes)));
    const auto needed = pool.Need(Key("ours"));
    ASSERT_OK(needed);
    EXPECT_EQ(needed->data_bytes(), kBytes);
  }
  const auto there = pool.List(Pattern::RowPrefix("client"));
  ASSERT_OK(there);
  for (const ListedObject& object : there->objects) {
    EXPECT_EQ(object.data_bytes, kBytes) << "whole, or not there";
    const auto needed = pool.Need(object.key);
    ASSERT_OK(needed);
    EXPECT_EQ(needed->Compare(test::MakeObjectOf(kBytes)), DataObject::Difference::kEqual);
  }
}

}  // namespace
}  // namespace cirein
