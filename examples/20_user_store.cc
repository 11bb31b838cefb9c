// SPDX-License-Identifier: Apache-2.0

// A store of your own behind a pool. This one keeps packed objects in a map, where yours may ask a
// database or an archive.
// Prints: there are stores of the types .*shelf
// Prints: memory alone: nothing; the shelf has 2 objects of [0-9]+ bytes
// Prints: needed again: a long story \(from disk\)

#include <chrono>
#include <iostream>
#include <map>
#include <mutex>
#include <string>

#include <cirein/cirein.h>

namespace {

using namespace cirein;

// Calls come from several threads. Errors are returned, and reach whoever published or needs.
class Shelf : public BackingStore {
 public:
  Status Write(std::span<const BackedItem> items) override {
    const std::lock_guard lock(mutex_);
    for (const BackedItem& item : items) {
      CIREIN_ASSIGN_OR_RETURN(images_[item.key], PackBacked(item));
    }
    return OkStatus();
  }
  Result<BackedObject> Read(const Key& key) override {
    const std::lock_guard lock(mutex_);
    const auto found = images_.find(key);
    if (found == images_.end()) return NotFound("the shelf has no " + key.ToString());
    return UnpackBacked(key, found->second);  // Looks at the checksum, too.
  }
  Result<BackedFacts> Look(const Key& key) override {
    const std::lock_guard lock(mutex_);
    const auto found = images_.find(key);
    if (found == images_.end()) return NotFound("the shelf has no " + key.ToString());
    return UnpackBackedFacts(key, found->second);
  }
  Status Remove(const Key& key) override {
    const std::lock_guard lock(mutex_);
    if (images_.erase(key) == 0) return NotFound("the shelf has no " + key.ToString());
    return OkStatus();
  }
  Status List(const Pattern& pattern, const std::optional<Key>& after,
              const Visitor& visit) override {
    const std::lock_guard lock(mutex_);
    for (auto it = after ? images_.upper_bound(*after) : images_.begin(); it != images_.end();
         ++it) {
      if (!pattern.Matches(it->first)) continue;
      CIREIN_ASSIGN_OR_RETURN(const BackedFacts facts, UnpackBackedFacts(it->first, it->second));
      if (!visit(it->first, facts)) break;
    }
    return OkStatus();
  }

  void Tell() {
    const std::lock_guard lock(mutex_);
    std::size_t bytes = 0;
    for (const auto& [key, image] : images_) bytes += image.size();
    std::cout << "the shelf has " << images_.size() << " objects of " << bytes << " bytes\n";
  }

 private:
  std::mutex mutex_;
  std::map<Key, std::string> images_;  // Sorted: the order of a listing must never change.
};

Status Run() {
  const auto shelf = std::make_shared<Shelf>();
  CIREIN_RETURN_IF_ERROR(RegisterBackingStoreType(
      {.name = "shelf",
       .description = "packed objects in a map of this program",
       .options = {},
       .factory = [shelf](const BackingStoreContext&) -> Result<std::shared_ptr<BackingStore>> {
         return std::shared_ptr<BackingStore>(shelf);
       }}));
  std::cout << "there are stores of the types";
  for (const std::string& name : BackingStoreTypeNames()) std::cout << ' ' << name;
  std::cout << '\n';

  const std::string url = "local:/books&store=shelf:any";
  {
    const Library library;
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect(url));
    CIREIN_ASSIGN_OR_RETURN(const DataObject story, DataObject::FromString("a long story"));
    CIREIN_RETURN_IF_ERROR(pool.Publish(Key("book", "story"), story).status());
    CIREIN_RETURN_IF_ERROR(pool.Publish(Key("book", "another"), story).status());
  }
  std::cout << "memory alone: nothing; ";  // With the library its objects ended.
  shelf->Tell();

  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect(url));
  CIREIN_ASSIGN_OR_RETURN(const ObjectInfo info, pool.Info(Key("book", "story")));
  CIREIN_ASSIGN_OR_RETURN(const DataObject again, pool.Need(Key("book", "story")));
  std::cout << "needed again: " << again.text() << " (from " << AvailabilityName(info.availability)
            << ")\n";
  return OkStatus();
}

}  // namespace

int main() {
  const Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
