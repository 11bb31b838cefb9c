// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/segment.h"

#include <cerrno>
#include <fcntl.h>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "runtime/system_error.h"

namespace cirein::fabric {
namespace {

constexpr std::uint64_t kLoansBegin = 4096;
constexpr std::uint64_t kControlBytes = kLoansBegin + 2 * kLoansMax * sizeof(LoanLine);
static_assert(kControlBytes % 4096 == 0);
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr const char* kName = "cirein-shm";

std::uint64_t SegmentBytes(std::uint64_t ring_bytes) { return kControlBytes + 2 * ring_bytes; }

Status Cannot(const char* what, int error) {
  const std::string message =
      fmt::format("cannot {} shared memory: {}", what, SystemErrorText(error));
  if (error == ENOMEM || error == ENOSPC || error == EMFILE || error == ENFILE) {
    return ResourceExhausted(message, "close connections, or raise the limits of this process");
  }
  return IoError(message);
}

}  // namespace

Result<std::unique_ptr<Segment>> Segment::Create(std::uint64_t ring_bytes) {
  if (!IsRingSize(ring_bytes)) {
    return InvalidArgument(fmt::format("a ring cannot have {} bytes", ring_bytes),
                           "choose a power of two from 4 KiB to 64 MiB");
  }
  FileDescriptor file(memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.is_open()) return Cannot("make", errno);
  // All of it now: memory that is missing later would be a signal, not an error.
  const auto bytes = static_cast<off_t>(SegmentBytes(ring_bytes));
  if (fallocate(file.get(), 0, 0, bytes) != 0) return Cannot("allocate", errno);
  if (fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return Cannot("seal", errno);
  CIREIN_ASSIGN_OR_RETURN(FileMapping mapping,
                          FileMapping::Map(file.get(), SegmentBytes(ring_bytes),
                                           RegionSpace::Access::kReadWrite, kName));
  return std::unique_ptr<Segment>(new Segment(std::move(file), std::move(mapping), ring_bytes));
}

Result<std::unique_ptr<Segment>> Segment::Open(const FileDescriptor& file,
                                               std::uint64_t ring_bytes) {
  const auto refuse = [](const char* why) {
    return PermissionDenied(fmt::format("the other side's shared memory {}", why));
  };
  if (!IsRingSize(ring_bytes)) return refuse("has rings of no possible size");
  // Only a memfd can have been sealed; one that is not could shrink under our feet.
  const int seals = fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return refuse("is not sealed");
  if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) return refuse("cannot be written");
  struct stat status {};
  if (fstat(file.get(), &status) != 0 ||
      std::cmp_not_equal(status.st_size, SegmentBytes(ring_bytes))) {
    return refuse("is not as long as it says");
  }
  CIREIN_ASSIGN_OR_RETURN(FileMapping mapping,
                          FileMapping::Map(file.get(), SegmentBytes(ring_bytes),
                                           RegionSpace::Access::kReadWrite, kName));
  return std::unique_ptr<Segment>(new Segment(FileDescriptor(), std::move(mapping), ring_bytes));
}

std::span<std::byte> Segment::ring(unsigned which) const {
  return {mapping_.begin() + kControlBytes + which * ring_bytes_, ring_bytes_};
}

RingControl& Segment::control(unsigned which) const {
  // The page is zeros at first, which is a RingControl of each.
  return reinterpret_cast<RingControl*>(mapping_.begin())[which];  // NOLINT
}

LoanLine& Segment::loan(unsigned side, unsigned line) const {
  // So are those of lines that are not lent.
  std::byte* const lines = mapping_.begin() + kLoansBegin;
  return reinterpret_cast<LoanLine*>(lines)[side * kLoansMax + line];  // NOLINT
}

}  // namespace cirein::fabric
