// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/status.h"

namespace cirein {

/// What every call gets from a library that was finished, and everyone who waited for it then.
inline Status LibraryFinished() {
  return Unavailable("the library was finished",
                     "call cirein::Start again, connect anew and repeat the call");
}

}  // namespace cirein
