// SPDX-License-Identifier: Apache-2.0
#include "memory/registration.h"

#include "memory/object_header.h"

namespace cirein {

Result<RegisteredMemory> RegisterObject(const DataObject& object) {
  if (object.registration() == DataObject::Registration::kNone) {
    return FailedPrecondition("the object's memory is not in an arena with registration",
                              "copy it into one that was made with a registrar");
  }
  Chunk* const chunk = Chunk::Of(ObjectAccess::Header(object));
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t handle, chunk->owner->Register(chunk));
  return RegisteredMemory{.handle = handle,
                          .base = reinterpret_cast<const std::byte*>(chunk),
                          .bytes = chunk->mapped_bytes};
}

}  // namespace cirein
