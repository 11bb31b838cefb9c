// SPDX-License-Identifier: Apache-2.0
#include "cirein/library.h"

#include <atomic>
#include <memory>
#include <mutex>

#include "base/logging.h"
#include "object/compute_library.h"
#include "pool/process.h"

namespace cirein {
namespace {

struct Users {
  std::mutex mutex;  ///< Held while the library starts and ends, so that these do not overlap.
  std::atomic<int> count{
      0};  ///< Changed under mutex; read without it, also while the library ends.
  Config config;
  std::mutex current_mutex;  ///< Held for a moment only: Current may be called while it ends.
  std::shared_ptr<Process> current;
};

// Never destroyed, so that a program which ends without Finish does not end in the middle of
// things.
Users& TheUsers() {
  static Users& users = *new Users;
  return users;
}

void SetCurrent(std::shared_ptr<Process> process) {
  Users& users = TheUsers();
  const std::lock_guard lock(users.current_mutex);
  users.current.swap(process);
}

Status CheckConfig(const Config& config) {
  const struct {
    const char* least;
    const char* most;
  } pairs[] = {{"runtime.callback_threads", "runtime.callback_threads_max"},
               {"compute.threads", "compute.threads_max"}};
  for (const auto& [least, most] : pairs) {
    if (config.GetInteger(least) <= config.GetInteger(most)) continue;
    return InvalidArgument(std::string(least) + " is greater than " + most,
                           "raise the one or lower the other");
  }
  return OkStatus();
}

void ApplyLogging(const Config& config) {
  SetLogLevel(*ParseLogLevel(config.GetString("log.level")));
  SetLogFormat(config.GetString("log.format") == "json" ? LogFormat::kJson : LogFormat::kText);
}

}  // namespace

std::shared_ptr<Process> Process::Current() {
  Users& users = TheUsers();
  const std::lock_guard lock(users.current_mutex);
  return users.current;
}

Status Start(const Config& config) {
  Users& users = TheUsers();
  const std::lock_guard lock(users.mutex);
  if (users.count > 0) {
    if (!(config == users.config)) {
      LogWarn("library", "Start was called again with another configuration; the first one counts");
    }
    ++users.count;
    return OkStatus();
  }
  CIREIN_RETURN_IF_ERROR(CheckConfig(config));
  ApplyLogging(config);
  CIREIN_RETURN_IF_ERROR(LoadComputeLibraries(config.GetString("compute.libraries")));
  CIREIN_ASSIGN_OR_RETURN(std::shared_ptr<Process> process, Process::Start(config));
  users.config = config;
  users.count = 1;
  SetCurrent(std::move(process));
  return OkStatus();
}

void Finish() {
  Users& users = TheUsers();
  const std::lock_guard lock(users.mutex);
  if (users.count == 0) return;
  if (--users.count > 0) return;
  const std::shared_ptr<Process> process = Process::Current();
  SetCurrent(nullptr);
  process->Stop();
}

int UserCount() { return TheUsers().count; }

Config CurrentConfig() {
  const std::shared_ptr<Process> process = Process::Current();
  return process != nullptr ? process->config() : Config();
}

std::string MetricsText() {
  const std::shared_ptr<Process> process = Process::Current();
  return process != nullptr ? process->metrics().ToPrometheus() : std::string();
}

}  // namespace cirein
