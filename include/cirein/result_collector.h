// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "cirein/deadline.h"
#include "cirein/operations.h"

namespace cirein {

/// Gathers the results of any number of asynchronous calls and waits for all of them.
///
///   ResultCollector collector;
///   for (const Key& key : keys) pool.Want(key, collector);
///   CIREIN_RETURN_IF_ERROR(collector.Wait(5s));
///   for (const auto& entry : collector.results()) Use(entry.object);
///
/// Thread-safe. It may be destroyed at any time: results that come later are discarded.
class ResultCollector {
 public:
  enum class Kind : std::uint8_t { kPublish, kWant, kDrop, kCompute };

  struct Entry {
    Kind kind;
    Pattern pattern;  ///< What was asked for.
    bool done = false;
    Status status;      ///< Meaningful when done, as is all that follows.
    Key key;            ///< Of the object; for a Want of a prefix, the one that was found.
    DataObject object;  ///< Of a Want or Compute.
    ObjectInfo info;    ///< Of a Publish or Want.
    std::uint64_t dropped = 0;
  };

  ResultCollector();
  ~ResultCollector();
  ResultCollector(const ResultCollector&) = delete;
  ResultCollector& operator=(const ResultCollector&) = delete;

  /// Waits until every call has its result, also those made while it waits. DeadlineExceeded says
  /// how many have not. OK says only that all are there: look at each entry's status.
  Status Wait(Deadline deadline = {});
  std::size_t pending() const;
  /// A copy of all entries, in the order of the calls.
  std::vector<Entry> results() const;
  /// Forgets what there is, and discards what comes from calls made before.
  void Clear();

  class State;

 private:
  friend class Pool;
  std::shared_ptr<State> state_;
};

}  // namespace cirein
