// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/key_handlers.h"
#include "resp/keyspace.h"
#include "resp/number.h"
#include "resp/option_word.h"

namespace cirein::resp {
namespace {

// One object of a row that is to be copied.
struct CopiedObject {
  std::optional<std::string_view> column;  // The transaction's.
  DataObject object;
  std::uint64_t expiry_ms = 0;
};

// Puts all there is of a hash into a row where nothing is left.
Status CopyHash(Transaction& transaction, const KeyView& source, const RowState& state,
                const KeyView& target) {
  std::vector<CopiedObject> objects;
  objects.reserve(state.columns + (state.has_object ? 1 : 0));
  const auto collect = [&](const KeyView& key, const StoredObject& stored) {
    CopiedObject& copied = objects.emplace_back();
    if (key.has_column) copied.column = transaction.Keep(key.column);
    copied.object = stored.object;
    copied.expiry_ms = stored.expiry_ms;
    return true;
  };
  CIREIN_RETURN_IF_ERROR(transaction.WalkRow(source, Load::kObject, collect));
  for (CopiedObject& copied : objects) {
    KeyView key = target;
    key.has_column = copied.column.has_value();
    key.column = copied.column.value_or(std::string_view());
    transaction.Put(key, std::move(copied.object), copied.expiry_ms);
  }
  if (state.expiry_ms != 0) transaction.ExpireRow(target, state.expiry_ms);
  return OkStatus();
}

// Makes the target what the source is, its types, meta and expiries included.
Status CopyKey(Transaction& transaction, const KeyView& source, const KeyView& target) {
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(transaction, source, Look::kValue, found));
  FoundKey replaced;
  CIREIN_RETURN_IF_ERROR(FindKey(transaction, target, Look::kType, replaced));
  if (found.type == KeyType::kString) {
    PutString(transaction, target, replaced, std::move(found.string.object), found.expiry_ms);
    return OkStatus();
  }
  DeleteKey(transaction, target, replaced);
  return CopyHash(transaction, source, found.row, target);
}

Status RenameKey(DataCall& call, std::optional<std::int64_t> answer_if_taken) {
  const KeyView source = call.row(1);
  const KeyView target = call.row(2);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, source, Look::kType, found));
  if (!found.exists()) {
    call.reply.Error(kNoSuchKey);
    return OkStatus();
  }
  FoundKey replaced;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, target, Look::kType, replaced));
  if (answer_if_taken && replaced.exists()) {
    call.reply.Integer(*answer_if_taken);
    return OkStatus();
  }
  if (source.row != target.row) {
    if (!RequireStorable(target.row, call.reply)) return OkStatus();
    CIREIN_RETURN_IF_ERROR(CopyKey(call.transaction, source, target));
    DeleteKey(call.transaction, source, found);
  }
  if (answer_if_taken) {
    call.reply.Integer(1);
  } else {
    call.reply.Ok();
  }
  return OkStatus();
}

// What follows the keys of COPY.
struct CopyOptions {
  bool replace = false;
};

// False: the reply is an error.
bool ParseCopyOptions(DataCall& call, CopyOptions& options) {
  for (std::size_t i = 3; i < call.args.size(); ++i) {
    if (IsOption(call.arg(i), "replace")) {
      options.replace = true;
    } else if (IsOption(call.arg(i), "db") && i + 1 < call.args.size()) {
      const std::optional<std::int64_t> db = ParseInteger(call.arg(++i));
      if (!db) {
        call.reply.Error(kNotAnInteger);
        return false;
      }
      if (*db < std::numeric_limits<std::int32_t>::min() ||
          *db > std::numeric_limits<std::int32_t>::max()) {
        call.reply.Error(
            "ERR value is out of range, value must between -2147483648 and 2147483647");
        return false;
      }
      if (*db != 0) {
        call.reply.Error("ERR DB index is out of range");
        return false;
      }
    } else {
      call.reply.Error(kSyntaxError);
      return false;
    }
  }
  return true;
}

}  // namespace

Status Rename(DataCall& call) { return RenameKey(call, std::nullopt); }

Status RenameNx(DataCall& call) { return RenameKey(call, 0); }

Status Copy(DataCall& call) {
  CopyOptions options;
  if (!ParseCopyOptions(call, options)) return OkStatus();
  const KeyView source = call.row(1);
  const KeyView target = call.row(2);
  if (source.row == target.row) {
    call.reply.Error("ERR source and destination objects are the same");
    return OkStatus();
  }
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, source, Look::kType, found));
  FoundKey replaced;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, target, Look::kType, replaced));
  if (!found.exists() || (replaced.exists() && !options.replace)) {
    call.reply.Integer(0);
    return OkStatus();
  }
  if (!RequireStorable(target.row, call.reply)) return OkStatus();
  CIREIN_RETURN_IF_ERROR(CopyKey(call.transaction, source, target));
  call.reply.Integer(1);
  return OkStatus();
}

}  // namespace cirein::resp
