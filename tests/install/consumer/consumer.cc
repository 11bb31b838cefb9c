// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include <cirein/cirein.h>

namespace {

cirein::Status Exchange() {
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:"));
  CIREIN_ASSIGN_OR_RETURN(auto object, cirein::DataObject::FromString("payload"));
  const cirein::Key key("row", "column");
  CIREIN_ASSIGN_OR_RETURN([[maybe_unused]] const auto info, pool.Publish(key, object));
  CIREIN_ASSIGN_OR_RETURN(const auto found, pool.Need(key));
  if (found.text() != "payload") return cirein::Internal("another object came back");
  return cirein::OkStatus();
}

}  // namespace

int main() {
  const cirein::Status status = Exchange();
  std::cout << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
