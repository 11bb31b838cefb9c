// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "dpm/index.h"
#include "dpm/index_row.h"

namespace cirein::dpm {

/// The readers' side of the index. Any number of threads, each within a ReadEpochs::Guard; takes no
/// lock. A reader sees each word as it was at some moment since it entered; a table or node that
/// was replaced meanwhile is still what it was.
class IndexReader {
 public:
  using Found = Index::Found;
  using Visitor = Index::Visitor;

  explicit IndexReader(const IndexParts& parts) : parts_(parts) {}

  std::optional<Found> Find(const KeyView& key, std::uint16_t slot) const;
  EntryView FindRowEntry(const KeyView& row, std::uint16_t slot) const;
  bool WalkRow(const KeyView& key, std::uint16_t slot, const Visitor& visit) const;
  bool WalkSlot(std::uint16_t slot, const Visitor& visit) const;
  bool LeadsTo(const EntryView& entry, Location location) const;

 private:
  std::optional<Found> FindInNode(const RowRef& node, const KeyView& key) const;
  bool WalkNode(const RowRef& node, const Visitor& visit) const;
  bool VisitInRow(const RowRef& node, Location location, const Visitor& visit) const;

  const IndexParts& parts_;
};

}  // namespace cirein::dpm
