// SPDX-License-Identifier: Apache-2.0

// A program that keeps objects in a pool, as any program does, until it is killed: what the kill
// test and the demo kill.
//
//   elastic_keeper write URL FIRST...   one thread for each FIRST, which does numbered things from
//                                       that number on, for ever; prints "THREAD NUMBER" when one
//                                       is acknowledged
//   elastic_keeper store URL            reads names of files and publishes each file that is not
//                                       there yet; prints its name when it is acknowledged
//   elastic_keeper compare URL          reads names of files and compares what is there with them

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "cirein/cirein.h"

#include "kill/elastic_numbered.h"

namespace cirein::test {
namespace {

void Fail(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "elastic_keeper: %s\n", status.ToString().c_str());
  std::_Exit(1);
}

template <typename T>
T Must(Result<T> result) {
  Fail(result.status());
  return *std::move(result);
}

/// One write system call, so that lines of several threads stay whole.
void Print(const std::string& line) {
  const ssize_t written = write(STDOUT_FILENO, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) std::_Exit(0);  // Nobody listens any more.
}

int RunWrite(const Pool& pool, const std::vector<std::string>& firsts) {
  std::vector<std::thread> writers;
  for (std::size_t writer = 0; writer < firsts.size(); ++writer) {
    writers.emplace_back([&pool, writer, first = std::stoull(firsts[writer])] {
      for (std::uint64_t number = first;; ++number) {
        Fail(ElasticNumbered(writer, number).Apply(pool));
        Print(fmt::format("{} {}\n", writer, number));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  return 0;
}

/// A row for each directory, a column for each file in it.
Key KeyOf(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == std::string::npos ? Key(".", file)
                                    : Key(file.substr(0, slash), file.substr(slash + 1));
}

std::string Contents(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  Fail(stream.bad() ? IoError("cannot read " + file) : OkStatus());
  return bytes;
}

int RunStore(const Pool& pool) {
  std::size_t before = 0;
  for (std::string file; std::getline(std::cin, file);) {
    const auto info = pool.Publish(KeyOf(file), Must(DataObject::FromString(Contents(file))));
    if (info.code() == StatusCode::kAlreadyExists) {
      ++before;  // Write-once: it stays as it was published before.
    } else {
      Fail(info.status());
    }
    Print(file + "\n");
  }
  std::fprintf(stderr, "%zu of these files were there already\n", before);
  return 0;
}

int RunCompare(const Pool& pool) {
  std::set<std::string> files;
  for (std::string line; std::getline(std::cin, line);) files.insert(line);
  std::uint64_t bytes = 0;
  for (const std::string& file : files) {
    Fail(pool.Info(KeyOf(file)).status());
    const DataObject kept = Must(pool.Need(KeyOf(file)));
    if (kept.text() != Contents(file)) {
      std::fprintf(stderr, "elastic_keeper: '%s' was acknowledged and is different\n",
                   file.c_str());
      return 1;
    }
    bytes += kept.data_bytes();
  }
  std::printf("%zu files, %.1f MiB: all there, every byte\n", files.size(),
              static_cast<double>(bytes) / (1 << 20));
  return files.empty() ? 1 : 0;
}

int Main(const std::vector<std::string>& arguments) {
  const std::string verb = arguments.empty() ? "" : arguments[0];
  const std::size_t count = arguments.size();
  if (!(verb == "write" && count > 2) && !((verb == "store" || verb == "compare") && count == 2)) {
    std::fputs("usage: elastic_keeper write URL FIRST... | store URL | compare URL\n", stderr);
    return 2;
  }
  const Library library;
  Fail(library.status());
  const Pool pool = Must(Connect(arguments[1]));
  if (verb == "write") return RunWrite(pool, {arguments.begin() + 2, arguments.end()});
  return verb == "store" ? RunStore(pool) : RunCompare(pool);
}

}  // namespace
}  // namespace cirein::test

int main(int argc, char** argv) {
  return cirein::test::Main(std::vector<std::string>(argv + 1, argv + argc));
}
