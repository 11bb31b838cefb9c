// SPDX-License-Identifier: Apache-2.0
#include "fabric/grant_table.h"

#include <atomic>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace cirein::fabric {
namespace {

constexpr std::uint64_t kWordBytes = sizeof(std::uint64_t);

bool Contains(std::uint64_t size, ByteRange range) {
  return range.offset <= size && range.bytes <= size - range.offset;
}

std::uint64_t& WordAt(std::byte* place) {
  // Registered memory is words by convention, and aligned.
  return *reinterpret_cast<std::uint64_t*>(place);  // NOLINT
}

}  // namespace

Result<GrantTable::MemoryId> GrantTable::Register(std::shared_ptr<Region> region) {
  if (region == nullptr) return InvalidArgument("there is no region to register");
  Memory memory;
  memory.region = std::move(region);
  return Add(std::move(memory));
}

Result<GrantTable::MemoryId> GrantTable::Register(std::span<std::byte> memory,
                                                  std::shared_ptr<void> keeps) {
  // Only its low bits are looked at.
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % kWordBytes != 0) {  // NOLINT
    return InvalidArgument("memory to be registered must begin at a multiple of 8 bytes");
  }
  return Add({nullptr, memory, std::move(keeps)});
}

Result<GrantTable::MemoryId> GrantTable::Add(Memory memory) {
  const MemoryId id = ++last_id_;
  memories_.emplace(id, std::move(memory));
  return id;
}

Status GrantTable::Unregister(MemoryId memory) {
  // What it keeps may call back from its destructor: by then the table is whole again.
  return Remove(memory).status();
}

Result<GrantTable::Removed> GrantTable::Remove(MemoryId memory) {
  const auto found = memories_.find(memory);
  if (found == memories_.end()) return NotFound(fmt::format("no memory {} is registered", memory));
  Removed removed;
  for (auto it = grants_.begin(); it != grants_.end();) {
    if (it->second.memory != memory) {
      ++it;
      continue;
    }
    removed.grants.push_back(it->first);
    it = grants_.erase(it);
  }
  removed.region = std::move(found->second.region);
  removed.keeps = std::move(found->second.keeps);
  memories_.erase(found);
  return removed;
}

Result<Grant> GrantTable::Make(MemoryId memory, ByteRange range, Access access) {
  const auto found = memories_.find(memory);
  if (found == memories_.end()) return NotFound(fmt::format("no memory {} is registered", memory));
  constexpr Access kAll = Access::kRead | Access::kWrite | Access::kAtomic;
  if (static_cast<std::uint8_t>(access) == 0 || !Allows(kAll, access)) {
    return InvalidArgument(fmt::format("{} is no kind of access", static_cast<unsigned>(access)));
  }
  if (!Contains(found->second.size(), range)) {
    return InvalidArgument(fmt::format("{} bytes at {} are not in memory of {} bytes", range.bytes,
                                       range.offset, found->second.size()));
  }
  if (Allows(access, Access::kAtomic)) {
    if (range.offset % kWordBytes != 0 || range.bytes % kWordBytes != 0) {
      return InvalidArgument(
          fmt::format("{} bytes at {} are not whole words of 8 bytes", range.bytes, range.offset));
    }
    if (found->second.region != nullptr && !found->second.region->has_stores()) {
      return FailedPrecondition(
          fmt::format("region '{}' has no words that can be stored", found->second.region->name()));
    }
  }
  if (grants_.size() >= grants_max_) {
    return ResourceExhausted(fmt::format("{} grants are held, which is the limit", grants_max_),
                             "revoke those that are not needed");
  }
  const Grant grant{++last_id_, keys_(), range.bytes, access};
  grants_.emplace(grant.id, Granted{memory, grant.key, range, access});
  return grant;
}

Status GrantTable::Revoke(const Grant& grant) {
  const auto found = grants_.find(grant.id);
  if (found == grants_.end() || found->second.key != grant.key) {
    return NotFound(fmt::format("there is no grant {}", grant.id));
  }
  grants_.erase(found);
  return OkStatus();
}

void GrantTable::Clear() {
  grants_.clear();
  const std::map<MemoryId, Memory> gone = std::exchange(memories_, {});
}

Result<GrantTable::Place> GrantTable::Find(const Grant& grant, ByteRange range,
                                           Access asked) const {
  const auto found = grants_.find(grant.id);
  // A wrong key is told like an unknown grant: nothing is to be learnt by trying.
  if (found == grants_.end() || found->second.key != grant.key) {
    return PermissionDenied(fmt::format("grant {} is not valid here", grant.id),
                            "it was revoked, or never given: ask its owner for a new one");
  }
  const Granted& granted = found->second;
  if (!Allows(granted.access, asked)) {
    return PermissionDenied(fmt::format("grant {} is for other things", grant.id),
                            "ask its owner for one that allows this access");
  }
  if (!Contains(granted.range.bytes, range)) {
    return InvalidArgument(fmt::format("{} bytes at {} are not in grant {} of {} bytes",
                                       range.bytes, range.offset, grant.id, granted.range.bytes));
  }
  // A grant ends with its memory, so that is there; and its range is in the memory: no overflow.
  return Place{&memories_.find(granted.memory)->second, granted.range.offset + range.offset};
}

Result<GrantTable::Place> GrantTable::FindWord(const Grant& grant, std::uint64_t offset) const {
  CIREIN_ASSIGN_OR_RETURN(const Place place, Find(grant, {offset, kWordBytes}, Access::kAtomic));
  if (place.offset % kWordBytes != 0) {
    return InvalidArgument(fmt::format("offset {} is not that of a word of 8 bytes", offset));
  }
  return place;
}

Status GrantTable::Check(const Grant& grant, ByteRange range, Access asked) const {
  return Find(grant, range, asked).status();
}

Result<std::span<const std::byte>> GrantTable::View(const Grant& grant, ByteRange range) const {
  CIREIN_ASSIGN_OR_RETURN(const Place place, Find(grant, range, Access::kRead));
  const Memory& memory = *place.memory;
  const std::byte* const from =
      memory.region != nullptr ? memory.region->data() : memory.bytes.data();
  return std::span(from + place.offset, static_cast<std::size_t>(range.bytes));
}

Status GrantTable::Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into) const {
  CIREIN_ASSIGN_OR_RETURN(const auto from, View(grant, {offset, into.size()}));
  if (!into.empty()) std::memcpy(into.data(), from.data(), into.size());
  return OkStatus();
}

Status GrantTable::Write(const Grant& grant, std::uint64_t offset,
                         std::span<const std::byte> bytes) {
  CIREIN_ASSIGN_OR_RETURN(const Place place, Find(grant, {offset, bytes.size()}, Access::kWrite));
  if (bytes.empty()) return OkStatus();
  if (place.memory->region != nullptr) return place.memory->region->Write(place.offset, bytes);
  std::memcpy(place.memory->bytes.data() + place.offset, bytes.data(), bytes.size());
  return OkStatus();
}

Result<std::uint64_t> GrantTable::CompareAndSwap(const Grant& grant, std::uint64_t offset,
                                                 WordSwap swap) {
  CIREIN_ASSIGN_OR_RETURN(const Place place, FindWord(grant, offset));
  if (Region* const region = place.memory->region.get(); region != nullptr) {
    return region->SwapWord(place.offset, {.expected = swap.expected, .desired = swap.desired});
  }
  std::uint64_t before = swap.expected;
  std::atomic_ref<std::uint64_t>(WordAt(place.memory->bytes.data() + place.offset))
      .compare_exchange_strong(before, swap.desired);
  return before;
}

Result<std::uint64_t> GrantTable::FetchAdd(const Grant& grant, std::uint64_t offset,
                                           std::uint64_t add) {
  CIREIN_ASSIGN_OR_RETURN(const Place place, FindWord(grant, offset));
  if (Region* const region = place.memory->region.get(); region != nullptr) {
    return region->AddToWord(place.offset, add);
  }
  return std::atomic_ref<std::uint64_t>(WordAt(place.memory->bytes.data() + place.offset))
      .fetch_add(add);
}

Status GrantTable::Persist(const Grant& grant, ByteRange range) {
  CIREIN_ASSIGN_OR_RETURN(const Place place, Find(grant, range, Access::kWrite));
  if (place.memory->region == nullptr) {
    return FailedPrecondition(fmt::format("the memory of grant {} is on no medium", grant.id));
  }
  return place.memory->region->Persist(place.offset, range.bytes, PersistSite::kRemote);
}

std::optional<GrantTable::Whole> GrantTable::WholeRegion(const Grant& grant) const {
  const auto found = grants_.find(grant.id);
  if (found == grants_.end() || found->second.key != grant.key) return std::nullopt;
  const Granted& granted = found->second;
  const std::shared_ptr<Region>& region = memories_.find(granted.memory)->second.region;
  if (region == nullptr || granted.range.bytes != region->size()) return std::nullopt;
  return Whole{region, granted.access};
}

}  // namespace cirein::fabric
