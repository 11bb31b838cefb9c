// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/data_object.h"

namespace cirein::test {

/// An object of these bytes; throws when there is no memory, which ends the test.
inline DataObject MakeObject(std::string_view data, std::string_view meta = {},
                             std::uint16_t type = 0) {
  return DataObject::FromString(data, meta, type).value();
}

/// An object of this many bytes, all alike.
inline DataObject MakeObjectOf(std::size_t bytes, char fill = 'x') {
  return MakeObject(std::string(bytes, fill));
}

/// An object that holds an array.
template <typename T>
DataObject MakeArray(const std::vector<T>& values) {
  return DataObject::Copy(std::as_bytes(std::span(values))).value();
}

}  // namespace cirein::test
