// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <optional>
#include <string>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_folder.h"
#include "cli/progress.h"
#include "cli/verb_table.h"
#include "runtime/interrupt_flag.h"

namespace cirein {
namespace {

// The object as it is now; none when it has gone since it was listed.
Result<std::optional<DataObject>> Fetch(const Pool& pool, const Key& key) {
  const Result<ObjectInfo> info = pool.Info(key);
  if (info.code() == StatusCode::kNotFound) return std::optional<DataObject>();
  CIREIN_RETURN_IF_ERROR(info.status());
  Result<DataObject> object = pool.Need(key);
  if (object.ok()) return std::optional<DataObject>(*std::move(object));
  // It may have gone in between.
  if (object.code() == StatusCode::kDeadlineExceeded &&
      pool.Info(key).code() == StatusCode::kNotFound) {
    return std::optional<DataObject>();
  }
  return object.status();
}

class SaveVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"PATTERN", "", "which objects, as in row|*, run*|* or run*"},
                         Presence::kOptional, &pattern_);
    options->AddText({"--to", "DIR", "the folder; made if there is none"}, &folder_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    if (folder_.empty()) return InvalidArgument("save needs a folder", "give --to DIR");
    CIREIN_ASSIGN_OR_RETURN(const Pattern what, Pattern::ParseText(pattern_));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    CIREIN_ASSIGN_OR_RETURN(ObjectFolderWriter folder, ObjectFolderWriter::Open(folder_));
    CIREIN_RETURN_IF_ERROR(SaveAll(context.console, pool, what, folder));
    CIREIN_RETURN_IF_ERROR(folder.Finish());
    using Type = Report::Type;
    Report report("saved", {{"folder", "folder"},
                            {"objects", "objects", Type::kCount},
                            {"user_bytes", "size", Type::kBytes}});
    report.AddRow({folder_, folder.count(), bytes_});
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

 private:
  Status SaveAll(Console& console, const Pool& pool, const Pattern& what,
                 ObjectFolderWriter& folder) {
    const InterruptFlag& interrupt = InterruptFlag::Install();
    Progress progress(console, "save", 0);
    ListOptions options;
    do {
      CIREIN_ASSIGN_OR_RETURN(ListPage page, pool.List(what, options));
      for (const ListedObject& listed : page.objects) {
        if (interrupt.IsSet()) {
          return Cancelled("interrupted; the folder holds what it held before",
                           "start it again to save all");
        }
        CIREIN_ASSIGN_OR_RETURN(const std::optional<DataObject> object, Fetch(pool, listed.key));
        if (!object) continue;
        CIREIN_RETURN_IF_ERROR(folder.Add(listed.key, *object));
        bytes_ += object->user_bytes();
        progress.Add(1);
      }
      options.cursor = std::move(page.next);
    } while (!options.cursor.empty());
    return OkStatus();
  }

  std::string pool_;
  std::string pattern_ = Pattern::RowPrefix("").ToString();
  std::string folder_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Verb> MakeSaveVerb() { return std::make_unique<SaveVerb>(); }

}  // namespace cirein
