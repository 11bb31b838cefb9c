// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cirein/data_object.h"
#include "cirein/operations.h"
#include "cirein/pattern.h"
#include "cirein/status.h"

#include "cli/blast_plan.h"

namespace cirein {

/// The keys and values of a load: both follow from numbers, so that what is read can be checked
/// without being remembered. Immutable; safe from any thread.
class BlastObjects {
 public:
  explicit BlastObjects(const BlastPlan& plan);

  Key KeyOf(std::uint64_t index) const;
  /// What a scan that begins at this key lists: the columns of its row, or with one column per row
  /// all rows whose names differ from its own in the last two digits only.
  Pattern ScanOf(std::uint64_t index) const;

  /// A value for the key. It begins with the key's number and `stamp`, which tells one value of a
  /// key from another, as far as it is long enough; the rest follows from both. Errors:
  /// DataObject::Allocate's.
  Result<DataObject> MakeValue(std::uint64_t index, std::uint64_t stamp) const;
  /// Is this a whole value of the key, whatever its stamp? DataLoss says what is wrong.
  Status CheckValue(std::uint64_t index, const DataObject& object) const;
  /// Can this have been listed by `scan`, which ScanOf gave?
  Status CheckListed(const Pattern& scan, const ListedObject& listed) const;

 private:
  std::uint64_t SizeOf(std::uint64_t index, std::uint64_t stamp) const;
  std::string RowOf(std::uint64_t row) const;

  const std::uint64_t columns_;
  const std::size_t row_digits_;
  const std::size_t column_digits_;
  const std::uint64_t value_bytes_least_;
  const std::uint64_t value_bytes_most_;
};

}  // namespace cirein
