// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/random.h"
#include "object/transaction.h"

namespace cirein::resp {

/// What RANDOMKEY and HRANDFIELD draw from: this thread's sequence, which begins with the time of
/// the first transaction that draws. Not for secrets.
inline Random& Draw(const Transaction& transaction) {
  thread_local Random random(transaction.now_ms());
  return random;
}

}  // namespace cirein::resp
