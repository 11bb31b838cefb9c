// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dpm/index.h"
#include "dpm/index_counter.h"
#include "dpm/index_row.h"

namespace cirein::dpm {

/// The rules of the index: which entry of a key counts, what a row entry hides, and when a row has
/// a node. Everything here is the one writer's.
///
/// It is taken for granted that of two row entries of one row the newer one hides at least what the
/// older one hides; then the order in which entries are applied does not matter.
class IndexWriter {
 public:
  using Op = Index::Op;
  using Outcome = Index::Outcome;
  using Superseded = Index::Superseded;

  explicit IndexWriter(const IndexParts& parts);

  std::size_t Apply(std::span<Op> ops, const Superseded& superseded);
  bool Forget(const EntryView& entry, Location location);
  /// Takes away a node whose row, in the slot of this home, has at most an object left.
  void TidyRow(std::uint64_t home, const RowRef& row);

  /// How many cells lead to entries, and how many to row nodes; and how many of these have a row
  /// entry.
  IndexCounter keys;
  IndexCounter rows;
  IndexCounter row_entries;
  IndexCounter probed_buckets;

 private:
  struct Ahead;
  struct Step;
  void LookAhead(std::span<const Op> ops, std::span<Ahead> ahead, std::size_t turn) const;
  void FetchHome(const Op& op, Ahead& ahead) const;
  void FetchBucket(const Op& op, Ahead& ahead) const;
  void FetchRow(const Op& op, Ahead& ahead) const;
  void FetchColumns(const Op& op, Ahead& ahead) const;
  void FetchColumn(Ahead& ahead) const;
  Cell FirstCandidate(std::uint64_t bucket, std::uint64_t hash) const;
  Outcome ApplyOne(const Step& step);
  Outcome ApplyObject(const Step& step, const Probe& row);
  Outcome ApplyColumn(const Step& step, const Probe& row);
  Outcome ApplyRowEntry(const Step& step, const Probe& row);
  Outcome NewRow(const Step& step, const Probe& row, RowFields fields);
  Outcome NewColumnRow(const Step& step, const Probe& row);
  void Tell(const Step& step, Location location, const EntryView& entry) const;
  void RemoveHidden(const Step& step, const RowRef& row);
  void RemoveHiddenColumns(const Step& step, const RowRef& row);
  void TidyRow(std::uint64_t home, const Probe& probe);

  const IndexParts& parts_;
  const RowHasher row_hasher_;
  const ColumnHasher column_hasher_;
};

}  // namespace cirein::dpm
