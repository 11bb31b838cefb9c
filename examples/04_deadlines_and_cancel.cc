// SPDX-License-Identifier: Apache-2.0

// Nobody has to wait for ever: each wait has a deadline, and can be given up.
// Prints: need: DEADLINE_EXCEEDED
// Prints: want: CANCELLED
// Prints: cancelling it again: no

#include <chrono>
#include <future>
#include <iostream>

#include <cirein/cirein.h>

namespace {

using namespace std::chrono_literals;

cirein::Status Run() {
  cirein::Config config;
  // What counts where no deadline is given.
  CIREIN_RETURN_IF_ERROR(config.Set("default.deadline", "5s"));
  const cirein::Library library(config);
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:/waits"));
  const cirein::Key never("nobody publishes this");

  const auto needed = pool.Need(never, {.deadline = 20ms});
  std::cout << "need: " << cirein::StatusCodeName(needed.code()) << '\n';

  std::promise<cirein::StatusCode> answer;
  cirein::Operation want = pool.Want(
      never,
      [&](const cirein::Result<cirein::NamedObject>& found) { answer.set_value(found.code()); },
      {.deadline = cirein::kNoDeadline});
  want.Cancel();
  // Its callback is called in any case, and exactly once.
  std::cout << "want: " << cirein::StatusCodeName(answer.get_future().get()) << '\n';
  std::cout << "cancelling it again: " << (want.Cancel() ? "yes" : "no") << '\n';
  return cirein::OkStatus();
}

}  // namespace

int main() {
  const cirein::Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
