// SPDX-License-Identifier: Apache-2.0
#include "pool/pending.h"

#include <cstddef>

#include <fmt/format.h>

#include "object/finished.h"

namespace cirein {
namespace {

thread_local std::size_t answering_here = 0;

}  // namespace

AnsweringHere::AnsweringHere() noexcept { ++answering_here; }
AnsweringHere::~AnsweringHere() { --answering_here; }
bool AnsweringHere::now() noexcept { return answering_here > 0; }

PendingTable::List& PendingTable::ListOf(const PendingBase& pending) noexcept {
  // Addresses differ in the bits above an object's size.
  return lists_[(reinterpret_cast<std::uintptr_t>(&pending) >> 8) % lists_.size()];
}

Status PendingTable::Add(std::shared_ptr<PendingBase> pending) {
  if (count_.fetch_add(1, std::memory_order_relaxed) >= limit_) {
    Release();
    return ResourceExhausted(
        fmt::format("{} operations are under way and not answered, the most there may be", limit_),
        "wait for some, cancel some, give deadlines, or raise runtime.operations_max");
  }
  List& list = ListOf(*pending);
  const std::lock_guard lock(list.mutex);
  if (list.closed) {
    Release();
    return LibraryFinished();
  }
  PendingBase& entry = *pending;
  entry.next_ = list.first;
  if (list.first != nullptr) list.first->previous_ = &entry;
  list.first = &entry;
  entry.self_ = std::move(pending);
  return OkStatus();
}

std::shared_ptr<PendingBase> PendingTable::Unlink(List& list, PendingBase& pending) {
  if (pending.self_ == nullptr) return nullptr;
  (pending.previous_ != nullptr ? pending.previous_->next_ : list.first) = pending.next_;
  if (pending.next_ != nullptr) pending.next_->previous_ = pending.previous_;
  pending.previous_ = pending.next_ = nullptr;
  return std::move(pending.self_);
}

void PendingTable::Remove(PendingBase& pending) {
  std::shared_ptr<PendingBase> self;  // Dropped after the lock: it may be the last reference.
  List& list = ListOf(pending);
  const std::lock_guard lock(list.mutex);
  self = Unlink(list, pending);
}

void PendingTable::Close(const Status& status) {
  for (List& list : lists_) {
    for (;;) {
      std::shared_ptr<PendingBase> first;
      {
        const std::lock_guard lock(list.mutex);
        list.closed = true;
        if (list.first == nullptr) break;
        first = Unlink(list, *list.first);
      }
      first->Abandon(status);
    }
  }
}

}  // namespace cirein
