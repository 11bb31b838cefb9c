// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_transport.h"

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fabric/conformance.h"
#include "fabric/shm_fabric.h"
#include "runtime/file_descriptor.h"
#include "runtime/reactor.h"
#include "runtime/temporary_directory.h"
#include "runtime/virtual_clock.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

/// Transports of one home, whose time the test moves.
class ShmTransportTest : public testing::Test {
 protected:
  static ShmOptions OptionsAt(const std::string& name) {
    ShmOptions options = ShmFabric::SmallOptions();
    if (!name.empty()) options.name = name;
    return options;
  }
  std::unique_ptr<ShmTransport> Make(const std::string& name = "") {
    return ShmTransport::Create(*home_, OptionsAt(name)).value();
  }
  void Pass(std::chrono::nanoseconds time) {
    home_->RunUntilIdle();
    clock_.Advance(time);
    home_->RunUntilIdle();
  }
  Result<ConnectionPtr> Connect(ShmTransport& from, const Address& to) {
    std::optional<Result<ConnectionPtr>> result;
    CIREIN_RETURN_IF_ERROR(from.Connect(
        to, service_, 10s, [&](Result<ConnectionPtr> made) { result = std::move(made); }));
    for (int i = 0; i < 20 && !result; ++i) Pass(1s);
    return result ? *result : Internal("no callback");
  }

  VirtualClock clock_;
  std::unique_ptr<Reactor> home_ = Reactor::Create(clock_).value();
  Recorder service_;
};

/// No more descriptors than there are and so many more, until it ends.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    // The lowest that are free are given out first.
    std::vector<FileDescriptor> taken;
    for (int i = 0; i < more; ++i) taken.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const FileDescriptor next(open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(next.get());
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ShmTransportTest, OptionsThatCannotBeAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("@"), std::string(108, 'x'), std::string("a\0b", 3)}) {
    ShmOptions options = ShmFabric::SmallOptions();
    options.name = name;
    EXPECT_EQ(ShmTransport::Create(*home_, options).code(), StatusCode::kInvalidArgument) << name;
  }
  for (const std::uint64_t bytes : {0U, 4095U, 4097U, 128U << 20}) {
    ShmOptions options = ShmFabric::SmallOptions();
    options.ring_bytes = bytes;
    EXPECT_EQ(ShmTransport::Create(*home_, options).code(), StatusCode::kInvalidArgument) << bytes;
  }
}

TEST_F(ShmTransportTest, APathIsItsOwnersAloneAndGoesAtTheEnd) {
  const auto directory = TemporaryDirectory::Create().value();
  const std::string path = directory.File("socket");
  auto listener = Make(path);
  EXPECT_EQ(listener->address(), "shm://" + path);
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "nobody listens yet";
  ASSERT_TRUE(listener->Listen(service_).ok());
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto other = Make();
  EXPECT_TRUE(Connect(*other, listener->address()).ok());
  // Whoever else wants it is told.
  auto second = Make(path);
  EXPECT_EQ(second->Listen(service_).code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(Connect(*other, listener->address()).ok());
  listener.reset();
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  EXPECT_TRUE(second->Listen(service_).ok()) << "it may try again";
}

TEST_F(ShmTransportTest, WhatTheDeadLeaveIsRemovedAndNothingElse) {
  const auto directory = TemporaryDirectory::Create().value();
  const std::string path = directory.File("socket");
  auto dead = Make(path);
  ASSERT_TRUE(dead->Listen(service_).ok());
  dead->Die();
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  const auto other = Make();
  EXPECT_EQ(Connect(*other, dead->address()).code(), StatusCode::kUnavailable);
  const auto next = Make(path);
  ASSERT_TRUE(next->Listen(service_).ok());
  dead.reset();
  EXPECT_TRUE(Connect(*other, next->address()).ok());
  // Somebody's file is not.
  const std::string file = directory.File("file");
  std::ofstream(file) << "mine";
  EXPECT_EQ(Make(file)->Listen(service_).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(access(file.c_str(), F_OK), 0);
  EXPECT_EQ(Make(directory.File("no/such"))->Listen(service_).code(), StatusCode::kUnavailable);
}

TEST_F(ShmTransportTest, WhatTheDeadHadWrittenIsTakenBeforeTheirEnd) {
  // More than is taken before the socket is looked at.
  constexpr std::size_t kMessages = 8000;
  ShmOptions options = OptionsAt("");
  options.limits.outstanding_max = kMessages;
  options.ring_bytes = 1U << 20;
  const auto listener = ShmTransport::Create(*home_, options).value();
  ASSERT_TRUE(listener->Listen(service_).ok());
  options.name += "-other";
  const auto other = ShmTransport::Create(*home_, options).value();
  const auto connection = Connect(*other, listener->address());
  ASSERT_TRUE(connection.ok());
  service_.on_closed = [&](const auto&) { EXPECT_EQ(service_.messages.size(), kMessages); };
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE((*connection)->Send(OnePart(std::to_string(i))).ok());
  }
  other->Die();
  Pass(1s);
  EXPECT_EQ(service_.closed.size(), 1U);
  ASSERT_EQ(service_.messages.size(), kMessages);
  EXPECT_EQ(service_.messages.back(), std::to_string(kMessages - 1));
}

// The sanitizers look at memory through descriptors of their own.
#if !defined(__SANITIZE_ADDRESS__)
TEST_F(ShmTransportTest, WithoutDescriptorsItFailsAndThenGoesOn) {
  const auto listener = Make();
  const auto other = Make();
  ASSERT_TRUE(listener->Listen(service_).ok());
  const auto steady = Connect(*other, listener->address());
  ASSERT_TRUE(steady.ok());
  int failed = 0;
  for (int more = 0; more < 12; ++more) {
    SCOPED_TRACE(more);
    {
      const FewDescriptors few(more);
      const auto made = Connect(*other, listener->address());
      if (made.ok()) {
        (*made)->Close();
      } else {
        ++failed;
        const bool said = made.code() == StatusCode::kResourceExhausted ||
                          made.code() == StatusCode::kUnavailable ||
                          made.code() == StatusCode::kDeadlineExceeded;
        EXPECT_TRUE(said) << made.status().ToString();
      }
      auto outcome = std::make_shared<Outcome>();
      EXPECT_TRUE((*steady)->Request(OnePart("x"), 10s, ReplyInto(outcome)).ok());
      Pass(1s);
      EXPECT_EQ(outcome->text, "x");
    }
    const auto again = Connect(*other, listener->address());
    EXPECT_TRUE(again.ok()) << again.status().ToString();
    if (again.ok()) (*again)->Close();
    Pass(1s);
  }
  EXPECT_GT(failed, 0);
  EXPECT_LT(failed, 12) << "nothing is to be had with twelve";
}
#endif

TEST_F(ShmTransportTest, WhoStopsReadingHoldsUpOnlyItself) {
  const auto listener = Make();
  ASSERT_TRUE(listener->Listen(service_).ok());
  // It has a home of its own, which stands still.
  const auto still_home = Reactor::Create(clock_).value();
  const auto still = ShmTransport::Create(*still_home, OptionsAt("")).value();
  ConnectionPtr connection;
  ASSERT_TRUE(still
                  ->Connect(listener->address(), service_, 10s,
                            [&](Result<ConnectionPtr> made) { connection = *made; })
                  .ok());
  while (connection == nullptr) {
    still_home->RunOnce();
    home_->RunOnce();
  }
  // It asks, and reads no answer.
  std::vector<std::uint64_t> words(8192);
  const auto id = listener->Register(std::as_writable_bytes(std::span(words)), nullptr).value();
  const Grant grant = listener->MakeGrant(id, {0, words.size() * 8}, kAll).value();
  std::vector<std::byte> into(65536);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(connection->Read(grant, 0, into, kLong, [](const auto&) {}).ok());
  }
  const auto good = Make();
  const auto works = Connect(*good, listener->address());
  ASSERT_TRUE(works.ok());
  const ConnectionPtr back = service_.connections.front();
  while (back->Send(OnePart(std::string(1000, 'x'))).ok()) {
  }
  for (int i = 0; i < 10; ++i) {
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE((*works)->Request(OnePart("x"), 10s, ReplyInto(outcome)).ok());
    Pass(1s);
    EXPECT_EQ(outcome->text, "x");
  }
  EXPECT_TRUE(service_.closed.empty()) << "who only sleeps has not gone";
}

}  // namespace
}  // namespace cirein::fabric
