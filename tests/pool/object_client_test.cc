// SPDX-License-Identifier: Apache-2.0
#include "pool/object_client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "fabric/sim/sim_network.h"
#include "node/node.h"
#include "node/object_service.h"
#include "region/shadow_space.h"
#include "runtime/virtual_host.h"
#include "support/objects.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using fabric::CostModel;
using fabric::SimNetwork;
using node::ObjectService;
using test::MakeObject;
using testing::HasSubstr;

const Bucket kBucket{7};
constexpr Deadline kSoon = 10s;

Key In(Key key) { return key.set_bucket(kBucket); }
Pattern In(Pattern pattern) { return pattern.set_bucket(kBucket); }

wire::PublishRequest PublishOf(Key key, std::string_view data) {
  wire::PublishRequest request;
  request.key = In(std::move(key));
  request.object = MakeObject(data);
  return request;
}

/// What came of a call. Its callback may outlive it.
template <typename T>
class Answer {
 public:
  std::function<void(Result<T>)> Callback() const {
    return [state = state_](Result<T> result) {
      ++state->count;
      state->result = std::move(result);
    };
  }
  int count() const { return state_->count; }
  const Result<T>& operator*() const { return state_->result; }
  const Result<T>* operator->() const { return &state_->result; }

 private:
  struct State {
    int count = 0;
    Result<T> result = Internal("not answered");
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// What the store of a world stands on.
struct Setting {
  const char* name;
  std::optional<dpm::Durability> durability;  ///< Of a node's pool; nullopt: DRAM.
};

class RefusingExecutor final : public Executor {
 public:
  Status Submit(std::function<void()> /*work*/) override { return ResourceExhausted("full"); }
};

class ObjectClientTest : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override { Build(SimNetwork::Options()); }
  void TearDown() override {
    clients_.clear();
    transports_.clear();
    service_.reset();
    if (node_ != nullptr && hosts_["node"]->alive()) {
      EXPECT_OK(node_->Close());
    }
    if (node_ == nullptr) store_->Close();
  }

  /// The world anew, with a node and two other hosts.
  void Build(const SimNetwork::Options& options, Executor* executor = nullptr) {
    clients_.clear();
    transports_.clear();
    service_.reset();
    network_ = std::make_unique<SimNetwork>(world_, CostModel::Tcp(), options);
    for (const char* name : {"node", "a", "b"}) {
      if (!hosts_.contains(name)) {
        hosts_[name] = std::make_unique<VirtualHost>(world_, VirtualHost::Options{.name = name});
      }
      transports_[name] = network_->Join(*hosts_[name]);
    }
    if (store_ == nullptr) MakeStore();
    service_ = std::make_unique<ObjectService>(
        store_, hosts_["node"]->environment(),
        executor != nullptr ? *executor : hosts_["node"]->executor());
    ASSERT_OK(transports_["node"]->Listen(*service_));
    for (const char* name : {"a", "b"}) clients_[name] = Connect(name);
  }

  void MakeStore() {
    const Environment environment = hosts_["node"]->environment();
    if (!GetParam().durability) {
      store_ = StripedStore::Create(environment, {.stripes = 4, .memory_limit_bytes = 0});
      return;
    }
    const auto medium = ShadowSpace::Medium::kFile;
    ShadowSpace made(medium);
    dpm::CreateOptions create;
    create.segment_bytes = 64 * 1024;
    create.log_bytes = 32 * create.segment_bytes;
    create.index_bytes = 4 << 20;
    create.extent_limit_bytes = 4 << 20;
    create.large_bytes = 4096;
    create.durability = *GetParam().durability;
    create.pool_id = 1;
    create.created_ms = 1;
    ASSERT_OK(dpm::Dpm::Create(made, create));
    auto opened = node::Node::Open(
        std::make_unique<ShadowSpace>(medium, "boot-1", made.ProcessCrash(made.events())),
        environment, hosts_["node"]->executor(), {.shards = 2, .cache_bytes = 1 << 20});
    ASSERT_OK(opened);
    node_ = *opened;
    store_ = node_->store();
  }

  bool RunUntil(const std::function<bool()>& holds, std::chrono::nanoseconds limit = 60s) {
    const TimePoint end = world_.now() + limit;
    while (!holds()) {
      if (!world_.RunOne(end)) return holds();
    }
    return true;
  }
  void RunFor(std::chrono::nanoseconds time) {
    RunUntil([] { return false; }, time);
  }
  /// In a piece of work of the host's.
  void RunAt(const char* host, const std::function<void()>& work) {
    bool ran = false;
    hosts_[host]->Post(world_.now(), "test", [&] {
      work();
      ran = true;
    });
    ASSERT_TRUE(RunUntil([&] { return ran; }));
  }
  template <typename T>
  bool Await(const Answer<T>& answer) {
    return RunUntil([&] { return answer.count() > 0; });
  }

  std::shared_ptr<ObjectClient> Connect(const char* host) {
    Answer<std::shared_ptr<ObjectClient>> answer;
    RunAt(host, [&] {
      EXPECT_OK(ObjectClient::Connect(*transports_[host], "sim://node", kSoon, answer.Callback()));
    });
    EXPECT_TRUE(Await(answer));
    EXPECT_OK(*answer);
    return answer->value_or(nullptr);
  }
  ObjectClient& client(const char* host) { return *clients_.at(host); }
  const Store::Stats Stats() const { return store_->GetStats(); }

  /// Begins a call at a host, which must be sent; waits for the answer.
  template <typename T>
  Result<T> Call(const char* host,
                 const std::function<Status(ObjectClient&, std::function<void(Result<T>)>)>& call) {
    Answer<T> answer;
    RunAt(host, [&] { EXPECT_OK(call(client(host), answer.Callback())); });
    EXPECT_TRUE(Await(answer));
    EXPECT_EQ(answer.count(), 1);
    return *answer;
  }
  Result<ObjectInfo> Publish(const char* host, const wire::PublishRequest& request) {
    return Call<ObjectInfo>(host, [&](ObjectClient& at, PublishCallback done) {
      return at.Publish(request, kSoon, std::move(done));
    });
  }
  Result<NamedObject> Get(const char* host, const Key& key) {
    return Call<NamedObject>(host, [&](ObjectClient& at, WantCallback done) {
      return at.Get(In(key), kSoon, std::move(done));
    });
  }
  Result<std::vector<ObjectInfo>> PublishGroup(const char* host,
                                               const wire::GroupRequest& request) {
    return Call<std::vector<ObjectInfo>>(host, [&](ObjectClient& at, GroupCallback done) {
      return at.PublishGroup(request, kSoon, std::move(done));
    });
  }
  Result<ListPage> List(const char* host, const Pattern& pattern, const ListOptions& options) {
    return Call<ListPage>(host, [&](ObjectClient& at, ListCallback done) {
      return at.List(In(pattern), options, std::move(done));
    });
  }
  Operation Want(const char* host, const Pattern& pattern, Deadline deadline,
                 const Answer<NamedObject>& answer) {
    Operation operation;
    RunAt(host, [&] {
      Result<Operation> sent = client(host).Want(In(pattern), deadline, answer.Callback());
      EXPECT_OK(sent);
      if (sent.ok()) operation = *sent;
    });
    return operation;
  }
  bool RunUntilWaiting(std::uint64_t count) {
    return RunUntil([&] { return Stats().waiting == count; });
  }

  /// Bytes as they are, over a connection of their own.
  wire::Reply Ask(std::span<const std::byte> bytes) {
    struct Silent final : fabric::Service {
      void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
      void Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
                   std::span<const std::byte> /*message*/) override {}
      void Request(const std::shared_ptr<fabric::Connection>& /*connection*/,
                   fabric::RequestId /*request*/, std::span<const std::byte> /*message*/) override {
      }
      void Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
                  const Status& /*why*/) override {}
    };
    static Silent silent;
    if (raw_ == nullptr) {
      RunAt("a", [&] {
        EXPECT_OK(transports_["a"]->Connect("sim://node", silent, kSoon,
                                            [&](auto result) { raw_ = result.value(); }));
      });
      EXPECT_TRUE(RunUntil([&] { return raw_ != nullptr; }));
    }
    std::optional<wire::Reply> reply;
    RunAt("a", [&] {
      const std::array<std::span<const std::byte>, 1> parts = {bytes};
      EXPECT_OK(raw_->Request(parts, kSoon, [&](Result<std::span<const std::byte>> answer) {
        reply = answer.ok() ? wire::DecodeReply(*answer).value() : wire::Reply(answer.status());
      }));
    });
    EXPECT_TRUE(RunUntil([&] { return reply.has_value(); }));
    return reply.value_or(Internal("not answered"));
  }

  std::uint64_t seed_ = test::Seed();
  Random random_{seed_};
  VirtualScheduler world_{seed_};
  std::map<std::string, std::unique_ptr<VirtualHost>> hosts_;
  std::unique_ptr<SimNetwork> network_;
  std::shared_ptr<node::Node> node_;
  std::shared_ptr<StripedStore> store_;
  std::unique_ptr<ObjectService> service_;
  std::map<std::string, std::unique_ptr<fabric::Transport>> transports_;
  std::shared_ptr<fabric::Connection> raw_;
  std::map<std::string, std::shared_ptr<ObjectClient>> clients_;
};

INSTANTIATE_TEST_SUITE_P(Settings, ObjectClientTest,
                         testing::Values(Setting{"Memory", std::nullopt},
                                         Setting{"NodeProcess", dpm::Durability::kProcess},
                                         Setting{"NodePower", dpm::Durability::kPower}),
                         [](const auto& each) { return std::string(each.param.name); });

/// What is no matter of the store.
class ObjectClientAloneTest : public ObjectClientTest {};
INSTANTIATE_TEST_SUITE_P(Memory, ObjectClientAloneTest,
                         testing::Values(Setting{"Memory", std::nullopt}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_P(ObjectClientTest, PublishesAndGets) {
  wire::PublishRequest request = PublishOf(Key("row", "column"), "data");
  request.object = MakeObject("data", "meta", 9);
  const Result<ObjectInfo> published = Publish("a", request);
  ASSERT_OK(published);
  EXPECT_EQ(published->data_bytes, 4U);
  EXPECT_NE(published->version, Version{});
  EXPECT_NE(published->availability, Availability::kLocalMemory);
  const Result<NamedObject> got = Get("b", Key("row", "column"));
  ASSERT_OK(got);
  EXPECT_EQ(got->key, Key("row", "column"));
  EXPECT_EQ(got->object.text(), "data");
  EXPECT_EQ(got->object.meta_text(), "meta");
  EXPECT_EQ(got->object.type(), 9);
  EXPECT_EQ(got->info.meta_bytes, 4U);
  EXPECT_CODE(Get("b", Key("row")), kNotFound);
}

TEST_P(ObjectClientTest, LargeObjectsGoThroughWhole) {
  const std::string large(300'000, 'L');
  ASSERT_OK(Publish("a", PublishOf(Key("large"), large)));
  const Result<NamedObject> got = Get("b", Key("large"));
  ASSERT_OK(got);
  EXPECT_EQ(got->object.text(), large);
  EXPECT_CODE(Publish("b", PublishOf(Key("large"), large)), kAlreadyExists);
}

TEST_P(ObjectClientTest, SaysWhatIsThere) {
  ASSERT_OK(PublishGroup("a", {kBucket,
                               "row",
                               PutMode::kWriteOnce,
                               std::nullopt,
                               0,
                               true,
                               {{std::nullopt, MakeObject("1")}, {"x", MakeObject("22", "m")}}}));
  wire::PublishRequest short_lived = PublishOf(Key("row", "y"), "333");
  short_lived.ttl = 1h;
  ASSERT_OK(Publish("a", short_lived));
  const auto info = Call<ObjectInfo>("b", [](ObjectClient& at, InfoCallback done) {
    return at.Info(In(Key("row", "y")), kSoon, std::move(done));
  });
  ASSERT_OK(info);
  EXPECT_EQ(info->data_bytes, 3U);
  ASSERT_TRUE(info->ttl.has_value());
  EXPECT_GT(*info->ttl, 59min);
  EXPECT_LE(*info->ttl, 1h);
  const auto row = Call<RowInfo>("b", [](ObjectClient& at, RowInfoCallback done) {
    return at.GetRowInfo(In(Key("row")), kSoon, std::move(done));
  });
  ASSERT_OK(row);
  EXPECT_EQ(row->columns, 2U);
  EXPECT_TRUE(row->has_object);
  EXPECT_EQ(row->user_bytes, 7U);
}

TEST_P(ObjectClientTest, ListsPageByPageAndDrops) {
  std::vector<Key> published;
  for (int i = 0; i < 10; ++i) {
    published.emplace_back("row" + std::to_string(i), "c");
    ASSERT_OK(Publish("a", PublishOf(published.back(), "x")));
  }
  std::vector<Key> listed;
  ListOptions options;
  options.page_size = 3;
  options.deadline = kSoon;
  do {
    const Result<ListPage> page = List("b", Pattern::RowPrefix("row"), options);
    ASSERT_OK(page);
    for (const ListedObject& object : page->objects) listed.push_back(object.key);
    options.cursor = page->next;
  } while (!options.cursor.empty());
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(listed, published);
  const auto drop = [](ObjectClient& at, DropCallback done) {
    return at.Drop(In(Pattern::RowPrefix("row")), kSoon, std::move(done));
  };
  const auto dropped = Call<std::uint64_t>("a", drop);
  ASSERT_OK(dropped);
  EXPECT_EQ(*dropped, 10U);
  EXPECT_EQ(Call<std::uint64_t>("b", drop).value_or(1), 0U);
  options.cursor = "nonsense";
  EXPECT_CODE(List("b", Pattern::RowPrefix("row"), options), kInvalidArgument);
}

TEST_P(ObjectClientTest, RefusalsComeBackWithTheirWords) {
  const Result<ObjectInfo> first = Publish("a", PublishOf(Key("row"), "1"));
  ASSERT_OK(first);
  EXPECT_CODE(Publish("b", PublishOf(Key("row"), "2")), kAlreadyExists);
  wire::PublishRequest bound = PublishOf(Key("row"), "3");
  bound.mode = PutMode::kIfVersion;
  bound.if_version = {first->version.epoch, first->version.counter + 1};
  EXPECT_CODE(Publish("b", bound), kFailedPrecondition);
  bound.if_version = first->version;
  EXPECT_OK(Publish("b", bound));
  // All or none.
  wire::GroupRequest group;
  group.bucket = kBucket;
  group.row = "row";
  group.items = {{"new", MakeObject("n")}, {std::nullopt, MakeObject("again")}};
  EXPECT_CODE(PublishGroup("a", group), kAlreadyExists);
  EXPECT_CODE(Get("a", Key("row", "new")), kNotFound);
  EXPECT_EQ(Get("a", Key("row"))->object.text(), "3");
  EXPECT_CODE(Get("a", Key("")), kInvalidArgument);
}

TEST_P(ObjectClientTest, WhatCannotBeSentIsSaidAtOnce) {
  Answer<NamedObject> answer;
  RunAt("a", [&] {
    const Key too_long(std::string(kMaxRowBytes + 1, 'r'));
    EXPECT_CODE(client("a").Get(In(too_long), kSoon, answer.Callback()), kInvalidArgument);
    EXPECT_CODE(client("a").Get(In(Key("row")), Deadline(), answer.Callback()), kInvalidArgument);
    client("a").Close();
    const Status closed = client("a").Get(In(Key("row")), kSoon, answer.Callback());
    EXPECT_CODE(closed, kUnavailable);
    EXPECT_THAT(closed.message(), HasSubstr("not sent"));
  });
  RunFor(20s);
  EXPECT_EQ(answer.count(), 0);
}

TEST_P(ObjectClientTest, AWantIsAnsweredByAnothersPublish) {
  Answer<NamedObject> exact;
  Answer<NamedObject> prefix;
  Answer<NamedObject> forever;
  Want("b", In(Key("row", "c")), kSoon, exact);
  Want("b", Pattern::RowPrefix("r"), kSoon, prefix);
  Want("b", Pattern::ColumnPrefix("row", ""), kNoDeadline, forever);
  ASSERT_TRUE(RunUntil([&] { return service_->parked_wants() == 3; }));
  ASSERT_OK(Publish("a", PublishOf(Key("row", "c"), "x")));
  for (const Answer<NamedObject>* answer : {&exact, &prefix, &forever}) {
    ASSERT_TRUE(Await(*answer));
    ASSERT_OK(**answer);
    EXPECT_EQ((**answer)->object.text(), "x");
    EXPECT_EQ((**answer)->key, Key("row", "c"));
    EXPECT_NE((**answer)->info.version, Version{});
  }
  // What is there is answered at once.
  Answer<NamedObject> again;
  Want("a", Pattern::RowPrefix("r"), kSoon, again);
  ASSERT_TRUE(Await(again));
  EXPECT_OK(*again);
  RunFor(20s);
  EXPECT_EQ(exact.count() + prefix.count() + forever.count() + again.count(), 4);
  EXPECT_EQ(Stats().waiting, 0U);
  EXPECT_EQ(service_->parked_wants(), 0U);
}

TEST_P(ObjectClientTest, AWantEndsAtItsDeadlineOnBothSides) {
  Answer<NamedObject> answer;
  Want("b", In(Key("row")), 2s, answer);
  ASSERT_TRUE(RunUntil([&] { return service_->parked_wants() == 1; }));
  ASSERT_TRUE(Await(answer));
  EXPECT_CODE(*answer, kDeadlineExceeded);
  EXPECT_TRUE(RunUntil([&] { return service_->parked_wants() == 0; }, 1s));
  EXPECT_EQ(Stats().waiting, 0U);
  // The node's own answer, to one who is more patient.
  const wire::Reply reply =
      Ask(*wire::Encode(wire::Request(wire::WantRequest{1, In(Key("row")), 1s})));
  ASSERT_TRUE(std::holds_alternative<Status>(reply));
  EXPECT_CODE(std::get<Status>(reply), kDeadlineExceeded);
  EXPECT_EQ(Stats().waiting, 0U);
  RunFor(20s);
  EXPECT_EQ(answer.count(), 1);
}

TEST_P(ObjectClientTest, AWantThatWasGivenUpIsNotAnsweredTwice) {
  Answer<NamedObject> answer;
  Operation operation = Want("b", In(Key("row")), kSoon, answer);
  ASSERT_TRUE(RunUntil([&] { return service_->parked_wants() == 1; }));
  RunAt("b", [&] {
    EXPECT_TRUE(operation.Cancel());
    EXPECT_FALSE(operation.Cancel());
  });
  EXPECT_CODE(*answer, kCancelled);
  ASSERT_OK(Publish("a", PublishOf(Key("row"), "x")));
  ASSERT_TRUE(RunUntil([&] { return client("b").late_answers() == 1; }));
  EXPECT_EQ(answer.count(), 1);
  EXPECT_EQ(client("a").late_answers(), 0U);
}

// The node parks wants of rows that begin alike on another thread: giving one up may come before.
TEST_P(ObjectClientTest, AWantThatWasGivenUpAtOnceLeavesNobodyWaiting) {
  for (const Pattern& pattern : {Pattern(Key("row")), Pattern::RowPrefix("ro")}) {
    Answer<NamedObject> answer;
    RunAt("b", [&] {
      Result<Operation> sent = client("b").Want(In(pattern), kNoDeadline, answer.Callback());
      ASSERT_OK(sent);
      EXPECT_TRUE(sent->Cancel());
    });
    EXPECT_CODE(*answer, kCancelled);
    ASSERT_TRUE(RunUntil([&] { return client("b").late_answers() > 0; })) << pattern.ToString();
    RunFor(1s);
    EXPECT_EQ(service_->parked_wants(), 0U) << pattern.ToString();
    EXPECT_EQ(Stats().waiting, 0U) << pattern.ToString();
    clients_["b"] = Connect("b");
  }
}

TEST_P(ObjectClientTest, WantsOfAConnectionThatEndsAreForgotten) {
  std::vector<Answer<NamedObject>> answers(20);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::string name = "row" + std::to_string(i);
    Want("b", i % 2 == 0 ? Pattern(Key(name)) : Pattern::RowPrefix(name), kNoDeadline, answers[i]);
  }
  Answer<NamedObject> others;
  Want("a", Key("row0"), kNoDeadline, others);
  ASSERT_TRUE(RunUntil([&] { return service_->parked_wants() == answers.size() + 1; }));
  RunAt("b", [&] { client("b").Close(); });
  ASSERT_TRUE(RunUntil([&] { return service_->parked_wants() == 1; }));
  EXPECT_EQ(Stats().waiting, 1U);
  for (const Answer<NamedObject>& answer : answers) {
    ASSERT_TRUE(Await(answer));
    EXPECT_CODE(*answer, kUnavailable);
    EXPECT_THAT(answer->status().message(), HasSubstr("unknown"));
  }
  // The other one's process is killed.
  hosts_["a"]->Kill();
  network_->HostKilled("a");
  ASSERT_TRUE(RunUntilWaiting(0));
  EXPECT_EQ(service_->parked_wants(), 0U);
  EXPECT_EQ(others.count(), 0);
}

TEST_P(ObjectClientTest, WhatIsUnderWayWhenTheNodeDiesIsUnknown) {
  std::vector<Answer<ObjectInfo>> answers(50);
  RunAt("a", [&] {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto request = PublishOf(Key("row" + std::to_string(i)), "x");
      EXPECT_OK(client("a").Publish(request, kSoon, answers[i].Callback()));
    }
  });
  RunFor(std::chrono::nanoseconds(random_.Below(350'000)));
  hosts_["node"]->Kill();
  network_->HostKilled("node");
  std::size_t unknown = 0;
  for (const Answer<ObjectInfo>& answer : answers) {
    ASSERT_TRUE(Await(answer));
    if (answer->ok()) continue;
    EXPECT_CODE(*answer, kUnavailable);
    EXPECT_THAT(answer->status().message(), HasSubstr("unknown"));
    ++unknown;
  }
  RunFor(20s);
  for (const Answer<ObjectInfo>& answer : answers) EXPECT_EQ(answer.count(), 1);
  std::printf("%zu of %zu unknown\n", unknown, answers.size());
  RunAt("a", [&] {
    const Status status = client("a").Publish(PublishOf(Key("later"), "x"), kSoon, nullptr);
    EXPECT_CODE(status, kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("not sent"));
  });
}

TEST_P(ObjectClientTest, WhatCannotBeReadIsRefusedAndTheConnectionStays) {
  for (int i = 0; i < 200; ++i) {
    std::vector<std::byte> bytes = wire::Encode(wire::Request(PublishOf(Key("row"), "x"))).value();
    bytes.resize(random_.Below(bytes.size()));
    const wire::Reply reply = Ask(bytes);
    ASSERT_TRUE(std::holds_alternative<Status>(reply));
    ASSERT_CODE(std::get<Status>(reply), kInvalidArgument);
  }
  const wire::Reply reply = Ask(*wire::Encode(wire::Request(PublishOf(Key("row"), "x"))));
  EXPECT_TRUE(std::holds_alternative<ObjectInfo>(reply));
}

TEST_P(ObjectClientTest, AfterStopNothingIsAnswered) {
  Answer<NamedObject> parked;
  Want("b", In(Key("row")), kSoon, parked);
  Answer<NamedObject> under_way;
  RunAt("a", [&] { EXPECT_OK(client("a").Get(In(Key("row")), kSoon, under_way.Callback())); });
  ASSERT_TRUE(RunUntil([&] { return service_->parked_wants() == 1; }));
  service_->Stop();
  EXPECT_EQ(Stats().waiting, 0U);
  Answer<ObjectInfo> later;
  RunAt("a", [&] {
    EXPECT_OK(client("a").Publish(PublishOf(Key("row"), "x"), kSoon, later.Callback()));
  });
  ASSERT_TRUE(Await(parked) && Await(later));
  EXPECT_CODE(*parked, kDeadlineExceeded);
  EXPECT_CODE(*later, kDeadlineExceeded);
  EXPECT_EQ(Stats().publishes, 0U);
}

TEST_P(ObjectClientTest, ATooLongAnswerIsAnError) {
  SimNetwork::Options options;
  options.limits.message_bytes_max = 64 << 10;
  Build(options);
  const std::string data(options.limits.message_bytes_max - 40, 'd');
  ASSERT_OK(Publish("a", PublishOf(Key("row"), data)));
  EXPECT_CODE(Get("b", Key("row")), kResourceExhausted);
  EXPECT_CODE(Get("b", Key("none")), kNotFound);
}

TEST_P(ObjectClientTest, AClientThatTakesTooLittleIsCutOff) {
  SimNetwork::Options options;
  options.limits.outstanding_bytes_max = 128 << 10;
  Build(options);
  ASSERT_OK(Publish("a", PublishOf(Key("row"), std::string(50'000, 'd'))));
  std::vector<Answer<NamedObject>> answers(100);
  RunAt("b", [&] {
    for (const Answer<NamedObject>& answer : answers) {
      EXPECT_OK(client("b").Get(In(Key("row")), kSoon, answer.Callback()));
    }
  });
  for (const Answer<NamedObject>& answer : answers) ASSERT_TRUE(Await(answer));
  EXPECT_CODE(*answers.back(), kUnavailable);
  EXPECT_OK(Get("a", Key("row")));
}

/// Answers everything with the same.
class OneAnswerService final : public fabric::Service {
 public:
  void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
  void Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
               std::span<const std::byte> /*message*/) override {}
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> /*message*/) override {
    const std::array<std::span<const std::byte>, 1> parts = {bytes};
    EXPECT_OK(connection->Reply(request, parts));
  }
  void Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
              const Status& /*why*/) override {}

  std::vector<std::byte> bytes;
};

TEST_P(ObjectClientAloneTest, AnswersToSomethingElseAreNotBelieved) {
  OneAnswerService liar;
  transports_["node"].reset();
  transports_["node"] = network_->Join(*hosts_["node"]);
  ASSERT_OK(transports_["node"]->Listen(liar));
  for (const char* name : {"a", "b"}) clients_[name] = Connect(name);
  const auto expect_unknown = [](const auto& result) {
    EXPECT_CODE(result, kUnavailable);
    EXPECT_THAT(result.status().message(), HasSubstr("unknown"));
  };
  const wire::GroupRequest group{kBucket,
                                 "row",
                                 PutMode::kOverwrite,
                                 std::nullopt,
                                 0,
                                 true,
                                 {{std::nullopt, MakeObject("x")}}};
  ListOptions options{.page_size = 1, .cursor = {}, .deadline = kSoon};
  expect_unknown(Get("a", Key("row")));  // No bytes at all.
  liar.bytes = wire::Encode(wire::Reply(std::uint64_t{1}));
  expect_unknown(Publish("a", PublishOf(Key("row"), "x")));
  liar.bytes = wire::Encode(wire::Reply(std::vector<ObjectInfo>(2)));
  expect_unknown(PublishGroup("a", group));
  liar.bytes = wire::Encode(wire::Reply(NamedObject{Key("row", ""), MakeObject("x"), {}}));
  expect_unknown(Get("a", Key("row")));
  EXPECT_OK(Get("a", Key("row", "")));
  liar.bytes = wire::Encode(wire::Reply(ListPage{{{.key = Key("row")}}, ""}));
  EXPECT_OK(List("a", Pattern::Row("row"), options));
  expect_unknown(List("a", Pattern::Row("other"), options));
  liar.bytes = wire::Encode(wire::Reply(ListPage{{{.key = Key("a")}, {.key = Key("b")}}, ""}));
  expect_unknown(List("a", Pattern::RowPrefix(""), options));
  clients_.clear();
  transports_.clear();  // Before their service.
}

TEST_P(ObjectClientTest, WithoutAThreadReadsAreRefused) {
  RefusingExecutor executor;
  Build(SimNetwork::Options(), &executor);
  EXPECT_CODE(Get("a", Key("row")), kResourceExhausted);
  EXPECT_OK(Publish("a", PublishOf(Key("row"), "x")));
  transports_.erase("node");
  service_.reset();  // Before its executor.
}

TEST_P(ObjectClientAloneTest, TheWantsOfOneConnectionAreBounded) {
  SimNetwork::Options options;
  options.limits.outstanding_max = ObjectService::kWantsPerConnection + 10;
  Build(options);
  std::uint64_t refused = 0;
  RunAt("b", [&] {
    for (std::size_t i = 0; i < ObjectService::kWantsPerConnection + 3; ++i) {
      EXPECT_OK(client("b").Want(In(Key("row")), kNoDeadline, [&](Result<NamedObject> result) {
        refused += result.code() == StatusCode::kResourceExhausted ? 1U : 0U;
      }));
    }
  });
  ASSERT_TRUE(RunUntil([&] { return refused == 3; }));
  EXPECT_EQ(Stats().waiting, ObjectService::kWantsPerConnection);
  clients_.erase("b");
  EXPECT_TRUE(RunUntilWaiting(0));
  RunFor(1s);
}

}  // namespace
}  // namespace cirein
