// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cirein/status.h"

/// Which of libfabric's providers there are on this host, and which of them are fit to carry a
/// fabric: cards first, then TCP.
///
/// Of the two that speak TCP, `net` (of libfabric 1.17) is the leaner one: 2 MB for an endpoint and
/// some 14 us there and back, where tcp;ofi_rxm has 71 MB and 20 us on the same busy machine. But
/// once it has a connection its descriptor stays readable, so a home that waits on it spins, and
/// goes on spinning after the peer was killed and removed; a home on tcp;ofi_rxm sleeps. That one
/// is used. It ends reads of a peer that is killed with an error, and refuses what is sent to it
/// without end.
namespace cirein::fabric {

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

/// The same of one provider, by its name; "tcp" and "verbs" do for "tcp;ofi_rxm" and
/// "verbs;ofi_rxm". InvalidArgument, with the names there are, for one that no fabric may use.
Result<OfiProvider> FindOfiProvider(const std::string& name);

}  // namespace cirein::fabric
