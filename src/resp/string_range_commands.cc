// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "resp/command.h"
#include "resp/keyspace.h"
#include "resp/number.h"
#include "resp/string_handlers.h"

namespace cirein::resp {
namespace {

void Fill(std::span<std::byte> to, std::string_view from) {
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

// The string with `patch` from `offset` on; zeros where it was too short. A new object: others may
// hold the old one.
Result<DataObject> Patched(std::string_view old, std::uint64_t offset, std::string_view patch) {
  const std::uint64_t end = offset + patch.size();
  CIREIN_ASSIGN_OR_RETURN(
      DataObject object,
      DataObject::Allocate({.data_bytes = std::max<std::uint64_t>(old.size(), end)}));
  const std::span<std::byte> data = object.mutable_data();
  // What the patch will cover is not copied.
  Fill(data, old.substr(0, offset));
  if (offset > old.size()) std::memset(data.data() + old.size(), 0, offset - old.size());
  Fill(data.subspan(offset), patch);
  if (old.size() > end) Fill(data.subspan(end), old.substr(end));
  return object;
}

bool RequireLength(std::uint64_t bytes, std::uint64_t more_bytes, ReplyWriter& reply) {
  if (bytes <= kMaxStringBytes && more_bytes <= kMaxStringBytes - bytes) return true;
  reply.Error(kStringTooLong);
  return false;
}

// A part of an object's data, which is held rather than copied when it is large.
Status ReplyPart(const DataObject& object, std::span<const std::byte> part, ReplyWriter& reply) {
  if (part.size() <= OutputBuffer::kHeldBytes) {
    reply.Bulk(std::string_view(reinterpret_cast<const char*>(part.data()), part.size()));
    return OkStatus();
  }
  CIREIN_ASSIGN_OR_RETURN(const DataObject view,
                          DataObject::View(part, std::make_shared<const DataObject>(object)));
  reply.Bulk(view);
  return OkStatus();
}

// The bytes from `first` to `last`, both included and both counted from the end when negative.
std::span<const std::byte> PartOf(std::span<const std::byte> data, std::int64_t first,
                                  std::int64_t last) {
  const auto size = static_cast<std::int64_t>(data.size());
  if (first < 0 && last < 0 && first > last) return {};
  if (first < 0) first = std::max<std::int64_t>(size + first, 0);
  if (last < 0) last = std::max<std::int64_t>(size + last, 0);
  last = std::min(last, size - 1);
  if (first > last) return {};
  return data.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first + 1));
}

}  // namespace

Status Append(DataCall& call) {
  const KeyView row = call.row(1);
  const std::string_view more = call.arg(2);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kValue, found));
  if (!RequireNoHash(found, call.reply)) return OkStatus();
  if (found.exists() && !RequireLength(found.text().size(), more.size(), call.reply)) {
    return OkStatus();
  }
  if (!RequireStorable(row.row, call.reply)) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(DataObject value, found.exists()
                                                ? Patched(found.text(), found.text().size(), more)
                                                : call.args[2].ToObject());
  const std::uint64_t bytes = value.data_bytes();
  PutString(call.transaction, row, found, std::move(value), found.expiry_ms);
  call.reply.Integer(static_cast<std::int64_t>(bytes));
  return OkStatus();
}

Status StrLen(DataCall& call) {
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(1), Look::kSizes, found));
  if (!RequireNoHash(found, call.reply)) return OkStatus();
  call.reply.Integer(found.exists() ? static_cast<std::int64_t>(found.string.data_bytes) : 0);
  return OkStatus();
}

Status GetRange(DataCall& call) {
  const std::optional<std::int64_t> first = ParseInteger(call.arg(2));
  const std::optional<std::int64_t> last = ParseInteger(call.arg(3));
  if (!first || !last) {
    call.reply.Error(kNotAnInteger);
    return OkStatus();
  }
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(1), Look::kValue, found));
  if (!RequireNoHash(found, call.reply)) return OkStatus();
  if (!found.exists()) {
    call.reply.Bulk(std::string_view());
    return OkStatus();
  }
  const DataObject& object = found.string.object;
  return ReplyPart(object, PartOf(object.data(), *first, *last), call.reply);
}

Status SetRange(DataCall& call) {
  const KeyView row = call.row(1);
  const std::string_view patch = call.arg(3);
  const std::optional<std::int64_t> offset = ParseInteger(call.arg(2));
  if (!offset || *offset < 0) {
    call.reply.Error(offset ? "ERR offset is out of range" : kNotAnInteger);
    return OkStatus();
  }
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kValue, found));
  if (!RequireNoHash(found, call.reply)) return OkStatus();
  const std::string_view old = found.exists() ? found.text() : std::string_view();
  if (patch.empty()) {
    call.reply.Integer(static_cast<std::int64_t>(old.size()));
    return OkStatus();
  }
  const auto from = static_cast<std::uint64_t>(*offset);
  if (!RequireLength(from, patch.size(), call.reply)) return OkStatus();
  if (!RequireStorable(row.row, call.reply)) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(DataObject value, Patched(old, from, patch));
  const std::uint64_t bytes = value.data_bytes();
  PutString(call.transaction, row, found, std::move(value), found.expiry_ms);
  call.reply.Integer(static_cast<std::int64_t>(bytes));
  return OkStatus();
}

}  // namespace cirein::resp
