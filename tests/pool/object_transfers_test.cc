// SPDX-License-Identifier: Apache-2.0
#include "object/object_transfers.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fabric/fabrics.h"
#include "node/answer_loans.h"
#include "node/object_service.h"
#include "object/object_fetcher.h"
#include "pool/object_client.h"
#include "runtime/virtual_environment.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using fabric::Fabric;
using fabric::Grant;
using fabric::NamedFabric;
using node::ObjectService;
using test::MakeObject;
using testing::HasSubstr;

const Bucket kTestBucket{7};
constexpr std::uint64_t kInline = 1000;
constexpr std::uint64_t kLimit = 8U << 20;

Key InBucket(const char* row) { return Key(row).set_bucket(kTestBucket); }

/// Bytes that tell where they stand.
std::string Bytes(std::uint64_t count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + i / 257);
  return bytes;
}

struct InlineExecutor final : Executor {
  Status Submit(std::function<void()> work) override {
    work();
    return OkStatus();
  }
};

/// What came of a call, which may come later than whoever waits for it.
template <typename T>
struct Outcome {
  std::shared_ptr<std::optional<Result<T>>> result = std::make_shared<std::optional<Result<T>>>();
  std::function<void(Result<T>)> Callback() const {
    return [result = result](Result<T> came) {
      EXPECT_FALSE(result->has_value()) << "answered twice";
      result->emplace(std::move(came));
    };
  }
  bool done() const { return result->has_value(); }
};

/// A node and its clients, each a peer of one fabric, over every fabric.
class ObjectTransfersTest : public testing::TestWithParam<NamedFabric> {
 protected:
  struct Peer {
    std::size_t number = 0;
    std::shared_ptr<ObjectTransfers> transfers;
    std::shared_ptr<ObjectClient> client;
  };

  void SetUp() override {
    fabric_ = GetParam().make();
    node_ = Add();
    store_ = StripedStore::Create(world_.environment(), {.stripes = 2, .memory_limit_bytes = 0});
    service_ =
        std::make_unique<ObjectService>(store_, world_.environment(), executor_, node_.transfers);
    ASSERT_OK(fabric_->transport(node_.number)->Listen(*service_));
    a_ = AddClient();
    b_ = AddClient();
  }
  void TearDown() override {
    for (Peer* const peer : {&a_, &b_, &node_}) {
      if (peer->transfers != nullptr) peer->transfers->Stop();
    }
    raw_.reset();
    a_.client.reset();
    b_.client.reset();
    fabric_.reset();
    service_.reset();
    store_->Close();
  }

  Peer Add() {
    Peer peer;
    peer.number = fabric_->AddPeer();
    peer.transfers = std::make_shared<ObjectTransfers>(
        *fabric_->transport(peer.number), world_.clock(),
        ObjectTransfers::Options{.inline_bytes_max = kInline, .object_bytes_max = kLimit});
    return peer;
  }
  Peer AddClient() {
    Peer peer = Add();
    Outcome<std::shared_ptr<ObjectClient>> made;
    EXPECT_OK(ObjectClient::Connect(*fabric_->transport(peer.number),
                                    fabric_->transport(node_.number)->address(), fabric::kLong,
                                    made.Callback(), peer.transfers));
    EXPECT_TRUE(WaitFor(made));
    EXPECT_OK(**made.result);
    peer.client = (*made.result)->value_or(nullptr);
    return peer;
  }

  bool RunUntil(const std::function<bool()>& holds) {
    return fabric_->RunUntil(fabric::kLong, [&] {
      world_.RunReady();
      return holds();
    });
  }
  template <typename T>
  bool WaitFor(const Outcome<T>& outcome) {
    return RunUntil([&] { return outcome.done(); });
  }

  Outcome<ObjectInfo> BeginPublish(Peer& peer, const Key& key, const DataObject& object,
                                   Deadline deadline = fabric::kLong) {
    wire::PublishRequest request;
    request.key = key;
    request.object = object;
    Outcome<ObjectInfo> published;
    EXPECT_OK(peer.client->Publish(request, deadline, published.Callback()));
    return published;
  }
  Result<ObjectInfo> Publish(Peer& peer, const Key& key, const DataObject& object) {
    const auto published = BeginPublish(peer, key, object);
    EXPECT_TRUE(WaitFor(published));
    return **published.result;
  }
  Outcome<NamedObject> BeginGet(Peer& peer, const Key& key, Deadline deadline = fabric::kLong) {
    Outcome<NamedObject> got;
    EXPECT_OK(peer.client->Get(key, deadline, got.Callback()));
    return got;
  }
  Result<NamedObject> Get(Peer& peer, const Key& key) {
    const auto got = BeginGet(peer, key);
    EXPECT_TRUE(WaitFor(got));
    return **got.result;
  }
  std::uint64_t ObjectsThere() const { return store_->GetStats().engine.objects; }
  bool NothingIsLent() {
    return RunUntil([&] { return service_->lent_objects() == 0; });
  }

  /// Says what it likes to the node, over a connection of its own.
  Result<wire::Reply> Say(const wire::Request& request) {
    static fabric::Recorder recorder;
    const auto number = a_.number;
    if (raw_ == nullptr) {
      Outcome<fabric::ConnectionPtr> made;
      EXPECT_OK(fabric_->transport(number)->Connect(fabric_->transport(node_.number)->address(),
                                                    recorder, fabric::kLong, made.Callback()));
      EXPECT_TRUE(WaitFor(made));
      raw_ = (*made.result)->value_or(nullptr);
    }
    const std::vector<std::byte> bytes = wire::Encode(request).value();
    Outcome<wire::Reply> answered;
    EXPECT_OK(raw_->Request(fabric::OnePart(bytes), fabric::kLong,
                            [&](const Result<std::span<const std::byte>>& answer) {
                              answered.Callback()(answer.ok() ? wire::DecodeReply(*answer)
                                                              : answer.status());
                            }));
    EXPECT_TRUE(WaitFor(answered));
    return **answered.result;
  }
  Status Refusal(const wire::Request& request) {
    const Result<wire::Reply> reply = Say(request);
    EXPECT_OK(reply);
    const Status* const error = reply.ok() ? std::get_if<Status>(&*reply) : nullptr;
    return error != nullptr ? *error : OkStatus();
  }

  VirtualEnvironment world_;
  InlineExecutor executor_;
  std::unique_ptr<Fabric> fabric_;
  std::shared_ptr<StripedStore> store_;
  std::unique_ptr<ObjectService> service_;
  Peer node_;
  Peer a_;
  Peer b_;
  fabric::ConnectionPtr raw_;
};

INSTANTIATE_TEST_SUITE_P(Fabrics, ObjectTransfersTest, fabric::AllFabrics(), fabric::FabricName);

TEST_P(ObjectTransfersTest, ObjectsOfAllSizesComeAsTheyWere) {
  int i = 0;
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, kInline, kInline + 1, ObjectFetcher::kPieceBytes,
        ObjectFetcher::kPieceBytes + 1,
        3 * ObjectFetcher::kPieceBytes * ObjectFetcher::kPiecesAtOnce}) {
    const Key key = InBucket(("row" + std::to_string(++i)).c_str());
    const DataObject object = MakeObject(Bytes(bytes), "meta", 9);
    const auto published = Publish(a_, key, object);
    ASSERT_OK(published);
    EXPECT_EQ(published->data_bytes, bytes);
    EXPECT_EQ(object.use_count(), 1U) << "nobody but the user has it any more";
    const auto got = Get(b_, key);
    ASSERT_OK(got);
    EXPECT_EQ(got->object.Compare(object), DataObject::Difference::kEqual) << bytes;
    EXPECT_CODE(Publish(b_, key, object), kAlreadyExists);
  }
  EXPECT_TRUE(NothingIsLent());
}

TEST_P(ObjectTransfersTest, MemoryMayBeginAnywhere) {
  const auto bytes = std::make_shared<std::string>(Bytes(200'001));
  const auto view =
      DataObject::View(std::as_bytes(std::span(bytes->data() + 3, bytes->size() - 5)), bytes);
  ASSERT_OK(view);
  ASSERT_OK(Publish(a_, InBucket("view"), *view));
  const auto got = Get(b_, InBucket("view"));
  ASSERT_OK(got);
  EXPECT_EQ(got->object.text(), std::string_view(*bytes).substr(3, bytes->size() - 5));
}

TEST_P(ObjectTransfersTest, GroupsWantsAndResultsTravelAlike) {
  wire::GroupRequest group;
  group.bucket = kTestBucket;
  group.row = "row";
  group.items = {{"a", MakeObject(Bytes(100'000))},
                 {"b", MakeObject("small", "meta")},
                 {"c", MakeObject(Bytes(70'000), "more")}};
  Outcome<NamedObject> wanted;
  const auto operation = b_.client->Want(Pattern::ColumnPrefix("row", "c").set_bucket(kTestBucket),
                                         fabric::kLong, wanted.Callback());
  ASSERT_OK(operation);
  ASSERT_TRUE(RunUntil([&] { return store_->GetStats().waiting == 1; }));
  Outcome<std::vector<ObjectInfo>> published;
  ASSERT_OK(a_.client->PublishGroup(group, fabric::kLong, published.Callback()));
  ASSERT_TRUE(WaitFor(published));
  ASSERT_OK(**published.result);
  EXPECT_EQ((**published.result)->at(2).data_bytes, 70'000U);
  ASSERT_TRUE(WaitFor(wanted));
  ASSERT_OK(**wanted.result);
  EXPECT_EQ((**wanted.result)->object.Compare(group.items[2].object),
            DataObject::Difference::kEqual);
  Outcome<DataObject> computed;
  ASSERT_OK(a_.client->Compute({Pattern::Row("row").set_bucket(kTestBucket), "concat", ""},
                               fabric::kLong, computed.Callback()));
  ASSERT_TRUE(WaitFor(computed));
  ASSERT_OK(**computed.result);
  EXPECT_EQ((**computed.result)->data_bytes(), 170'005U);
  EXPECT_TRUE(NothingIsLent());
}

TEST_P(ObjectTransfersTest, ManyAtOnceWaitForTheirTurn) {
  constexpr int kMany = 10;
  std::vector<Outcome<ObjectInfo>> published;
  std::vector<Outcome<NamedObject>> got;
  const DataObject object = MakeObject(Bytes(150'000));
  for (int i = 0; i < kMany; ++i) {
    published.push_back(BeginPublish(a_, InBucket(std::to_string(i).c_str()), object));
  }
  for (const auto& one : published) {
    ASSERT_TRUE(WaitFor(one));
    ASSERT_OK(**one.result);
  }
  for (int i = 0; i < kMany; ++i) got.push_back(BeginGet(b_, InBucket(std::to_string(i).c_str())));
  for (const auto& one : got) {
    ASSERT_TRUE(WaitFor(one));
    ASSERT_OK(**one.result);
    EXPECT_EQ((**one.result)->object.text(), object.text());
  }
  EXPECT_EQ(object.use_count(), 1U);
  EXPECT_TRUE(NothingIsLent());
}

TEST_P(ObjectTransfersTest, NothingIsBelievedOfAGrant) {
  const DataObject object = MakeObject(Bytes(5000));
  ObjectTransfers::Room room;
  auto loan = a_.transfers->LendIfLarge(object, room);
  ASSERT_OK(loan);
  ASSERT_NE(*loan, nullptr);
  wire::PublishRequest request;
  request.key = InBucket("forged");
  request.object = MakeObject("", "meta");
  Grant grant = (*loan)->grant();
  request.lent = Grant{grant.id, grant.key + 1, grant.bytes, grant.access};
  EXPECT_CODE(Refusal(request), kPermissionDenied) << "another key";
  request.lent = Grant{grant.id + 1000, grant.key, grant.bytes, grant.access};
  EXPECT_CODE(Refusal(request), kPermissionDenied) << "no grant";
  request.lent = Grant{grant.id, grant.key, grant.bytes + 1, grant.access};
  EXPECT_CODE(Refusal(request), kInvalidArgument) << "shorter than it claims";
  request.lent = Grant{grant.id, grant.key, kLimit + 1, grant.access};
  const Status refused = Refusal(request);
  EXPECT_CODE(refused, kInvalidArgument) << "more than the node takes";
  EXPECT_THAT(std::string(refused.message()), HasSubstr(std::to_string(kLimit)));
  EXPECT_EQ(ObjectsThere(), 0U);
  request.lent = grant;
  EXPECT_OK(Refusal(request)) << "this one is good";
  EXPECT_EQ(store_->Get(KeyView(kTestBucket, Key("forged")))->text(), object.text());
  loan->reset();
  request.key = InBucket("taken-back");
  EXPECT_CODE(Refusal(request), kPermissionDenied);
  EXPECT_EQ(object.use_count(), 1U);
}

TEST_P(ObjectTransfersTest, WhatIsLentAndNeverReadEndsByItself) {
  ASSERT_OK(Publish(a_, InBucket("row"), MakeObject(Bytes(5000))));
  const auto reply = Say(wire::GetRequest{InBucket("row")});
  ASSERT_OK(reply);
  const auto* const found = std::get_if<wire::FoundObject>(&*reply);
  ASSERT_NE(found, nullptr);
  ASSERT_TRUE(found->lent.has_value());
  EXPECT_EQ(found->lent->bytes, 5000U);
  EXPECT_EQ(service_->lent_objects(), 1U);
  // Who guesses does not end it.
  EXPECT_EQ(std::get<std::uint64_t>(*Say(wire::ReleaseRequest{found->lent->id, 1})), 0U);
  EXPECT_EQ(service_->lent_objects(), 1U);
  world_.RunFor(node::AnswerLoans::kLimit);
  EXPECT_EQ(service_->lent_objects(), 0U);
  EXPECT_EQ(std::get<std::uint64_t>(*Say(wire::ReleaseRequest{found->lent->id, found->lent->key})),
            0U);
  // One more, which is given back.
  const auto again = Say(wire::GetRequest{InBucket("row")});
  const Grant grant = *std::get<wire::FoundObject>(*again).lent;
  EXPECT_EQ(std::get<std::uint64_t>(*Say(wire::ReleaseRequest{grant.id, grant.key})), 1U);
  EXPECT_EQ(service_->lent_objects(), 0U);
  // And one whose connection ends.
  ASSERT_OK(Say(wire::GetRequest{InBucket("row")}));
  EXPECT_EQ(service_->lent_objects(), 1U);
  raw_->Close();
  EXPECT_TRUE(NothingIsLent());
}

TEST_P(ObjectTransfersTest, AClientThatDiesWhileItIsReadLeavesNothing) {
  const DataObject object = MakeObject(Bytes(4U << 20));
  const auto published = BeginPublish(a_, InBucket("large"), object);
  // The node has begun to read: pieces are under way.
  fabric_->RunUntil(1us, [] { return false; });
  fabric_->Kill(a_.number);
  a_.transfers->Stop();
  EXPECT_OK(Publish(b_, InBucket("other"), MakeObject(Bytes(100'000)))) << "others go on";
  fabric_->RunUntil(fabric::kLong, [] { return false; });
  EXPECT_LE(ObjectsThere(), 2U);
  EXPECT_OK(Get(b_, InBucket("other")));
  EXPECT_TRUE(NothingIsLent());
}

TEST_P(ObjectTransfersTest, AClientThatDiesWhileItReadsLeavesNothingLent) {
  ASSERT_OK(Publish(a_, InBucket("large"), MakeObject(Bytes(4U << 20))));
  const auto got = BeginGet(b_, InBucket("large"));
  ASSERT_TRUE(RunUntil([&] { return service_->lent_objects() == 1 || got.done(); }));
  fabric_->Kill(b_.number);
  b_.transfers->Stop();
  EXPECT_TRUE(NothingIsLent());
  EXPECT_OK(Get(a_, InBucket("large")));
}

TEST_P(ObjectTransfersTest, ANodeThatDiesFailsWhatIsUnderWay) {
  const DataObject object = MakeObject(Bytes(4U << 20));
  ASSERT_OK(Publish(a_, InBucket("there"), object));
  const auto got = BeginGet(b_, InBucket("there"));
  const auto published = BeginPublish(a_, InBucket("large"), object);
  RunUntil([&] { return service_->lent_objects() == 1 || got.done(); });
  const bool was_done = got.done() || published.done();
  fabric_->Kill(node_.number);
  node_.transfers->Stop();
  ASSERT_TRUE(WaitFor(got));
  ASSERT_TRUE(WaitFor(published));
  if (!was_done) {
    EXPECT_CODE(**got.result, kUnavailable);
    EXPECT_CODE(**published.result, kUnavailable);
  }
  EXPECT_EQ(object.use_count(), 1U) << "the user's memory is the user's again";
}

TEST_P(ObjectTransfersTest, AfterItsDeadlineNobodyReadsTheUsersMemory) {
  const DataObject object = MakeObject(Bytes(1U << 20));
  fabric_->Pause(node_.number, 10s);
  const auto published = BeginPublish(a_, InBucket("late"), object, 1s);
  ASSERT_TRUE(WaitFor(published));
  EXPECT_CODE(**published.result, kDeadlineExceeded);
  EXPECT_EQ(object.use_count(), 1U);
  // The node looks for it later, and finds it taken back.
  fabric_->RunUntil(20s, [] { return false; });
  EXPECT_EQ(ObjectsThere(), 0U);
  EXPECT_OK(Publish(a_, InBucket("late"), object));
}

TEST_P(ObjectTransfersTest, AWantThatIsGivenUpWhileItIsReadIsGivenBack) {
  ASSERT_OK(Publish(a_, InBucket("large"), MakeObject(Bytes(4U << 20))));
  Outcome<NamedObject> wanted;
  auto operation = b_.client->Want(InBucket("large"), fabric::kLong, wanted.Callback());
  ASSERT_OK(operation);
  ASSERT_TRUE(RunUntil([&] { return service_->lent_objects() == 1; }));
  EXPECT_TRUE(operation->Cancel());
  EXPECT_CODE(**wanted.result, kCancelled);
  EXPECT_TRUE(NothingIsLent());
}

}  // namespace
}  // namespace cirein
