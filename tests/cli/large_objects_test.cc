// SPDX-License-Identifier: Apache-2.0

// Large objects between processes of which one is killed in the middle.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "cli/command_process.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

/// By which fabric the processes reach each other.
class LargeObjectsTest : public test::LibraryTest, public testing::WithParamInterface<const char*> {
 protected:
  static constexpr std::size_t kBytes = std::size_t{16} << 20;

  LargeObjectsTest() : LibraryTest({{"fabric.use", GetParam()}, {"default.deadline", "60s"}}) {}

  /// A member, and the URL of a pool that has it alone.
  std::unique_ptr<CommandProcess> StartMember(std::string& url) const {
    auto member = std::make_unique<CommandProcess>(
        std::vector<std::string>{"serve", "--set", std::string("fabric.use=") + GetParam()});
    const std::string begin = "cirein is a member at ";
    const std::string line = member->ReadLine();
    EXPECT_TRUE(line.starts_with(begin)) << line;
    EXPECT_EQ(member->ReadLine(), "cirein is ready");
    url = "dht:/large&num=1&ag0=" + line.substr(std::min(begin.size(), line.size()));
    return member;
  }
};

INSTANTIATE_TEST_SUITE_P(Fabrics, LargeObjectsTest, testing::Values("shm", "ofi"),
                         [](const auto& fabric) { return std::string(fabric.param); });

TEST_P(LargeObjectsTest, AMemberThatIsKilledFailsWhatIsUnderWay) {
  std::string url;
  const auto member = StartMember(url);
  Pool pool = Open(url);
  const DataObject object = test::MakeObjectOf(kBytes);
  ASSERT_OK(pool.Publish(Key("there"), object));
  constexpr int kMany = 8;
  test::Countdown published(kMany);
  test::Countdown needed(kMany);
  Notification first;
  std::atomic<int> good{0};
  for (int i = 0; i < kMany; ++i) {
    pool.Publish(Key("row" + std::to_string(i)), object, [&](const Result<ObjectInfo>& info) {
      if (info.ok()) ++good;
      if (!info.ok()) EXPECT_CODE(info, kUnavailable);
      first.Notify();
      published.CountDown();
    });
    pool.Want(Key("there"),
              [&](const Result<NamedObject>& named) {
                if (named.ok())
                  EXPECT_EQ(named->object.Compare(object), DataObject::Difference::kEqual);
                if (!named.ok()) EXPECT_CODE(named, kDeadlineExceeded) << "it waits for the member";
                needed.CountDown();
              },
              {.deadline = 3s});
  }
  ASSERT_TRUE(test::Await(first));
  member->End(SIGKILL);
  EXPECT_TRUE(published.Wait());
  EXPECT_TRUE(needed.Wait());
  EXPECT_GE(good, 1);
  EXPECT_TRUE(test::Eventually([&] { return object.use_count() == 1; }))
      << "the memory is the user's alone again";
  EXPECT_CODE(pool.Publish(Key("late"), object), kUnavailable);
}

TEST_P(LargeObjectsTest, AClientThatIsKilledLeavesTheMemberToOthers) {
  std::string url;
  const auto member = StartMember(url);
  Pool pool = Open(url);
  for (int round = 0; round < 3; ++round) {
    // Publishes and reads large objects until it is killed.
    CommandProcess client({"blast", url, "--value-size", "8MiB", "--keys", "16", "--duration",
                           "600s", "--threads", "4", "--set",
                           std::string("fabric.use=") + GetParam()});
    ASSERT_TRUE(test::Eventually([&] {
      const auto page = pool.List(Pattern::RowPrefix(""));
      return page.ok() && !page->objects.empty();
    }));
    client.End(SIGKILL);
    ASSERT_OK(pool.Publish(Key("ours"), test::MakeObjectOf(kBytes)));
    const auto needed = pool.Need(Key("ours"));
    ASSERT_OK(needed);
    EXPECT_EQ(needed->data_bytes(), kBytes);
    EXPECT_OK(pool.Drop(Pattern::RowPrefix("")));
  }
}

}  // namespace
}  // namespace cirein
