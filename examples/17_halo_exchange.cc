// SPDX-License-Identifier: Apache-2.0

// Heat in a ring, cut into parts, one for each process. With each step a process publishes its two
// edges at itself, and needs those of its neighbours: `rft:` leads to the process of a rank. Nobody
// waits for anybody else, and there is no barrier.
// Prints: 4 processes, 50 steps: as one process computes it

#include <algorithm>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "processes.h"

using namespace cirein;
namespace {
constexpr int kSteps = 50;
constexpr std::size_t kCells = 64;  // Of each process.
using Cells = std::vector<double>;

// One step of cells whose neighbours are `left` and `right`.
Cells Step(const Cells& now, double left, double right) {
  Cells next(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    const double before = i == 0 ? left : now[i - 1];
    const double behind = i + 1 == now.size() ? right : now[i + 1];
    next[i] = now[i] + 0.25 * (before - 2 * now[i] + behind);
  }
  return next;
}

Cells Begin(std::size_t first, std::size_t count) {
  Cells cells(count);
  for (std::size_t i = 0; i < count; ++i) cells[i] = static_cast<double>((first + i) * 37 % 101);
  return cells;
}

Key EdgeKey(int step, const char* side) { return Key("step" + std::to_string(step), side); }

Status PublishEdge(const Pool& pool, const Key& key, double value) {
  CIREIN_ASSIGN_OR_RETURN(auto edge, DataObject::Copy(std::as_bytes(std::span(&value, 1))));
  return pool.Publish(key, edge).status();
}
Result<double> NeedEdge(const Pool& pool, const Key& key) {
  CIREIN_ASSIGN_OR_RETURN(const DataObject edge, pool.Need(key));
  return edge.array<double>()[0];
}

Status Run(const examples::Place& place) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const std::string address, OwnAddress());
  const std::string url = "rft:/halo" + examples::Members(place.Exchange(address)) + "&rank=";
  const auto pool_of = [&](int rank) {
    return Connect(url + std::to_string((rank + place.count) % place.count));
  };
  CIREIN_ASSIGN_OR_RETURN(const Pool here, pool_of(place.rank));
  CIREIN_ASSIGN_OR_RETURN(const Pool left, pool_of(place.rank - 1));
  CIREIN_ASSIGN_OR_RETURN(const Pool right, pool_of(place.rank + 1));

  const std::size_t first = static_cast<std::size_t>(place.rank) * kCells;
  Cells cells = Begin(first, kCells);
  for (int step = 0; step < kSteps; ++step) {
    CIREIN_RETURN_IF_ERROR(PublishEdge(here, EdgeKey(step, "left"), cells.front()));
    CIREIN_RETURN_IF_ERROR(PublishEdge(here, EdgeKey(step, "right"), cells.back()));
    CIREIN_ASSIGN_OR_RETURN(const double before, NeedEdge(left, EdgeKey(step, "right")));
    CIREIN_ASSIGN_OR_RETURN(const double behind, NeedEdge(right, EdgeKey(step, "left")));
    cells = Step(cells, before, behind);
  }

  Cells all = Begin(0, kCells * static_cast<std::size_t>(place.count));
  for (int step = 0; step < kSteps; ++step) all = Step(all, all.back(), all.front());
  const bool same = std::equal(cells.begin(), cells.end(), all.begin() + static_cast<long>(first));
  if (!same) return Internal("the parts are not what one process computes");
  place.Exchange();
  if (place.rank == 0) {
    std::cout << place.count << " processes, " << kSteps << " steps: as one process computes it\n";
  }
  return OkStatus();
}
}  // namespace

int main() { return examples::RunProcesses(4, Run); }
