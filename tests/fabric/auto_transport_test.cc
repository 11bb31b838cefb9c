// SPDX-License-Identifier: Apache-2.0
#include "fabric/auto/auto_transport.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fabric/auto/auto_address.h"
#include "fabric/conformance.h"
#include "fabric/ofi_fabric.h"

namespace cirein::fabric {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Use = AutoOptions::Use;

AutoOptions SmallOptions(Use use) {
  AutoOptions options;
  options.use = use;
  options.secret = "of the test";
  options.limits = OfiFabric::SmallOptions().limits;
  options.ofi = OfiFabric::SmallOptions();
  return options;
}

TEST(AutoAddressTest, IsReadBackAndHasAPartForEachFabric) {
  const AutoAddress places{.host = "00ff", .ofi = "[::1]:70", .shm = "/run/a,b"};
  const Address address = ToAddress(places);
  EXPECT_EQ(address, "auto://00ff,[::1]:70,/run/a,b");
  const auto read = AutoAddressIn(address);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->host, places.host);
  EXPECT_EQ(read->ofi, places.ofi);
  EXPECT_EQ(read->shm, places.shm);
  EXPECT_EQ(AutoAddressIn("auto://,1.2.3.4:5,")->ofi, "1.2.3.4:5") << "of an unknown host";
  EXPECT_EQ(*AddressFor("shm", address), "shm:///run/a,b");
  EXPECT_EQ(*AddressFor("ofi", address), "ofi://[::1]:70");
  EXPECT_EQ(*AddressFor("ofi", "ofi://1.2.3.4:5"), "ofi://1.2.3.4:5");
  EXPECT_EQ(AddressFor("shm", "auto://00ff,1.2.3.4:5,").code(), StatusCode::kInvalidArgument);
  for (const char* const wrong : {"auto://", "auto://h", "auto://h,", "auto://,,", "shm://x", ""}) {
    EXPECT_EQ(AutoAddressIn(wrong).code(), StatusCode::kInvalidArgument) << wrong;
  }
}

TEST(AutoAddressTest, ThisHostIsTheSameEachTime) {
  ASSERT_TRUE(ThisHost().ok()) << ThisHost().status().ToString();
  EXPECT_EQ(*ThisHost(), *ThisHost());
}

// Two processes, each of which uses what it is told.
class AutoTransportTest : public testing::Test {
 protected:
  AutoTransport& Add(Use use) {
    use_ = use;
    return static_cast<AutoTransport&>(*fabric_.transport(fabric_.AddPeer()));
  }
  Result<ConnectionPtr> Connect(AutoTransport& from, const Address& to) {
    auto result = std::make_shared<std::vector<Result<ConnectionPtr>>>();
    const Status begun = from.Connect(to, service_, kLong, [result](Result<ConnectionPtr> made) {
      result->push_back(std::move(made));
    });
    if (!begun.ok()) return begun;
    EXPECT_TRUE(fabric_.RunUntil(kLong, [result] { return !result->empty(); }));
    return result->front();
  }

  Use use_ = Use::kAuto;
  Recorder service_;
  Recorder listening_;
  OfiFabric fabric_{[this](Reactor& home) {
    return OfiFabric::Hold(AutoTransport::Create(home, SmallOptions(use_)).value());
  }};
};

TEST_F(AutoTransportTest, SaysInOneLineWhatItUsesAndWhy) {
  const AutoTransport& all = Add(Use::kAuto);
  EXPECT_THAT(all.reason(), StartsWith("shm between processes of this host, ofi (tcp;ofi_rxm)"));
  EXPECT_THAT(all.reason(), HasSubstr("(chosen by what there is)"));
  const AutoTransport& shm = Add(Use::kShm);
  EXPECT_EQ(shm.reason(), "shm between processes of this host (as was asked for)");
  const AutoTransport& ofi = Add(Use::kOfi);
  EXPECT_THAT(ofi.reason(), StartsWith("ofi (tcp;ofi_rxm) to everybody at 127.0.0.1:"));
}

TEST_F(AutoTransportTest, MemoryAndGrantsAreTheSameOverEachWay) {
  AutoTransport& owner = Add(Use::kAuto);
  ASSERT_TRUE(owner.Listen(listening_).ok());
  AutoTransport& near = Add(Use::kAuto);
  AutoTransport& far = Add(Use::kOfi);
  auto words = std::make_shared<std::vector<std::uint64_t>>(4);
  const auto memory = owner.Register(std::as_writable_bytes(std::span(*words)), words);
  ASSERT_TRUE(memory.ok());
  const auto grant = owner.MakeGrant(*memory, {0, 32}, kAll);
  ASSERT_TRUE(grant.ok());
  std::uint64_t expected = 0;
  const auto add = [&](const ConnectionPtr& over) {
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE(over->FetchAdd(*grant, 8, 5, kLong, WordInto(outcome)).ok());
    EXPECT_TRUE(fabric_.RunUntil(kLong, [outcome] { return outcome->done(); }));
    return outcome;
  };
  std::vector<ConnectionPtr> connections;
  for (AutoTransport* const from : {&near, &far}) {
    const auto made = Connect(*from, owner.address());
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    EXPECT_EQ((*made)->peer(), owner.address());
    const auto outcome = add(*made);
    EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
    EXPECT_EQ(outcome->word, expected);
    expected += 5;
    connections.push_back(*made);
  }
  ASSERT_EQ(listening_.connections.size(), 2U);
  EXPECT_EQ(listening_.connections[0]->peer(), near.address());
  EXPECT_EQ(listening_.connections[1]->peer(), far.address());
  EXPECT_EQ((*words)[1], expected);
  ASSERT_TRUE(owner.Revoke(*grant).ok());
  for (const ConnectionPtr& over : connections) {
    EXPECT_EQ(add(over)->status.code(), StatusCode::kPermissionDenied);
  }
}

TEST_F(AutoTransportTest, WithoutAFabricInCommonItSaysSo) {
  AutoTransport& shm = Add(Use::kShm);
  AutoTransport& ofi = Add(Use::kOfi);
  ASSERT_TRUE(shm.Listen(listening_).ok());
  const auto made = Connect(ofi, shm.address());
  EXPECT_EQ(made.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(made.status().ToString(), HasSubstr("different fabrics"));
  // Of another host.
  AutoAddress other = *AutoAddressIn(shm.address());
  other.host = "elsewhere";
  const auto far = Connect(shm, ToAddress(other));
  EXPECT_EQ(far.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(far.status().ToString(), HasSubstr("cirein doctor"));
}

TEST_F(AutoTransportTest, WhatCannotBeIsAnErrorAlsoWhereShmWouldDo) {
  VirtualClock clock;
  const auto home = Reactor::Create(clock).value();
  AutoOptions options = SmallOptions(Use::kAuto);
  options.ofi.provider = "carrier pigeon";
  EXPECT_EQ(AutoTransport::Create(*home, options).code(), StatusCode::kInvalidArgument);
  options = SmallOptions(Use::kAuto);
  options.shm.name = "/" + std::string(106, 'x');
  EXPECT_EQ(AutoTransport::Create(*home, options).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cirein::fabric
