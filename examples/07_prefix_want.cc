// SPDX-License-Identifier: Apache-2.0

// A worker that does not know the names of its jobs: it wants whatever comes under a prefix.
// Prints: job/resize does cat.png
// Prints: job/rotate does dog.png
// Prints: no more jobs

#include <chrono>
#include <future>
#include <iostream>
#include <string_view>

#include <cirein/cirein.h>

namespace {

using namespace std::chrono_literals;
using Found = cirein::Result<cirein::NamedObject>;

// The next object of a row that begins with "job/", or DEADLINE_EXCEEDED.
Found NextJob(cirein::Pool& pool) {
  std::promise<Found> next;
  pool.Want(cirein::Pattern::RowPrefix("job/"),
            [&](Found found) { next.set_value(std::move(found)); }, {.deadline = 100ms});
  return next.get_future().get();
}

cirein::Status Run() {
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:/jobs"));
  for (const auto& [job, picture] :
       {std::pair{"job/resize", "cat.png"}, {"job/rotate", "dog.png"}}) {
    CIREIN_ASSIGN_OR_RETURN(auto object, cirein::DataObject::FromString(picture));
    CIREIN_RETURN_IF_ERROR(pool.Publish(cirein::Key(job), object).status());
  }
  for (;;) {
    const Found found = NextJob(pool);
    if (!found.ok()) break;
    // Who drops the object has got the job; with other workers about, only one does.
    CIREIN_ASSIGN_OR_RETURN(const auto dropped, pool.Drop(found->key));
    if (dropped == 1) {
      std::cout << found->key.ToString() << " does " << found->object.text() << '\n';
    }
  }
  std::cout << "no more jobs\n";
  return cirein::OkStatus();
}

}  // namespace

int main() {
  const cirein::Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
