// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cirein::bench {

/// How many events of a simulated world happen in a second on one core: nodes that ask each other
/// over the simulated network, and set timers.
void MeasureEvents();

}  // namespace cirein::bench
