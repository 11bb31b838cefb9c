// SPDX-License-Identifier: Apache-2.0

// Compute runs a function where the objects are, and only its result travels.
// Prints: sum 10.5, largest 4.5
// Prints: mean 2.625
// Prints: NOT_FOUND.*did you mean "example.mean"

#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <cirein/cirein.h>

namespace {

using cirein::Pattern;

// A function of our own: it sees the objects of one row, sorted by column.
cirein::Result<cirein::DataObject> Mean(const cirein::ComputeInput& input) {
  double sum = 0;
  std::size_t count = 0;
  for (const cirein::NamedObject& named : input.objects) {
    for (const double value : named.object.array<double>()) {
      sum += value;
      ++count;
    }
  }
  if (count == 0) return cirein::NotFound("there are no values", "publish arrays of double");
  return cirein::DataObject::FromString(std::to_string(sum / static_cast<double>(count)));
}

cirein::Status Run() {
  CIREIN_RETURN_IF_ERROR(cirein::RegisterComputeFunction("example.mean", Mean));
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:/sensors"));
  for (const auto& [sensor, values] :
       {std::pair{"north", std::vector{1.0, 2.0}}, {"south", {3.0, 4.5}}}) {
    CIREIN_ASSIGN_OR_RETURN(auto array, cirein::DataObject::Copy(std::as_bytes(std::span(values))));
    CIREIN_RETURN_IF_ERROR(pool.Publish(cirein::Key("heat", sensor), array).status());
  }
  CIREIN_ASSIGN_OR_RETURN(const auto sum, pool.Compute(Pattern::Row("heat"), "sum", "f64"));
  CIREIN_ASSIGN_OR_RETURN(const auto most, pool.Compute(Pattern::Row("heat"), "max", "f64"));
  std::cout << "sum " << sum.text() << ", largest " << most.text() << '\n';
  CIREIN_ASSIGN_OR_RETURN(const auto mean, pool.Compute(Pattern::Row("heat"), "example.mean"));
  std::cout << "mean " << mean.text() << '\n';
  std::cout << pool.Compute(Pattern::Row("heat"), "example.maen").status().ToString() << '\n';
  return cirein::OkStatus();
}
}  // namespace

int main() {
  const cirein::Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
