// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cirein/status.h"

namespace cirein {

/// The bytes of a space at rest: file name to contents.
using SpaceImage = std::map<std::string, std::vector<std::byte>>;

/// Of so many states (at least 2; 0 is the persisted one, the last one the newest), which one does
/// the medium hold?
using ChooseState = std::function<std::uint64_t(std::uint64_t states)>;

/// What a medium was told, in order, and what a crash would leave of it at any point.
///
/// Contents are cut into units: the medium holds each unit as it was at the last persist that
/// covered it, or after any of the stores since. Names are units of their own.
///
/// An image is made at a cursor that holds the persisted contents at its point and, for each unit,
/// the chain of stores since. It moves either way, one event at a time, and costs what the events
/// between changed; making an image costs a copy of the contents and of what is in the chains.
///
/// Not thread-safe, images included.
class CrashHistory {
 public:
  using File = std::uint32_t;

  /// A file whose name and contents are persisted before the first event.
  File AddInitial(const std::string& name, std::vector<std::byte> contents);
  /// How the medium keeps a file: needed before the first store to it; later calls change nothing.
  void SetUnit(File file, std::uint32_t unit_bytes);

  /// The events. A file is made of zeros.
  File Created(const std::string& name, std::uint64_t bytes);
  void Removed(const std::string& name);
  void NamesPersisted();
  void Stored(File file, std::uint64_t offset, std::span<const std::byte> bytes);
  /// Every unit that the range touches.
  void Persisted(File file, std::uint64_t offset, std::uint64_t bytes);
  /// A persist that did nothing.
  void Dropped();

  std::uint64_t events() const noexcept { return events_.size(); }
  std::uint64_t file_bytes(File file) const noexcept { return files_[file].size; }

  /// All that was stored before `point`, and the first bytes of what the next event stores.
  SpaceImage AllStored(std::uint64_t point, std::uint64_t of_next_bytes) const;
  /// Each unit with more than one state as `choose` says, in the order of names and offsets.
  SpaceImage Chosen(std::uint64_t point, const ChooseState& choose) const;
  /// With n of them there are at least 2^n images.
  std::uint64_t UnpersistedUnits(std::uint64_t point) const;

 private:
  enum class Kind : std::uint8_t {
    kCreated,
    kRemoved,
    kNamesPersisted,
    kStored,
    kPersisted,
    kDropped,
  };
  struct Event {
    Kind kind;
    File file;             ///< Of kCreated, kStored, kPersisted.
    std::uint64_t offset;  ///< In the file; of kCreated and kRemoved the number of the name.
    std::uint64_t bytes;
    std::uint64_t data;  ///< Of kStored: where its bytes are in data_.
  };
  static constexpr File kNoFile = UINT32_MAX;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct FileState {
    std::uint64_t size = 0;
    std::uint32_t unit = 0;
    // What the cursor knows; made when the first image is. `durable` may be there before.
    bool prepared = false;
    std::vector<std::byte> durable;
    std::vector<std::uint32_t> last;   ///< Of each unit, the newest link of its chain; or kNone.
    std::vector<std::uint64_t> dirty;  ///< A bit for each unit that has a chain.
  };
  /// One store to one unit.
  struct Link {
    std::uint32_t event;
    std::uint32_t before;
  };
  /// A unit that a persist changed, as it was.
  struct Undo {
    std::uint64_t unit;
    std::uint32_t last;
  };
  struct NameState {
    File durable = kNoFile;
    std::vector<File> later;
  };
  using Names = std::map<std::string, NameState>;

  std::uint64_t AddEvent(Event event);
  std::uint32_t NumberOfName(const std::string& name);
  Names NamesAt(std::uint64_t point) const;

  void MoveTo(std::uint64_t point) const;
  void Forward(const Event& event, std::uint32_t number) const;
  void Backward(const Event& event) const;
  void Prepare(FileState& file) const;
  void ForwardStore(const Event& event, std::uint32_t number) const;
  void BackwardStore(const Event& event) const;
  void ForwardPersist(const Event& event) const;
  void BackwardPersist(const Event& event) const;
  void PersistUnit(FileState& file, std::uint64_t unit) const;

  void CollectChain(std::uint32_t last) const;
  void Apply(const Event& event, std::uint64_t begin, std::span<std::byte> into) const;
  std::vector<std::byte> Contents(FileState& file, const ChooseState& choose) const;
  bool UnitDiffers(const FileState& file, std::uint64_t unit) const;
  std::uint64_t DifferingUnits(const FileState& file) const;

  std::vector<Event> events_;
  std::vector<std::byte> data_;
  std::vector<std::string> names_;
  std::map<std::string, std::uint32_t> name_numbers_;
  std::map<std::string, File> initial_names_;
  std::vector<std::uint32_t> name_events_;

  // The cursor: it changes where it stands, not what the history is.
  mutable std::uint64_t point_ = 0;
  mutable std::vector<FileState> files_;
  mutable std::vector<Link> links_;
  mutable std::vector<Undo> undo_;
  mutable std::vector<std::byte> undo_bytes_;
  mutable std::vector<std::uint64_t> undo_counts_;  ///< Of each persist before the point.
  mutable std::vector<std::uint32_t> chain_;        ///< The events of one chain, oldest first.
};

}  // namespace cirein
