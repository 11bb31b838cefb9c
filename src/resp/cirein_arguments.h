// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cirein/operations.h"

#include "resp/command.h"

namespace cirein::resp {

/// Which objects a command of Cirein's own is about, as its arguments say:
///   row                        the object without column
///   row COLUMN column          one column
///   row COLUMNS prefix         the columns that begin so
///   row ALL                    everything in the row
/// and with PREFIX the same of all rows that begin so. Names are raw bytes.
class Selection {
 public:
  explicit Selection(std::string_view row) : row_(row) {}
  /// Takes the option at `*at` if it is one of these, and moves on behind it.
  bool Take(Args args, std::size_t* at);
  /// InvalidArgument for what no name can be.
  Result<Pattern> ToPattern(Bucket bucket) const;
  /// The same for one key; InvalidArgument for several.
  Result<Key> ToKey() const;

 private:
  std::string_view row_;
  std::string_view column_;
  Pattern::ColumnMatch match_ = Pattern::ColumnMatch::kNone;
  bool is_prefix_ = false;
};

/// "epoch.counter", as Version::ToString says it.
std::optional<Version> ParseVersion(std::string_view text);

/// An object as a map: row, column (null for none), data, meta, type, version, ttl-ms (-1: none).
void WriteObject(ReplyWriter& reply, const NamedObject& object);
/// Of an object: version, meta-bytes, data-bytes, ttl-ms, availability.
void WriteInfo(ReplyWriter& reply, const ObjectInfo& info);

/// "CODE message (hint)": an error of the native API keeps its code.
void WriteNativeError(ReplyWriter& reply, const Status& status);

}  // namespace cirein::resp
