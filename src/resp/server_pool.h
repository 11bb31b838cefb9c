// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/pool_backend.h"

namespace cirein::resp {

/// `server:/HOST:PORT` is the pool of a server that is up (`cirein up`), here or on another
/// machine; `server:/&address=[::1]:6380` and `server:/&unix=PATH` are other ways to say where. It
/// sees the bucket that the server serves. `password-file=FILE` has the password as its first line.
///
/// It connects with the first call, and anew when the connection has ended. A call that cannot be
/// sent is Unavailable; a publish or drop that was sent and is not answered is Unavailable too,
/// with an outcome that is unknown: nothing that was sent is repeated but a Want, which waits on,
/// across connections, until its deadline. Errors of the server come back as they are. A group is
/// Unimplemented.
PoolType ServerPoolType();

/// Makes the type known in this process, if it is not.
void RegisterServerPoolType();

}  // namespace cirein::resp
