// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/btree_map.h>

#include "base/hash.h"
#include "resp/hash_handlers.h"
#include "resp/hash_limits.h"
#include "resp/keyspace.h"
#include "resp/scan_options.h"

namespace cirein::resp {
namespace {

// The names of some fields, and the cursor after them.
struct FieldPage {
  std::vector<std::string> fields;
  std::uint64_t cursor = 0;
};

// A cursor is a number, and fields are not: they are answered in the order of their hashes, those
// of one hash together. So a field that stays is answered, whatever comes and goes meanwhile.
std::uint64_t PlaceOf(std::string_view field) {
  constexpr std::uint64_t kSeed = 0x6873'6361'6e00'0001;
  return Hash64(field, kSeed);
}

// Those places at or after a cursor that come first, and their fields.
class FirstPlaces {
 public:
  FirstPlaces(std::uint64_t from, std::uint64_t max_places) : from_(from), max_(max_places) {}

  // A name that does not match has its place, but is not kept.
  void Add(std::string_view field, const ScanOptions& options) {
    const std::uint64_t place = PlaceOf(field);
    if (place < from_) return;
    // One place more is kept, to tell where to go on.
    if (places_.size() > max_ && place > std::prev(places_.end())->first) return;
    std::vector<std::string>& fields = places_[place];
    if (options.Matches(field)) fields.emplace_back(field);
    if (places_.size() > max_ + 1) places_.erase(std::prev(places_.end()));
  }

  FieldPage Take() {
    FieldPage page;
    if (places_.size() > max_) {
      const auto last = std::prev(places_.end());
      page.cursor = last->first;
      places_.erase(last);
    }
    for (auto& [place, fields] : places_) {
      std::move(fields.begin(), fields.end(), std::back_inserter(page.fields));
    }
    return page;
  }

 private:
  const std::uint64_t from_;
  const std::uint64_t max_;
  absl::btree_map<std::uint64_t, std::vector<std::string>> places_;
};

// A page costs a look at every field, so a large hash is answered in a bounded number of pages,
// whatever count was given.
std::uint64_t PageFields(std::uint64_t count, std::uint64_t fields) {
  constexpr std::uint64_t kMaxPages = 64;
  return std::min(std::max(count, fields / kMaxPages), fields);
}

Result<FieldPage> ReadPage(DataCall& call, const KeyView& row, const ScanOptions& options,
                           std::uint64_t cursor, std::uint64_t max_fields) {
  FirstPlaces places(cursor, max_fields);
  const auto look = [&](const KeyView& key, const StoredObject&) {
    if (key.has_column) places.Add(key.column, options);
    return true;
  };
  CIREIN_RETURN_IF_ERROR(call.transaction.WalkRow(row, Load::kSizes, look));
  return places.Take();
}

Status ReplyPage(DataCall& call, const KeyView& row, const FieldPage& page) {
  // One may expire before its value is read.
  std::vector<std::pair<std::string_view, DataObject>> pairs;
  pairs.reserve(page.fields.size());
  for (const std::string& field : page.fields) {
    StoredObject found;
    CIREIN_ASSIGN_OR_RETURN(const bool there, FindField(call, row, field, Load::kObject, found));
    if (there) pairs.emplace_back(field, std::move(found.object));
  }
  ReplyCursor(call.reply, page.cursor);
  call.reply.Array(2 * pairs.size());
  for (const auto& [field, value] : pairs) {
    call.reply.Bulk(field);
    call.reply.Bulk(value);
  }
  return OkStatus();
}

}  // namespace

Status HScan(DataCall& call) {
  constexpr std::size_t kCursor = 2;
  constexpr std::size_t kOptions = 3;
  std::uint64_t cursor = 0;
  if (!ReadCursor(call, kCursor, cursor)) return OkStatus();
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return OkStatus();
  // Redis does not look at the options then.
  if (!hash.exists()) return ReplyPage(call, row, {});
  ScanOptions options;
  if (!ReadScanOptions(call, kOptions, ScanKind::kFields, options)) return OkStatus();
  const std::uint64_t fields = hash.row.columns;
  CIREIN_ASSIGN_OR_RETURN(const bool small, IsSmallHash(call.transaction, row, fields));
  // A small hash is answered whole, whatever the cursor is.
  if (small) cursor = 0;
  const std::uint64_t max_fields = small ? fields : PageFields(options.count, fields);
  CIREIN_ASSIGN_OR_RETURN(const FieldPage page, ReadPage(call, row, options, cursor, max_fields));
  return ReplyPage(call, row, page);
}

}  // namespace cirein::resp
