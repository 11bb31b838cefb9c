// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Which of libfabric's providers there are on this host, and which of them are fit to carry a
/// fabric.
namespace cirein::fabric {

/// The interface version of libfabric that this is written for: 1.17.
inline constexpr int kOfiMinorVersion = 17;

/// One of libfabric's providers, under the name by which it can be asked for.
struct OfiProvider {
  std::string name;
  /// It can be opened here; else `why_not` says what is missing and what to do.
  bool usable = false;
  std::string why_not;
};

/// The providers a fabric may use, best first, whether they are here or not; and after them those
/// that are here but never used. Asks the hardware: may take some 100 ms, and blocks so long.
/// Thread-safe.
std::vector<OfiProvider> FindOfiProviders();

/// The name of the best usable one; empty when there is none.
std::string_view BestOfiProvider(const std::vector<OfiProvider>& providers);

}  // namespace cirein::fabric
