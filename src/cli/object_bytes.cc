// SPDX-License-Identifier: Apache-2.0
#include "cli/object_bytes.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"
#include "cli/object_text.h"
#include "runtime/file.h"
#include "runtime/input_file.h"

namespace cirein {
namespace {

constexpr std::string_view kStandard = "-";
constexpr std::string_view kLimitHint =
    "store it in parts, as columns of one row, or raise memory.object_limit";

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The string's bytes are not copied again.
Result<DataObject> ObjectOf(std::string text, const ObjectShape& shape) {
  const auto keep = std::make_shared<std::string>(std::move(text));
  return DataObject::Wrap(
      std::as_writable_bytes(std::span(keep->data(), keep->size())), [keep] {}, BytesOf(shape.meta),
      shape.type);
}

// Whether or not it tells its size: a pipe, or what the system makes up while it is read.
Result<DataObject> ReadStream(Result<std::string> text, const ObjectShape& shape) {
  if (text.ok()) return ObjectOf(*std::move(text), shape);
  if (text.code() != StatusCode::kResourceExhausted) return text.status();
  return WithHint(text.status(), std::string(kLimitHint));
}

Result<DataObject> ReadOrdinary(const InputFile& file, const ObjectShape& shape) {
  CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::Allocate({.meta_bytes = shape.meta.size(),
                                                                   .data_bytes = file.bytes(),
                                                                   .type = shape.type}));
  const std::span<const std::byte> meta = BytesOf(shape.meta);
  std::copy(meta.begin(), meta.end(), object.mutable_meta().begin());
  CIREIN_RETURN_IF_ERROR(file.ReadAt(0, object.mutable_data()));
  return object;
}

Result<DataObject> ReadFileObject(const std::string& path, const ObjectShape& shape) {
  const Result<InputFile> file = InputFile::Open(path);
  const bool is_stream =
      file.ok() ? file->bytes() == 0 : file.code() == StatusCode::kInvalidArgument;
  if (is_stream) return ReadStream(ReadFile(path, shape.limit_bytes), shape);
  if (!file.ok()) return file.status();
  if (file->bytes() > shape.limit_bytes) {
    return ResourceExhausted(
        fmt::format("'{}' has {} bytes, more than the {} an object may have",
                    EscapeForPeople(path, 4096), file->bytes(), shape.limit_bytes),
        std::string(kLimitHint));
  }
  return ReadOrdinary(*file, shape);
}

}  // namespace

Result<DataObject> ReadObject(const DataSource& source, const ObjectShape& shape,
                              Console& console) {
  if (source.text) return ObjectOf(*source.text, shape);
  if (source.file != kStandard) return ReadFileObject(source.file, shape);
  return ReadStream(console.ReadInput(shape.limit_bytes), shape);
}

Status WriteBytes(std::span<const std::byte> bytes, const std::optional<std::string>& file,
                  Console& console) {
  if (!file || *file == kStandard) {
    console.Write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return OkStatus();
  }
  // To replace a device or a pipe by a file would take it from everybody else.
  const Result<std::uint64_t> old = FileBytes(*file);
  if (old.code() == StatusCode::kInvalidArgument) {
    return WithHint(old.status(),
                    "name a new file, or one to replace; for others write to standard output");
  }
  return WriteFileAtomically(*file, std::span(&bytes, 1));
}

}  // namespace cirein
