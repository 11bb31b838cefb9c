// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cirein/status.h"

namespace cirein {

/// The call sites that persist, one name each. A test drops them in turn and must notice; they are
/// what traces and error messages call a persist by.
enum class PersistSite : std::uint8_t {
  kFormat,         ///< All of a new pool but its superblock.
  kSuperblock,     ///< A copy of the superblock.
  kSegmentRecord,  ///< A copy of a segment's record in the segment table.
  kSegmentHeader,  ///< The header of a segment that is granted.
  kSlotRoots,      ///< A copy of the slot roots.
  kBatch,          ///< A batch of a writer's log.
  kMark,           ///< The mark word of an idle segment.
  kSync,           ///< What was answered from the page cache, once a second.
  kExtent,         ///< The bytes of a large object.
  kExtentName,     ///< The name of a large object's file.
  kIndexBody,      ///< Index memory that nothing leads to yet.
  kIndexLinks,     ///< The words of the index that lead to it.
  kMergedMark,     ///< How far a segment is merged.
  kIndexClose,     ///< The whole index, before the clean mark.
  kFound,          ///< What an open found in the caches, before anything is built on it.
  kRemote,         ///< What another process wrote over a fabric, and asks to persist.
};
inline constexpr std::size_t kPersistSites = 16;
const char* PersistSiteName(PersistSite site);

/// Told of every store, for the regions of tests.
class StoreWatcher {
 public:
  virtual ~StoreWatcher() = default;
  virtual void Stored(std::uint64_t offset, std::uint64_t bytes) = 0;
};

/// A range of bytes on a medium that keeps them. What is written is seen through data() at once,
/// and survives the end of the process; it survives a power cut only once Persist returned. Until
/// then any part of it may: on flushable media each cache line by itself, on files each 512-byte
/// sector.
///
/// Thread safety: writes to disjoint ranges, persists and reads may go on in any number of threads;
/// who writes where is the user's to arrange. Persist blocks, nothing else does (but pwrite may).
class Region {
 public:
  virtual ~Region() = default;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  const std::string& name() const noexcept { return name_; }
  std::uint64_t size() const noexcept { return size_; }
  /// The whole region for reading; begins at a multiple of 4096. Valid while the region lives.
  const std::byte* data() const noexcept { return data_; }

  /// Copies bytes in. An error (IoError, ResourceExhausted when the medium is full) leaves an
  /// unknown part of them written. InvalidArgument when they would not fit.
  virtual Status Write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;

  /// Waits until what was written in the range before the call is on the medium. The first error of
  /// a file sticks: what the system may have thrown away cannot be made good by trying again, so
  /// every later Persist fails too, and the owner goes read-only.
  virtual Status Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite site) = 0;

  /// The file that holds these bytes from its beginning, to be opened anew by who wants to map them
  /// elsewhere; it never gets shorter. Stays the region's. Negative when there is none.
  virtual int descriptor() const noexcept { return -1; }

  /// True when the region is also there for plain stores: StoreWord and Fill may be used.
  bool has_stores() const noexcept { return stores_ != nullptr; }
  /// One aligned word, seen whole and after all that was stored before it (release), and on a
  /// flushable medium never torn.
  void StoreWord(std::uint64_t offset, std::uint64_t value) noexcept {
    // The mapping is made of words of this type by convention; data() is its read-only side.
    auto* word = reinterpret_cast<std::uint64_t*>(stores_ + offset);  // NOLINT
    std::atomic_ref<std::uint64_t>(*word).store(value, std::memory_order_release);
    if (watcher_ != nullptr) [[unlikely]]
      watcher_->Stored(offset, sizeof value);
  }
  /// A word as other threads may be storing it (acquire).
  std::uint64_t LoadWord(std::uint64_t offset) const noexcept {
    auto* word =
        reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(data_ + offset));  // NOLINT
    return std::atomic_ref<std::uint64_t>(*word).load(std::memory_order_acquire);
  }
  /// Puts `desired` where `expected` is; what was there before. Atomic, and as StoreWord.
  struct Swap {
    std::uint64_t expected = 0;
    std::uint64_t desired = 0;
  };
  std::uint64_t SwapWord(std::uint64_t offset, Swap swap) noexcept {
    auto* word = reinterpret_cast<std::uint64_t*>(stores_ + offset);  // NOLINT
    std::uint64_t before = swap.expected;
    const bool stored =
        std::atomic_ref<std::uint64_t>(*word).compare_exchange_strong(before, swap.desired);
    if (stored && watcher_ != nullptr) [[unlikely]]
      watcher_->Stored(offset, sizeof before);
    return before;
  }
  /// Adds; what was there before. Atomic, and as StoreWord.
  std::uint64_t AddToWord(std::uint64_t offset, std::uint64_t add) noexcept {
    auto* word = reinterpret_cast<std::uint64_t*>(stores_ + offset);  // NOLINT
    const std::uint64_t before = std::atomic_ref<std::uint64_t>(*word).fetch_add(add);
    if (watcher_ != nullptr) [[unlikely]]
      watcher_->Stored(offset, sizeof before);
    return before;
  }
  /// Sets a range that nobody reads yet to zero.
  void Clear(std::uint64_t offset, std::uint64_t bytes) noexcept;

 protected:
  Region(std::string name, std::uint64_t size) : name_(std::move(name)), size_(size) {}
  Status CheckRange(std::uint64_t offset, std::uint64_t bytes) const;

  const std::string name_;
  const std::uint64_t size_;
  const std::byte* data_ = nullptr;
  std::byte* stores_ = nullptr;
  StoreWatcher* watcher_ = nullptr;
};

/// What a region is for, which decides how a medium keeps it.
enum class RegionUse : std::uint8_t {
  kRecords,  ///< Small records: Write and Persist.
  kLog,      ///< Bytes that are written once and read often: Write and Persist.
  kWords,    ///< Words that are stored in place: StoreWord as well. On files it is persisted as a
             ///< whole or not at all (a dirty mapping costs 1 MiB of device writes per store).
};

/// What a medium can do.
struct MediumTraits {
  /// Persist is a flush of cache lines (DAX, CXL, tmpfs), and words are persisted one by one. Else
  /// it is fdatasync.
  bool flushable = false;
  /// Does anything of it survive a power cut? Not on tmpfs.
  bool survives_power_cut = true;
  /// How much one flush covers: 8, 64, or 4096 bytes; 512 for files.
  std::uint32_t granularity = 512;
  std::string description;  ///< For people: "tmpfs, cache-line flushes", "ext4, fdatasync".
};

/// The place where the regions of one pool are: a directory, or a test's shadow of one. Names are
/// plain file names. All calls block; thread-safe.
class RegionSpace {
 public:
  virtual ~RegionSpace() = default;

  /// For messages: the path.
  virtual const std::string& path() const = 0;
  virtual const MediumTraits& traits() const = 0;
  /// Changes with each start of the machine: what was not persisted under another id may be gone.
  virtual const std::string& boot_id() const = 0;

  /// Takes the space for this process alone until the space is destroyed or the process ends.
  /// FailedPrecondition, naming the holder's process id when it is known, when it is taken.
  virtual Status Lock() = 0;
  /// Gives it back before that. Nothing may be written after it.
  virtual void Unlock() = 0;

  /// A new region of zeros with all its room allocated, so that no later write can meet a full
  /// disk; on files only an error or ResourceExhausted now. AlreadyExists when there is one of the
  /// name.
  virtual Result<std::unique_ptr<Region>> Create(const std::string& name, std::uint64_t bytes,
                                                 RegionUse use) = 0;
  /// NotFound; PermissionDenied; IoError. The region is as long as the file.
  enum class Access : std::uint8_t { kReadOnly, kReadWrite };
  virtual Result<std::unique_ptr<Region>> Open(const std::string& name, RegionUse use,
                                               Access access) = 0;
  /// Regions of it that are open stay usable. NotFound when there is none.
  virtual Status Remove(const std::string& name) = 0;
  /// After it the names made and removed before survive a power cut.
  virtual Status PersistNames(PersistSite site) = 0;

  struct Entry {
    std::string name;
    std::uint64_t bytes = 0;
  };
  virtual Result<std::vector<Entry>> List() const = 0;
};

}  // namespace cirein
