// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "cirein/key.h"

#include "base/hash.h"

namespace cirein {

/// A key without its own bytes, with the hash of its row, which decides the partition and the place
/// in it. Valid as long as what it was made of.
struct KeyView {
  Bucket bucket;
  std::string_view row;
  std::string_view column;
  bool has_column = false;
  std::uint64_t row_hash = 0;

  /// A key in a bucket; what the key says of buckets is not looked at.
  KeyView(Bucket bucket_in, const Key& key)
      : KeyView(bucket_in, key.row(), key.column(), key.has_column()) {}
  /// The object without column of a row.
  KeyView(Bucket bucket_in, std::string_view row_in)
      : KeyView(bucket_in, row_in, std::string_view(), false) {}

  /// Without its bucket, as users see keys.
  Key ToKey() const {
    return has_column ? Key(std::string(row), std::string(column)) : Key(std::string(row));
  }

 private:
  KeyView(Bucket bucket_in, std::string_view row_in, std::string_view column_in, bool has_column_in)
      : bucket(bucket_in),
        row(row_in),
        column(column_in),
        has_column(has_column_in),
        row_hash(Hash64(row_in, bucket_in.id())) {}
};

}  // namespace cirein
