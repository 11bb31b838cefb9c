// SPDX-License-Identifier: Apache-2.0
#include "runtime/guarded.h"

#include <atomic>
#include <cxxabi.h>
#include <exception>

#include "base/logging.h"

namespace cirein {
namespace {

std::atomic<std::uint64_t> caught_count{0};

}  // namespace

bool RunGuarded(std::string_view where, const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const abi::__forced_unwind&) {
    throw;  // A thread being cancelled, which must be let through.
  } catch (...) {
    LogCaughtException(where);
    return false;
  }
}

void LogCaughtException(std::string_view where) {
  caught_count.fetch_add(1, std::memory_order_relaxed);
  try {
    throw;
  } catch (const std::exception& error) {
    LogError("runtime", "{}: work threw an exception, which was dropped: {}", where, error.what());
  } catch (...) {
    LogError("runtime", "{}: work threw something that is not a std::exception; it was dropped",
             where);
  }
}

std::uint64_t CaughtExceptionCount() { return caught_count.load(std::memory_order_relaxed); }

}  // namespace cirein
