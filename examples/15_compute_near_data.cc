// SPDX-License-Identifier: Apache-2.0

// A function that runs in the process that has the row: a few bytes travel in place of megabytes.
// Prints: the mean of 1048576 numbers is 2.5, found by process [12]
// Prints: no such function: NOT_FOUND

#include <iostream>
#include <span>
#include <string>

#include "processes.h"

using namespace cirein;
namespace {
constexpr int kParts = 4;
constexpr std::size_t kNumbers = std::size_t{1} << 18;  // Of each part.

// Of all numbers of the row, and who has found it.
Result<DataObject> Mean(const ComputeInput& input, int rank) {
  double sum = 0;
  std::size_t count = 0;
  for (const NamedObject& part : input.objects) {
    for (const double number : part.object.array<double>()) sum += number;
    count += part.object.array<double>().size();
  }
  return DataObject::FromString("the mean of " + std::to_string(count) + " numbers is " +
                                std::to_string(sum / static_cast<double>(count)).substr(0, 3) +
                                ", found by process " + std::to_string(rank));
}

Status Ask(const Pool& pool) {
  for (int part = 1; part <= kParts; ++part) {
    CIREIN_ASSIGN_OR_RETURN(DataObject object,
                            DataObject::Allocate({.data_bytes = kNumbers * sizeof(double)}));
    for (double& number : object.mutable_array<double>()) number = part;
    CIREIN_RETURN_IF_ERROR(
        pool.Publish(Key("wind", "part" + std::to_string(part)), object).status());
  }
  const Pattern row = Pattern::ColumnPrefix("wind", "part");
  CIREIN_ASSIGN_OR_RETURN(const DataObject mean, pool.Compute(row, "mean"));
  std::cout << mean.text() << '\n';
  const Status unknown = pool.Compute(row, "median").status();
  std::cout << "no such function: " << StatusCodeName(unknown.code()) << '\n';
  return OkStatus();
}

Status Run(const examples::Place& place) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  // In each process, as any of them may have the row.
  CIREIN_RETURN_IF_ERROR(RegisterComputeFunction(
      "mean", [rank = place.rank](const ComputeInput& input) { return Mean(input, rank); }));
  CIREIN_ASSIGN_OR_RETURN(const std::string address, OwnAddress());
  const std::string members = examples::Members(place.Exchange(address));
  CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect("dht:/fields" + members));
  if (place.rank == 0) CIREIN_RETURN_IF_ERROR(Ask(pool));
  place.Exchange();
  return OkStatus();
}
}  // namespace

int main() { return examples::RunProcesses(3, Run); }
