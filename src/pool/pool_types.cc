// SPDX-License-Identifier: Apache-2.0
#include "pool/pool_types.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/suggest.h"
#include "base/text.h"
#include "pool/elastic_pool.h"
#include "pool/local_pool.h"
#include "pool/member_pools.h"
#include "pool/null_pool.h"
#include "pool/trace_pool.h"

namespace cirein {
namespace {

class Registry {
 public:
  // Never destroyed: user code may connect while the process ends.
  static Registry& Instance() {
    static Registry& registry = *new Registry;
    return registry;
  }

  Status Add(PoolType type) {
    const std::lock_guard lock(mutex_);
    const std::string name = type.name;
    if (types_.emplace(name, std::move(type)).second) return OkStatus();
    return AlreadyExists(fmt::format("a pool type \"{}\" is registered already", name),
                         "choose another name");
  }

  Result<PoolType> Find(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto entry = types_.find(name);
    if (entry != types_.end()) return entry->second;
    std::vector<std::string_view> names;
    for (const auto& [known, type] : types_) names.push_back(known);
    return NotFound(fmt::format("there is no pool type {}", QuoteForPeople(name)),
                    DidYouMean(name, names,
                               fmt::format("known types: {}; others are registered with "
                                           "RegisterPoolType",
                                           fmt::join(names, ", "))));
  }

  std::vector<std::string> Names() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, type] : types_) names.push_back(name);
    return names;
  }

 private:
  // To add a pool type: its backend beside its twins, and a line here.
  Registry() {
    for (PoolType type : {LocalPoolType(), ElasticPoolType(), NullPoolType(), TracePoolType(),
                          DhtPoolType(), RftPoolType(), TftPoolType()}) {
      std::string name = type.name;
      types_.emplace(std::move(name), std::move(type));
    }
  }

  std::mutex mutex_;
  std::map<std::string, PoolType, std::less<>> types_;
};

bool IsTypeName(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

// An option that ends in '#' stands for all that have a number there.
bool IsOption(std::string_view given, std::string_view option) {
  if (!option.ends_with('#')) return given == option;
  option.remove_suffix(1);
  return given.starts_with(option) && ParseUint64(given.substr(option.size())).ok();
}

}  // namespace

Status RegisterPoolType(PoolType type) {
  if (!IsTypeName(type.name) || type.name == "ref") {
    return InvalidArgument(fmt::format("{} cannot name a pool type", QuoteForPeople(type.name)),
                           "use small letters, digits, '-' and '_', a letter first; not \"ref\"");
  }
  if (!type.factory) {
    return InvalidArgument(fmt::format("the pool type \"{}\" has no factory", type.name),
                           "give a function that makes its backend");
  }
  return Registry::Instance().Add(std::move(type));
}

std::vector<std::string> PoolTypeNames() { return Registry::Instance().Names(); }

Result<PoolType> FindPoolType(std::string_view name) { return Registry::Instance().Find(name); }

Status CheckPoolOptions(const ResourceUrl& url, const PoolType& type) {
  std::vector<std::string_view> known = {"bucket"};
  known.insert(known.end(), type.options.begin(), type.options.end());
  for (const auto& [name, value] : url.options()) {
    if (std::any_of(known.begin(), known.end(),
                    [&, given = name](std::string_view option) { return IsOption(given, option); })) {
      continue;
    }
    return InvalidArgument(
        fmt::format("{}: pools do not take the option {}", type.name, QuoteForPeople(name)),
        DidYouMean(name, known, fmt::format("they take: {}", fmt::join(known, ", "))));
  }
  return OkStatus();
}

}  // namespace cirein
