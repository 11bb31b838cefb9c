// SPDX-License-Identifier: Apache-2.0
#include "fabric/auto/fabric_config.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "runtime/file.h"
#include "runtime/stream_listener.h"

namespace cirein::fabric {
namespace {

using Use = AutoOptions::Use;

// A shorter one could be found by trying.
constexpr std::size_t kSecretBytesMin = 8;

constexpr auto kOfShm = std::to_array<std::string_view>({"fabric.shm_ring"});
constexpr auto kOfOfi = std::to_array<std::string_view>({
    "fabric.keepalive",
    "fabric.listen",
    "fabric.provider",
    "fabric.registered_at_start",
    "fabric.registered_max",
});

Use UseOf(const Config& config) {
  const std::string use = config.GetString("fabric.use");
  if (use == "auto") return Use::kAuto;
  return use == "shm" ? Use::kShm : Use::kOfi;
}

std::string Context(const Config& config, std::string_view setting) {
  return fmt::format("setting {} ({})", setting, config.Origin(setting));
}

Result<std::string> ReadSecret(const Config& config) {
  const std::string path = config.GetString("fabric.secret_file");
  if (path.empty()) return std::string();
  const std::string context = Context(config, "fabric.secret_file");
  const std::string hint = fmt::format("make one: head -c 32 /dev/urandom | base64 > {}", path);
  Result<std::string> secret = ReadFirstLine(path, hint);
  if (!secret.ok()) return secret.status().WithContext(context);
  if (secret->size() < kSecretBytesMin) {
    return InvalidArgument(fmt::format("the first line of {} has {} bytes, a secret at least {}",
                                       path, secret->size(), kSecretBytesMin),
                           hint)
        .WithContext(context);
  }
  return secret;
}

Result<StreamAddress> ReadListen(const Config& config) {
  const std::string text = config.GetString("fabric.listen");
  Result<StreamAddress> listen = ParseStreamAddress(text);
  if (!listen.ok()) {
    listen = ParseStreamAddress(text + ":1");
    if (listen.ok()) listen->port = 0;
  }
  const Status can_be = listen.ok() ? IsLocalAddress(*listen).status() : listen.status();
  if (!can_be.ok()) return can_be.WithContext(Context(config, "fabric.listen"));
  return listen;
}

}  // namespace

Result<AutoOptions> FabricOptions(const Config& config) {
  AutoOptions options;
  options.use = UseOf(config);
  CIREIN_ASSIGN_OR_RETURN(options.secret, ReadSecret(config));
  options.limits.connections_max =
      static_cast<std::uint64_t>(config.GetInteger("fabric.connections_max"));
  options.default_deadline = config.GetDuration("default.deadline");
  options.shm.ring_bytes = config.GetBytes("fabric.shm_ring");
  CIREIN_ASSIGN_OR_RETURN(options.ofi.listen, ReadListen(config));
  options.ofi.provider = config.GetString("fabric.provider");
  options.ofi.keepalive =
      std::chrono::ceil<std::chrono::seconds>(config.GetDuration("fabric.keepalive"));
  options.ofi.registered_bytes_max = config.GetBytes("fabric.registered_max");
  options.ofi.registered_bytes_at_start = config.GetBytes("fabric.registered_at_start");
  if (options.ofi.registered_bytes_at_start > options.ofi.registered_bytes_max) {
    return InvalidArgument("more memory is to be registered at the start than at all",
                           "lower fabric.registered_at_start, or raise fabric.registered_max")
        .WithContext(Context(config, "fabric.registered_at_start"));
  }
  return options;
}

std::vector<std::string> UnusedFabricSettings(const Config& config) {
  const Use use = UseOf(config);
  std::vector<std::string> unused;
  const auto look_at = [&](std::span<const std::string_view> settings) {
    for (const std::string_view setting : settings) {
      if (config.Origin(setting) == "default") continue;
      unused.push_back(fmt::format("{} is not used: fabric.use is {} ({})",
                                   Context(config, setting), config.GetString("fabric.use"),
                                   config.Origin("fabric.use")));
    }
  };
  if (use == Use::kShm) look_at(kOfOfi);
  if (use == Use::kOfi) look_at(kOfShm);
  return unused;
}

}  // namespace cirein::fabric
