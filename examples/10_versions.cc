// SPDX-License-Identifier: Apache-2.0

// Objects are write-once unless one says otherwise: overwrite, replace a known version, expire.
// Prints: again: ALREADY_EXISTS
// Prints: the counter is 300
// Prints: after its ttl: NOT_FOUND

#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <cirein/cirein.h>

namespace {

using namespace std::chrono_literals;
using namespace cirein;

DataObject Text(const std::string& text) { return DataObject::FromString(text).value(); }

// Adds one to a counter that others change too: read it, and replace just the version one has read.
void Increment(Pool& pool, const Key& key) {
  for (bool done = false; !done;) {
    const Version before = pool.Info(key)->version;
    const int next = std::stoi(std::string(pool.Need(key)->text())) + 1;
    // FAILED_PRECONDITION when somebody was faster.
    done = pool.Publish(key, Text(std::to_string(next)), PublishOptions{.if_version = before}).ok();
  }
}

}  // namespace

// What fails here ends the program: value() throws.
int main() {
  const Library library;
  Pool pool = Connect("local:/versions").value();
  const Key key("counter");
  pool.Publish(key, Text("7")).value();
  std::cout << "again: " << StatusCodeName(pool.Publish(key, Text("8")).code()) << '\n';
  pool.Publish(key, Text("0"), PublishOptions{.overwrite = Overwrite::kYes}).value();

  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) Increment(pool, key);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::cout << "the counter is " << pool.Need(key)->text() << '\n';

  pool.Publish(Key("brief"), Text("x"), PublishOptions{.ttl = 10ms}).value();
  while (pool.Info(Key("brief")).ok()) std::this_thread::yield();
  std::cout << "after its ttl: " << StatusCodeName(pool.Info(Key("brief")).code()) << '\n';
}
