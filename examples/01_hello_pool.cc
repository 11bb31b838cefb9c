// SPDX-License-Identifier: Apache-2.0

// The smallest program: publish an object in a pool of this process, and need it.
// Prints: run/42 holds "hello, pool" \(11 bytes, version [0-9]+\.[0-9]+\)

#include <iostream>

#include <cirein/cirein.h>

namespace {

cirein::Status Run() {
  // Starts the library; ends it when it goes.
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());

  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:/hello"));
  CIREIN_ASSIGN_OR_RETURN(auto object, cirein::DataObject::FromString("hello, pool"));

  const cirein::Key key("run/42");
  CIREIN_ASSIGN_OR_RETURN(const cirein::ObjectInfo info, pool.Publish(key, object));
  CIREIN_ASSIGN_OR_RETURN(const cirein::DataObject found, pool.Need(key));

  std::cout << key.ToString() << " holds \"" << found.text() << "\" (" << info.data_bytes
            << " bytes, version " << info.version.ToString() << ")\n";
  return cirein::OkStatus();
}

}  // namespace

int main() {
  const cirein::Status status = Run();
  // Every error says what failed and what to do next.
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
