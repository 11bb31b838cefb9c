// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/cirein.h"

/// What small objects are published to and needed from, side by side: `elastic:`, `local:`, RocksDB
/// and LMDB. Every failure, a wrong byte among them, ends the program.
namespace cirein::bench {

void Must(const Status& status);
template <typename T>
T Must(Result<T> result) {
  Must(result.status());
  return std::move(*result);
}

/// 15 bytes, which std::string keeps in place: the key is not what is measured.
std::string KeyText(std::uint64_t number);

/// What an object must have in it: bytes that tell which key it is of and which of its key's values
/// it is, and the rest made from these.
struct Content {
  std::uint64_t number = 0;
  std::uint64_t stamp = 0;
  std::size_t bytes = 64;
};
DataObject MakeObject(const Content& content);
/// Of all numbers below `count`.
std::vector<DataObject> MakeObjects(std::uint64_t count, Content content);
/// Looks at the size and at the first 16 bytes: cheap enough to be timed.
void MustBe(std::span<const std::byte> found, const Content& content);
void MustBeWhole(std::span<const std::byte> found, const Content& content);

/// Thread-safe.
class KeyStore {
 public:
  enum class Look : std::uint8_t { kFront, kWhole };

  virtual ~KeyStore() = default;
  /// Overwrites; back when it is as durable as the store was told to be.
  virtual void Publish(std::string key, const DataObject& object) = 0;
  virtual void Need(std::string key, const Content& content, Look look) = 0;
  /// There is time now to bring what was written into the shape that is best to read.
  virtual void Tidy() {}
};

enum class Promise : std::uint8_t { kProcess, kPower };

struct StoreSettings {
  std::string directory;  ///< Made if it is not there; `local:` needs none.
  Promise promise = Promise::kProcess;
  std::uint64_t log_bytes = std::uint64_t{1} << 30;  ///< Of a pool that is made.
  /// Of DRAM for what is read; kOwnDefault: what the store takes by itself.
  std::uint64_t cache_bytes = kOwnDefault;
  static constexpr std::uint64_t kOwnDefault = UINT64_MAX;
};

/// Room for so many objects to be written twice before anything must be cleaned.
std::uint64_t LogBytesFor(std::uint64_t keys, std::size_t value_bytes);
/// A cache in which so many objects have room, whatever a store spends on each of them.
std::uint64_t CacheBytesFor(std::uint64_t keys, std::size_t value_bytes);

/// The URL of an elastic: pool that may be overwritten.
std::string ElasticUrl(const StoreSettings& settings);
std::unique_ptr<KeyStore> MakeElasticStore(const StoreSettings& settings);
/// Dropped with all its objects at the end.
std::unique_ptr<KeyStore> MakeLocalStore();
/// With a log of its writes, synced for kPower; set up for looking up keys by RocksDB's own advice.
std::unique_ptr<KeyStore> MakeRocksStore(const StoreSettings& settings);
/// A transaction for each object, synced as LMDB does by itself.
std::unique_ptr<KeyStore> MakeLmdbStore(const StoreSettings& settings);

/// Needs every key below `count` once and looks at all its bytes; it also fills what caches.
void NeedAll(KeyStore& store, std::uint64_t count, Content content);

/// Numbers below `keys`, drawn ahead: the generator costs as much as a look-up.
enum class Spread : std::uint8_t { kUniform, kZipf };
struct DrawPlan {
  Spread spread = Spread::kUniform;
  std::uint64_t keys = 0;
  std::uint64_t draws = 0;
};
std::vector<std::uint32_t> Draw(const DrawPlan& plan, std::uint64_t seed);

/// Where parts may put what they make; whoever runs them removes it.
struct Places {
  std::string tmpfs;
  std::string disk;
};
enum class Length : std::uint8_t { kQuick, kUsual, kFull };

}  // namespace cirein::bench
