// SPDX-License-Identifier: Apache-2.0
#include "cli/build_info.h"

#include <fmt/format.h>

// CIREIN_VERSION and CIREIN_COMMIT are defined by the build for this file alone.

namespace cirein {
namespace {

std::string Compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string BuildType() {
#if !defined(__OPTIMIZE__)
  return "debug";
#elif defined(NDEBUG)
  return "release";
#else
  return "optimised, with checks";
#endif
}

// gcc tells by macros of its own, clang by a question.
#if defined(__has_feature)
#define CIREIN_HAS_SANITIZER(name) __has_feature(name)
#else
#define CIREIN_HAS_SANITIZER(name) 0
#endif

std::string Sanitizers() {
#if defined(__SANITIZE_ADDRESS__) || CIREIN_HAS_SANITIZER(address_sanitizer)
  return "address";
#elif defined(__SANITIZE_THREAD__) || CIREIN_HAS_SANITIZER(thread_sanitizer)
  return "thread";
#else
  return "";
#endif
}

}  // namespace

BuildInfo CurrentBuild() {
  return {CIREIN_VERSION, CIREIN_COMMIT, Compiler(), BuildType(), Sanitizers()};
}

}  // namespace cirein
