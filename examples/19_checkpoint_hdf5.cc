// SPDX-License-Identifier: Apache-2.0

// A simulation that writes its fields to HDF5 after each step, ends, and goes on from the newest
// one. A row is a file, which other programs can read: try h5dump. Give a directory that is there
// to keep the files.
//
// Prints: step0003 is written
// Prints: goes on from step0003: temperature has 1000 values, the first is 30
// Prints: its file: .*/step0003.h5

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <cirein/cirein.h>

namespace {

using namespace cirein;

Result<DataObject> Field(double value) {
  const std::vector<double> values(1000, value);
  return DataObject::Copy(std::as_bytes(std::span(values)));
}

// Written around memory, which the simulation needs for itself.
std::string PoolUrl(const std::string& directory) {
  return "local:/checkpoint&store=hdf5:" + directory + "&behavior=WriteAround";
}

Status Simulate(const std::string& directory) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect(PoolUrl(directory)));
  for (int step = 1; step <= 3; ++step) {
    const std::string row = "step000" + std::to_string(step);
    CIREIN_ASSIGN_OR_RETURN(const DataObject temperature, Field(step * 10));
    CIREIN_ASSIGN_OR_RETURN(const DataObject velocity, Field(step));
    // As one: whatever happens, a step has all of its fields or is not there.
    CIREIN_RETURN_IF_ERROR(pool.PublishGroup({{Key(row, "temperature"), temperature},
                                              {Key(row, "velocity"), velocity}})
                               .status());
    std::cout << row << " is written\n";
  }
  return OkStatus();
}

Status Restart(const std::string& directory) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect(PoolUrl(directory)));
  CIREIN_ASSIGN_OR_RETURN(const ListPage page, pool.List(Pattern::RowPrefix("step")));
  std::string newest;
  for (const ListedObject& object : page.objects) newest = std::max(newest, object.key.row());
  CIREIN_ASSIGN_OR_RETURN(const DataObject temperature, pool.Need(Key(newest, "temperature")));
  const auto values = temperature.array<double>();
  std::cout << "goes on from " << newest << ": temperature has " << values.size()
            << " values, the first is " << values[0] << '\n';
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
    if (file.path().stem() == newest) std::cout << "its file: " << file.path().string() << '\n';
  }
  return OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = std::filesystem::temp_directory_path() / "checkpoint-XXXXXX";
  const bool own = argc < 2;
  if (!own) directory = argv[1];
  if (own && mkdtemp(directory.data()) == nullptr) return 1;
  Status status = Simulate(directory);
  if (status.ok()) status = Restart(directory);
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  if (own) std::filesystem::remove_all(directory);
  return status.ok() ? 0 : 1;
}
