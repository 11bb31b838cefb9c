// SPDX-License-Identifier: Apache-2.0

// Two threads that meet in a pool: the consumer may ask before the producer has published.
// Prints: consumed 10 steps, the sum is 285

#include <iostream>
#include <string>
#include <thread>

#include <cirein/cirein.h>

namespace {

constexpr int kSteps = 10;

cirein::Status Produce(cirein::Pool pool) {
  for (int step = 0; step < kSteps; ++step) {
    CIREIN_ASSIGN_OR_RETURN(auto object,
                            cirein::DataObject::FromString(std::to_string(step * step)));
    const cirein::Key key("simulation", std::to_string(step));
    CIREIN_RETURN_IF_ERROR(pool.Publish(key, object).status());
  }
  return cirein::OkStatus();
}

cirein::Status Consume(cirein::Pool pool) {
  int sum = 0;
  for (int step = kSteps - 1; step >= 0; --step) {
    // Waits until it is there, in whatever order they come.
    CIREIN_ASSIGN_OR_RETURN(const auto object,
                            pool.Need(cirein::Key("simulation", std::to_string(step))));
    sum += std::stoi(std::string(object.text()));
  }
  std::cout << "consumed " << kSteps << " steps, the sum is " << sum << '\n';
  return cirein::OkStatus();
}

cirein::Status Run() {
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const cirein::Pool pool, cirein::Connect("local:/steps"));
  cirein::Status consumed;
  std::thread consumer([&] { consumed = Consume(pool); });
  const cirein::Status produced = Produce(pool);
  consumer.join();
  return produced.ok() ? consumed : produced;
}

}  // namespace

int main() {
  const cirein::Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
