// SPDX-License-Identifier: Apache-2.0
#include "runtime/open_files.h"

#include <algorithm>

#include <sys/resource.h>

namespace cirein {

OpenFilesLimit RaiseOpenFiles(std::uint64_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  OpenFilesLimit result{.before = limit.rlim_cur, .now = limit.rlim_cur};
  if (wanted <= result.before) return result;
  // Beyond the hard limit only who is privileged may go: first all that is wanted, then what is
  // allowed to everybody.
  rlimit more{.rlim_cur = wanted, .rlim_max = std::max<rlim_t>(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &more) != 0) {
    more = {.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted), .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &more) != 0) return result;
  }
  result.now = more.rlim_cur;
  return result;
}

}  // namespace cirein
