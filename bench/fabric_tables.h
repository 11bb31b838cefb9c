// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "bench/turns.h"

namespace cirein::bench {

/// How long each figure is taken in a turn, and how many turns there are.
struct Effort {
  Seconds each{0.15};
  std::size_t rounds = 5;
};

/// "0.123", "1.23", "45.6", "1234": of three digits or more.
std::string Figure(double value);

/// What all tables have in common, and which peers are missing.
void PrintHead(const Effort& effort);
/// Each part in turns with its peers, as Markdown on standard output.
void MeasureShmMessages(const Effort& effort);
void MeasureShmOneSided(const Effort& effort);
/// Over a network's provider of libfabric, beside libfabric itself.
void MeasureOfi(const Effort& effort);

}  // namespace cirein::bench
