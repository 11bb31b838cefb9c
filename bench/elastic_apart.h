// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "bench/elastic_store.h"

namespace cirein::bench {

/// Runs a measurement in a process of its own, in new directories on tmpfs and below `disk`, which
/// are removed however it ends: by itself, with an error, or by Ctrl-C. So each measurement begins
/// with a new library and new memory, and leaves nothing behind. This process has one thread. An
/// error or a signal ends it too.
void RunApart(const std::string& disk, const std::function<void(const Places&)>& measure);

}  // namespace cirein::bench
