// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cirein::bench {

/// Publish of the user's memory and need of it, 1 MiB to 1 GiB, beside copying as many bytes.
void MeasureLargeObjects();

/// 100,000 wants on one key and on as many keys: time and memory for each.
void MeasureWants();

}  // namespace cirein::bench
