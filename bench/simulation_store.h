// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cirein::bench {

/// How many runs of the scenario `store` end in a second on one core, in this process.
void MeasureStoreRuns();

}  // namespace cirein::bench
