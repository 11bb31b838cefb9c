// SPDX-License-Identifier: Apache-2.0
#include "resp/server_state.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/random.h"

namespace cirein::resp {
namespace {

// More kinds of error than this are one: somebody may make them up.
constexpr std::size_t kMaxErrorKinds = 128;
constexpr std::size_t kMaxErrorBytes = 32;

}  // namespace

void ServerParameters::Apply(const Config& config) {
  max_clients.store(static_cast<std::uint64_t>(config.GetInteger("redis.clients_max")));
  idle_timeout_s.store(static_cast<std::uint64_t>(
      std::chrono::ceil<std::chrono::seconds>(config.GetDuration("redis.idle_timeout")).count()));
  output_limit_bytes.store(config.GetBytes("redis.output_limit"));
  query_limit_bytes.store(config.GetBytes("redis.request_limit"));
  max_bulk_bytes.store(config.GetBytes("redis.value_limit"));
}

bool ServerParameters::IsPassword(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  // Every byte of what was given is looked at, whatever the password is.
  unsigned difference = text.size() == password_.size() ? 0 : 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char expected = password_.empty() ? '\0' : password_[i % password_.size()];
    difference |= static_cast<unsigned char>(text[i] ^ expected);
  }
  return difference == 0;
}

std::string ServerParameters::password() const {
  const std::lock_guard lock(mutex_);
  return password_;
}

void ServerParameters::set_password(std::string_view text) {
  const std::lock_guard lock(mutex_);
  password_ = text;
  has_password_.store(!text.empty(), std::memory_order_release);
}

ServerState::ServerState(Options options)
    : options_(std::move(options)), commands_(CommandTable::All()), start_(options_.clock->Now()) {
  Random numbers(options_.seed);
  for (int i = 0; i < 5; ++i) {
    run_id_ += fmt::format("{:08x}", static_cast<std::uint32_t>(numbers()));
  }
}

ServerCounters& ServerState::AddCounters() {
  const std::lock_guard lock(mutex_);
  return *counters_.emplace_back(std::make_unique<ServerCounters>(commands_.size()));
}

std::uint64_t ServerState::Sum(LocalCounter ServerCounters::*counter) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& each : counters_) sum += ((*each).*counter).value();
  return sum;
}

ServerState::CommandSums ServerState::SumOf(const CommandEntry& entry) const {
  const std::lock_guard lock(mutex_);
  CommandSums sums;
  for (const auto& each : counters_) {
    const ServerCounters::OfCommand& counter = each->of_command[entry.id];
    sums.calls += counter.calls.value();
    sums.usec += counter.usec.value();
    sums.rejected += counter.rejected.value();
    sums.failed += counter.failed.value();
  }
  return sums;
}

void ServerState::CountError(std::string_view error) {
  std::string kind(error.substr(0, std::min(error.find(' '), kMaxErrorBytes)));
  const std::lock_guard lock(mutex_);
  if (errors_.size() >= kMaxErrorKinds && !errors_.contains(kind)) kind = "OTHER";
  ++errors_[kind];
}

std::map<std::string, std::uint64_t> ServerState::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

void ServerState::ResetCounters() {
  const std::lock_guard lock(mutex_);
  errors_.clear();
  for (const auto& each : counters_) {
    for (LocalCounter* counter :
         {&each->connections, &each->refused_connections, &each->commands, &each->errors,
          &each->input_bytes, &each->output_bytes, &each->cross_slot, &each->transactions,
          &each->slow_work, &each->held_replies, &each->query_limit_closes,
          &each->output_limit_closes}) {
      counter->Reset();
    }
    for (ServerCounters::OfCommand& command : each->of_command) {
      command.calls.Reset();
      command.usec.Reset();
      command.rejected.Reset();
      command.failed.Reset();
    }
  }
}

void ServerState::Tell(std::string_view name, std::string value) {
  const std::lock_guard lock(mutex_);
  told_[std::string(name)] = std::move(value);
}

std::map<std::string, std::string> ServerState::told() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

}  // namespace cirein::resp
