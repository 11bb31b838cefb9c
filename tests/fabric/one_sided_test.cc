// SPDX-License-Identifier: Apache-2.0

// What a fabric promises of one-sided operations.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fabric/conformance.h"
#include "fabric/fabrics.h"
#include "region/shadow_space.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

class OneSidedTest : public FabricTest {};

TEST_P(OneSidedTest, WritesAreReadBack) {
  Random random(test::Seed());
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 512);
  const Grant grant = MakeGrant(b, memory, {64, 2048}, kAll);
  EXPECT_EQ(grant.bytes, 2048U);
  EXPECT_EQ(grant.access, kAll);
  const ConnectionPtr connection = Connect(a, b);
  std::string expected(2048, '\0');
  for (int round = 0; round < 50; ++round) {
    const std::size_t offset = random.Below(2049);
    const std::string text = RandomText(random, random.Below(2049 - offset));
    ASSERT_TRUE(Write(connection, grant, offset, Bytes(text)).ok());
    expected.replace(offset, text.size(), text);
    ASSERT_EQ(Text(memory.bytes().subspan(64, 2048)), expected) << "OK means that it is there";
    std::vector<std::byte> got(random.Below(2049));
    const std::size_t from = random.Below(2049 - got.size());
    ASSERT_TRUE(Read(connection, grant, from, got).ok());
    ASSERT_EQ(Text(got), expected.substr(from, got.size()));
  }
  EXPECT_EQ(Text(memory.bytes().first(64)), std::string(64, '\0'));
  EXPECT_EQ(Text(memory.bytes().subspan(64 + 2048)), std::string(4096 - 64 - 2048, '\0'));
  // The listener may do the same to one who connected; here there is nothing granted.
  EXPECT_EQ(Write(Rec(b).connections[0], grant, 0, Bytes("x")).code(),
            StatusCode::kPermissionDenied);
}

TEST_P(OneSidedTest, RegionsAreReachedToo) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  ShadowSpace space(ShadowSpace::Medium::kFlushable);
  const std::shared_ptr<Region> region = space.Create("r", 4096, RegionUse::kWords).value();
  const auto id = Transport(b).Register(region);
  ASSERT_TRUE(id.ok());
  const auto grant = Transport(b).MakeGrant(*id, {0, 4096}, kAll);
  ASSERT_TRUE(grant.ok()) << grant.status().ToString();
  const ConnectionPtr connection = Connect(a, b);
  EXPECT_TRUE(Write(connection, *grant, 100, Bytes("cirein")).ok());
  EXPECT_EQ(Text({region->data() + 100, 6}), "cirein");
  std::vector<std::byte> got(6);
  EXPECT_TRUE(Read(connection, *grant, 100, got).ok());
  EXPECT_EQ(Text(got), "cirein");
  EXPECT_EQ(Swap(connection, *grant, 8, {0, 5}).value_or(99), 0U);
  EXPECT_EQ(Swap(connection, *grant, 8, {0, 6}).value_or(99), 5U);
  EXPECT_EQ(Add(connection, *grant, 8, 2).value_or(99), 5U);
  EXPECT_EQ(region->LoadWord(8), 7U);
}

TEST_P(OneSidedTest, PersistPutsEarlierWritesOnTheMedium) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  ShadowSpace space(ShadowSpace::Medium::kFlushable);
  const std::shared_ptr<Region> region = space.Create("r", 4096, RegionUse::kWords).value();
  ASSERT_TRUE(space.PersistNames(PersistSite::kFormat).ok());
  const auto id = Transport(b).Register(region);
  ASSERT_TRUE(id.ok());
  const auto grant = Transport(b).MakeGrant(*id, {0, 4096}, kAll);
  ASSERT_TRUE(grant.ok());
  const ConnectionPtr connection = Connect(a, b);
  auto written = std::make_shared<Outcome>();
  auto persisted = std::make_shared<Outcome>();
  // Begun together: the order is the fabric's to keep.
  ASSERT_TRUE(connection->Write(*grant, 0, Bytes("kept"), kLong, Into(written)).ok());
  ASSERT_TRUE(connection->Persist(*grant, {0, 4}, kLong, Into(persisted)).ok());
  ASSERT_TRUE(connection->Write(*grant, 64, Bytes("lost"), kLong, Into(written)).ok());
  ASSERT_TRUE(WaitFor(persisted));
  EXPECT_TRUE(persisted->status.ok()) << persisted->status.ToString();
  EXPECT_GE(written->calls, 1) << "the end of an operation that was begun before";
  ASSERT_TRUE(WaitFor([&] { return written->calls == 2; }));
  EXPECT_EQ(space.persists(PersistSite::kRemote), 1U);
  Random random(1);
  const SpaceImage image = space.PowerCut(space.events(), random, 0);
  ASSERT_EQ(image.count("r"), 1U);
  const auto& bytes = image.at("r");
  EXPECT_EQ(Text(std::span(bytes.data(), 4)), "kept");
  EXPECT_EQ(Text(std::span(bytes.data() + 64, 4)), std::string(4, '\0'));
  // What the medium says is said.
  space.FailPersists(IoError("broken"));
  EXPECT_EQ(Persist(connection, *grant, {0, 4}).code(), StatusCode::kIoError);
  // Nothing else has a medium; and to persist is to write.
  std::vector<std::uint64_t> plain(1);
  const auto plain_id = Transport(b).Register(std::as_writable_bytes(std::span(plain)), nullptr);
  ASSERT_TRUE(plain_id.ok());
  const auto plain_grant = Transport(b).MakeGrant(*plain_id, {0, 8}, kAll);
  ASSERT_TRUE(plain_grant.ok());
  EXPECT_EQ(Persist(connection, *plain_grant, {0, 8}).code(), StatusCode::kFailedPrecondition);
  const auto to_read = Transport(b).MakeGrant(*id, {0, 4096}, Access::kRead);
  ASSERT_TRUE(to_read.ok());
  EXPECT_EQ(Persist(connection, *to_read, {0, 4}).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Persist(connection, *grant, {4095, 2}).code(), StatusCode::kInvalidArgument);
  ExpectWorks(connection);
}

TEST_P(OneSidedTest, OperationsTakeEffectInTheirOrder) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Warm(connection, grant);
  std::array<std::uint64_t, 16> read{};
  const std::vector<std::uint64_t> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  int done = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const auto count = [&done](const Status& status) {
      EXPECT_TRUE(status.ok());
      ++done;
    };
    ASSERT_TRUE(
        connection->Write(grant, 0, std::as_bytes(std::span(&values[i], 1)), kLong, count).ok());
    ASSERT_TRUE(
        connection->Read(grant, 0, std::as_writable_bytes(std::span(&read[i], 1)), kLong, count)
            .ok());
  }
  ASSERT_TRUE(WaitFor([&] { return done == 32; }));
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(read[i], i);
}

TEST_P(OneSidedTest, PersistsAndWhatIsBesideThemKeepTheirOrder) {
  // Whatever carries each of them: the last of what is written is what is there, and each reader
  // finds what was written before it was begun.
  Random random(test::Seed());
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 4);
  const Grant grant = MakeGrant(b, memory, kAll);
  // Of a part, as some fabrics know another way for it.
  const Grant part = MakeGrant(b, memory, {0, 8}, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Warm(connection, grant);
  std::uint64_t expected = 0;
  std::size_t begun = 0;
  std::size_t called = 0;
  for (int round = 0; round < 40; ++round) {
    std::deque<std::uint64_t> values;
    for (int i = 0; i < 12; ++i) {
      const Grant& by = random.OneIn(4) ? part : grant;
      ++begun;
      const auto ended = [&called](const auto& result) {
        EXPECT_TRUE(result.ok() || result.code() == StatusCode::kFailedPrecondition);
        ++called;
      };
      switch (random.Below(4)) {
        case 0:
          values.push_back(random());
          expected = values.back();
          ASSERT_TRUE(
              connection->Write(by, 0, std::as_bytes(std::span(&values.back(), 1)), kLong, ended)
                  .ok());
          break;
        case 1:
          ASSERT_TRUE(connection->Persist(by, {0, 8}, kLong, ended).ok());
          break;
        default:
          ASSERT_TRUE(connection
                          ->FetchAdd(by, 0, 1, kLong,
                                     [ended, expected](const Result<std::uint64_t>& before) {
                                       ended(before);
                                       EXPECT_EQ(before.value_or(expected + 1), expected);
                                     })
                          .ok());
          ++expected;
      }
    }
    ASSERT_TRUE(WaitFor([&] { return called == begun; }));
    EXPECT_EQ((*memory.words)[0], expected);
  }
}

TEST_P(OneSidedTest, ARangeOutsideIsRefusedAndHarmsNobody) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 16);
  const Grant grant = MakeGrant(b, memory, {32, 64}, kAll);
  const ConnectionPtr connection = Connect(a, b);
  const ConnectionPtr other = Connect(a, b);
  const Grant all = MakeGrant(b, memory, kAll);
  Warm(connection, all);
  const std::string before = Text(memory.bytes());
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::vector<ByteRange> outside = {
      {0, 65},       {1, 64},         {63, 2},   {64, 1},         {65, 0},      {kMax, 1},
      {kMax - 7, 8}, {kMax - 31, 32}, {kMax, 0}, {kMax - 63, 64}, {kMax / 2, 9}};
  for (const ByteRange& range : outside) {
    std::string bytes(range.bytes, 'x');
    const auto span = std::as_writable_bytes(std::span(bytes.data(), bytes.size()));
    EXPECT_EQ(Read(connection, grant, range.offset, span).code(), StatusCode::kInvalidArgument)
        << range.offset << " " << range.bytes;
    EXPECT_EQ(Write(connection, grant, range.offset, span).code(), StatusCode::kInvalidArgument)
        << range.offset << " " << range.bytes;
    EXPECT_EQ(bytes, std::string(range.bytes, 'x')) << "bytes beside the grant were read";
    // As far beside all of the memory, which ends 64 bytes later.
    const std::uint64_t far = range.offset > kMax / 4 ? range.offset : range.offset + 64;
    EXPECT_EQ(Read(connection, all, far, span).code(), StatusCode::kInvalidArgument) << far;
    EXPECT_EQ(Write(connection, all, far, span).code(), StatusCode::kInvalidArgument) << far;
  }
  for (const std::uint64_t offset :
       {kMax, kMax - 7, kMax - 31, std::uint64_t{64}, std::uint64_t{72}, std::uint64_t{1} << 63}) {
    EXPECT_EQ(Swap(connection, grant, offset, {0, 1}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Add(connection, grant, offset, 1).code(), StatusCode::kInvalidArgument);
  }
  // Whole words only.
  for (const std::uint64_t offset : {1U, 4U, 7U, 57U}) {
    EXPECT_EQ(Swap(connection, grant, offset, {0, 1}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Add(connection, grant, offset, 1).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Swap(connection, all, offset, {0, 1}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Add(connection, all, offset, 1).code(), StatusCode::kInvalidArgument);
  }
  // A grant that says more than was granted.
  Grant wider = grant;
  wider.bytes = kMax;
  EXPECT_EQ(Write(connection, wider, 64, Bytes("x")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Text(memory.bytes()), before);
  EXPECT_TRUE(Write(connection, grant, 64, {}).ok()) << "nothing at its end is inside";
  EXPECT_TRUE(Write(connection, grant, 63, Bytes("x")).ok());
  ExpectWorks(connection);
  ExpectWorks(other);
  EXPECT_TRUE(Rec(a).closed.empty());
  EXPECT_TRUE(Rec(b).closed.empty());
}

TEST_P(OneSidedTest, OnlyTheGrantedAccessIsAllowed) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const ConnectionPtr connection = Connect(a, b);
  std::vector<std::byte> into(8);
  for (const Access access : {Access::kRead, Access::kWrite, Access::kAtomic}) {
    Grant grant = MakeGrant(b, memory, access);
    grant.access = kAll;  // Saying so does not help.
    Warm(connection, grant);
    const auto expected = [access](Access needed) {
      return access == needed ? StatusCode::kOk : StatusCode::kPermissionDenied;
    };
    EXPECT_EQ(Read(connection, grant, 0, into).code(), expected(Access::kRead));
    EXPECT_EQ(Write(connection, grant, 0, into).code(), expected(Access::kWrite));
    EXPECT_EQ(Swap(connection, grant, 0, {0, 0}).code(), expected(Access::kAtomic));
    EXPECT_EQ(Add(connection, grant, 0, 0).code(), expected(Access::kAtomic));
  }
  ExpectWorks(connection);
}

TEST_P(OneSidedTest, KeysAreChecked) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Warm(connection, grant);
  for (const std::uint64_t bit : {0U, 13U, 63U}) {
    Grant wrong = grant;
    wrong.key ^= std::uint64_t{1} << bit;
    EXPECT_EQ(Write(connection, wrong, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
    EXPECT_EQ(Transport(b).Revoke(wrong).code(), StatusCode::kNotFound);
  }
  Grant unknown = grant;
  unknown.id += 1;
  EXPECT_EQ(Write(connection, unknown, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Write(connection, Grant{}, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
  const Grant second = MakeGrant(b, memory, kAll);
  EXPECT_NE(second.id, grant.id);
  EXPECT_NE(second.key, grant.key);
  Grant mixed = grant;
  mixed.key = second.key;
  EXPECT_EQ(Write(connection, mixed, 0, Bytes("x")).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ((*memory.words)[0], 0U);
  EXPECT_TRUE(Write(connection, grant, 0, Bytes("x")).ok());
}

TEST_P(OneSidedTest, ARevokedGrantIsWorthNothing) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const ConnectionPtr connection = Connect(a, b);
  const Grant revoked = MakeGrant(b, memory, kAll);
  const Grant kept = MakeGrant(b, memory, kAll);
  Warm(connection, revoked);
  Warm(connection, kept);
  auto outcome = std::make_shared<Outcome>();
  const std::uint64_t one = 1;
  // On its way while the grant is revoked.
  ASSERT_TRUE(
      connection->Write(revoked, 0, std::as_bytes(std::span(&one, 1)), kLong, Into(outcome)).ok());
  ASSERT_TRUE(Transport(b).Revoke(revoked).ok());
  const std::uint64_t seen = (*memory.words)[0];
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ((*memory.words)[0], seen) << "it took effect after Revoke";
  EXPECT_EQ(outcome->status.code(), seen == 1 ? StatusCode::kOk : StatusCode::kPermissionDenied);
  EXPECT_EQ(Transport(b).Revoke(revoked).code(), StatusCode::kNotFound);
  EXPECT_EQ(Add(connection, revoked, 0, 1).code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(Add(connection, kept, 0, 1).ok());
  // With the memory its grants go.
  std::weak_ptr<void> keeps = memory.words;
  ASSERT_TRUE(Transport(b).Unregister(memory.id).ok());
  EXPECT_EQ(memory.words.use_count(), 1) << "it is held on to";
  EXPECT_EQ(Transport(b).Unregister(memory.id).code(), StatusCode::kNotFound);
  EXPECT_EQ(Add(connection, kept, 0, 1).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Transport(b).Revoke(kept).code(), StatusCode::kNotFound);
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, kAll).code(), StatusCode::kNotFound);
  // Whoever comes after gets other numbers.
  const Memory next = MakeMemory(b, 1);
  const Grant fresh = MakeGrant(b, next, kAll);
  EXPECT_NE(fresh.id, kept.id);
  EXPECT_EQ(Add(connection, kept, 0, 1).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ((*next.words)[0], 0U);
}

TEST_P(OneSidedTest, GrantsThatMakeNoSenseAreRefused) {
  const std::size_t b = AddListener();
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const Memory memory = MakeMemory(b, 4);
  for (const ByteRange& range : std::vector<ByteRange>{
           {0, 33}, {32, 1}, {33, 0}, {kMax, 1}, {1, kMax}, {kMax, kMax}, {kMax - 7, 8}}) {
    EXPECT_EQ(Transport(b).MakeGrant(memory.id, range, Access::kRead).code(),
              StatusCode::kInvalidArgument)
        << range.offset << " " << range.bytes;
  }
  for (const ByteRange& range : std::vector<ByteRange>{{4, 8}, {0, 9}, {0, 4}}) {
    EXPECT_EQ(Transport(b).MakeGrant(memory.id, range, Access::kAtomic).code(),
              StatusCode::kInvalidArgument);
    EXPECT_TRUE(Transport(b).MakeGrant(memory.id, range, Access::kWrite).ok());
  }
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, static_cast<Access>(0)).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, static_cast<Access>(8)).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Transport(b).MakeGrant(memory.id + 1000, {0, 8}, kAll).code(), StatusCode::kNotFound);
  EXPECT_EQ(Transport(b).Register(std::shared_ptr<Region>()).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Transport(b).Register(memory.bytes().subspan(1, 8), nullptr).code(),
            StatusCode::kInvalidArgument);
  // A region that is written record by record has no words.
  ShadowSpace space(ShadowSpace::Medium::kFile);
  const std::shared_ptr<Region> region = space.Create("r", 4096, RegionUse::kLog).value();
  const auto id = Transport(b).Register(region);
  ASSERT_TRUE(id.ok());
  if (!region->has_stores()) {
    EXPECT_EQ(Transport(b).MakeGrant(*id, {0, 8}, kAll).code(), StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(Transport(b).MakeGrant(*id, {0, 8}, Access::kRead | Access::kWrite).ok());
}

TEST_P(OneSidedTest, GrantsHaveALimit) {
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  Grant last;
  for (std::uint64_t i = 0; i < Transport(b).limits().grants_max; ++i) {
    last = MakeGrant(b, memory, kAll);
  }
  EXPECT_EQ(Transport(b).MakeGrant(memory.id, {0, 8}, kAll).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(Transport(b).Revoke(last).ok());
  EXPECT_TRUE(Transport(b).MakeGrant(memory.id, {0, 8}, kAll).ok());
}

TEST_P(OneSidedTest, SwapsOfSeveralPeersExcludeEachOther) {
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  constexpr int kPeers = 3;
  constexpr std::uint64_t kEach = 30;
  struct Counter {
    ConnectionPtr connection;
    Grant grant;
    std::uint64_t left = kEach;
    std::uint64_t failed = 0;
    void Try(std::uint64_t expected) {
      const Status begun =
          connection->CompareAndSwap(grant, 0, {expected, expected + 1}, kLong,
                                     [this, expected](const Result<std::uint64_t>& before) {
                                       ASSERT_TRUE(before.ok());
                                       if (*before != expected) ++failed;
                                       if (*before == expected && --left == 0) return;
                                       Try(*before == expected ? expected + 1 : *before);
                                     });
      EXPECT_TRUE(begun.ok());
    }
  };
  std::deque<Counter> counters;
  for (int i = 0; i < kPeers; ++i) counters.push_back({Connect(AddPeer(), b), grant});
  for (Counter& counter : counters) counter.Try(0);
  ASSERT_TRUE(WaitFor([&] {
    return std::all_of(counters.begin(), counters.end(), [](const auto& c) { return c.left == 0; });
  }));
  EXPECT_EQ((*memory.words)[0], kPeers * kEach);
  std::uint64_t failed = 0;
  for (const Counter& counter : counters) failed += counter.failed;
  EXPECT_GT(failed, 0U) << "they were never in each other's way";
}

TEST_P(OneSidedTest, AddsOfSeveralPeersAreAllCounted) {
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 2);
  const Grant grant = MakeGrant(b, memory, kAll);
  std::set<std::uint64_t> before;
  std::size_t done = 0;
  for (int i = 0; i < 3; ++i) {
    const ConnectionPtr connection = Connect(AddPeer(), b);
    for (int k = 0; k < 20; ++k) {
      ASSERT_TRUE(connection
                      ->FetchAdd(grant, 8, 3, kLong,
                                 [&](const Result<std::uint64_t>& word) {
                                   ++done;
                                   ASSERT_TRUE(word.ok());
                                   before.insert(*word);
                                 })
                      .ok());
    }
  }
  ASSERT_TRUE(WaitFor([&] { return done == 60; }));
  EXPECT_EQ((*memory.words)[1], 180U);
  EXPECT_EQ(before.size(), 60U) << "each saw another word";
}

TEST_P(OneSidedTest, MemoryOfASleeperIsReachedIfTheFabricDoesItAlone) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Warm(connection, grant);
  fabric_->Pause(b, 1s);
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(connection->FetchAdd(grant, 0, 1, 100ms, WordInto(outcome)).ok());
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ(outcome->status.code(),
            fabric_->reaches_paused_memory() ? StatusCode::kOk : StatusCode::kDeadlineExceeded);
  fabric_->RunUntil(2s, [] { return false; });
  EXPECT_EQ(outcome->calls, 1);
  ExpectWorks(connection);
}

TEST_P(OneSidedTest, OperationsAreHeldBackToo) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Limits limits = Transport(a).limits();
  const Memory memory = MakeMemory(b, limits.outstanding_bytes_max / 8 + 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Warm(connection, grant);
  std::vector<std::byte> bytes(limits.outstanding_bytes_max + 1);
  auto outcome = std::make_shared<Outcome>();
  // It would never fit.
  EXPECT_EQ(connection->Write(grant, 0, bytes, kLong, Into(outcome)).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(connection->Read(grant, 0, bytes, kLong, Into(outcome)).code(),
            StatusCode::kInvalidArgument);
  bytes.pop_back();
  EXPECT_TRUE(connection->Read(grant, 0, bytes, kLong, Into(outcome)).ok());
  EXPECT_EQ(connection->Send(OnePart("x")).code(), StatusCode::kResourceExhausted);
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_TRUE(outcome->status.ok()) << outcome->status.ToString();
  std::uint64_t begun = 0;
  auto adds = std::make_shared<Outcome>();
  while (begun <= limits.outstanding_max &&
         connection->FetchAdd(grant, 0, 1, kLong, WordInto(adds)).ok()) {
    ++begun;
  }
  EXPECT_EQ(begun, limits.outstanding_max);
  ASSERT_TRUE(WaitFor([&] { return adds->calls == static_cast<int>(begun); }));
  EXPECT_EQ((*memory.words)[0], begun);
  ExpectWorks(connection);
}

TEST_P(OneSidedTest, OperationsEndAtTheirDeadlineAndGiveTheirMemoryBack) {
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  (*memory.words)[0] = 7;
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Warm(connection, grant);
  auto outcome = std::make_shared<Outcome>();
  auto into = std::make_unique<std::uint64_t>(1);
  ASSERT_TRUE(
      connection
          ->Read(grant, 0, std::as_writable_bytes(std::span(into.get(), 1)), 0ms, Into(outcome))
          .ok());
  ASSERT_TRUE(WaitFor(outcome));
  EXPECT_EQ(outcome->status.code(), StatusCode::kDeadlineExceeded);
  const std::uint64_t seen = *into;
  Settle();
  EXPECT_EQ(*into, seen) << "written to after the callback";
  EXPECT_EQ(outcome->calls, 1);
}

TEST_P(OneSidedTest, MessagesComeAfterTheWritesBeforeThem) {
  // What a message says of a write that was answered is true when the message arrives.
  const std::size_t a = AddPeer();
  const std::size_t b = AddListener();
  const Memory memory = MakeMemory(b, 1);
  const Grant grant = MakeGrant(b, memory, kAll);
  const ConnectionPtr connection = Connect(a, b);
  Warm(connection, grant);
  std::uint64_t seen = 0;
  Rec(b).on_message = [&](const auto&, const auto&) { seen = (*memory.words)[0]; };
  ASSERT_TRUE(
      connection
          ->FetchAdd(grant, 0, 5, kLong,
                     [&](const auto&) { EXPECT_TRUE(connection->Send(OnePart("look")).ok()); })
          .ok());
  ASSERT_TRUE(WaitFor([&] { return !Rec(b).messages.empty(); }));
  EXPECT_EQ(seen, 5U);
}

INSTANTIATE_TEST_SUITE_P(Fabrics, OneSidedTest, AllFabrics(), FabricName);

}  // namespace
}  // namespace cirein::fabric
