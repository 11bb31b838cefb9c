// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cirein::bench {

/// Publish and need of small objects through `local:` beside a bare sharded absl::flat_hash_map
/// that holds the same objects, and what each spends on a key. Prints Markdown. `max_keys` bounds
/// the sizes, for a short run.
void MeasureSmallObjects(unsigned long max_keys);

}  // namespace cirein::bench
