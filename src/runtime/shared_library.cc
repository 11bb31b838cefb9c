// SPDX-License-Identifier: Apache-2.0
#include "runtime/shared_library.h"

#include <dlfcn.h>

#include <fmt/format.h>

namespace cirein {

Result<SharedLibrary> SharedLibrary::Load(const std::string& path) {
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return SharedLibrary(handle);
  const char* const why = dlerror();
  return FailedPrecondition(fmt::format("the shared library '{}' cannot be loaded: {}", path,
                                        why != nullptr ? why : "the loader does not say why"),
                            "give the whole path of a library for this kind of machine");
}

void* SharedLibrary::Find(const char* name) const { return dlsym(handle_, name); }

}  // namespace cirein
