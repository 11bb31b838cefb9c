// SPDX-License-Identifier: Apache-2.0
#include "cirein/backing_store.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/suggest.h"
#include "base/text.h"
#include "object/open_backing_store.h"

namespace cirein {
namespace {

/// Runs what is a user's perhaps.
template <typename Call>
auto Guarded(std::string_view type, const Call& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    return Aborted(fmt::format("the store of type \"{}\" threw: {}", type, error.what()),
                   "return an error instead of throwing");
  } catch (...) {
    return Aborted(fmt::format("the store of type \"{}\" threw what is no std::exception", type),
                   "return an error instead of throwing");
  }
}

/// What is behind it fails instead of throwing.
class GuardedStore final : public BackingStore {
 public:
  GuardedStore(std::string type, std::shared_ptr<BackingStore> store)
      : type_(std::move(type)), store_(std::move(store)) {}

  Status Write(std::span<const BackedItem> items) override {
    return Guarded(type_, [&] { return store_->Write(items); });
  }
  Result<BackedObject> Read(const Key& key) override {
    return Guarded(type_, [&]() -> Result<BackedObject> {
      Result<BackedObject> read = store_->Read(key);
      if (read.ok() && read->object.is_null()) {
        return Internal(fmt::format("the store of type \"{}\" read no object", type_));
      }
      return read;
    });
  }
  Result<BackedFacts> Look(const Key& key) override {
    return Guarded(type_, [&] { return store_->Look(key); });
  }
  Status Remove(const Key& key) override {
    return Guarded(type_, [&] { return store_->Remove(key); });
  }
  Status List(const Pattern& pattern, const std::optional<Key>& after,
              const Visitor& visit) override {
    return Guarded(type_, [&] { return store_->List(pattern, after, visit); });
  }

 private:
  const std::string type_;
  const std::shared_ptr<BackingStore> store_;
};

bool IsTypeName(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

class BackingStores {
 public:
  // Never destroyed: user code may connect while the process ends.
  static BackingStores& Instance() {
    static BackingStores& stores = *new BackingStores;
    return stores;
  }

  Status Add(BackingStoreType type) {
    const std::lock_guard lock(mutex_);
    const std::string name = type.name;
    if (types_.emplace(name, std::move(type)).second) return OkStatus();
    return AlreadyExists(fmt::format("a type of store \"{}\" is registered already", name),
                         "choose another name");
  }

  std::vector<std::string> Names() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, type] : types_) names.push_back(name);
    return names;
  }

  Result<std::shared_ptr<BackingStore>> Open(const BackingSpec& spec) {
    CIREIN_ASSIGN_OR_RETURN(const BackingStoreType type, Find(spec.type));
    CIREIN_RETURN_IF_ERROR(CheckOptions(type, spec));
    // Nobody opens a store while another does, so that nobody opens one twice.
    const std::lock_guard lock(opening_);
    std::weak_ptr<BackingStore>& open = open_[spec.ToString()];
    if (std::shared_ptr<BackingStore> shared = open.lock()) return shared;
    auto made = Guarded(type.name, [&] { return type.factory({spec.path, spec.options}); });
    if (!made.ok()) return made.status().WithContext(fmt::format("store {}", spec.ToString()));
    if (*made == nullptr) {
      return Internal(fmt::format("the factory of store type \"{}\" made no store", type.name));
    }
    std::shared_ptr<BackingStore> guarded =
        std::make_shared<GuardedStore>(type.name, std::move(*made));
    open = guarded;
    return guarded;
  }

 private:
  Result<BackingStoreType> Find(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto entry = types_.find(name);
    if (entry != types_.end()) return entry->second;
    std::vector<std::string_view> names;
    for (const auto& [known, type] : types_) names.push_back(known);
    return NotFound(fmt::format("there is no type of store {}", QuoteForPeople(name)),
                    DidYouMean(name, names,
                               fmt::format("known types: {}; others are registered with "
                                           "RegisterBackingStoreType",
                                           fmt::join(names, ", "))));
  }

  static Status CheckOptions(const BackingStoreType& type, const BackingSpec& spec) {
    const std::vector<std::string_view> known(type.options.begin(), type.options.end());
    for (const auto& [name, value] : spec.options) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      return InvalidArgument(
          fmt::format("stores of type {} do not take the option {}", type.name,
                      QuoteForPeople(name)),
          DidYouMean(name, known, fmt::format("they take: {}", fmt::join(known, ", "))));
    }
    return OkStatus();
  }

  std::mutex mutex_;
  std::map<std::string, BackingStoreType, std::less<>> types_;  // Guarded by mutex_.
  std::mutex opening_;
  std::map<std::string, std::weak_ptr<BackingStore>> open_;  // Guarded by opening_.
};

}  // namespace

Status RegisterBackingStoreType(BackingStoreType type) {
  if (!IsTypeName(type.name)) {
    return InvalidArgument(fmt::format("{} cannot name a type of store", QuoteForPeople(type.name)),
                           "use small letters, digits, '-' and '_', a letter first");
  }
  if (!type.factory) {
    return InvalidArgument(fmt::format("the store type \"{}\" has no factory", type.name),
                           "give a function that opens one");
  }
  return BackingStores::Instance().Add(std::move(type));
}

std::vector<std::string> BackingStoreTypeNames() { return BackingStores::Instance().Names(); }

std::string BackingSpec::ToString() const {
  std::string text = fmt::format("{}:{}", type, path);
  char separator = '?';
  for (const auto& [name, value] : options) {
    text += fmt::format("{}{}={}", separator, name, value);
    separator = ',';
  }
  return text;
}

Result<BackingSpec> BackingSpec::Parse(std::string_view text) {
  const auto refuse = [&] {
    return InvalidArgument(fmt::format("{} names no store", QuoteForPeople(text)),
                           "give TYPE:PATH, such as posix:/scratch/objects, and options behind "
                           "it as ?name=value,name=value");
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return refuse();
  BackingSpec spec;
  spec.type = std::string(text.substr(0, colon));
  const std::string_view rest = text.substr(colon + 1);
  const std::size_t question = rest.find('?');
  spec.path = std::string(rest.substr(0, question));
  if (question == std::string_view::npos) return spec;
  for (std::string_view left = rest.substr(question + 1); !left.empty();) {
    const std::string_view option = left.substr(0, left.find(','));
    left.remove_prefix(std::min(option.size() + 1, left.size()));
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos || equals == 0) return refuse();
    spec.options.insert_or_assign(std::string(option.substr(0, equals)),
                                  std::string(option.substr(equals + 1)));
  }
  return spec;
}

Result<std::shared_ptr<BackingStore>> OpenBackingStore(const BackingSpec& spec) {
  return BackingStores::Instance().Open(spec);
}

}  // namespace cirein
