// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "resp/hash_handlers.h"
#include "resp/keyspace.h"

namespace cirein::resp {
namespace {

// What of each field is told.
enum class Part : std::uint8_t { kField, kValue, kBoth };

void WriteHeader(ReplyWriter& reply, Part part, std::size_t fields) {
  if (part == Part::kBoth) {
    reply.Map(fields);
  } else {
    reply.Array(fields);
  }
}

// Writes the fields that there are; how many.
Result<std::size_t> WriteFields(DataCall& call, const KeyView& row, Part part) {
  std::size_t written = 0;
  const auto write = [&](const KeyView& key, const StoredObject& stored) {
    if (!key.has_column) return true;
    ++written;
    if (part != Part::kValue) call.reply.Bulk(key.column);
    if (part != Part::kField) call.reply.Bulk(stored.object);
    return true;
  };
  const Load load = part == Part::kField ? Load::kSizes : Load::kObject;
  CIREIN_RETURN_IF_ERROR(call.transaction.WalkRow(row, load, write));
  return written;
}

Status TellAll(DataCall& call, Part part) {
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return OkStatus();
  auto fields = static_cast<std::size_t>(hash.row.columns);
  if (fields == 0) {
    WriteHeader(call.reply, part, 0);
    return OkStatus();
  }
  // How many there are stands before them, and one may expire while they are written. None comes
  // meanwhile, so that this ends.
  const std::size_t begin = call.reply.output().size();
  while (true) {
    WriteHeader(call.reply, part, fields);
    CIREIN_ASSIGN_OR_RETURN(const std::size_t written, WriteFields(call, row, part));
    if (written == fields) return OkStatus();
    call.reply.output().Truncate(begin);
    fields = written;
  }
}

}  // namespace

Status HGetAll(DataCall& call) { return TellAll(call, Part::kBoth); }
Status HKeys(DataCall& call) { return TellAll(call, Part::kField); }
Status HVals(DataCall& call) { return TellAll(call, Part::kValue); }

}  // namespace cirein::resp
