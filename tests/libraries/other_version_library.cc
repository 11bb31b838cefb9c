// SPDX-License-Identifier: Apache-2.0

// A library of compute functions as a later Cirein may have them: to be refused by its version.

#include "cirein/compute_library.h"

extern "C" const cirein_compute_table* cirein_compute_library(void) {
  static const cirein_compute_table table = {CIREIN_COMPUTE_VERSION + 1, 0, nullptr};
  return &table;
}
