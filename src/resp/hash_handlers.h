// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "resp/command.h"
#include "resp/keyspace.h"

/// What the files of hash commands share. A field is a column of the key's row; the empty field is
/// the empty column.
namespace cirein::resp {

/// The key of a field. Valid as long as the row's and the field's bytes.
inline KeyView FieldOf(const KeyView& row, std::string_view field) noexcept {
  KeyView key = row;
  key.column = field;
  key.has_column = true;
  return key;
}

/// Looks for the hash that the first argument names. False: it is a string, and the reply says so.
Result<bool> FindHash(DataCall& call, const KeyView& row, FoundKey& found);

/// Looks for a field of a row that was found to be a hash; a field of any length.
Result<bool> FindField(DataCall& call, const KeyView& row, std::string_view field, Load load,
                       StoredObject& found);

/// False when a key or a field is too long to be made, and the reply is an error. To be asked last.
bool RequireStorableField(DataCall& call, std::string_view field);

// The handlers of HashCommands() that stand in other files than its table.
Status HIncrBy(DataCall& call);       // hash_number_commands.cc
Status HIncrByFloat(DataCall& call);  // hash_number_commands.cc
Status HRandField(DataCall& call);    // hash_random_commands.cc
Status HScan(DataCall& call);         // hash_scan_commands.cc
Status HGetAll(DataCall& call);       // hash_walk_commands.cc
Status HKeys(DataCall& call);         // hash_walk_commands.cc
Status HVals(DataCall& call);         // hash_walk_commands.cc

}  // namespace cirein::resp
