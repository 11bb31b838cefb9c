// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "resp/hash_handlers.h"
#include "resp/keyspace.h"
#include "resp/number.h"

namespace cirein::resp {
namespace {

constexpr std::size_t kField = 2;
constexpr std::size_t kIncrement = 3;

// What stands in the field whose number is to grow.
struct OldValue {
  bool there = false;
  StoredObject stored;

  // Without a field there is the number 0.
  std::string_view text() const { return there ? stored.object.text() : std::string_view("0"); }
};

// False: the key is no hash, and the reply says so.
Result<bool> FindOld(DataCall& call, const KeyView& row, OldValue& old) {
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return false;
  if (hash.exists()) {
    CIREIN_ASSIGN_OR_RETURN(old.there,
                            FindField(call, row, call.arg(kField), Load::kObject, old.stored));
  }
  return true;
}

// The field may be asked of once more: a number is put as its text, whatever it was before, and
// expires when it did.
Result<bool> PutNumber(DataCall& call, const KeyView& row, const OldValue& old,
                       std::string_view text) {
  if (!RequireStorableField(call, call.arg(kField))) return false;
  CIREIN_ASSIGN_OR_RETURN(DataObject value, DataObject::FromString(text));
  call.transaction.Put(FieldOf(row, call.arg(kField)), std::move(value),
                       old.there ? old.stored.expiry_ms : 0);
  return true;
}

}  // namespace

Status HIncrBy(DataCall& call) {
  const std::optional<std::int64_t> increment = ParseInteger(call.arg(kIncrement));
  if (!increment) {
    call.reply.Error(kNotAnInteger);
    return OkStatus();
  }
  const KeyView row = call.row(1);
  OldValue old;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindOld(call, row, old));
  if (!right_type) return OkStatus();
  const std::optional<std::int64_t> before = ParseInteger(old.text());
  if (!before) {
    call.reply.Error("ERR hash value is not an integer");
    return OkStatus();
  }
  std::int64_t after = 0;
  if (__builtin_add_overflow(*before, *increment, &after)) {
    call.reply.Error("ERR increment or decrement would overflow");
    return OkStatus();
  }
  IntegerText buffer;
  CIREIN_ASSIGN_OR_RETURN(const bool put, PutNumber(call, row, old, FormatInteger(after, buffer)));
  if (put) call.reply.Integer(after);
  return OkStatus();
}

Status HIncrByFloat(DataCall& call) {
  const std::optional<long double> increment = ParseFloat(call.arg(kIncrement));
  if (!increment || std::isinf(*increment)) {
    call.reply.Error(increment ? std::string_view("ERR value is NaN or Infinity") : kNotAFloat);
    return OkStatus();
  }
  const KeyView row = call.row(1);
  OldValue old;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindOld(call, row, old));
  if (!right_type) return OkStatus();
  const std::optional<long double> before = ParseFloat(old.text());
  if (!before) {
    call.reply.Error("ERR hash value is not a float");
    return OkStatus();
  }
  const long double after = *before + *increment;
  if (!std::isfinite(after)) {
    call.reply.Error("ERR increment would produce NaN or Infinity");
    return OkStatus();
  }
  FloatText buffer;
  const std::string_view text = FormatFloat(after, buffer);
  CIREIN_ASSIGN_OR_RETURN(const bool put, PutNumber(call, row, old, text));
  if (put) call.reply.Bulk(text);
  return OkStatus();
}

}  // namespace cirein::resp
