// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/data_object.h"
#include "cirein/key.h"
#include "cirein/operations.h"
#include "cirein/pattern.h"
#include "cirein/status.h"

/// Stores behind pools: what keeps objects on a medium for a pool whose members have them in memory
/// (Kelpie's IOMs). Named in a pool's URL, `&store=TYPE:PATH`; the process that owns a key writes
/// to its store and reads from it.
namespace cirein {

/// How large an object in a store is, which value of its key it is, and when it is gone: as wall
/// time in milliseconds, 0 for never. A store keeps all of it; what has expired is looked after
/// above it.
struct BackedFacts {
  std::uint64_t meta_bytes = 0;
  std::uint64_t data_bytes = 0;
  Version version = {};
  std::uint64_t expiry_ms = 0;

  friend bool operator==(const BackedFacts&, const BackedFacts&) = default;
};

struct BackedObject {
  DataObject object;
  Version version = {};
  std::uint64_t expiry_ms = 0;
};

/// What is to be written under a key.
struct BackedItem {
  Key key;  ///< With its bucket.
  BackedObject value;
};

/// A store that objects are kept in: built in, or the user's own. Keys and patterns come with their
/// bucket, and buckets are apart.
///
/// All calls may block, and come from several threads at once, but never two for one row; they are
/// never made on a thread that answers others. Errors reach those who asked: say what failed and
/// with which file, NotFound for what is not there, DataLoss for what is damaged. One that throws
/// fails the call with Aborted.
class BackingStore {
 public:
  virtual ~BackingStore() = default;

  /// Keeps the items, of one row and no key twice, in place of what was there: all or none, also
  /// when the process ends in the middle. When it returns OK they are kept as the store promises.
  /// Unimplemented for several items where a store can do no more than one.
  virtual Status Write(std::span<const BackedItem> items) = 0;
  virtual Result<BackedObject> Read(const Key& key) = 0;
  /// The same without the bytes.
  virtual Result<BackedFacts> Look(const Key& key) = 0;
  /// OK or NotFound when nothing is there.
  virtual Status Remove(const Key& key) = 0;

  /// False ends the visits.
  using Visitor = std::function<bool(const Key& key, const BackedFacts& facts)>;
  /// Visits what matches, in an order of the store's own that never changes, from behind `after`
  /// on, which need not be there (any more).
  virtual Status List(const Pattern& pattern, const std::optional<Key>& after,
                      const Visitor& visit) = 0;
};

/// What a store's factory is given: "TYPE:PATH?name=value,name=value".
struct BackingStoreContext {
  std::string path;
  std::map<std::string, std::string, std::less<>> options;
};

using BackingStoreFactory =
    std::function<Result<std::shared_ptr<BackingStore>>(const BackingStoreContext&)>;

/// A type of store: what stands before the path (as pool types are called), a sentence for people,
/// the options it takes, and what opens one, which may block.
struct BackingStoreType {
  std::string name;
  std::string description;
  std::vector<std::string> options;
  BackingStoreFactory factory;
};

/// Makes a type of store known in this process; AlreadyExists when the name is taken. Thread-safe;
/// may be called before Start and at any time.
Status RegisterBackingStoreType(BackingStoreType type);

/// Sorted names of the types that are known.
std::vector<std::string> BackingStoreTypeNames();

// ---- An object as bytes, for stores that keep bytes under names ----

/// The image of an item: sizes, version, expiry and name, meta, data, with checksums.
/// docs/file-format.md has every byte. ResourceExhausted when there is no memory for it.
Result<std::string> PackBacked(const BackedItem& item);
/// What PackBacked made. Believes nothing: DataLoss for an image that is cut off, damaged, or of
/// another key.
Result<BackedObject> UnpackBacked(const Key& key, std::string_view image);
/// The same without meta and data, which are not checked; `image` may be cut off behind its first
/// kBackedHeadBytes and the key's bytes.
Result<BackedFacts> UnpackBackedFacts(const Key& key, std::string_view image);
/// The key that an image is of.
Result<Key> UnpackBackedKey(std::string_view image);
/// What stands before the key's bytes.
inline constexpr std::size_t kBackedHeadBytes = 72;

}  // namespace cirein
