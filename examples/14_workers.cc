// SPDX-License-Identifier: Apache-2.0

// Workers in processes of their own, which do not know the names of their jobs: each wants whatever
// comes under a prefix, and who drops an object has got the job.
// Prints: 20 jobs done by 3 workers
// Prints: each of them once

#include <future>
#include <iostream>
#include <string>

#include "processes.h"

using namespace cirein;
namespace {
constexpr int kJobs = 20;

Key DoneKey(int job) { return Key("done/" + std::to_string(job)); }

Result<NamedObject> NextJob(const Pool& pool) {
  std::promise<Result<NamedObject>> next;
  pool.Want(Pattern::RowPrefix("job/"),
            [&](Result<NamedObject> found) { next.set_value(std::move(found)); });
  return next.get_future().get();
}

Status Work(const Pool& pool) {
  for (;;) {
    CIREIN_ASSIGN_OR_RETURN(const NamedObject job, NextJob(pool));
    CIREIN_ASSIGN_OR_RETURN(const auto dropped, pool.Drop(job.key));
    if (dropped == 0) continue;  // Another one was faster.
    if (job.object.text() == "go home") return OkStatus();
    // To do a job twice would be refused: a key is published once.
    const Key done("done/" + std::string(job.object.text()));
    CIREIN_RETURN_IF_ERROR(pool.Publish(done, job.object).status());
  }
}

Status GiveJobs(const Pool& pool, int workers) {
  for (int job = 0; job < kJobs; ++job) {
    CIREIN_ASSIGN_OR_RETURN(auto object, DataObject::FromString(std::to_string(job)));
    CIREIN_RETURN_IF_ERROR(pool.Publish(Key("job/" + std::to_string(job)), object).status());
  }
  for (int job = 0; job < kJobs; ++job) CIREIN_RETURN_IF_ERROR(pool.Need(DoneKey(job)).status());
  std::cout << kJobs << " jobs done by " << workers << " workers\neach of them once\n";
  for (int i = 0; i < workers; ++i) {
    CIREIN_ASSIGN_OR_RETURN(auto object, DataObject::FromString("go home"));
    CIREIN_RETURN_IF_ERROR(pool.Publish(Key("job/home" + std::to_string(i)), object).status());
  }
  return OkStatus();
}

Status Run(const examples::Place& place) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const std::string address, OwnAddress());
  const std::string members = examples::Members(place.Exchange(address));
  CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect("dht:/jobs" + members));
  CIREIN_RETURN_IF_ERROR(place.rank == 0 ? GiveJobs(pool, place.count - 1) : Work(pool));
  place.Exchange();
  return OkStatus();
}
}  // namespace

int main() { return examples::RunProcesses(4, Run); }
