// SPDX-License-Identifier: Apache-2.0
#include "region/memory_region.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/text.h"
#include "region/mapping.h"
#include "runtime/file_descriptor.h"
#include "runtime/system_error.h"
#include "runtime/system_info.h"

namespace cirein {
namespace {

constexpr const char* kSystemName = "cirein-memory";
// What is asked for at most of a system that does not tell what it has.
constexpr std::uint64_t kAvailableUnknown = std::uint64_t{1} << 30;

class MemoryRegion final : public Region {
 public:
  MemoryRegion(std::string name, FileDescriptor file, FileMapping mapping)
      : Region(std::move(name), mapping.bytes()),
        file_(std::move(file)),
        mapping_(std::move(mapping)) {
    data_ = mapping_.begin();
    stores_ = mapping_.begin();
  }

  Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
    if (!bytes.empty()) std::memcpy(stores_ + offset, bytes.data(), bytes.size());
    return OkStatus();
  }
  Status Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite /*site*/) override {
    return CheckRange(offset, bytes);
  }
  int descriptor() const noexcept override { return file_.get(); }

 private:
  const FileDescriptor file_;
  const FileMapping mapping_;
};

Status Cannot(const char* what, const std::string& name, std::uint64_t bytes, int error) {
  return ResourceExhausted(fmt::format("cannot {} {} bytes of memory for region '{}': {}", what,
                                       bytes, EscapeForPeople(name, 255), SystemErrorText(error)),
                           "ask for less, or free memory");
}

}  // namespace

Result<std::unique_ptr<Region>> MakeMemoryRegion(std::string name, std::uint64_t bytes) {
  FileDescriptor file(memfd_create(kSystemName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.is_open()) return Cannot("make", name, bytes, errno);
  // Who is given it for reading, and is another user, is not to open it for more.
  if (fchmod(file.get(), S_IRUSR | S_IWUSR) != 0) return Cannot("make", name, bytes, errno);
  // The system would look for it, and end others for it, until there is none left for anybody.
  const std::uint64_t available =
      ReadSystemInfo().memory_available_bytes.value_or(kAvailableUnknown);
  if (bytes > available) return Cannot("make", name, bytes, ENOMEM);
  // All of it now: memory that is missing later would be a signal, not an error.
  if (bytes > 0 && fallocate(file.get(), 0, 0, static_cast<off_t>(bytes)) != 0) {
    return Cannot("allocate", name, bytes, errno);
  }
  if (fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return Cannot("seal", name, bytes, errno);
  }
  CIREIN_ASSIGN_OR_RETURN(
      FileMapping mapping,
      FileMapping::Map(file.get(), bytes, RegionSpace::Access::kReadWrite, name));
  return std::unique_ptr<Region>(
      std::make_unique<MemoryRegion>(std::move(name), std::move(file), std::move(mapping)));
}

}  // namespace cirein
