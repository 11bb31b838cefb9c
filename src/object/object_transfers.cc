// SPDX-License-Identifier: Apache-2.0
#include "object/object_transfers.h"

#include <cstddef>
#include <span>
#include <utility>

namespace cirein {
namespace {

// What is registered begins at a word; a view of memory may begin anywhere.
constexpr std::uint64_t kWordBytes = 8;

}  // namespace

ObjectTransfers::Loan::~Loan() {
  const Gate::Holder inside = transfers_->gate_.TryEnter();
  // Else the transport ends, and takes back all itself. What cannot be taken back yet it keeps.
  if (inside) (void)transfers_->transport_.Unregister(memory_);
}

Result<ObjectTransfers::LoanPtr> ObjectTransfers::LendIfLarge(const DataObject& object,
                                                              Room& room) {
  // An object that is not there is told by who encodes it.
  const std::uint64_t bytes = object.is_null() ? 0 : object.data_bytes();
  if (bytes > options_.inline_bytes_max || bytes > room.left) return Lend(object);
  room.left -= bytes;
  return LoanPtr();
}

Result<ObjectTransfers::LoanPtr> ObjectTransfers::Lend(const DataObject& object) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) {
    return Unavailable("this process has left the network", "connect before the library finishes");
  }
  // Only to be read, as the grant says; the words before the first byte are of the same page.
  auto* const data = const_cast<std::byte*>(object.data().data());                   // NOLINT
  const std::uint64_t before = reinterpret_cast<std::uintptr_t>(data) % kWordBytes;  // NOLINT
  const std::span<std::byte> memory(data - before,
                                    static_cast<std::size_t>(before + object.data_bytes()));
  CIREIN_ASSIGN_OR_RETURN(const fabric::Transport::MemoryId id,
                          transport_.Register(memory, std::make_shared<DataObject>(object)));
  const Result<fabric::Grant> grant =
      transport_.MakeGrant(id, {before, object.data_bytes()}, fabric::Access::kRead);
  if (!grant.ok()) {
    (void)transport_.Unregister(id);
    return grant.status();
  }
  return LoanPtr(std::make_shared<const Loan>(shared_from_this(), id, *grant));
}

}  // namespace cirein
