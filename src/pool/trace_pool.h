// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/pool_backend.h"

namespace cirein {

/// `trace:/path` records each request in a file and hands it on. Options: next_pool=URL (with %26
/// for '&'; null: by default), file=PATH (by default "trace", the path with '-' for '/', '_' and
/// the bucket) and rank=N (0 by default; tells the files of several processes apart), which make
/// the file's name: PATH.RANK. The file begins anew when the pool is made; one that another pool of
/// this process writes, by the same name, is AlreadyExists. trace_record.h gives its form; `cirein
/// play` plays it. A Need that has to wait is recorded as a want.
PoolType TracePoolType();

}  // namespace cirein
