// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace cirein::dpm {

/// Tells when nobody can still be reading what was unlinked: readers of one process announce
/// themselves while they follow locations and index offsets (epoch-based reclamation). For short
/// reads only; what is held longer is copied or pinned (SAFETY 17).
///
/// Thread-safe. Enter and leave cost a store and a fence each, and never block.
class ReadEpochs {
 public:
  static constexpr int kMaxReaders = 256;

  /// A reader's seat: one thread at a time. Taken for long, by a shard or a thread.
  class Reader {
   public:
    Reader() = default;
    Reader(Reader&& other) noexcept;
    Reader& operator=(Reader&& other) noexcept;
    ~Reader();

    /// False when there was no seat left: then Enter must not be called.
    bool seated() const noexcept { return epochs_ != nullptr; }

    /// Between Enter and Leave nothing that was reachable at Enter is reused. Nests.
    void Enter() noexcept;
    void Leave() noexcept;

   private:
    friend class ReadEpochs;
    Reader(ReadEpochs* epochs, int seat) noexcept : epochs_(epochs), seat_(seat) {}
    void GiveUp() noexcept;

    ReadEpochs* epochs_ = nullptr;
    int seat_ = -1;
    int depth_ = 0;
  };
  class Guard {
   public:
    explicit Guard(Reader& reader) noexcept : reader_(reader) { reader_.Enter(); }
    ~Guard() { reader_.Leave(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Reader& reader_;
  };

  /// A reader without seat when all kMaxReaders are taken.
  Reader NewReader();

  /// The stamp for what was unlinked before this call; raises the epoch.
  std::uint64_t Retire() noexcept;
  /// True when every reader that was inside at that Retire has left since.
  bool Passed(std::uint64_t stamp) const noexcept;

 private:
  struct alignas(64) Seat {
    std::atomic<std::uint64_t> entered{0};  // The epoch it entered in; 0: outside.
    std::atomic<bool> taken{false};
  };
  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<int> seats_used_{0};  // No seat from here on was ever taken.
  std::array<Seat, kMaxReaders> seats_;
};

}  // namespace cirein::dpm
