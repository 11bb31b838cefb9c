// SPDX-License-Identifier: Apache-2.0
#include "resp/command.h"

namespace cirein::resp {

Result<DataObject> Arg::ToObject() const {
  if (!body.is_null()) return body;
  return DataObject::FromString(bytes);
}

}  // namespace cirein::resp
