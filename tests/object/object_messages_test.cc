// SPDX-License-Identifier: Apache-2.0
#include "object/object_messages.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/compute.h"

#include "base/random.h"
#include "support/objects.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::wire {
namespace {

using std::chrono::nanoseconds;
using test::MakeObject;
using test::RandomKey;
using test::RandomPattern;
using Bytes = std::vector<std::byte>;

const Bucket kBucket{7};

// Any number of bits, so that small and large numbers both come.
std::uint64_t RandomNumber(Random& random) { return random() >> random.Below(64); }

std::optional<nanoseconds> RandomTime(Random& random) {
  if (random.OneIn(2)) return std::nullopt;
  return nanoseconds(static_cast<std::int64_t>(RandomNumber(random) >> 1) | 1);
}

std::string RandomText(Random& random, std::size_t max_bytes) {
  std::string text(random.Below(max_bytes + 1), '\0');
  for (char& byte : text) byte = static_cast<char>(random.Below(256));
  return text;
}

DataObject RandomObject(Random& random) {
  return MakeObject(RandomText(random, 40), RandomText(random, 10),
                    static_cast<std::uint16_t>(random.Below(65'536)));
}

/// The data of half of all objects are lent: then they have none of their own.
void MakeRandom(Random& random, DataObject& object, Lent& lent) {
  object = RandomObject(random);
  if (random.OneIn(2)) return;
  object = MakeObject("", object.meta_text(), object.type());
  lent = fabric::Grant{.id = RandomNumber(random),
                       .key = RandomNumber(random),
                       .bytes = random.Below(DataObject::kMaxDataBytes + 1),
                       .access = fabric::Access::kRead};
}

Version RandomVersion(Random& random) { return {RandomNumber(random), RandomNumber(random)}; }

ObjectInfo RandomInfo(Random& random) {
  return {random.Below(65'537), random.Below(DataObject::kMaxDataBytes + 1), RandomVersion(random),
          static_cast<Availability>(random.Below(7)), RandomTime(random)};
}

Key InBucket(Key key) { return key.set_bucket(kBucket); }
Pattern InBucket(Pattern pattern) { return pattern.set_bucket(kBucket); }

PublishRequest RandomPublish(Random& random) {
  PublishRequest request;
  request.key = InBucket(RandomKey(random));
  request.mode = static_cast<PutMode>(random.Below(3));
  if (request.mode == PutMode::kIfVersion) request.if_version = RandomVersion(random);
  request.ttl = RandomTime(random);
  request.keep = static_cast<std::uint32_t>(random.Below(kMaxKeptColumns + 1));
  request.store = random.OneIn(2);
  request.to_backing = random.OneIn(2);
  MakeRandom(random, request.object, request.lent);
  return request;
}

GroupRequest RandomGroup(Random& random) {
  GroupRequest request{kBucket,
                       test::RandomRow(random),
                       PutMode::kOverwrite,
                       RandomTime(random),
                       static_cast<std::uint32_t>(random.Below(3)),
                       random.OneIn(2),
                       {}};
  const std::uint64_t count = 1 + random.Below(test::kColumnNames.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    GroupRequest::Item& item = request.items.emplace_back();
    item.column = std::string(test::kColumnNames[i]);
    MakeRandom(random, item.object, item.lent);
  }
  if (random.OneIn(2)) request.items.back().column.reset();
  request.to_backing = random.OneIn(2);
  return request;
}

Request RandomRequest(Random& random) {
  switch (random.Below(14)) {
    case 0:
      return RandomPublish(random);
    case 1:
      return RandomGroup(random);
    case 2:
      return GetRequest{InBucket(RandomKey(random))};
    case 3:
      return WantRequest{random.Below(9), InBucket(RandomPattern(random)), RandomTime(random)};
    case 4:
      return DropRequest{InBucket(RandomPattern(random)), RandomTime(random)};
    case 5:
      return InfoRequest{InBucket(RandomKey(random))};
    case 6:
      return RowInfoRequest{kBucket, test::RandomRow(random)};
    case 7:
      return CancelRequest{RandomNumber(random)};
    case 8:
      return ComputeRequest{InBucket(Pattern::Row(test::RandomRow(random))), RandomText(random, 20),
                            RandomText(random, 50)};
    case 9:
      return MessageRequest{RandomText(random, 20), RandomText(random, 50)};
    case 10:
      return ReleaseRequest{RandomNumber(random), RandomNumber(random)};
    case 11:
      return WantRequest{random.Below(9), InBucket(RandomKey(random)), RandomTime(random), true};
    case 12:
      return RecallRequest{InBucket(RandomKey(random))};
    default:
      return ListRequest{InBucket(RandomPattern(random)),
                         static_cast<std::uint32_t>(1 + random.Below(ListOptions::kMaxPageSize)),
                         RandomText(random, 50)};
  }
}

ListPage RandomPage(Random& random) {
  ListPage page;
  for (std::uint64_t count = random.Below(5); count > 0; --count) {
    page.objects.push_back({RandomKey(random), random.Below(65'537),
                            random.Below(DataObject::kMaxDataBytes + 1), RandomVersion(random)});
  }
  page.next = RandomText(random, 50);
  return page;
}

Reply RandomReply(Random& random) {
  switch (random.Below(10)) {
    case 0:
      return Status(static_cast<StatusCode>(1 + random.Below(14)), RandomText(random, 50),
                    RandomText(random, 50));
    case 1:
      return RandomInfo(random);
    case 2: {
      std::vector<ObjectInfo> infos;
      for (std::uint64_t count = random.Below(5); count > 0; --count) {
        infos.push_back(RandomInfo(random));
      }
      return infos;
    }
    case 3: {
      FoundObject found(NamedObject{RandomKey(random), {}, RandomInfo(random)});
      MakeRandom(random, found.object, found.lent);
      return found;
    }
    case 4:
      return RandomNumber(random);
    case 5:
      return RowInfo{RandomNumber(random), random.OneIn(2), RandomNumber(random),
                     static_cast<Availability>(random.Below(7))};
    case 6: {
      ComputedObject computed;
      MakeRandom(random, computed.object, computed.lent);
      return computed;
    }
    case 7:
      return MessageAnswer{RandomText(random, 50)};
    case 8: {
      LeasedObject leased(NamedObject{RandomKey(random), {}, RandomInfo(random)},
                          nanoseconds(static_cast<std::int64_t>(RandomNumber(random) >> 1) | 1));
      MakeRandom(random, leased.object, leased.lent);
      return leased;
    }
    default:
      return RandomPage(random);
  }
}

// Are two messages the same? Objects by their bytes.

bool Same(const DataObject& a, const DataObject& b) {
  return a.Compare(b) == DataObject::Difference::kEqual;
}
bool Same(const ObjectInfo& a, const ObjectInfo& b) {
  return a.meta_bytes == b.meta_bytes && a.data_bytes == b.data_bytes && a.version == b.version &&
         a.availability == b.availability && a.ttl == b.ttl;
}
bool Same(const PublishRequest& a, const PublishRequest& b) {
  return a.key == b.key && a.mode == b.mode && a.if_version == b.if_version && a.ttl == b.ttl &&
         a.keep == b.keep && a.store == b.store && a.to_backing == b.to_backing &&
         a.lent == b.lent && Same(a.object, b.object);
}
bool Same(const GroupRequest::Item& a, const GroupRequest::Item& b) {
  return a.column == b.column && a.lent == b.lent && Same(a.object, b.object);
}
bool Same(const ListedObject& a, const ListedObject& b) {
  return a.key == b.key && a.meta_bytes == b.meta_bytes && a.data_bytes == b.data_bytes &&
         a.version == b.version;
}
template <typename T>
bool Same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const T& one, const T& other) { return Same(one, other); });
}
bool Same(const GroupRequest& a, const GroupRequest& b) {
  return a.bucket == b.bucket && a.row == b.row && a.mode == b.mode && a.ttl == b.ttl &&
         a.keep == b.keep && a.store == b.store && a.to_backing == b.to_backing &&
         Same(a.items, b.items);
}
bool Same(const GetRequest& a, const GetRequest& b) { return a.key == b.key; }
bool Same(const InfoRequest& a, const InfoRequest& b) { return a.key == b.key; }
bool Same(const WantRequest& a, const WantRequest& b) {
  return a.number == b.number && a.pattern == b.pattern && a.deadline == b.deadline &&
         a.lease == b.lease;
}
bool Same(const RecallRequest& a, const RecallRequest& b) { return a.key == b.key; }
bool Same(const CancelRequest& a, const CancelRequest& b) { return a.number == b.number; }
bool Same(const ComputeRequest& a, const ComputeRequest& b) {
  return a.pattern == b.pattern && a.function == b.function && a.args == b.args;
}
bool Same(const MessageRequest& a, const MessageRequest& b) {
  return a.handler == b.handler && a.message == b.message;
}
bool Same(const MessageAnswer& a, const MessageAnswer& b) { return a.message == b.message; }
bool Same(const ReleaseRequest& a, const ReleaseRequest& b) {
  return a.grant == b.grant && a.key == b.key;
}
bool Same(const ComputedObject& a, const ComputedObject& b) {
  return a.lent == b.lent && Same(a.object, b.object);
}
bool Same(const DropRequest& a, const DropRequest& b) {
  return a.pattern == b.pattern && a.deadline == b.deadline;
}
bool Same(const RowInfoRequest& a, const RowInfoRequest& b) {
  return a.bucket == b.bucket && a.row == b.row;
}
bool Same(const ListRequest& a, const ListRequest& b) {
  return a.pattern == b.pattern && a.page_size == b.page_size && a.cursor == b.cursor;
}
bool Same(const Status& a, const Status& b) {
  return a.code() == b.code() && a.message() == b.message() && a.hint() == b.hint();
}
bool Same(const FoundObject& a, const FoundObject& b) {
  return a.lent == b.lent && a.key == b.key && Same(a.info, b.info) && Same(a.object, b.object);
}
bool Same(const LeasedObject& a, const LeasedObject& b) {
  return Same(static_cast<const FoundObject&>(a), static_cast<const FoundObject&>(b)) &&
         a.lease == b.lease;
}
bool Same(std::uint64_t a, std::uint64_t b) { return a == b; }
bool Same(const RowInfo& a, const RowInfo& b) {
  return a.columns == b.columns && a.has_object == b.has_object && a.user_bytes == b.user_bytes &&
         a.availability == b.availability;
}
bool Same(const ListPage& a, const ListPage& b) {
  return a.next == b.next && Same(a.objects, b.objects);
}
template <typename... Kinds>
bool Same(const std::variant<Kinds...>& a, const std::variant<Kinds...>& b) {
  return a.index() == b.index() && std::visit(
                                       [&b](const auto& one) {
                                         using Kind = std::decay_t<decltype(one)>;
                                         return Same(one, std::get<Kind>(b));
                                       },
                                       a);
}

Bytes Encoded(const Request& request) { return Encode(request).value(); }
Bytes Encoded(const Reply& reply) { return Encode(reply); }
Result<Request> Decoded(const Request& /*kind*/, const Bytes& bytes) {
  return DecodeRequest(bytes);
}
Result<Reply> Decoded(const Reply& /*kind*/, const Bytes& bytes) { return DecodeReply(bytes); }

// Copied to a block of just this size, where a sanitizer sees a look beyond it.
template <typename Message>
void ExpectBounded(const Message& kind, std::span<const std::byte> damaged) {
  const Bytes bytes(damaged.begin(), damaged.end());
  const Result<Message> decoded = Decoded(kind, bytes);
  if (decoded.ok()) {
    ASSERT_EQ(Encoded(*decoded), bytes) << "two texts for one message";
  } else {
    ASSERT_TRUE(test::FailsWith(decoded, StatusCode::kInvalidArgument));
  }
}

template <typename Message>
void ExpectSturdy(const Message& message) {
  Bytes bytes = Encoded(message);
  const Result<Message> back = Decoded(message, bytes);
  ASSERT_OK(back);
  ASSERT_TRUE(Same(message, *back)) << "kind " << message.index();
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const Bytes shorter(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    ASSERT_CODE(Decoded(message, shorter), kInvalidArgument) << cut;
  }
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  ASSERT_CODE(Decoded(message, longer), kInvalidArgument);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_NO_FATAL_FAILURE(ExpectBounded(message, bytes)) << "bit " << bit;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST(ObjectMessages, ComeBackAsTheyWereAndSurviveDamage) {
  Random random(test::Seed());
  for (int i = 0; i < 500; ++i) {
    ASSERT_NO_FATAL_FAILURE(ExpectSturdy(RandomRequest(random))) << i;
    ASSERT_NO_FATAL_FAILURE(ExpectSturdy(RandomReply(random))) << i;
  }
}

TEST(ObjectMessages, AnyBytesAreRefusedOrReadWhole) {
  Random random(test::Seed());
  for (int i = 0; i < 20'000; ++i) {
    std::string text = RandomText(random, 60);
    if (text.size() >= 2) {
      text[0] = static_cast<char>(kVersion);
      text[1] = static_cast<char>(random.Below(14));
    }
    const auto bytes = std::as_bytes(std::span(text));
    ASSERT_NO_FATAL_FAILURE(ExpectBounded(Request(), bytes));
    ASSERT_NO_FATAL_FAILURE(ExpectBounded(Reply(), bytes));
  }
}

// What a change of the format must not do by accident.
TEST(ObjectMessages, HaveTheseBytes) {
  PublishRequest request;
  request.key = InBucket(Key("r", "c"));
  request.mode = PutMode::kIfVersion;
  request.if_version = {1, 2};
  request.ttl = nanoseconds(3);
  request.keep = 4;
  request.to_backing = true;
  request.object = MakeObject("d", "m", 0x102);
  const std::string_view expected{
      "\x01\x01"                              // Version, publish.
      "\x07\0\0\0\x01\0r\x01\x01\0c"          // Bucket, row, column.
      "\x02\x01\0\0\0\0\0\0\0"                // If the version is 1.
      "\x02\0\0\0\0\0\0\0"                    // .2.
      "\x01\x03\0\0\0\0\0\0\0"                // Time to live.
      "\x04\0\0\0\x01"                        // How many columns stay, and that it stays.
      "\x01"                                  // Written to a store, too.
      "\x02\x01\x01\0\0\0\x01\0\0\0\0\0\0\0"  // Type, sizes,
      "\0md",                                 // data that are here, meta, data.
      62};
  const auto text = [](const Bytes& bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const Bytes bytes = Encoded(Request(request));
  EXPECT_EQ(text(bytes), expected);
  // The data that the object has are not sent then.
  request.lent = fabric::Grant{.id = 3, .key = 4, .bytes = 5, .access = fabric::Access::kRead};
  constexpr std::string_view kLent{"\x05\0\0\0\0\0\0\0\x01m\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0",
                                   26};
  const Bytes lent = Encoded(Request(request));
  EXPECT_EQ(text(lent), std::string(expected.substr(0, 51)) + std::string(kLent));
}

std::string RefusalOf(const Request& request) {
  const Result<Request> decoded = DecodeRequest(Encoded(request));
  EXPECT_CODE(decoded, kInvalidArgument);
  return std::string(decoded.status().message());
}

TEST(ObjectMessages, SayWhatIsWrong) {
  using testing::HasSubstr;
  EXPECT_THAT(RefusalOf(GetRequest{Key("row")}), HasSubstr("no bucket"));
  EXPECT_THAT(RefusalOf(GetRequest{InBucket(Key(""))}), HasSubstr("row is empty"));
  EXPECT_THAT(RefusalOf(WantRequest{1, InBucket(Pattern::Row("")), std::nullopt}),
              HasSubstr("row"));
  EXPECT_THAT(RefusalOf(WantRequest{1, InBucket(Pattern::Row("row")), std::nullopt, true}),
              HasSubstr("copy of many"));
  EXPECT_THAT(RefusalOf(ListRequest{InBucket(Pattern::RowPrefix("")), 0, ""}),
              HasSubstr("page size"));
  EXPECT_THAT(RefusalOf(ListRequest{InBucket(Pattern::RowPrefix("")), 10'001, ""}),
              HasSubstr("page size"));
  EXPECT_THAT(RefusalOf(ListRequest{InBucket(Pattern::RowPrefix("")), 1,
                                    std::string(kMaxCursorBytes + 1, 'c')}),
              HasSubstr("cursor"));
  PublishRequest publish{
      InBucket(Key("row")), PutMode::kOverwrite, {}, nanoseconds(0), 0, true, false,
      MakeObject("x"),      std::nullopt};
  EXPECT_THAT(RefusalOf(publish), HasSubstr("time to live"));
  publish.ttl.reset();
  publish.keep = kMaxKeptColumns + 1;
  EXPECT_THAT(RefusalOf(publish), HasSubstr("columns"));
  EXPECT_THAT(RefusalOf(ComputeRequest{InBucket(Pattern::RowPrefix("row")), "count", ""}),
              HasSubstr("many rows"));
  EXPECT_THAT(RefusalOf(MessageRequest{"handler", std::string(kMaxHandledBytes + 1, 'x')}),
              HasSubstr("the size of the message"));
  EXPECT_THAT(RefusalOf(ComputeRequest{InBucket(Pattern::Row("row")), "count",
                                       std::string(kMaxComputeArgsBytes + 1, 'a')}),
              HasSubstr("arguments"));
}

TEST(ObjectMessages, ALeaseOfNothingIsNone) {
  const LeasedObject leased(NamedObject{Key("row"), MakeObject("x"), {}}, nanoseconds(1));
  Bytes bytes = Encoded(Reply(leased));
  EXPECT_OK(DecodeReply(bytes));
  bytes[bytes.size() - 8] = std::byte{0};
  EXPECT_THAT(std::string(DecodeReply(bytes).status().message()), testing::HasSubstr("lease"));
}

TEST(ObjectMessages, AGroupHasOneOfEachKey) {
  using testing::HasSubstr;
  GroupRequest group{kBucket, "row", PutMode::kWriteOnce, std::nullopt, 0, true, {}};
  EXPECT_THAT(RefusalOf(group), HasSubstr("empty"));
  group.items = {{"", MakeObject("a")}, {std::nullopt, MakeObject("b")}};
  EXPECT_OK(DecodeRequest(Encoded(Request(group))));
  group.items.push_back({"", MakeObject("c")});
  EXPECT_THAT(RefusalOf(group), HasSubstr("twice"));
  group.items.clear();
  for (std::size_t i = 0; i <= kMaxGroupItems; ++i) {
    group.items.push_back({std::to_string(i), MakeObject("x")});
  }
  EXPECT_THAT(RefusalOf(group), HasSubstr("size of the group"));
  group.items.pop_back();
  EXPECT_OK(DecodeRequest(Encoded(Request(group))));
  group.mode = PutMode::kIfVersion;
  EXPECT_THAT(RefusalOf(group), HasSubstr("mode"));
}

TEST(ObjectMessages, WhatCannotBeSaidIsNotSent) {
  EXPECT_OK(Encode(Request(GetRequest{InBucket(Key(std::string(kMaxRowBytes, 'r')))})));
  EXPECT_CODE(Encode(Request(GetRequest{InBucket(Key(std::string(kMaxRowBytes + 1, 'r')))})),
              kInvalidArgument);
  EXPECT_CODE(Encode(Request(PublishRequest{.key = InBucket(Key("row")), .object = {}})),
              kInvalidArgument);
  const Result<Reply> reply = DecodeReply(Encode(Reply(NamedObject{Key("row"), {}, {}})));
  ASSERT_OK(reply);
  EXPECT_CODE(std::get<Status>(*reply), kInternal);
}

TEST(ObjectMessages, LongErrorsAreCutAndOkIsNone) {
  const std::string longer(kMaxErrorTextBytes + 1, 'e');
  const Result<Reply> reply = DecodeReply(Encode(Reply(NotFound(longer, longer))));
  ASSERT_OK(reply);
  EXPECT_EQ(std::get<Status>(*reply).message(), longer.substr(1));
  EXPECT_EQ(std::get<Status>(*reply).hint(), longer.substr(1));
  const Result<Reply> none = DecodeReply(Encode(Reply(OkStatus())));
  ASSERT_OK(none);
  EXPECT_CODE(std::get<Status>(*none), kInternal);
}

TEST(ObjectMessages, AnotherVersionIsRefused) {
  Bytes bytes = Encoded(Request(GetRequest{InBucket(Key("row"))}));
  bytes[0] = std::byte{2};
  const Result<Request> decoded = DecodeRequest(bytes);
  ASSERT_CODE(decoded, kInvalidArgument);
  EXPECT_THAT(decoded.status().message(), testing::HasSubstr("version 2"));
}

}  // namespace
}  // namespace cirein::wire
