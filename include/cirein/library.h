// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cirein/config.h"
#include "cirein/status.h"

namespace cirein {

/// Starts the library, or counts one more user of it: several libraries in one process can each
/// call Start and Finish. The first call's configuration counts; a later one that differs is logged
/// and otherwise ignored. Thread-safe. Errors: InvalidArgument for settings that contradict each
/// other; what is wrong with a library that compute.libraries names.
Status Start(const Config& config = {});

/// Counts one user less. The last one ends everything: waiting calls are answered Unavailable, user
/// callbacks under way are waited for (each blocked compute function only for a moment), the
/// objects of `local:` pools are let go. Without a Start it does nothing. Not to be called from a
/// callback. A Start may follow.
void Finish();

/// How many users have started it and not finished.
int UserCount();

/// The configuration that counts: the first Start's, or the defaults.
Config CurrentConfig();

/// What the library tells of itself (objects, memory, waiters, threads that run user code) in
/// Prometheus' text form; empty before Start. For a program's own /metrics page.
std::string MetricsText();

/// Start and Finish as a scope.
class Library {
 public:
  explicit Library(const Config& config = {}) : status_(Start(config)) {}
  ~Library() {
    if (status_.ok()) Finish();
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  const Status& status() const noexcept { return status_; }

 private:
  Status status_;
};

}  // namespace cirein
