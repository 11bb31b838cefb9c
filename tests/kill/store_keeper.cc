// SPDX-License-Identifier: Apache-2.0

// Writes one object again and again into a store, each time all of another byte, until it is
// killed: `store_keeper STORE`. Prints its process, and then the number of each write that was
// answered.

#include <cstdint>
#include <cstdio>
#include <string>
#include <unistd.h>

#include "cirein/backing_store.h"

#include "backing/backing_stores.h"
#include "object/open_backing_store.h"

int main(int argc, char** argv) {
  using namespace cirein;
  if (argc != 2) return 1;
  backing::RegisterBackingStores();
  const auto spec = BackingSpec::Parse(argv[1]);
  if (!spec.ok()) return 1;
  const auto store = OpenBackingStore(*spec);
  if (!store.ok()) return 1;
  std::printf("%d\n", static_cast<int>(getpid()));
  std::fflush(stdout);
  constexpr std::size_t kBytes = 300'000;
  for (std::uint64_t number = 1;; ++number) {
    const std::string data(kBytes, static_cast<char>(number % 251));
    const BackedItem item{Key("row", "column").set_bucket(Bucket(7)),
                          {DataObject::FromString(data).value(), Version{1, number}, 0}};
    if (!(*store)->Write(std::span(&item, 1)).ok()) return 1;
    std::printf("%llu\n", static_cast<unsigned long long>(number));
    std::fflush(stdout);
  }
}
