// SPDX-License-Identifier: Apache-2.0
#include "resp/server_pool.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/library.h"
#include "cirein/pool.h"

#include "resp/server.h"
#include "runtime/file.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"
#include "runtime/stream_listener.h"
#include "runtime/temporary_directory.h"
#include "runtime/worker_pool.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein::resp {
namespace {

using namespace std::chrono_literals;  // NOLINT: for the suffixes.
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr Deadline kLong = seconds(30);

DataObject Object(std::string_view data, std::string_view meta = {}, std::uint16_t type = 0) {
  return DataObject::FromString(data, meta, type).value();
}

// The wants of a test: what comes, as a future.
std::future<Result<NamedObject>> WantFrom(const Pool& pool, const Pattern& what,
                                          Operation* operation = nullptr,
                                          Deadline deadline = kLong) {
  auto promise = std::make_shared<std::promise<Result<NamedObject>>>();
  auto future = promise->get_future();
  const Operation want = pool.Want(
      what, [promise](Result<NamedObject> object) { promise->set_value(std::move(object)); },
      {.deadline = deadline});
  if (operation != nullptr) *operation = want;
  return future;
}

// A store, a server over it, and a client's library, all in this process; the parameter says how
// the client gets there.
class ServerPoolTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  ServerPoolTest()
      : reactor_(std::move(*ReactorThread::Start(RealClock::Instance()))),
        workers_({}, RealClock::Instance(), reactor_->reactor()),
        environment_{RealClock::Instance(), reactor_->reactor(), workers_, workers_},
        store_(StripedStore::Create(environment_, {.stripes = 8, .memory_limit_bytes = 0})) {
    RegisterServerPoolType();
    NewState();
  }
  ~ServerPoolTest() override {
    library_.reset();
    server_.reset();
    store_->Close();
    EXPECT_TRUE(workers_.Close(seconds(10)).ok());
  }

  void NewState() {
    state_ = std::make_shared<ServerState>(ServerState::Options{.store = store_,
                                                                .bucket = Bucket(7),
                                                                .clock = &RealClock::Instance(),
                                                                .fsync = "no",
                                                                .prepare_bytes = 1 << 20,
                                                                .seed = 1,
                                                                .shutdown = nullptr});
  }
  // The second time where it was the first time.
  void Start() {
    if (address_.host.empty() && address_.path.empty()) {
      if (GetParam() == "unix") address_.path = directory_.File("socket");
      if (GetParam() == "tcp") address_.host = "127.0.0.1";
    }
    auto server = Server::Start(state_, workers_, {.addresses = {address_}, .threads = 1});
    ASSERT_OK(server);
    server_ = std::move(*server);
    address_ = server_->addresses().front();
  }
  void StopServer() {
    server_.reset();
    NewState();  // Whose counters are those of one server.
  }
  std::string Url(std::string_view options = "") const {
    return address_.is_path() ? fmt::format("server:/&unix={}{}", address_.path, options)
                              : fmt::format("server:/{}{}", address_.ToString(), options);
  }
  Pool Open(std::string_view options = "") const {
    auto pool = Connect(Url(options));
    EXPECT_OK(pool);
    return pool.ok() ? *pool : Pool();
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  std::unique_ptr<ReactorThread> reactor_;
  WorkerPool workers_;
  Environment environment_;
  std::shared_ptr<StripedStore> store_;
  std::shared_ptr<ServerState> state_;
  StreamAddress address_;
  std::unique_ptr<Server> server_;
  std::optional<Library> library_{std::in_place};
};

TEST_P(ServerPoolTest, PublishesAndNeeds) {
  Start();
  const Pool pool = Open();
  EXPECT_EQ(pool.type(), "server");
  const auto info = pool.Publish(Key("r", "c"), Object("data", "meta", 7), {.deadline = kLong});
  ASSERT_OK(info);
  EXPECT_EQ(info->data_bytes, 4u);
  EXPECT_EQ(info->meta_bytes, 4u);
  EXPECT_NE(info->version, Version{});
  const auto object = pool.Need(Key("r", "c"), {.deadline = kLong});
  ASSERT_OK(object);
  EXPECT_EQ(object->text(), "data");
  EXPECT_EQ(object->meta_text(), "meta");
  EXPECT_EQ(object->type(), 7);
  const auto known = pool.Info(Key("r", "c"), kLong);
  ASSERT_OK(known);
  EXPECT_EQ(known->version, info->version);
  EXPECT_EQ(known->data_bytes, 4u);
  EXPECT_FALSE(known->ttl);
}

TEST_P(ServerPoolTest, BinaryNamesAndEmptyOnes) {
  Start();
  const Pool pool = Open();
  const std::string odd("\0\r\n*|\xff", 6);
  for (const Key& key : {Key(odd), Key(odd, odd), Key("row", ""), Key("a*", "b*")}) {
    ASSERT_OK(pool.Publish(key, Object(odd, odd), {.deadline = kLong})) << key.ToString();
    const auto object = pool.Need(key, {.deadline = kLong});
    ASSERT_OK(object);
    EXPECT_EQ(object->text(), odd);
    EXPECT_EQ(object->meta_text(), odd);
  }
  const auto page = pool.List(Pattern::Row(odd), {.deadline = kLong});
  ASSERT_OK(page);
  EXPECT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(pool.Drop(Key("a*", "b*"), kLong).value(), 1u);
}

TEST_P(ServerPoolTest, LargeObjectsAndEmptyOnes) {
  Start();
  const Pool pool = Open();
  std::string large(std::size_t{8} << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  ASSERT_OK(pool.Publish(Key("large"), Object(large, "m", 3), {.deadline = kLong}));
  ASSERT_OK(pool.Publish(Key("plain"), Object(large), {.deadline = kLong}));
  ASSERT_OK(pool.Publish(Key("empty"), Object(""), {.deadline = kLong}));
  const auto object = pool.Need(Key("large"), {.deadline = kLong});
  ASSERT_OK(object);
  EXPECT_TRUE(object->text() == large);
  EXPECT_EQ(object->meta_text(), "m");
  EXPECT_EQ(object->type(), 3);
  EXPECT_TRUE(pool.Need(Key("plain"), {.deadline = kLong}).value().text() == large);
  EXPECT_EQ(pool.Need(Key("empty"), {.deadline = kLong}).value().text(), "");
}

TEST_P(ServerPoolTest, WriteOnceOverwriteAndVersions) {
  Start();
  const Pool pool = Open();
  const Key key("k");
  const auto first = pool.Publish(key, Object("1"), {.deadline = kLong});
  ASSERT_OK(first);
  EXPECT_CODE(pool.Publish(key, Object("2"), {.deadline = kLong}), kAlreadyExists);
  const auto second =
      pool.Publish(key, Object("2"), {.overwrite = Overwrite::kYes, .deadline = kLong});
  ASSERT_OK(second);
  EXPECT_CODE(pool.Publish(key, Object("3"), {.if_version = first->version, .deadline = kLong}),
              kFailedPrecondition);
  EXPECT_OK(pool.Publish(key, Object("3"), {.if_version = second->version, .deadline = kLong}));
  EXPECT_OK(pool.Publish(Key("new"), Object("x"), {.if_version = Version{}, .deadline = kLong}));
  EXPECT_EQ(pool.Need(key, {.deadline = kLong}).value().text(), "3");
  const Pool replaces = Open("&behavior=EnableOverwrites");
  EXPECT_OK(replaces.Publish(key, Object("4"), {.deadline = kLong}));
  EXPECT_EQ(pool.Need(key, {.deadline = kLong}).value().text(), "4");
}

TEST_P(ServerPoolTest, TimesToLive) {
  Start();
  const Pool pool = Open();
  ASSERT_OK(pool.Publish(Key("hour"), Object("x"), {.ttl = seconds(3600), .deadline = kLong}));
  ASSERT_OK(pool.Publish(Key("ages"), Object("x"),
                         {.ttl = std::chrono::nanoseconds::max(), .deadline = kLong}));
  const auto info = pool.Info(Key("hour"), kLong);
  ASSERT_OK(info);
  ASSERT_TRUE(info->ttl);
  EXPECT_LE(*info->ttl, seconds(3600));
  EXPECT_GT(*info->ttl, seconds(3000));
  EXPECT_TRUE(pool.Info(Key("ages"), kLong).value().ttl);
}

TEST_P(ServerPoolTest, WantsWaitForAPublish) {
  Start();
  const Pool pool = Open();
  auto exact = WantFrom(pool, Key("a", "c"));
  auto prefix = WantFrom(pool, Pattern::RowPrefix("run"));
  auto columns = WantFrom(pool, Pattern::ColumnPrefix("a", "c"));
  // Answered behind them on the same connection: they are parked.
  EXPECT_CODE(pool.Info(Key("a", "c"), kLong), kNotFound);
  EXPECT_EQ(exact.wait_for(0ms), std::future_status::timeout);
  ASSERT_OK(pool.Publish(Key("run7", "x"), Object("1"), {.deadline = kLong}));
  ASSERT_OK(pool.Publish(Key("a", "c"), Object("2", "m", 9), {.deadline = kLong}));
  const auto wanted = prefix.get();
  ASSERT_OK(wanted);
  EXPECT_EQ(wanted->key, Key("run7", "x"));
  const auto object = exact.get();
  ASSERT_OK(object);
  EXPECT_EQ(object->object.text(), "2");
  EXPECT_EQ(object->object.meta_text(), "m");
  EXPECT_EQ(object->object.type(), 9);
  EXPECT_EQ(object->info.data_bytes, 1u);
  EXPECT_EQ(columns.get().value().key, Key("a", "c"));
}

TEST_P(ServerPoolTest, WantsAreGivenUp) {
  Start();
  const Pool pool = Open();
  Operation operation;
  auto want = WantFrom(pool, Key("k"), &operation);
  EXPECT_CODE(pool.Info(Key("k"), kLong), kNotFound);
  EXPECT_TRUE(operation.Cancel());
  EXPECT_EQ(want.get().code(), StatusCode::kCancelled);
  EXPECT_EQ(WantFrom(pool, Key("k"), nullptr, 1ms).get().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pool.Need(Key("k"), {.deadline = 1ms}).code(), StatusCode::kDeadlineExceeded);
  // The server knows of none of them any more, behind what gave them up.
  EXPECT_CODE(pool.Info(Key("k"), kLong), kNotFound);
  EXPECT_EQ(store_->GetStats().waiting, 0u);
}

TEST_P(ServerPoolTest, ListsPageByPage) {
  Start();
  const Pool pool = Open();
  for (int i = 0; i < 25; ++i) {
    ASSERT_OK(
        pool.Publish(Key("row", fmt::format("{:02}", i)), Object("xy", "m"), {.deadline = kLong}));
  }
  ASSERT_OK(pool.Publish(Key("row"), Object(""), {.deadline = kLong}));
  std::vector<std::string> names;
  ListOptions options{.page_size = 10, .cursor = {}, .deadline = kLong};
  for (int pages = 0;; ++pages) {
    ASSERT_LT(pages, 10);
    const auto page = pool.List(Pattern::RowPrefix("ro"), options);
    ASSERT_OK(page);
    EXPECT_LE(page->objects.size(), 10u);
    for (const ListedObject& object : page->objects) {
      names.push_back(object.key.has_column() ? object.key.column() : "-");
      EXPECT_EQ(object.data_bytes, object.key.has_column() ? 2u : 0u);
    }
    if (page->next.empty()) break;
    options.cursor = page->next;
  }
  EXPECT_EQ(names.size(), 26u);
  EXPECT_EQ(names.front(), "-");
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  options.cursor = "nonsense";
  EXPECT_CODE(pool.List(Pattern::RowPrefix("ro"), options), kInvalidArgument);
}

TEST_P(ServerPoolTest, DropsAndTellsOfRows) {
  Start();
  const Pool pool = Open();
  for (const char* column : {"a", "b1", "b2"}) {
    ASSERT_OK(pool.Publish(Key("row", column), Object("12"), {.deadline = kLong}));
  }
  ASSERT_OK(pool.Publish(Key("row"), Object("1"), {.deadline = kLong}));
  const auto row = pool.RowInfo(Key("row"), kLong);
  ASSERT_OK(row);
  EXPECT_EQ(row->columns, 3u);
  EXPECT_TRUE(row->has_object);
  EXPECT_EQ(row->user_bytes, 7u);
  EXPECT_EQ(pool.Drop(Pattern::ColumnPrefix("row", "b"), kLong).value(), 2u);
  EXPECT_EQ(pool.Drop(Key("row", "zz"), kLong).value(), 0u);
  EXPECT_EQ(pool.Drop(Pattern::RowPrefix(""), kLong).value(), 2u);
  EXPECT_CODE(pool.RowInfo(Key("row"), kLong), kNotFound);
  EXPECT_CODE(pool.Info(Key("row"), kLong), kNotFound);
}

TEST_P(ServerPoolTest, Computes) {
  Start();
  const Pool pool = Open();
  ASSERT_OK(pool.Publish(Key("row", "a"), Object("12"), {.deadline = kLong}));
  ASSERT_OK(pool.Publish(Key("row", "b"), Object("34"), {.deadline = kLong}));
  const auto whole = pool.Compute(Pattern::Row("row"), "concat", "+", kLong);
  ASSERT_OK(whole);
  EXPECT_EQ(whole->text(), "12+34");
  EXPECT_CODE(pool.Compute(Pattern::Row("row"), "nothing", "", kLong), kNotFound);
  EXPECT_CODE(pool.Compute(Pattern::Row("none"), "count", "", kLong), kNotFound);
}

TEST_P(ServerPoolTest, ManyAtOnce) {
  Start();
  const Pool pool = Open();
  std::vector<PublishItem> items;
  std::vector<Key> keys;
  for (int i = 0; i < 2000; ++i) {
    keys.emplace_back(fmt::format("k{}", i));
    items.push_back({keys.back(), Object(fmt::format("v{}", i))});
  }
  for (const auto& result : pool.PublishAll(items, {.deadline = kLong})) ASSERT_OK(result);
  const auto objects = pool.NeedAll(keys, {.deadline = kLong});
  for (int i = 0; i < 2000; ++i) {
    ASSERT_OK(objects[static_cast<std::size_t>(i)]);
    EXPECT_EQ(objects[static_cast<std::size_t>(i)]->text(), fmt::format("v{}", i));
  }
}

TEST_P(ServerPoolTest, WhatTheServerRefusesToTakeIsAnError) {
  state_->parameters().max_bulk_bytes = 1 << 20;
  Start();
  const Pool pool = Open();
  const std::string large(std::size_t{8} << 20, 'x');
  EXPECT_FALSE(pool.Publish(Key("k"), Object(large), {.deadline = kLong}).ok());
  // The server ends that connection after its refusal: the next call may be on its way there still,
  // and is told that it was not sent.
  Status info;
  EXPECT_TRUE(test::Eventually([&] {
    info = pool.Info(Key("k"), kLong).status();
    return info.code() != StatusCode::kUnavailable;
  }));
  EXPECT_EQ(info.code(), StatusCode::kNotFound) << info.ToString();
}

TEST_P(ServerPoolTest, GroupsAreUnimplemented) {
  Start();
  std::vector<PublishItem> items;
  items.push_back({Key("k"), Object("1")});
  EXPECT_CODE(Open().PublishGroup(std::move(items), {.deadline = kLong}), kUnimplemented);
}

TEST_P(ServerPoolTest, NobodyListens) {
  Start();
  StopServer();
  const Pool pool = Open();
  EXPECT_CODE(pool.Info(Key("k"), kLong), kUnavailable);
  const auto published = pool.Publish(Key("k"), Object("1"), {.deadline = kLong});
  EXPECT_CODE(published, kUnavailable);
  EXPECT_THAT(published.status().ToString(), HasSubstr("not sent"));
  EXPECT_CODE(WantFrom(pool, Key("k")).get(), kUnavailable);
  // And when somebody does, it is a pool as any.
  Start();
  EXPECT_OK(pool.Publish(Key("k"), Object("1"), {.deadline = kLong}));
}

TEST_P(ServerPoolTest, WantsOutliveTheServer) {
  Start();
  const Pool pool = Open();
  auto want = WantFrom(pool, Key("k"));
  auto given_up_operation = Operation();
  auto given_up = WantFrom(pool, Key("k"), &given_up_operation);
  EXPECT_CODE(pool.Info(Key("k"), kLong), kNotFound);
  StopServer();
  EXPECT_TRUE(given_up_operation.Cancel());
  EXPECT_EQ(want.wait_for(0ms), std::future_status::timeout);
  Start();
  const Pool other = Open("&behavior=EnableOverwrites");
  ASSERT_OK(other.Publish(Key("k"), Object("late"), {.deadline = kLong}));
  const auto object = want.get();
  ASSERT_OK(object);
  EXPECT_EQ(object->object.text(), "late");
  EXPECT_EQ(given_up.get().code(), StatusCode::kCancelled);
}

TEST_P(ServerPoolTest, ReconnectsAfterTheServerWasGone) {
  Start();
  const Pool pool = Open();
  ASSERT_OK(pool.Publish(Key("k"), Object("1"), {.deadline = kLong}));
  for (int round = 0; round < 3; ++round) {
    StopServer();
    Start();
    // Its end may be noticed by the first call after it, which then is not repeated.
    const auto first = pool.Info(Key("k"), kLong);
    EXPECT_TRUE(first.ok() || first.code() == StatusCode::kUnavailable);
    EXPECT_OK(pool.Info(Key("k"), kLong));
  }
}

TEST_P(ServerPoolTest, Passwords) {
  state_->parameters().set_password("secret");
  Start();
  ASSERT_OK(WriteFileAtomically(directory_.File("good"), "secret\nrest"));
  ASSERT_OK(WriteFileAtomically(directory_.File("bad"), "guess\n"));
  ASSERT_OK(WriteFileAtomically(directory_.File("empty"), "\n"));
  const auto option = [&](std::string_view name) {
    return "&password-file=" + directory_.File(name);
  };
  EXPECT_OK(Open(option("good")).Publish(Key("k"), Object("1"), {.deadline = kLong}));
  for (const std::string& options : {std::string(), option("bad")}) {
    const Pool pool = Open(options);
    const auto info = pool.Info(Key("k"), kLong);
    EXPECT_CODE(info, kPermissionDenied);
    EXPECT_THAT(info.status().ToString(), HasSubstr("password-file"));
    EXPECT_EQ(WantFrom(pool, Key("k")).get().code(), StatusCode::kPermissionDenied);
  }
  EXPECT_CODE(Connect(Url(option("empty"))), kInvalidArgument);
  EXPECT_CODE(Connect(Url(option("missing"))), kNotFound);
}

TEST_P(ServerPoolTest, EndsWithTheLibraryWhileItWaits) {
  Start();
  Pool pool = Open();
  auto want = WantFrom(pool, Key("k"), nullptr, kNoDeadline);
  EXPECT_CODE(pool.Info(Key("k"), kLong), kNotFound);
  library_.reset();
  EXPECT_EQ(want.get().code(), StatusCode::kUnavailable);
}

INSTANTIATE_TEST_SUITE_P(Ways, ServerPoolTest, ::testing::Values("tcp", "unix"),
                         [](const auto& way) { return std::string(way.param); });

TEST(ServerPoolUrlTest, SaysWhereInOneWay) {
  RegisterServerPoolType();
  RegisterServerPoolType();
  const Library library;
  for (const char* const url :
       {"server:/", "server:/host", "server:/host:", "server:/:1", "server:/h:0", "server:/h:65536",
        "server:/h:1x", "server:/a/b:1", "server:/::1:6380", "server:/127.0.0.1:1&unix=/x",
        "server:/&unix=/x&address=127.0.0.1:1", "server:/&unix=", "server:[other]/127.0.0.1:1"}) {
    EXPECT_CODE(Connect(url), kInvalidArgument) << url;
  }
  EXPECT_OK(Connect("server:/127.0.0.1:1"));
  EXPECT_OK(Connect("server:/&address=[::1]:1"));
}

// A server that says what it is told to say, for what a real one never does.
class ScriptedServerTest : public ::testing::Test, private FdHandler {
 protected:
  static constexpr std::string_view kHello = "%1\r\n+server\r\n+redis\r\n";

  ScriptedServerTest() : reactor_(std::move(*ReactorThread::Start(RealClock::Instance()))) {
    RegisterServerPoolType();
    OnReactor([this] {
      auto listener = StreamListener::Listen({.host = "127.0.0.1", .port = 0, .path = {}});
      ASSERT_OK(listener);
      listener_ = std::move(*listener);
      ASSERT_OK(listener_->Start(reactor_->reactor(),
                                 [this](StreamSocket socket) { Accept(std::move(socket)); }));
      url_ = "server:/" + listener_->address().ToString();
    });
  }
  // Before any part of it ends: the reactor calls it.
  void TearDown() override {
    library_.reset();
    OnReactor([this] {
      Close();
      listener_.reset();
    });
    reactor_->Stop();
  }

  // What it says when so many of the client's words have come: each a command's name.
  void Expect(std::string_view command, std::string_view answer) {
    const std::lock_guard lock(mutex_);
    script_.emplace_back(command, answer);
  }
  // The same for several at once.
  void ExpectAll(std::vector<std::pair<std::string, std::string>> steps) {
    const std::lock_guard lock(mutex_);
    for (auto& step : steps) script_.push_back(std::move(step));
  }
  void ThenCloses() {
    const std::lock_guard lock(mutex_);
    closes_ = true;
  }
  // Until all that is expected has happened.
  void AwaitScript() {
    std::unique_lock lock(mutex_);
    played_.wait(lock, [this] { return script_.empty(); });
  }
  Pool Open() const { return Connect(url_).value(); }

 private:
  void OnReactor(const std::function<void()>& work) {
    Notification done;
    ASSERT_OK(reactor_->reactor().Post([&] {
      work();
      done.Notify();
    }));
    done.WaitUntil(kEndOfTime);
  }
  void Accept(StreamSocket socket) {
    Close();
    socket_ = std::move(socket);
    received_.clear();
    ASSERT_OK(reactor_->reactor().Watch(socket_.fd(), FdInterest::kReadable, *this));
  }
  void Close() {
    if (!socket_.is_open()) return;
    EXPECT_OK(reactor_->reactor().Unwatch(socket_.fd()));
    socket_.Close();
  }
  void OnReady(FdReadiness /*readiness*/) override {
    std::array<std::byte, 65'536> bytes;
    const StreamResult result = socket_.Receive(bytes);
    if (result.code == StreamResult::Code::kEnded) return Close();
    received_.append(reinterpret_cast<const char*>(bytes.data()), result.bytes);
    const std::lock_guard lock(mutex_);
    while (!script_.empty()) {
      const std::size_t at = received_.find(script_.front().first);
      if (at == std::string::npos) return;
      received_.erase(0, at + 1);
      const std::string answer = std::move(script_.front().second);
      script_.erase(script_.begin());
      const std::array<std::span<const std::byte>, 1> parts = {
          std::as_bytes(std::span(answer.data(), answer.size()))};
      if (!answer.empty()) socket_.Send(parts);
    }
    if (closes_) Close();
    played_.notify_all();
  }

 protected:
  std::unique_ptr<ReactorThread> reactor_;
  std::unique_ptr<StreamListener> listener_;
  std::string url_;
  StreamSocket socket_;
  std::string received_;
  std::mutex mutex_;
  std::condition_variable played_;
  std::vector<std::pair<std::string, std::string>> script_;
  bool closes_ = false;
  std::optional<Library> library_{std::in_place};
};

TEST_F(ScriptedServerTest, AMutationThatIsNotAnsweredIsUnknown) {
  Expect("HELLO", kHello);
  Expect("CIREIN.PUBLISH", "");
  ThenCloses();
  const auto published = Open().Publish(Key("k"), Object("1"), {.deadline = kLong});
  EXPECT_CODE(published, kUnavailable);
  EXPECT_THAT(published.status().ToString(), HasSubstr("outcome unknown"));
}

TEST_F(ScriptedServerTest, SoIsADrop) {
  Expect("HELLO", kHello);
  Expect("CIREIN.DROP", "");
  ThenCloses();
  const auto dropped = Open().Drop(Key("k"), kLong);
  EXPECT_CODE(dropped, kUnavailable);
  EXPECT_THAT(dropped.status().ToString(), HasSubstr("outcome unknown"));
}

TEST_F(ScriptedServerTest, WhatWasNotTakenWholeWasNotSent) {
  Expect("HELLO", kHello);
  Expect("CIREIN.PUBLISH", "");
  ThenCloses();
  // More than lies between the two.
  const auto published = Open().Publish(Key("k"), Object(std::string(std::size_t{64} << 20, 'x')),
                                        {.deadline = kLong});
  EXPECT_CODE(published, kUnavailable);
  EXPECT_THAT(published.status().ToString(), HasSubstr("not sent"));
}

TEST_F(ScriptedServerTest, OneThatDiesInTheMiddleOfAnyCall) {
  const std::vector<std::pair<std::string, std::function<Status(const Pool&)>>> calls = {
      {"CIREIN.PUBLISH",
       [](const Pool& pool) {
         return pool.Publish(Key("k"), Object("1"), {.deadline = kLong}).status();
       }},
      {"CIREIN.DROP", [](const Pool& pool) { return pool.Drop(Key("k"), kLong).status(); }},
      {"CIREIN.INFO", [](const Pool& pool) { return pool.Info(Key("k"), kLong).status(); }},
      {"CIREIN.ROWINFO", [](const Pool& pool) { return pool.RowInfo(Key("k"), kLong).status(); }},
      {"CIREIN.LIST",
       [](const Pool& pool) { return pool.List(Pattern::Row("k"), {.deadline = kLong}).status(); }},
      {"CIREIN.COMPUTE",
       [](const Pool& pool) {
         return pool.Compute(Pattern::Row("k"), "count", "", kLong).status();
       }},
  };
  ThenCloses();
  const Pool pool = Open();
  for (const auto& [command, call] : calls) {
    for (const std::string_view half : {"", "$10\r\nhalf", "*2\r\n:1\r\n", "%1\r\n"}) {
      Expect("HELLO", kHello);
      Expect(command, half);
      EXPECT_CODE(call(pool), kUnavailable) << command;
    }
  }
}

TEST_F(ScriptedServerTest, AWantIsParkedAnewUntilItIsAnswered) {
  Expect("HELLO", kHello);
  Expect("CIREIN.WANT", ":5\r\n");
  ThenCloses();
  const Pool pool = Open();
  auto want = WantFrom(pool, Key("k"));
  AwaitScript();
  // The connection before ended with the script; this is another one.
  ExpectAll(
      {{"HELLO", std::string(kHello)},
       {"CIREIN.WANT", ":1\r\n>3\r\n$11\r\ncirein.want\r\n:1\r\n$16\r\nDATA_LOSS is bad\r\n"}});
  EXPECT_EQ(want.get().code(), StatusCode::kDataLoss);
}

TEST_F(ScriptedServerTest, AReadIsNot) {
  Expect("HELLO", kHello);
  Expect("CIREIN.INFO", "%5\r\n$7\r\nvers");
  ThenCloses();
  const auto info = Open().Info(Key("k"), kLong);
  EXPECT_CODE(info, kUnavailable);
  EXPECT_THAT(info.status().ToString(), Not(HasSubstr("outcome unknown")));
}

TEST_F(ScriptedServerTest, OneThatDiesBeforeItGreets) {
  Expect("HELLO", "");
  ThenCloses();
  const auto published = Open().Publish(Key("k"), Object("1"), {.deadline = kLong});
  EXPECT_CODE(published, kUnavailable);
  EXPECT_THAT(published.status().ToString(), HasSubstr("not sent"));
}

TEST_F(ScriptedServerTest, OneThatSaysNothingIsLeftAtTheDeadline) {
  const Pool pool = Open();
  EXPECT_EQ(pool.Publish(Key("k"), Object("1"), {.deadline = 20ms}).code(),
            StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pool.Info(Key("k"), 20ms).code(), StatusCode::kDeadlineExceeded);
}

TEST_F(ScriptedServerTest, ALateAnswerIsNotTakenForAnother) {
  Expect("HELLO", kHello);
  Expect("$2\r\nk1", "");
  Expect("$2\r\nk2", "-NOT_FOUND one (x)\r\n-DATA_LOSS two (do (this))\r\n");
  const Pool pool = Open();
  EXPECT_EQ(pool.Info(Key("k1"), 50ms).code(), StatusCode::kDeadlineExceeded);
  const auto second = pool.Info(Key("k2"), kLong);
  EXPECT_CODE(second, kDataLoss);
  EXPECT_EQ(second.status().message(), "two");
  EXPECT_EQ(second.status().hint(), "do (this)");
}

TEST_F(ScriptedServerTest, ErrorsOfRedisHaveAMeaning) {
  const std::vector<std::pair<std::string, StatusCode>> errors = {
      {"OOM command not allowed", StatusCode::kResourceExhausted},
      {"NOAUTH Authentication required.", StatusCode::kPermissionDenied},
      {"WRONGPASS invalid", StatusCode::kPermissionDenied},
      {"ERR unknown command 'CIREIN.INFO'", StatusCode::kUnimplemented},
      {"ERR syntax error", StatusCode::kInvalidArgument},
  };
  Expect("HELLO", kHello);
  for (const auto& [text, code] : errors) Expect("CIREIN.INFO", "-" + text + "\r\n");
  const Pool pool = Open();
  for (const auto& [text, code] : errors)
    EXPECT_TRUE(test::FailsWith(pool.Info(Key("k"), kLong), code)) << text;
}

TEST_F(ScriptedServerTest, NonsenseIsNotBelieved) {
  for (const std::string_view answer :
       {"HTTP/1.1 400 Bad Request\r\n", ":1\r\n", "+OK\r\n", "*-1\r\n", "$5\r\nhello\r\n"}) {
    Expect("HELLO", answer);
    EXPECT_CODE(Open().Info(Key("k"), kLong), kUnavailable) << answer;
  }
}

TEST_F(ScriptedServerTest, AnswersToSomethingElseAreNotBelieved) {
  Expect("HELLO", kHello);
  for (const std::string_view answer :
       {":1\r\n", "+OK\r\n", "*0\r\n", "%1\r\n$7\r\nversion\r\n$3\r\n1.1\r\n"}) {
    Expect("CIREIN.INFO", answer);
  }
  const Pool pool = Open();
  for (int i = 0; i < 4; ++i) EXPECT_CODE(pool.Info(Key("k"), kLong), kDataLoss);
  // An object that the pattern did not mean.
  Expect("CIREIN.LIST", "*2\r\n$0\r\n\r\n*1\r\n*5\r\n$1\r\nx\r\n_\r\n:1\r\n:1\r\n$3\r\n1.1\r\n");
  EXPECT_CODE(pool.List(Pattern::Row("r"), {.deadline = kLong}), kDataLoss);
}

}  // namespace
}  // namespace cirein::resp
