// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include "base/hash.h"
#include "dpm/dpm.h"
#include "node/key_cache.h"
#include "node/shard_log.h"
#include "object/engine.h"
#include "runtime/clock.h"

namespace cirein::node {

/// Objects in a pool of disaggregated memory: a shard's part of it, the slots whose rows' places
/// begin with the shard's number. Writes go to the shard's log; what it writes and reads it
/// remembers in its cache, so that it shows its own writes before the merger does, and follows
/// shortcuts. The index is asked when the cache does not know (SAFETY 15: only a fresh look says
/// that a key is absent).
///
/// A read costs: value hit, own write or shortcut hit, no look at the index; a miss, one.
/// Objects in the log are copied out when they are read; those in extents are views.
class DpmEngine final : public Engine {
 public:
  struct Options {
    std::uint32_t shard = 0;
    std::uint32_t shards = 1;  ///< A power of two.
    std::uint64_t cache_bytes = std::uint64_t{64} << 20;
  };
  /// `clock` outlives the engine.
  DpmEngine(std::shared_ptr<dpm::Dpm> pool, std::shared_ptr<ShardLog> log, const Clock& clock,
            const Options& options);
  ~DpmEngine() override;

  /// Rows by slot, then by hash: a slot's rows are together.
  static std::uint64_t PlaceOf(const KeyView& row) noexcept;

  Result<PutOutcome> Put(const KeyView& key, PutRequest& request, Garbage& garbage) override;
  /// A group larger than a segment is InvalidArgument.
  Result<PutOutcome> PutGroup(std::span<PutItem> items, Garbage& garbage) override;
  Result<bool> Get(const KeyView& key, Load load, StoredObject& found) override;
  /// One key, a whole row, and up to kDropsAtOnce columns (fewer with long names) go as one; a
  /// prefix of more columns goes in parts, of which a crash may leave some.
  Result<std::uint64_t> Drop(const KeyView& row, const Pattern& pattern, Garbage& garbage) override;
  Result<bool> GetRowInfo(const KeyView& row, RowInfo& info) override;
  Result<bool> WalkRow(const KeyView& row, const Pattern& pattern,
                       const std::optional<std::optional<std::string_view>>& after, Load load,
                       const Visitor& visit) override;
  Result<RowPage> Rows(const RowName& from, const Pattern& pattern, std::size_t max_rows) override;
  void Prefetch(const KeyView& row, PrefetchPass pass) const override;
  Result<RowState> GetRowState(const KeyView& row) override;
  /// The engines share one log.
  Status Apply(std::span<Part> parts, Garbage& garbage) override;
  /// The pool's cleaner makes room of what expired; this lets go of what is in DRAM.
  bool Sweep(std::size_t max_rows, Garbage& garbage) override;
  /// `objects` and `rows` are those of the whole pool, and include dropped keys that must still be
  /// remembered; the first shard tells them.
  Stats GetStats() const override;
  Availability where() const override { return Availability::kPersistentMemory; }

 private:
  static constexpr std::size_t kDropsAtOnce = 1024;
  static constexpr unsigned kSlotBits = 14;  // Of a place.
  static_assert(kSlotCount == 1U << kSlotBits);

  using Index = dpm::Index;

  // A key to be looked up or written.
  struct Place {
    std::uint64_t hash = 0;
    std::uint16_t slot = 0;
  };
  // One thing a walk has found: a record of the cache, or else an entry of the index.
  struct Seen {
    bool has_column = false;
    std::string_view column;
    CacheRecord* record = nullptr;
    dpm::EntryView entry;
    dpm::Location location;
    std::uint64_t expiry_ms = 0;  // Its own.
  };
  // What the newest row entry says of a row: remembered while the index does not know it, and as
  // long as the row is to expire.
  struct RowFacts {
    Version below;  // What is older is gone.
    std::uint64_t expiry_ms = 0;
    std::uint64_t ordinal = 0;
  };
  struct ExpiringRow {
    std::uint64_t expiry_ms = 0;
    std::uint32_t bucket = 0;
    std::string name;
    friend auto operator<=>(const ExpiringRow&, const ExpiringRow&) = default;
  };
  // A row's name, to be looked up without a copy of it.
  struct RowId {
    std::uint32_t bucket = 0;
    std::string_view name;
    static RowId Of(const KeyView& key) { return {key.bucket.id(), key.row}; }
  };
  struct RowKey {
    std::uint32_t bucket = 0;
    std::string name;
  };
  struct RowHasher {
    using is_transparent = void;
    template <typename Row>
    std::size_t operator()(const Row& row) const {
      return Hash64(row.name, row.bucket);
    }
  };
  struct RowEqual {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.bucket == b.bucket && std::string_view(a.name) == std::string_view(b.name);
    }
  };
  enum class Presence : std::uint8_t { kUnknown, kAbsent, kPresent };
  // An entry to be written, and what is remembered of it then.
  struct Write {
    Place place;
    dpm::EntryFields fields;
    DataObject object;
    std::shared_ptr<void> prepared;
    std::shared_ptr<const std::string> name;  // Of a column that is nobody else's.
    Presence before = Presence::kUnknown;     // Was there an object?
    // Of a row entry: its data, and the columns it makes void that the cache knows.
    dpm::RowRecord row_record = {};
    std::vector<std::string> hidden = {};
  };
  // What one engine writes of a group.
  struct Batch {
    DpmEngine* engine = nullptr;
    std::vector<Write> writes;
  };

  static Place PlaceFor(const KeyView& key) noexcept;
  /// What every call does first: takes note of what is merged, and keeps to the budget.
  void BeginCall(Garbage& garbage);
  /// The same for a call on one row, which is dropped if its time is over. An error: it should be,
  /// and there is no room to say so; nothing of it is seen any more all the same.
  Status BeginCall(const KeyView& row, Garbage& garbage);

  // Times of expiry are wall time in ms, 0 for never, and judged by the pool alone.
  std::uint64_t WallNowMs() const;
  std::uint64_t ToWall(TimePoint expires) const;
  TimePoint FromWall(std::uint64_t expiry_ms) const;
  /// When the object itself is over, or its row.
  TimePoint ExpiresAt(const KeyView& key, std::uint64_t own_expiry_ms);
  /// What is told of it waits until the judgement is kept.
  bool Expired(std::uint64_t expiry_ms, std::uint16_t slot);
  /// Does a dropped row, which the index may not know yet, hide this entry?
  bool IsHidden(const dpm::EntryView& entry);
  bool IsHidden(const CacheRecord& record);

  // dpm_engine_rows.cc: rows as a whole.
  RowFacts* FindFacts(RowId row);
  /// Takes note of what the index says of the row.
  void LearnFacts(const KeyView& row, const dpm::EntryView& row_entry);
  void NoteRowEntry(const KeyView& row, const RowFacts& facts);
  void ForgetMergedRows(std::uint64_t merged);
  /// When the row as a whole is over; 0: never.
  std::uint64_t RowExpiryOf(const Index::Found& found);
  std::uint64_t RowExpiryOf(RowId row);
  /// Its object's time or its row's is over.
  bool IsOver(const Index::Found& found, std::uint16_t slot);
  Result<RowState> LearnRow(const KeyView& row, Place place, Garbage& garbage);
  /// Columns of the row that the index leads to and the cache knows.
  std::vector<std::string> KnownColumns(const KeyView& row);
  /// Forgets the row's anchor and these columns, but for those that the index does not know.
  void Forget(const KeyView& row, std::span<const std::string> columns, Garbage& garbage);
  Write NewRowWrite(const KeyView& row, Version below, std::uint64_t expiry_ms);
  Write DropRowWrite(const KeyView& row);
  Result<Write> ExpireRowWrite(const KeyView& row, std::uint64_t expiry_ms);
  void SetFacts(RowKey key, const RowFacts& facts);
  static constexpr std::uint32_t kSlotsPerSweep = 1024;
  void LearnExpiringRows(std::uint32_t slots);
  Status ForgetEmptyRow(const KeyView& row, Garbage& garbage);
  /// True while there are rows that will expire.
  bool DropExpiredRows(std::size_t max_rows, Garbage& garbage);
  void RememberRow(Write& write, std::uint64_t ordinal, Garbage& garbage);
  /// Keeps the anchor's count right.
  void NoteColumn(const Write& write, std::uint64_t ordinal, Garbage& garbage);
  Status ApplyPut(Change& change, Garbage& garbage);
  /// What does not fit into one group together is brought to extents, the largest first.
  static Status PrepareToFit(std::span<Part> parts, Garbage& garbage);
  Status MakeWrites(std::span<Change* const> changes, std::vector<Write>* writes, Garbage& garbage);
  Result<std::vector<Presence>> LookAtChanges(std::span<Change* const> changes, Garbage& garbage);
  static Status Append(std::span<Batch> batches, Garbage& garbage);

  enum class Count : std::uint8_t { kNo, kYes };
  /// The record of the object that is there; null when none is. Learns it from the index if need
  /// be.
  Result<CacheRecord*> Lookup(const KeyView& key, Place place, Count count, Garbage& garbage);
  /// Learns from the index what the newest entry is; null when there is no object.
  Result<CacheRecord*> Learn(const KeyView& key, Place place, Garbage& garbage);
  /// The entry that a record leads to, learnt anew when it has moved. Inside a guard.
  Result<dpm::EntryView> Follow(const KeyView& key, CacheRecord* record);
  /// Its bytes are what was written: believed of this process's writes, checked of older ones.
  Status Validate(const dpm::EntryView& entry, dpm::Location location) const;
  Result<DataObject> ReadObject(const dpm::EntryView& entry) const;
  StoredObject Stored(const KeyView& key, Version version, std::uint64_t expiry_ms);
  Result<StoredObject> Read(const KeyView& key, CacheRecord* record, Load load, Garbage& garbage);
  Result<StoredObject> Read(const Seen& seen, const KeyView& key, Load load, Garbage& garbage);
  void See(const CacheRecord& record) {
    if (record.ordinal > log_->kept()) RaiseTicket(ShardLog::TicketFor(record.ordinal));
  }

  Result<bool> VisitKey(const KeyView& key, Load load, const Visitor& visit);

  static std::optional<PutOutcome> Refusal(const CacheRecord* present, const PutRequest& request);
  /// Later than all before.
  Version NextVersion();
  /// Of the key's next version.
  Write NewWrite(const KeyView& key, Place place, dpm::EntryKind kind);
  /// Instead of the object, that there is none.
  static Write NoLonger(const Write& write);
  /// The request as an entry of the next version; the object is prepared here if nobody has.
  Result<Write> MakeWrite(const KeyView& key, Place place, PutRequest& request);
  /// Appends them as one group, and remembers them.
  Status Append(std::span<Write> writes, Garbage& garbage);
  /// What was appended, the first as the `first`-th of the log.
  void Remember(std::span<Write> writes, std::span<const dpm::Location> locations,
                std::uint64_t first, Garbage& garbage);
  void Remember(Write& write, dpm::Location location, std::uint64_t ordinal, Garbage& garbage);
  /// Adds what makes room for the newest `keep` columns of the row; of very many the oldest go
  /// before.
  Status AddKeep(const KeyView& key, std::uint32_t keep, std::vector<Write>& writes,
                 Garbage& garbage);
  static std::uint64_t GoneBytes(const KeyView& key);
  bool FitsOneGroup(std::span<const KeyView> keys) const;
  static bool IsOurs(const Write& write);
  /// Writes that there are no such objects, in groups as large as may be; how many are gone also
  /// when it fails.
  Status DropKeys(std::span<const KeyView> keys, std::uint64_t* dropped, Garbage& garbage);
  void Bury(const KeyView& key, Place place, Garbage& garbage);
  Status DropRow(const KeyView& row, Garbage& garbage);

  /// All objects of a row that match, those of the index and those not merged yet, in no order;
  /// valid inside the guard the caller holds.
  void CollectRow(const KeyView& row, const Pattern& pattern,
                  const std::optional<std::optional<std::string_view>>& after,
                  std::vector<Seen>& seen);
  void CollectSlot(std::uint16_t slot, std::vector<RowName>& rows);

  const std::shared_ptr<dpm::Dpm> pool_;
  const std::shared_ptr<ShardLog> log_;
  const Clock& clock_;
  const Options options_;
  dpm::ReadEpochs::Reader reader_;
  KeyCache cache_;
  std::uint64_t counter_ = 0;  // Of the last version.
  bool expiring_ = false;      // Was anything written or seen that will expire?
  absl::flat_hash_map<RowKey, RowFacts, RowHasher, RowEqual> row_facts_;
  absl::btree_set<ExpiringRow> expiring_rows_;  // Those of row_facts_ that expire.
  std::uint32_t learned_slot_ = 0;              // Rows of the slots before it are in row_facts_.
  std::deque<std::pair<std::uint64_t, RowKey>> unmerged_rows_;  // By ordinal.
  std::uint64_t last_column_ = 0;  // The ordinal of the last write of a column.
  Stats stats_;
};

}  // namespace cirein::node
