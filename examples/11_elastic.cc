// SPDX-License-Identifier: Apache-2.0

// A pool in a directory keeps its objects: the next start of the library finds them there.
// Prints: first start: 3 objects, in persistent-memory
// Prints: second start: Monday was rain
// Prints: the sum of the week is 42
// Prints: published again: ALREADY_EXISTS

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cirein/cirein.h>

namespace {

using namespace cirein;

DataObject Numbers(const std::vector<int>& numbers) {
  return DataObject::Copy(std::as_bytes(std::span(numbers))).value();
}

// Everything that was acknowledged is kept, also if the process had been killed here. The group is
// kept whole or not at all.
void PublishWeek(const std::string& url) {
  const Library library;
  const Pool pool = Connect(url).value();
  pool.Publish(Key("monday"), DataObject::FromString("rain").value()).value();
  pool.PublishGroup({{Key("week", "wind"), Numbers({3, 4})}, {Key("week", "sun"), Numbers({35})}})
      .value();
  std::cout << "first start: " << pool.List(Pattern::RowPrefix("")).value().objects.size()
            << " objects, in " << AvailabilityName(pool.Info(Key("monday")).value().availability)
            << '\n';
}

void UseWeek(const std::string& url) {
  const Library library;
  const Pool pool = Connect(url).value();
  const Key monday("monday");
  std::cout << "second start: Monday was " << pool.Need(monday).value().text() << '\n';
  const DataObject sum = pool.Compute(Pattern::Row("week"), "sum", "i32").value();
  std::cout << "the sum of the week is " << sum.text() << '\n';
  const auto again = pool.Publish(monday, DataObject::FromString("snow").value());
  std::cout << "published again: " << StatusCodeName(again.code()) << '\n';
}

}  // namespace

// What fails here ends the program: value() throws.
int main() {
  std::string directory = (std::filesystem::temp_directory_path() / "cirein_XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) return 1;
  // The directory is made into a pool when there is none in it. durability=power would survive a
  // power cut as well; create=no would refuse to make one.
  const std::string url = "elastic:" + directory + "/pool&size=16MiB";
  PublishWeek(url);
  UseWeek(url);
  std::filesystem::remove_all(directory);
}
