// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/fabric_tables.h"
#include "bench/fabric_transport_side.h"

namespace cirein::bench {

/// Requests so far apart that both homes sleep in between, beside a Unix socket on which both sides
/// block: latency, and processor time of both.
void MeasureBlocking(const FabricChoice& choice, const Effort& effort);
/// Processor time of two processes with an open connection over which nothing goes.
void MeasureIdle(const FabricChoice& choice, Seconds length);
/// Two processes on one core that ask each other all the time: how much each of them gets done.
void MeasureShare(const FabricChoice& choice, const Effort& effort);

}  // namespace cirein::bench
