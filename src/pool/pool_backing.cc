// SPDX-License-Identifier: Apache-2.0
#include "pool/pool_backing.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"
#include "object/backed_bucket.h"
#include "object/open_backing_store.h"
#include "pool/process.h"

namespace cirein {
namespace {

constexpr std::string_view kSetting = "backing.stores";

std::string_view Trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// NAME=TYPE:PATH, parted by ';'.
Result<std::map<std::string, BackingSpec, std::less<>>> NamedStores(const Config& config) {
  std::map<std::string, BackingSpec, std::less<>> stores;
  const std::string text = config.GetString(kSetting);
  for (std::string_view left = text; !left.empty();) {
    const std::string_view part = left.substr(0, left.find(';'));
    left.remove_prefix(std::min(part.size() + 1, left.size()));
    const std::string_view entry = Trimmed(part);
    if (entry.empty()) continue;
    const std::size_t equals = entry.find('=');
    const Result<BackingSpec> spec =
        BackingSpec::Parse(equals == std::string_view::npos ? "" : entry.substr(equals + 1));
    if (!spec.ok() || equals == 0) {
      return InvalidArgument(fmt::format("the setting {} ({}) has {}", kSetting,
                                         config.Origin(kSetting), QuoteForPeople(entry)),
                             "give NAME=TYPE:PATH, several parted by ';'");
    }
    stores.insert_or_assign(std::string(Trimmed(entry.substr(0, equals))), *spec);
  }
  return stores;
}

Result<BackingSpec> StoreNamed(std::string_view name, const Config& config) {
  CIREIN_ASSIGN_OR_RETURN(const auto stores, NamedStores(config));
  const auto found = stores.find(name);
  if (found != stores.end()) return found->second;
  std::vector<std::string_view> names;
  for (const auto& [known, spec] : stores) names.push_back(known);
  return NotFound(
      fmt::format("there is no store {} in the setting {}", QuoteForPeople(name), kSetting),
      DidYouMean(name, names,
                 fmt::format("say what it is there, {}=TYPE:PATH, or in the URL, "
                             "&store=TYPE:PATH",
                             name)));
}

Result<BackingSpec> BackingIn(const ResourceUrl& url, const Config& config) {
  const std::optional<std::string> type = url.option("iom_type");
  const std::optional<std::string> path = url.option("iom_path");
  const std::optional<std::string> store = url.option("store");
  if (store && (type || path || url.option("iom"))) {
    return InvalidArgument(fmt::format("\"{}\" names a store in two ways", url.ToString()),
                           "leave out iom, iom_type and iom_path, or store");
  }
  if (!store && type.has_value() != path.has_value()) {
    return InvalidArgument(fmt::format("\"{}\" names half a store", url.ToString()),
                           "give both iom_type and iom_path, or store=TYPE:PATH");
  }
  if (type) {
    const std::string lower = AsciiLower(*type);
    return BackingSpec{lower == "posixindividualobjects" ? "posix" : lower, *path, {}};
  }
  const std::string text = store ? *store : *url.option("iom");
  return text.find(':') == std::string::npos ? StoreNamed(text, config) : BackingSpec::Parse(text);
}

}  // namespace

std::vector<std::string> BackedOptionNames(std::vector<std::string> own) {
  for (const char* name : {"store", "iom", "iom_type", "iom_path"}) own.emplace_back(name);
  return own;
}

bool NamesBacking(const ResourceUrl& url) {
  return url.option("store") || url.option("iom") || url.option("iom_type") ||
         url.option("iom_path");
}

Status BackBucket(Process& process, const ResourceUrl& url, Behavior behavior) {
  if (!NamesBacking(url)) return OkStatus();
  const Bucket bucket = url.bucket();
  CIREIN_ASSIGN_OR_RETURN(const BackingSpec spec, BackingIn(url, process.config()));
  StripedStore& memory = *process.store();
  std::shared_ptr<BackedBucket> backed = memory.BackedBy(bucket);
  if (backed == nullptr) {
    CIREIN_ASSIGN_OR_RETURN(std::shared_ptr<BackingStore> store, OpenBackingStore(spec));
    backed = memory.Back(bucket, std::make_shared<BackedBucket>(
                                     memory, bucket, spec.ToString(), std::move(store),
                                     process.environment().clock, process.pool_executor()));
  }
  if (backed->name() != spec.ToString()) {
    return FailedPrecondition(
        fmt::format("behind bucket {} there is the store {} in this process, not {}",
                    bucket.ToString(), backed->name(), spec.ToString()),
        "name the same one, or give this pool another bucket");
  }
  if (behavior.has(Behavior::kReadToLocal) || behavior.has(Behavior::kReadToRemote)) {
    backed->KeepWhatIsRead();
  }
  return OkStatus();
}

}  // namespace cirein
