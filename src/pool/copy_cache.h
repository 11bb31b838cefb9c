// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "cirein/operations.h"

#include "fabric/transport.h"
#include "runtime/clock.h"

namespace cirein {

/// Copies of objects that this process has read from others, each for as long as its owner lends
/// it; of all that do not fit those go that were not used for longest. It serves the connections on
/// which they came: their owners call copies back by them. The design notes' "Copies at requesters"
/// says why what is found here is what is there.
///
/// Outlives the transport whose connections it serves. Thread-safe; no call blocks.
class CopyCache final : public fabric::Service {
 private:
  struct Copy;
  struct Table;
  using Copies = std::list<Copy>;  // The one used last comes first.

 public:
  struct Options {
    /// Of all copies together, with their names; 0: none is kept.
    std::uint64_t limit_bytes = 0;
  };
  struct Stats {
    std::uint64_t copies = 0;
    std::uint64_t bytes = 0;
    std::uint64_t hits = 0;
    std::uint64_t recalls = 0;
  };

  /// When a read was begun: from then on its lease counts, and recalls forbid to keep what it gets.
  struct Reading {
    TimePoint begun{};
    std::uint64_t recalls = 0;
  };

  /// The copies that came on one connection. They go with this, which may outlive the cache.
  class OfConnection {
   public:
    OfConnection(const CopyCache& cache, const fabric::Connection& connection);
    ~OfConnection();
    OfConnection(const OfConnection&) = delete;
    OfConnection& operator=(const OfConnection&) = delete;

    /// What may be used now. The key has its bucket, the answer has none.
    std::optional<NamedObject> Find(const Key& key);
    /// To be called before the request is sent.
    Reading Begin(const Key& key);
    /// Keeps what came, if it may be.
    void Keep(const Key& key, const Reading& reading, const NamedObject& named,
              std::chrono::nanoseconds lease);

   private:
    friend class CopyCache;
    /// How many recalls there were of keys that meet here: for all keys one by one it would have to
    /// be known which are being read.
    static constexpr std::size_t kRecallCounters = 64;

    const std::shared_ptr<Table> table_;
    const fabric::Connection* const connection_;
    // All below is guarded by the table.
    absl::flat_hash_map<std::string, Copies::iterator> copies_;
    std::array<std::uint64_t, kRecallCounters> recalls_{};
  };

  /// `clock` outlives what uses copies.
  CopyCache(const Clock& clock, const Options& options);
  ~CopyCache() override;
  CopyCache(const CopyCache&) = delete;
  CopyCache& operator=(const CopyCache&) = delete;

  /// Is anything kept at all?
  bool enabled() const noexcept;
  Stats GetStats() const;

  void Connected(const std::shared_ptr<fabric::Connection>& connection) override;
  void Message(const std::shared_ptr<fabric::Connection>& connection,
               std::span<const std::byte> message) override;
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message) override;
  void Closed(const std::shared_ptr<fabric::Connection>& connection, const Status& why) override;

 private:
  struct Copy {
    OfConnection* home = nullptr;
    std::string name;  // In its home's map.
    NamedObject named;
    TimePoint kept{};
    TimePoint end{};
    std::uint64_t bytes = 0;
  };
  /// All copies of the process. The members are guarded by the mutex.
  struct Table {
    Table(const Clock& clock_in, const Options& options_in)
        : own_clock(clock_in), options(options_in) {}
    /// Under the lock. The copy goes to `gone`, to be freed outside of it.
    void Remove(Copies::iterator copy, Copies& gone);

    const Clock& own_clock;
    const Options options;
    std::mutex mutex;
    absl::flat_hash_map<const fabric::Connection*, OfConnection*> homes;
    Copies copies;
    std::uint64_t bytes = 0;
    std::uint64_t hits = 0;
    std::uint64_t recalls = 0;
  };

  /// How many copies it had: one at most.
  std::uint64_t Forget(const fabric::Connection& connection, const Key& key);

  const std::shared_ptr<Table> table_;
};

}  // namespace cirein
