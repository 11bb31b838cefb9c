// SPDX-License-Identifier: Apache-2.0
#include "region/crash_history.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace cirein {
namespace {

std::uint64_t UnitsOf(std::uint64_t bytes, std::uint32_t unit) { return (bytes + unit - 1) / unit; }

// Calls visit(unit) for each bit that is set in the units [begin, end), in order; visit may clear
// it.
template <typename Visit>
void ForEachBit(const std::vector<std::uint64_t>& bits, std::uint64_t begin, std::uint64_t end,
                Visit visit) {
  for (std::uint64_t word = begin / 64; word * 64 < end; ++word) {
    std::uint64_t rest = bits[word];
    if (word == begin / 64) rest &= ~std::uint64_t{0} << (begin % 64);
    for (; rest != 0; rest &= rest - 1) {
      const std::uint64_t unit = word * 64 + static_cast<std::uint64_t>(std::countr_zero(rest));
      if (unit >= end) return;
      visit(unit);
    }
  }
}

}  // namespace

CrashHistory::File CrashHistory::AddInitial(const std::string& name,
                                            std::vector<std::byte> contents) {
  const auto file = static_cast<File>(files_.size());
  FileState& state = files_.emplace_back();
  state.size = contents.size();
  state.durable = std::move(contents);
  initial_names_[name] = file;
  return file;
}

void CrashHistory::SetUnit(File file, std::uint32_t unit_bytes) {
  if (files_[file].unit == 0) files_[file].unit = unit_bytes;
}

std::uint64_t CrashHistory::AddEvent(Event event) {
  events_.push_back(event);
  return events_.size() - 1;
}

std::uint32_t CrashHistory::NumberOfName(const std::string& name) {
  const auto [found, added] =
      name_numbers_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
  if (added) names_.push_back(name);
  return found->second;
}

CrashHistory::File CrashHistory::Created(const std::string& name, std::uint64_t bytes) {
  const auto file = static_cast<File>(files_.size());
  files_.emplace_back().size = bytes;
  name_events_.push_back(static_cast<std::uint32_t>(AddEvent({.kind = Kind::kCreated,
                                                              .file = file,
                                                              .offset = NumberOfName(name),
                                                              .bytes = bytes,
                                                              .data = 0})));
  return file;
}

void CrashHistory::Removed(const std::string& name) {
  name_events_.push_back(static_cast<std::uint32_t>(AddEvent({.kind = Kind::kRemoved,
                                                              .file = kNoFile,
                                                              .offset = NumberOfName(name),
                                                              .bytes = 0,
                                                              .data = 0})));
}

void CrashHistory::NamesPersisted() {
  name_events_.push_back(static_cast<std::uint32_t>(AddEvent(
      {.kind = Kind::kNamesPersisted, .file = kNoFile, .offset = 0, .bytes = 0, .data = 0})));
}

void CrashHistory::Stored(File file, std::uint64_t offset, std::span<const std::byte> bytes) {
  AddEvent({.kind = Kind::kStored,
            .file = file,
            .offset = offset,
            .bytes = bytes.size(),
            .data = data_.size()});
  data_.insert(data_.end(), bytes.begin(), bytes.end());
}

void CrashHistory::Persisted(File file, std::uint64_t offset, std::uint64_t bytes) {
  AddEvent({.kind = Kind::kPersisted, .file = file, .offset = offset, .bytes = bytes, .data = 0});
}

void CrashHistory::Dropped() {
  AddEvent({.kind = Kind::kDropped, .file = kNoFile, .offset = 0, .bytes = 0, .data = 0});
}

// ---- The cursor
// ----------------------------------------------------------------------------------

void CrashHistory::MoveTo(std::uint64_t point) const {
  point = std::min<std::uint64_t>(point, events_.size());
  while (point_ < point) {
    Forward(events_[point_], static_cast<std::uint32_t>(point_));
    ++point_;
  }
  while (point_ > point) Backward(events_[--point_]);
}

void CrashHistory::Forward(const Event& event, std::uint32_t number) const {
  if (event.kind == Kind::kStored) ForwardStore(event, number);
  if (event.kind == Kind::kPersisted) ForwardPersist(event);
}

void CrashHistory::Backward(const Event& event) const {
  if (event.kind == Kind::kStored) BackwardStore(event);
  if (event.kind == Kind::kPersisted) BackwardPersist(event);
}

void CrashHistory::Prepare(FileState& file) const {
  if (file.prepared) return;
  const std::uint64_t units = UnitsOf(file.size, file.unit);
  file.durable.resize(file.size);
  file.last.assign(units, kNone);
  file.dirty.assign((units + 63) / 64, 0);
  file.prepared = true;
}

void CrashHistory::ForwardStore(const Event& event, std::uint32_t number) const {
  if (event.bytes == 0) return;
  FileState& file = files_[event.file];
  Prepare(file);
  const std::uint64_t end = (event.offset + event.bytes - 1) / file.unit + 1;
  for (std::uint64_t unit = event.offset / file.unit; unit < end; ++unit) {
    links_.push_back({number, file.last[unit]});
    file.last[unit] = static_cast<std::uint32_t>(links_.size() - 1);
    file.dirty[unit / 64] |= std::uint64_t{1} << (unit % 64);
  }
}

void CrashHistory::BackwardStore(const Event& event) const {
  if (event.bytes == 0) return;
  FileState& file = files_[event.file];
  const std::uint64_t begin = event.offset / file.unit;
  for (std::uint64_t unit = (event.offset + event.bytes - 1) / file.unit + 1; unit-- > begin;) {
    file.last[unit] = links_.back().before;
    links_.pop_back();
    if (file.last[unit] == kNone) file.dirty[unit / 64] &= ~(std::uint64_t{1} << (unit % 64));
  }
}

void CrashHistory::PersistUnit(FileState& file, std::uint64_t unit) const {
  const std::uint64_t begin = unit * file.unit;
  const std::span<std::byte> bytes =
      std::span(file.durable).subspan(begin, std::min<std::uint64_t>(file.unit, file.size - begin));
  undo_.push_back({unit, file.last[unit]});
  undo_bytes_.insert(undo_bytes_.end(), bytes.begin(), bytes.end());
  CollectChain(file.last[unit]);
  for (const std::uint32_t event : chain_) Apply(events_[event], begin, bytes);
  file.last[unit] = kNone;
  file.dirty[unit / 64] &= ~(std::uint64_t{1} << (unit % 64));
}

void CrashHistory::ForwardPersist(const Event& event) const {
  FileState& file = files_[event.file];
  Prepare(file);
  const std::size_t before = undo_.size();
  if (event.bytes > 0) {
    ForEachBit(file.dirty, event.offset / file.unit,
               (event.offset + event.bytes - 1) / file.unit + 1,
               [&](std::uint64_t unit) { PersistUnit(file, unit); });
  }
  undo_counts_.push_back(undo_.size() - before);
}

void CrashHistory::BackwardPersist(const Event& event) const {
  FileState& file = files_[event.file];
  for (; undo_counts_.back() > 0; --undo_counts_.back()) {
    const Undo undo = undo_.back();
    undo_.pop_back();
    const std::uint64_t begin = undo.unit * file.unit;
    const std::uint64_t bytes = std::min<std::uint64_t>(file.unit, file.size - begin);
    std::memcpy(file.durable.data() + begin, undo_bytes_.data() + undo_bytes_.size() - bytes,
                bytes);
    undo_bytes_.resize(undo_bytes_.size() - bytes);
    file.last[undo.unit] = undo.last;
    file.dirty[undo.unit / 64] |= std::uint64_t{1} << (undo.unit % 64);
  }
  undo_counts_.pop_back();
}

// ---- Images
// --------------------------------------------------------------------------------------

void CrashHistory::CollectChain(std::uint32_t last) const {
  chain_.clear();
  for (; last != kNone; last = links_[last].before) chain_.push_back(links_[last].event);
  std::reverse(chain_.begin(), chain_.end());
}

// What the event stores into the bytes that begin at `begin` of its file.
void CrashHistory::Apply(const Event& event, std::uint64_t begin, std::span<std::byte> into) const {
  const std::uint64_t from = std::max(begin, event.offset);
  const std::uint64_t to = std::min(begin + into.size(), event.offset + event.bytes);
  if (from >= to) return;
  std::memcpy(into.data() + (from - begin), data_.data() + event.data + (from - event.offset),
              to - from);
}

std::vector<std::byte> CrashHistory::Contents(FileState& file, const ChooseState& choose) const {
  if (!file.prepared) file.durable.resize(file.size);
  std::vector<std::byte> contents = file.durable;
  ForEachBit(file.dirty, 0, file.last.size(), [&](std::uint64_t unit) {
    CollectChain(file.last[unit]);
    const std::uint64_t stores = std::min<std::uint64_t>(choose(chain_.size() + 1), chain_.size());
    const std::uint64_t begin = unit * file.unit;
    const std::span<std::byte> bytes =
        std::span(contents).subspan(begin, std::min<std::uint64_t>(file.unit, file.size - begin));
    for (std::uint64_t i = 0; i < stores; ++i) Apply(events_[chain_[i]], begin, bytes);
  });
  return contents;
}

CrashHistory::Names CrashHistory::NamesAt(std::uint64_t point) const {
  Names names;
  for (const auto& [name, file] : initial_names_) names[name].durable = file;
  std::vector<NameState*> changed;
  for (const std::uint32_t number : name_events_) {
    if (number >= point) break;
    const Event& event = events_[number];
    if (event.kind == Kind::kNamesPersisted) {
      for (NameState* state : changed) {
        if (!state->later.empty()) state->durable = state->later.back();
        state->later.clear();
      }
      changed.clear();
    } else {
      NameState& state = names[names_[event.offset]];
      state.later.push_back(event.file);
      changed.push_back(&state);
    }
  }
  return names;
}

SpaceImage CrashHistory::AllStored(std::uint64_t point, std::uint64_t of_next_bytes) const {
  MoveTo(point);
  SpaceImage image;
  for (const auto& [name, state] : NamesAt(point)) {
    const File file = state.later.empty() ? state.durable : state.later.back();
    if (file == kNoFile) continue;
    std::vector<std::byte> contents =
        Contents(files_[file], [](std::uint64_t states) { return states - 1; });
    if (point < events_.size() && events_[point].kind == Kind::kStored &&
        events_[point].file == file) {
      Event part = events_[point];
      part.bytes = std::min(part.bytes, of_next_bytes);
      Apply(part, 0, contents);
    }
    image.emplace(name, std::move(contents));
  }
  return image;
}

SpaceImage CrashHistory::Chosen(std::uint64_t point, const ChooseState& choose) const {
  MoveTo(point);
  SpaceImage image;
  for (const auto& [name, state] : NamesAt(point)) {
    File file = state.durable;
    if (!state.later.empty()) {
      const std::uint64_t chosen =
          std::min<std::uint64_t>(choose(state.later.size() + 1), state.later.size());
      if (chosen > 0) file = state.later[chosen - 1];
    }
    if (file != kNoFile) image.emplace(name, Contents(files_[file], choose));
  }
  return image;
}

// Any store that brings other bytes makes a state that differs.
bool CrashHistory::UnitDiffers(const FileState& file, std::uint64_t unit) const {
  const std::uint64_t begin = unit * file.unit;
  const std::uint64_t end = std::min<std::uint64_t>(begin + file.unit, file.size);
  for (std::uint32_t link = file.last[unit]; link != kNone; link = links_[link].before) {
    const Event& event = events_[links_[link].event];
    const std::uint64_t from = std::max(begin, event.offset);
    const std::uint64_t to = std::min(end, event.offset + event.bytes);
    if (std::memcmp(file.durable.data() + from, data_.data() + event.data + (from - event.offset),
                    to - from) != 0) {
      return true;
    }
  }
  return false;
}

std::uint64_t CrashHistory::DifferingUnits(const FileState& file) const {
  std::uint64_t count = 0;
  ForEachBit(file.dirty, 0, file.last.size(), [&](std::uint64_t unit) {
    if (UnitDiffers(file, unit)) ++count;
  });
  return count;
}

std::uint64_t CrashHistory::UnpersistedUnits(std::uint64_t point) const {
  MoveTo(point);
  std::uint64_t count = 0;
  for (const auto& [name, state] : NamesAt(point)) {
    std::uint64_t units = state.durable == kNoFile ? 0 : DifferingUnits(files_[state.durable]);
    for (const File file : state.later) {
      // There or not are two images at least, whatever is in the file.
      units = std::max<std::uint64_t>(units, 1);
      if (file != kNoFile) units = std::max(units, DifferingUnits(files_[file]));
    }
    count += units;
  }
  return count;
}

}  // namespace cirein
