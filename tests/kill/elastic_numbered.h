// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/cirein.h"

#include "base/hash.h"

namespace cirein::test {

/// The n-th thing that a writer does to an elastic pool: its number alone decides what, so that who
/// was killed need not tell what it did, only how far it was. Each is one call, which a crash may
/// leave done or not done, and nothing between: a publish, a group, a large object, a drop.
struct ElasticNumbered {
  ElasticNumbered(std::uint64_t writer_in, std::uint64_t number_in)
      : writer(writer_in),
        number(number_in),
        hash(Hash64(fmt::format("{}/{}", writer_in, number_in))) {}

  std::uint64_t writer;
  std::uint64_t number;
  std::uint64_t hash;

  enum class Kind : std::uint8_t { kPublish, kDrop, kGroup, kDropRow, kLarge };
  Kind kind() const {
    const std::uint64_t choice = hash / 10'000 % 100;
    if (choice < 50) return Kind::kPublish;
    if (choice < 62) return Kind::kDrop;
    if (choice < 84) return Kind::kGroup;
    return choice < 90 ? Kind::kDropRow : Kind::kLarge;
  }

  std::string Row() const {
    switch (kind()) {
      case Kind::kPublish:
      case Kind::kDrop:
        return fmt::format("{}:row{}", writer, hash % 300);
      case Kind::kGroup:
      case Kind::kDropRow:
        return fmt::format("{}:group{}", writer, hash % 40);
      default:
        return fmt::format("{}:large{}", writer, hash % 6);
    }
  }

  /// What it publishes: keys and sizes.
  std::vector<std::pair<Key, std::uint64_t>> Objects() const {
    switch (kind()) {
      case Kind::kPublish:
        return {{Key(Row()), hash % 700}};
      case Kind::kGroup: {
        std::vector<std::pair<Key, std::uint64_t>> group;
        for (int column = 0; column < 5; ++column) {
          group.emplace_back(Key(Row(), fmt::format("c{}", column)), hash % 200);
        }
        if (hash % 8 == 0) group.emplace_back(Key(Row(), "large"), kLargeBytes);
        return group;
      }
      case Kind::kLarge:
        return {{Key(Row()), kLargeBytes + hash % 60'000}};
      default:
        return {};
    }
  }

  /// No two places in it look alike, so that bytes which stand elsewhere are seen.
  std::string Data(const Key& key, std::uint64_t bytes) const {
    std::string data = fmt::format("{}|{}|", number, key.ToString());
    for (std::uint64_t word = 0; data.size() < bytes; ++word) {
      data += fmt::format("{:x}.", (hash + word) * 0x9e3779b97f4a7c15);
    }
    return data;
  }

  /// Does it; blocks until it is acknowledged.
  Status Apply(const Pool& pool) const {
    if (kind() == Kind::kDrop || kind() == Kind::kDropRow) {
      return pool.Drop(Pattern::Row(Row())).status();
    }
    std::vector<PublishItem> items;
    for (const auto& [key, bytes] : Objects()) {
      CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::FromString(Data(key, bytes)));
      items.push_back({key, std::move(object)});
    }
    const PublishOptions options{.overwrite = Overwrite::kYes};
    if (kind() == Kind::kGroup) return pool.PublishGroup(std::move(items), options).status();
    return pool.Publish(items[0].key, std::move(items[0].object), options).status();
  }

  /// More than the large-object threshold of the pool that the kill test makes.
  static constexpr std::uint64_t kLargeBytes = 40'000;
};

/// What a writer has brought about: for each key, which of its numbers is there (0: dropped).
class ElasticExpected {
 public:
  explicit ElasticExpected(std::uint64_t writer) : writer_(writer) {}

  std::uint64_t last() const { return last_; }
  /// Goes on to this number.
  void AdvanceTo(std::uint64_t number) {
    while (last_ < number) Add(ElasticNumbered(writer_, ++last_));
  }

  /// Is it there, all of it and nothing else? `listed` are the keys that the pool lists.
  Status Check(const Pool& pool, const std::vector<Key>& listed) const {
    for (const Key& key : listed) {
      const auto known = objects_.find(key.ToString());
      if (key.row().starts_with(fmt::format("{}:", writer_)) &&
          (known == objects_.end() || known->second.number == 0)) {
        return DataLoss(fmt::format("writer {} at {}: \"{}\" is listed and should be gone", writer_,
                                    last_, key.ToString()));
      }
    }
    std::uint64_t there = 0;
    for (const auto& [name, object] : objects_) {
      if (Status status = CheckOne(pool, object); !status.ok()) {
        return status.WithContext(fmt::format("writer {} at {}: \"{}\"", writer_, last_, name));
      }
      there += object.number != 0 ? 1 : 0;
    }
    const auto own = std::count_if(listed.begin(), listed.end(), [&](const Key& key) {
      return key.row().starts_with(fmt::format("{}:", writer_));
    });
    if (static_cast<std::uint64_t>(own) == there) return OkStatus();
    return DataLoss(fmt::format("writer {} at {}: {} keys are listed, {} are there", writer_, last_,
                                own, there));
  }

 private:
  struct Object {
    Key key;
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
  };

  void Add(const ElasticNumbered& numbered) {
    using Kind = ElasticNumbered::Kind;
    if (numbered.kind() == Kind::kDrop || numbered.kind() == Kind::kDropRow) {
      for (auto& [name, object] : objects_) {
        if (object.key.row() == numbered.Row()) object.number = 0;
      }
    }
    for (const auto& [key, bytes] : numbered.Objects()) {
      objects_[key.ToString()] = {key, numbered.number, bytes};
    }
  }

  Status CheckOne(const Pool& pool, const Object& object) const {
    const Result<ObjectInfo> info = pool.Info(object.key);
    if (object.number == 0) {
      if (info.code() == StatusCode::kNotFound) return OkStatus();
      return info.ok() ? DataLoss("dropped, and there") : info.status();
    }
    CIREIN_RETURN_IF_ERROR(info.status());
    CIREIN_ASSIGN_OR_RETURN(const DataObject found, pool.Need(object.key));
    const ElasticNumbered numbered(writer_, object.number);
    if (found.text() == numbered.Data(object.key, object.bytes)) return OkStatus();
    return DataLoss(
        fmt::format("it is {} instead of number {}", found.text().substr(0, 30), object.number));
  }

  const std::uint64_t writer_;
  std::uint64_t last_ = 0;
  std::map<std::string, Object> objects_;
};

}  // namespace cirein::test
