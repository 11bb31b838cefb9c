// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_provider.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "fabric/ofi/ofi_library.h"

namespace cirein::fabric {
namespace {

/// A provider that a fabric may use: what it needs, and what to do when that is missing.
struct Known {
  const char* name;
  const char* device;  // Null: it needs none.
  const char* needs;
};

// Best first.
constexpr std::array kKnown{
    Known{"cxi", "/dev/cxi0", "an HPE Slingshot network card and its driver"},
    Known{"efa", "/dev/infiniband", "an Elastic Fabric Adapter, attached to this instance"},
    Known{"verbs;ofi_rxm", "/dev/infiniband",
          "a network card for RDMA, its driver (rdma-core), and an IP address on it"},
    Known{"tcp;ofi_rxm", nullptr, "an IP address that is up"},
};

/// What is never used, though it would do what was asked for.
struct Unfit {
  const char* name;
  const char* why;
};
constexpr std::array kUnfit{
    Unfit{"shm",
          "it checks no keys, so any process reads all of another's memory; processes of one "
          "host use the fabric shm instead"},
    Unfit{"sockets",
          "it takes milliseconds for a message, and is no longer kept by its makers; use "
          "tcp;ofi_rxm"},
    Unfit{
        "net",
        "once there is a connection its descriptor stays readable, so that who waits on it keeps a "
        "core busy; use tcp;ofi_rxm"},
    Unfit{"udp", "it has nothing to wait on; use tcp;ofi_rxm"},
    Unfit{"psm", "nobody has tried it; use verbs;ofi_rxm or tcp;ofi_rxm"},
    Unfit{"usnic", "nobody has tried it; use tcp;ofi_rxm"},
};

std::string WhyNotHere(const Known& known, int error) {
  const bool has_device = known.device == nullptr || access(known.device, F_OK) == 0;
  const std::string missing = has_device ? "" : fmt::format("there is no {}; ", known.device);
  return fmt::format("not offered: {}it needs {} (libfabric says: {})", missing, known.needs,
                     OfiErrorText(error));
}

OfiProvider Look(const Known& known) {
  OfiProvider provider{.name = known.name, .usable = false, .why_not = {}};
  const InfoPtr hints = OfiHints(known.name);
  if (hints == nullptr) {
    provider.why_not = "no memory to ask for it";
    return provider;
  }
  const OfiAnswer answer = AskOfi(*hints, {});
  provider.usable = answer.info != nullptr;
  if (!provider.usable) provider.why_not = WhyNotHere(known, answer.error);
  return provider;
}

std::string WhyNever(const std::string& name) {
  for (const Unfit& unfit : kUnfit) {
    if (name.starts_with(unfit.name)) return fmt::format("never used: {}", unfit.why);
  }
  return "never used: nobody has tried it";
}

}  // namespace

std::vector<OfiProvider> FindOfiProviders() {
  std::vector<OfiProvider> found;
  std::transform(std::begin(kKnown), std::end(kKnown), std::back_inserter(found), Look);
  const InfoPtr hints = OfiHints("");
  if (hints == nullptr) return found;
  const OfiAnswer answer = AskOfi(*hints, {});
  for (const fi_info* info = answer.info.get(); info != nullptr; info = info->next) {
    const std::string name = info->fabric_attr->prov_name;
    const auto same = [&](const OfiProvider& provider) { return provider.name == name; };
    if (std::none_of(found.begin(), found.end(), same)) {
      found.push_back({.name = name, .usable = false, .why_not = WhyNever(name)});
    }
  }
  return found;
}

Result<OfiProvider> FindOfiProvider(const std::string& name) {
  for (const Known& known : kKnown) {
    if (name == known.name || name + ";ofi_rxm" == known.name) return Look(known);
  }
  std::vector<std::string> names;
  for (const OfiProvider& provider : FindOfiProviders()) {
    if (provider.usable) names.push_back(provider.name);
  }
  return InvalidArgument(
      fmt::format("{} is no provider of libfabric that a fabric may use", QuoteForPeople(name)),
      fmt::format("here there are: {}",
                  names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

}  // namespace cirein::fabric
