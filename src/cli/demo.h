// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/pool.h"
#include "cirein/status.h"

#include "cli/demo_files.h"
#include "cli/report.h"
#include "runtime/clock.h"
#include "runtime/notification.h"

namespace cirein {

/// What the steps of the demonstration share.
struct DemoStage {
  /// An answer that a callback gives and a later step waits for.
  struct Answer {
    Notification arrived;
    Result<NamedObject> found = NotFound("not yet");
    TimePoint when{};
  };

  std::vector<DemoFile> files;           ///< Not empty, sorted by path.
  std::string scratch;                   ///< A directory for the demonstration's own files.
  std::function<void(std::string)> say;  ///< A line for people.
  Pool pool;
  std::shared_ptr<Answer> wanted_key;     ///< Of the want for the first file.
  std::shared_ptr<Answer> wanted_prefix;  ///< Of the want for any file of the last directory.

  const DemoFile& first() const { return files.front(); }
  const DemoFile& last() const { return files.back(); }
  std::uint64_t total_bytes() const;
  /// The files of one directory, in the order of a row's columns.
  std::vector<const DemoFile*> InDirectory(std::string_view directory) const;
  /// The directory with the most files.
  std::string BusiestDirectory() const;
};

/// A step does something, checks it, and returns what was shown in a few words. Internal: something
/// was not as it should be.
struct DemoStep {
  std::string_view title;
  Result<std::string> (*run)(DemoStage& stage);
};

// demo_exchange.cc
Result<std::string> DemoWant(DemoStage& stage);
Result<std::string> DemoPublish(DemoStage& stage);
Result<std::string> DemoNeed(DemoStage& stage);
Result<std::string> DemoList(DemoStage& stage);
Result<std::string> DemoInfo(DemoStage& stage);
Result<std::string> DemoWriteOnce(DemoStage& stage);
Result<std::string> DemoDrop(DemoStage& stage);
// demo_compute.cc
Result<std::string> DemoCompute(DemoStage& stage);
Result<std::string> DemoOwnFunction(DemoStage& stage);
// demo_trace.cc
Result<std::string> DemoTrace(DemoStage& stage);

/// Runs all steps on a started library, saying what it does; the report has a row for each. Blocks
/// for some seconds. Errors: the first step's that failed.
Result<Report> RunDemo(DemoStage& stage);

}  // namespace cirein
