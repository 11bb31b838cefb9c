// SPDX-License-Identifier: Apache-2.0

// A ResultCollector gathers the results of many calls that run at the same time.
// Prints: tile 0 has 100 bytes
// Prints: tile 7 has 107 bytes
// Prints: tile 8: DEADLINE_EXCEEDED

#include <chrono>
#include <iostream>
#include <string>

#include <cirein/cirein.h>

namespace {

using namespace std::chrono_literals;

cirein::Key Tile(int i) { return cirein::Key("map", std::to_string(i)); }

cirein::Status Run() {
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:/tiles"));

  // Ask for nine tiles at once...
  cirein::ResultCollector collector;
  for (int i = 0; i < 9; ++i) pool.Want(Tile(i), collector, {.deadline = 200ms});

  // ...of which eight come.
  for (int i = 0; i < 8; ++i) {
    CIREIN_ASSIGN_OR_RETURN(auto tile,
                            cirein::DataObject::Allocate({.data_bytes = 100 + std::uint64_t(i)}));
    CIREIN_RETURN_IF_ERROR(pool.Publish(Tile(i), tile).status());
  }

  CIREIN_RETURN_IF_ERROR(collector.Wait(5s));
  for (const auto& entry : collector.results()) {
    std::cout << "tile " << entry.pattern.column();
    if (entry.status.ok()) {
      std::cout << " has " << entry.object.data_bytes() << " bytes\n";
    } else {
      std::cout << ": " << cirein::StatusCodeName(entry.status.code()) << '\n';
    }
  }
  return cirein::OkStatus();
}

}  // namespace

int main() {
  const cirein::Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
