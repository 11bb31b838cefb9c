// SPDX-License-Identifier: Apache-2.0
#include "cli/key_chooser.h"

namespace cirein {

std::uint64_t KeyChooser::Choose(std::uint64_t present, Random* random) {
  switch (distribution_) {
    case Distribution::kUniform:
      return random->Below(present);
    case Distribution::kLatest:
      zipf_.SetCount(present);
      return present - 1 - zipf_.Draw(random);
    case Distribution::kZipf:
      break;
  }
  return scatter_.Place(zipf_.Draw(random));
}

}  // namespace cirein
