// SPDX-License-Identifier: Apache-2.0

// One process produces, two consume, and each keeps a part of the objects. The first consumer asks
// before there is anything.
// Prints: consumer 1 asks before anything is there
// Prints: consumer 1 has 10 steps, the sum is 285
// Prints: consumer 2 has 10 steps, the sum is 285

#include <future>
#include <iostream>
#include <string>

#include "processes.h"

using namespace cirein;
namespace {
constexpr int kSteps = 10;

Key StepKey(int step) { return Key("step" + std::to_string(step)); }

Status Produce(const Pool& pool) {
  for (int step = 0; step < kSteps; ++step) {
    CIREIN_ASSIGN_OR_RETURN(auto object, DataObject::FromString(std::to_string(step * step)));
    CIREIN_RETURN_IF_ERROR(pool.Publish(StepKey(step), object).status());
  }
  return OkStatus();
}

Status Consume(const Pool& pool, int rank) {
  int sum = 0;
  for (int step = kSteps - 1; step >= 0; --step) {
    CIREIN_ASSIGN_OR_RETURN(const DataObject object, pool.Need(StepKey(step)));
    sum += std::stoi(std::string(object.text()));
  }
  // As one piece, so that lines of several processes stay whole.
  std::cout << "consumer " + std::to_string(rank) + " has " + std::to_string(kSteps) +
                   " steps, the sum is " + std::to_string(sum) + "\n";
  return OkStatus();
}

Status Run(const examples::Place& place) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const std::string address, OwnAddress());
  const std::string members = examples::Members(place.Exchange(address));
  CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect("dht:/steps" + members));

  std::promise<Status> found;
  if (place.rank == 1) {
    pool.Want(StepKey(0), [&](const Result<NamedObject>& step) { found.set_value(step.status()); });
    std::cout << "consumer 1 asks before anything is there\n" << std::flush;
  }
  place.Exchange();
  CIREIN_RETURN_IF_ERROR(place.rank == 0 ? Produce(pool) : Consume(pool, place.rank));
  if (place.rank == 1) CIREIN_RETURN_IF_ERROR(found.get_future().get());
  place.Exchange();  // Who ends takes its part of the objects away.
  return OkStatus();
}
}  // namespace

int main() { return examples::RunProcesses(3, Run); }
