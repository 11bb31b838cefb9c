// SPDX-License-Identifier: Apache-2.0
#include "object/compute_library.h"

#include <cstddef>
#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/compute.h"

#include "object/compute_registry.h"
#include "runtime/shared_library.h"

namespace cirein {
namespace {

constexpr const char* kExported = "cirein_compute_library";
constexpr std::uint32_t kMaxFunctions = 1024;

cirein_bytes ForeignBytes(std::span<const std::byte> bytes) { return {bytes.data(), bytes.size()}; }
cirein_bytes ForeignBytes(std::string_view text) { return {text.data(), text.size()}; }

/// What one call of a function makes.
class ExportedOutput {
 public:
  ExportedOutput() {
    face_.allocate = [](cirein_compute_output* face, std::size_t meta, std::size_t data) {
      return Of(face).Allocate(meta, data);
    };
    face_.explain = [](cirein_compute_output* face, const char* why) {
      if (why != nullptr) Of(face).why_ = why;
    };
  }

  cirein_compute_output* face() { return &face_; }

  Result<DataObject> Take(std::int32_t code) {
    if (code == 0) {
      if (!object_.is_null()) object_.set_type(face_.type);
      return std::move(object_);
    }
    if (code < 0 || code > static_cast<std::int32_t>(StatusCode::kInternal)) {
      return Aborted(fmt::format("the function returned {}, which is no code: {}", code, why_),
                     "return 0 or the number of a status code");
    }
    return Status(static_cast<StatusCode>(code),
                  why_.empty() ? std::string("the function does not say why") : why_);
  }

 private:
  static ExportedOutput& Of(cirein_compute_output* face) {
    // It is the first member of a class without virtual functions.
    return *reinterpret_cast<ExportedOutput*>(face);
  }

  std::int32_t Allocate(std::size_t meta_bytes, std::size_t data_bytes) {
    Result<DataObject> made =
        DataObject::Allocate({.meta_bytes = meta_bytes, .data_bytes = data_bytes});
    if (!made.ok()) {
      why_ = made.status().message();
      return static_cast<std::int32_t>(made.code());
    }
    object_ = std::move(*made);
    face_.meta = object_.mutable_meta().data();
    face_.data = object_.mutable_data().data();
    return 0;
  }

  cirein_compute_output face_ = {};
  DataObject object_;
  std::string why_;
};

Result<DataObject> RunExported(cirein_compute_function function, const ComputeInput& input) {
  std::vector<cirein_compute_object> objects;
  objects.reserve(input.objects.size());
  for (const NamedObject& named : input.objects) {
    objects.push_back({named.key.has_column() ? ForeignBytes(named.key.column()) : cirein_bytes{},
                       ForeignBytes(named.object.meta()), ForeignBytes(named.object.data()),
                       named.object.type()});
  }
  const cirein_compute_input given = {ForeignBytes(input.pattern.row()), ForeignBytes(input.args),
                                      objects.data(), objects.size()};
  ExportedOutput output;
  const std::int32_t code = function(&given, output.face());
  return output.Take(code);
}

/// Those that are loaded. Never destroyed, as they are not.
struct Loaded {
  std::mutex mutex;
  std::set<SharedLibrary> libraries;
};

Loaded& TheLoaded() {
  static Loaded& loaded = *new Loaded;
  return loaded;
}

Status LoadOne(const std::string& path) {
  CIREIN_ASSIGN_OR_RETURN(const SharedLibrary library, SharedLibrary::Load(path));
  Loaded& loaded = TheLoaded();
  const std::lock_guard lock(loaded.mutex);
  if (loaded.libraries.contains(library)) return OkStatus();
  using Exported = const cirein_compute_table* (*)();
  const auto exported = reinterpret_cast<Exported>(library.Find(kExported));
  if (exported == nullptr) {
    return FailedPrecondition(fmt::format("'{}' exports no {}", path, kExported),
                              "export it by C's name, as cirein/compute_library.h says");
  }
  CIREIN_RETURN_IF_ERROR(
      RegisterComputeTable(exported()).WithContext(fmt::format("the library '{}'", path)));
  loaded.libraries.insert(library);
  return OkStatus();
}

}  // namespace

Status RegisterComputeTable(const cirein_compute_table* table) {
  if (table == nullptr) return InvalidArgument("it gives no table of functions");
  if (table->version != CIREIN_COMPUTE_VERSION) {
    return FailedPrecondition(fmt::format("it is of version {} of compute libraries, not of {}",
                                          table->version, CIREIN_COMPUTE_VERSION),
                              "compile it with the cirein/compute_library.h of this Cirein");
  }
  if (table->count == 0 || table->count > kMaxFunctions || table->functions == nullptr) {
    return InvalidArgument(fmt::format("it has {} functions", table->count),
                           fmt::format("give 1 to {}", kMaxFunctions));
  }
  std::vector<NamedComputeFunction> functions;
  for (const cirein_compute_entry& entry : std::span(table->functions, table->count)) {
    if (entry.name == nullptr || entry.function == nullptr) {
      return InvalidArgument(
          fmt::format("its function {} has no name or is null", functions.size()),
          "give each entry of the table a name and a function");
    }
    functions.emplace_back(entry.name, [function = entry.function](const ComputeInput& input) {
      return RunExported(function, input);
    });
  }
  return RegisterComputeFunctions(std::move(functions));
}

Status LoadComputeLibraries(std::string_view paths) {
  while (!paths.empty()) {
    const std::size_t end = paths.find(':');
    const std::string path(paths.substr(0, end));
    if (!path.empty()) {
      const Status loaded = LoadOne(path);
      if (!loaded.ok()) return loaded.WithContext("setting compute.libraries");
    }
    if (end == std::string_view::npos) break;
    paths.remove_prefix(end + 1);
  }
  return OkStatus();
}

}  // namespace cirein
