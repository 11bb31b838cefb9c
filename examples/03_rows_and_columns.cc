// SPDX-License-Identifier: Apache-2.0

// A row may hold an object of its own, columns, or both; patterns name many objects at once.
// Prints: weather\|2026-01-03 has 4 bytes
// Prints: row weather: 3 columns, an object of its own, 39 bytes
// Prints: dropped 3, left 1

#include <iostream>

#include <cirein/cirein.h>

namespace {

using cirein::Key;
using cirein::Pattern;

cirein::Status Run() {
  const cirein::Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(cirein::Pool pool, cirein::Connect("local:/weather"));

  CIREIN_ASSIGN_OR_RETURN(auto about,
                          cirein::DataObject::FromString("degrees at noon in Berlin, 2026"));
  CIREIN_RETURN_IF_ERROR(pool.Publish(Key("weather"), about).status());
  for (const auto& [day, degrees] :
       {std::pair{"2026-01-01", "2"}, {"2026-01-02", "3.5"}, {"2026-01-03", "-1.5"}}) {
    CIREIN_ASSIGN_OR_RETURN(auto object, cirein::DataObject::FromString(degrees));
    CIREIN_RETURN_IF_ERROR(pool.Publish(Key("weather", day), object).status());
  }

  CIREIN_ASSIGN_OR_RETURN(const cirein::ListPage page, pool.List(Pattern::Row("weather")));
  for (const cirein::ListedObject& object : page.objects) {
    std::cout << object.key.ToString() << " has " << object.data_bytes << " bytes\n";
  }

  CIREIN_ASSIGN_OR_RETURN(const cirein::RowInfo row, pool.RowInfo(Key("weather")));
  std::cout << "row weather: " << row.columns << " columns, "
            << (row.has_object ? "an object of its own, " : "") << row.user_bytes << " bytes\n";

  CIREIN_ASSIGN_OR_RETURN(const auto dropped, pool.Drop(Pattern::ColumnPrefix("weather", "2026-")));
  CIREIN_ASSIGN_OR_RETURN(const cirein::ListPage left, pool.List(Pattern::RowPrefix("")));
  std::cout << "dropped " << dropped << ", left " << left.objects.size() << '\n';
  return cirein::OkStatus();
}

}  // namespace

int main() {
  const cirein::Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
