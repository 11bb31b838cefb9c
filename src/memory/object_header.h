// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "cirein/data_object.h"
#include "cirein/internal/object_header.h"

#include "memory/arena_state.h"

namespace cirein {

namespace internal {

/// The header of wrapped memory. `data` is the user's.
struct WrappedHeader : ObjectHeader {
  DataObject::Release release;
};
static_assert(sizeof(WrappedHeader) == 64);

/// The header of a view. `data` is the owner's, and never written.
struct ViewHeader : ObjectHeader {
  std::shared_ptr<const void> owner;
};
static_assert(sizeof(ViewHeader) == 48);

}  // namespace internal

/// The inside of handles, for the inside of the library.
class ObjectAccess {
 public:
  static internal::ObjectHeader* Header(const DataObject& object) noexcept {
    return object.header_;
  }
  /// A handle that takes over the one reference a new header has.
  static DataObject Adopt(internal::ObjectHeader* header) noexcept { return DataObject(header); }
  /// The block a body is in.
  static Arena::State::Block BlockOf(internal::ObjectHeader* header) noexcept {
    return {header, header->size_class};
  }
};

}  // namespace cirein
