// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_buffers.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <sys/mman.h>

#include "runtime/system_error.h"

namespace cirein::fabric {
namespace {

constexpr std::size_t kSmallestClass = 8192;
constexpr int kKeyTries = 8;

}  // namespace

OfiMemoryRules OfiMemoryRules::Of(const fi_info& info) {
  const auto mode = static_cast<std::uint64_t>(info.domain_attr->mr_mode);
  return {.local = (mode & FI_MR_LOCAL) != 0,
          .own_keys = (mode & FI_MR_PROV_KEY) != 0,
          .true_addresses = (mode & FI_MR_VIRT_ADDR) != 0,
          .to_endpoint = (mode & FI_MR_ENDPOINT) != 0,
          .key_bytes = std::clamp<std::size_t>(info.domain_attr->mr_key_size, 1, 8)};
}

// --- Pages ---

Result<OfiPages> OfiPages::Map(std::size_t bytes) {
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return ResourceExhausted(
        fmt::format("cannot get {} bytes of memory: {}", bytes, SystemErrorText(errno)));
  }
  OfiPages pages;
  pages.memory_ = static_cast<std::byte*>(memory);
  pages.size_ = bytes;
  return pages;
}

OfiPages::OfiPages(OfiPages&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}

OfiPages& OfiPages::operator=(OfiPages&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  return *this;
}

OfiPages::~OfiPages() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

void OfiPages::Drop() { madvise(memory_, size_, MADV_DONTNEED); }

// --- Registrations ---

std::uint64_t OfiRegistrar::NewKey() {
  if (rules_.own_keys) return 0;
  const std::uint64_t mask = ~std::uint64_t{0} >> (64 - 8 * rules_.key_bytes);
  return entropy_.Seed() & mask;
}

Result<FidPtr<fid_mr>> OfiRegistrar::Register(std::span<std::byte> bytes, std::uint64_t access) {
  fid_mr* made = nullptr;
  int error = -FI_ENOKEY;
  // Short keys may meet one that is in use.
  for (int tries = 0; error == -FI_ENOKEY && tries < kKeyTries; ++tries) {
    error = fi_mr_reg(domain_, bytes.data(), bytes.size(), access, 0, NewKey(), 0, &made, nullptr);
  }
  const std::string action = fmt::format("register {} bytes", bytes.size());
  if (error != 0) return OfiError(action, error);
  FidPtr<fid_mr> registration(made);
  if (rules_.to_endpoint) {
    error = fi_mr_bind(registration.get(), &endpoint_->fid, 0);
    if (error == 0) error = fi_mr_enable(registration.get());
    if (error != 0) return OfiError(action, error);
  }
  ++made_;
  return registration;
}

// --- Buffers ---

OfiBuffers::OfiBuffers(OfiRegistrar& registrar, std::uint64_t bytes_max)
    : registrar_(&registrar), bytes_max_(bytes_max) {
  // Powers of two, and what lies in the middle of them: at most half of a buffer is unused.
  for (std::uint64_t bytes = kSmallestClass; bytes <= bytes_max / 2; bytes *= 2) {
    classes_.push_back({.bytes = bytes, .kept = {}, .bare = {}});
    classes_.push_back({.bytes = bytes + bytes / 2, .kept = {}, .bare = {}});
  }
  classes_.push_back({.bytes = bytes_max, .kept = {}, .bare = {}});
}

Result<OfiBuffer*> OfiBuffers::Lend(std::size_t bytes, OfiPort::LeaseUse use) {
  if (bytes == 0 || bytes > bytes_max_) {
    return InvalidArgument(fmt::format("no buffer of {} bytes can be lent: all of them may have {}",
                                       bytes, bytes_max_),
                           "raise registered_bytes_max");
  }
  const auto fits = std::partition_point(
      classes_.begin(), classes_.end(),
      [bytes](const SizeClass& size_class) { return size_class.bytes < bytes; });
  CIREIN_ASSIGN_OR_RETURN(OfiBuffer * buffer,
                          Take(static_cast<std::size_t>(fits - classes_.begin())));
  buffer->size = bytes;
  ++counts_.lent;
  if (Status prepared = Prepare(*buffer, use); !prepared.ok()) {
    Return(*buffer);
    return prepared;
  }
  return buffer;
}

Result<OfiBuffer*> OfiBuffers::Take(std::size_t size_class) {
  std::vector<OfiBuffer*>& kept = classes_[size_class].kept;
  if (kept.empty()) return Make(size_class);
  OfiBuffer* const buffer = kept.back();
  kept.pop_back();
  --counts_.kept;
  return buffer;
}

Result<OfiBuffer*> OfiBuffers::Make(std::size_t size_class) {
  SizeClass& place = classes_[size_class];
  if (!MakeRoom(place.bytes)) {
    return ResourceExhausted(fmt::format("no buffer of {} bytes can be lent: {} of {} bytes are",
                                         place.bytes, counts_.bytes, bytes_max_),
                             "wait until transfers have ended, or raise registered_bytes_max");
  }
  OfiBuffer* buffer = nullptr;
  if (!place.bare.empty()) {
    buffer = place.bare.back();
    place.bare.pop_back();
  } else {
    CIREIN_ASSIGN_OR_RETURN(OfiPages pages, OfiPages::Map(place.bytes));
    all_.push_back(std::make_unique<OfiBuffer>());
    buffer = all_.back().get();
    buffer->pages = std::move(pages);
    buffer->size_class = size_class;
    // So that returning one needs no memory.
    place.kept.reserve(all_.size());
    place.bare.reserve(all_.size());
  }
  counts_.bytes += place.bytes;
  ++counts_.made;
  return buffer;
}

bool OfiBuffers::MakeRoom(std::uint64_t bytes) {
  // The largest first: few are given up.
  for (auto place = classes_.rbegin(); place != classes_.rend(); ++place) {
    while (bytes_max_ - counts_.bytes < bytes && !place->kept.empty()) {
      OfiBuffer* const buffer = place->kept.back();
      place->kept.pop_back();
      --counts_.kept;
      buffer->registration.reset();
      buffer->shown = false;
      buffer->pages.Drop();
      place->bare.push_back(buffer);
      counts_.bytes -= place->bytes;
    }
  }
  return bytes_max_ - counts_.bytes >= bytes;
}

Status OfiBuffers::Prepare(OfiBuffer& buffer, OfiPort::LeaseUse use) {
  const bool shown = use == OfiPort::LeaseUse::kShown;
  const bool costly = registrar_->rules().costly();
  if (buffer.registration != nullptr && buffer.shown == shown) return {};
  buffer.registration.reset();
  buffer.shown = false;
  if (!shown && !registrar_->rules().local) return {};
  const std::uint64_t access = shown ? FI_READ | FI_REMOTE_READ : FI_READ;
  // One that is kept must do for whoever asks next.
  const std::size_t bytes = costly ? classes_[buffer.size_class].bytes : buffer.size;
  CIREIN_ASSIGN_OR_RETURN(buffer.registration,
                          registrar_->Register(buffer.pages.bytes().first(bytes), access));
  buffer.shown = shown;
  return {};
}

void OfiBuffers::Return(OfiBuffer& buffer) noexcept {
  if (registrar_ != nullptr && !registrar_->rules().costly()) {
    buffer.registration.reset();
    buffer.shown = false;
  }
  --counts_.lent;
  ++counts_.kept;
  classes_[buffer.size_class].kept.push_back(&buffer);
}

void OfiBuffers::Close() noexcept {
  for (const std::unique_ptr<OfiBuffer>& buffer : all_) buffer->registration.reset();
  registrar_ = nullptr;
}

OfiPort::Registrations OfiBuffers::counts() const {
  OfiPort::Registrations counts = counts_;
  if (registrar_ != nullptr) counts.keys = registrar_->made();
  return counts;
}

}  // namespace cirein::fabric
