// SPDX-License-Identifier: Apache-2.0
#include "runtime/stream_socket.h"

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "runtime/open_files.h"
#include "runtime/real_clock.h"
#include "runtime/stream_listener.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using Code = StreamResult::Code;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// A listener on a reactor that the test drives, and whoever came to it.
class StreamSocketTest : public testing::Test {
 protected:
  void Listen(const StreamAddress& address, std::function<bool()> has_room = nullptr) {
    auto listening = StreamListener::Listen(address);
    ASSERT_TRUE(listening.ok()) << listening.status().ToString();
    listener_ = std::move(*listening);
    ASSERT_TRUE(listener_
                    ->Start(
                        *reactor_,
                        [this](StreamSocket socket) { accepted_.push_back(std::move(socket)); },
                        std::move(has_room))
                    .ok());
  }

  StreamSocket Connect() {
    auto socket = ConnectStream(listener_->address());
    EXPECT_TRUE(socket.ok()) << socket.status().ToString();
    return socket.ok() ? std::move(*socket) : StreamSocket();
  }

  std::unique_ptr<Reactor> reactor_ = std::move(*Reactor::Create(RealClock::Instance()));
  std::vector<StreamSocket> accepted_;
  std::unique_ptr<StreamListener> listener_;
};

TEST_F(StreamSocketTest, CarriesBytesBothWays) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    accepted_.clear();
    Listen({.host = host, .port = 0, .path = {}});
    EXPECT_TRUE(listener_->is_local());
    EXPECT_NE(listener_->address().port, 0);
    StreamSocket client = Connect();
    reactor_->RunUntilIdle();
    ASSERT_EQ(accepted_.size(), 1U);
    StreamSocket& server = accepted_.front();
    EXPECT_EQ(client.peer().ToString(), server.local().ToString());
    EXPECT_EQ(client.local().ToString(), server.peer().ToString());

    std::array<std::byte, 4> first{};
    std::array<std::byte, 16> second{};
    EXPECT_EQ(server.Receive(first).code, Code::kWouldBlock);
    const std::array<std::span<const std::byte>, 2> parts = {Bytes("hel"), Bytes("lo you")};
    EXPECT_EQ(client.Send(parts).bytes, 9U);
    const StreamResult got = server.Receive(first, second);
    ASSERT_EQ(got.code, Code::kDone);
    EXPECT_EQ(got.bytes, 9U);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(first.data()), 4), "hell");
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(second.data()), 5), "o you");

    client.Close();
    EXPECT_EQ(server.Receive(first).code, Code::kEnded);
  }
}

TEST_F(StreamSocketTest, SendStopsWhenNobodyReads) {
  Listen({.host = "127.0.0.1", .port = 0, .path = {}});
  StreamSocket client = Connect();
  const std::string block(1 << 20, 'x');
  const std::array<std::span<const std::byte>, 1> parts = {Bytes(block)};
  StreamResult result;
  for (int i = 0; i < 1000 && result.code == Code::kDone; ++i) result = client.Send(parts);
  EXPECT_EQ(result.code, Code::kWouldBlock);
}

TEST_F(StreamSocketTest, SendToWhoHasGoneEnds) {
  Listen({.host = "127.0.0.1", .port = 0, .path = {}});
  StreamSocket client = Connect();
  reactor_->RunUntilIdle();
  accepted_.clear();
  const std::array<std::span<const std::byte>, 1> parts = {Bytes("x")};
  StreamResult result;
  for (int i = 0; i < 1000 && result.code != Code::kEnded; ++i) result = client.Send(parts);
  EXPECT_EQ(result.code, Code::kEnded);
}

TEST_F(StreamSocketTest, TakesOverAPathThatNobodyListensAt) {
  const auto directory = TemporaryDirectory::Create("streams");
  ASSERT_TRUE(directory.ok());
  const StreamAddress address{.host = {}, .port = 0, .path = directory->path() + "/socket"};
  Listen(address);
  struct stat status {};
  ASSERT_EQ(stat(address.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(StreamListener::Listen(address).status().code(), StatusCode::kAlreadyExists);
  StreamSocket client = Connect();
  reactor_->RunUntilIdle();
  EXPECT_EQ(accepted_.size(), 2U);  // One was the second listener's, which looked whether we live.

  // A process that was killed leaves its path behind.
  const std::string kept = address.path + ".kept";
  std::filesystem::rename(address.path, kept);
  listener_.reset();
  std::filesystem::rename(kept, address.path);
  Listen(address);
  listener_->Stop();
  EXPECT_FALSE(std::filesystem::exists(address.path));
}

TEST_F(StreamSocketTest, WhoFindsNoRoomWaits) {
  Listen({.host = "127.0.0.1", .port = 0, .path = {}},
         /*has_room=*/[this] { return accepted_.size() < 2; });
  std::vector<StreamSocket> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(Connect());
  reactor_->RunUntilIdle();
  EXPECT_EQ(accepted_.size(), 2U);
  accepted_.erase(accepted_.begin());
  ASSERT_TRUE(clients[0].is_open());
  while (accepted_.size() < 2) reactor_->RunOnce();
  EXPECT_EQ(accepted_.back().peer().ToString(), clients[2].local().ToString()) << "in their order";
  reactor_->RunUntilIdle();
  EXPECT_EQ(accepted_.size(), 2U);
}

TEST_F(StreamSocketTest, LeavesAFileAlone) {
  const auto directory = TemporaryDirectory::Create("streams");
  ASSERT_TRUE(directory.ok());
  const StreamAddress address{.host = {}, .port = 0, .path = directory->path() + "/file"};
  std::filesystem::create_directory(address.path);
  EXPECT_FALSE(StreamListener::Listen(address).ok());
  EXPECT_TRUE(std::filesystem::exists(address.path));
}

TEST_F(StreamSocketTest, RefusesAddressesThatAreNone) {
  EXPECT_EQ(StreamListener::Listen({.host = "300.0.0.1", .port = 0, .path = {}}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(StreamListener::Listen({.host = {}, .port = 0, .path = std::string(200, 'a')})
                .status()
                .code(),
            StatusCode::kInvalidArgument);
}

// Not with the sanitizers of addresses and types, which need descriptors themselves: they look at
// an object's memory by writing it to a pipe, and believe that it is none when they get no pipe.
#if !defined(__SANITIZE_ADDRESS__)
TEST_F(StreamSocketTest, EndsThoseForWhomThereIsNoDescriptor) {
  Listen({.host = "127.0.0.1", .port = 0, .path = {}});
  StreamSocket client = Connect();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // So that the next descriptor would be one too many.
  rlimit now = before;
  now.rlim_cur = static_cast<rlim_t>(client.fd() + 1);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
  reactor_->RunUntilIdle();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(accepted_.empty());
  EXPECT_EQ(listener_->refused(), 1U);
  std::array<std::byte, 1> byte{};
  EXPECT_EQ(client.Receive(byte).code, Code::kEnded);

  StreamSocket later = Connect();
  reactor_->RunUntilIdle();
  EXPECT_EQ(accepted_.size(), 1U);
}
#endif

TEST(OpenFiles, NeverLowersTheLimit) {
  const OpenFilesLimit limit = RaiseOpenFiles(1);
  EXPECT_GT(limit.before, 0U);
  EXPECT_EQ(limit.now, limit.before);
}

}  // namespace
}  // namespace cirein
