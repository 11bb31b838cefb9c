// SPDX-License-Identifier: Apache-2.0

// Large data need not be copied: wrap memory that is there, view part of it, read it as an array.
// Prints: the reader sees the very same memory: yes
// Prints: the half of it that is viewed begins with 500000
// Prints: released: yes

#include <iostream>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include <cirein/cirein.h>

namespace {

cirein::Status Run(bool& released) {
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:/fields"));

  // The pool shares this vector; the release function is called when nobody holds it any more.
  auto field = std::make_shared<std::vector<double>>(1'000'000);
  std::iota(field->begin(), field->end(), 0.0);
  const double* memory = field->data();
  CIREIN_ASSIGN_OR_RETURN(auto object,
                          cirein::DataObject::Wrap(std::as_writable_bytes(std::span(*field)),
                                                   [&released, field] { released = true; }));
  CIREIN_RETURN_IF_ERROR(pool.Publish(cirein::Key("field"), std::move(object)).status());
  field.reset();

  CIREIN_ASSIGN_OR_RETURN(const auto found, pool.Need(cirein::Key("field")));
  const std::span<const double> values = found.array<double>();
  std::cout << "the reader sees the very same memory: " << (values.data() == memory ? "yes" : "no")
            << '\n';

  // A view is an object too: it keeps what it looks at alive, here another object.
  const auto half = std::as_bytes(values.subspan(500'000));
  const auto owner = std::make_shared<cirein::DataObject>(found);
  CIREIN_ASSIGN_OR_RETURN(auto view, cirein::DataObject::View(half, owner));
  CIREIN_RETURN_IF_ERROR(pool.Publish(cirein::Key("field", "half"), view).status());
  std::cout << "the half of it that is viewed begins with " << view.array<double>()[0] << '\n';
  return cirein::OkStatus();
}

}  // namespace

int main() {
  bool released = false;
  const cirein::Status status = Run(released);
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  std::cout << "released: " << (released ? "yes" : "no") << '\n';
  return status.ok() ? 0 : 1;
}
