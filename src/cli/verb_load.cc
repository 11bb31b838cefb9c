// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_folder.h"
#include "cli/object_text.h"
#include "cli/progress.h"
#include "cli/verb_table.h"
#include "runtime/interrupt_flag.h"

namespace cirein {
namespace {

class LoadVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"DIR", "", "the folder, as cirein save makes it"}, Presence::kRequired,
                         &folder_);
    options->AddFlag({"--overwrite", "", "replace what is there"}, &overwrite_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const ObjectFolder folder, ObjectFolder::Open(folder_));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    const Status status = LoadAll(context.console, pool, folder);
    if (!status.ok()) {
      return status.WithContext(
          fmt::format("after {} of {} objects", published_ + there_, folder.entries().size()));
    }
    using Type = Report::Type;
    Report report("loaded", {{"folder", "folder"},
                             {"published", "published", Type::kCount},
                             {"there_before", "there before", Type::kCount},
                             {"user_bytes", "size", Type::kBytes}});
    report.AddRow({folder_, published_, there_, bytes_});
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

 private:
  Status LoadAll(Console& console, const Pool& pool, const ObjectFolder& folder) {
    const InterruptFlag& interrupt = InterruptFlag::Install();
    Progress progress(console, "load", folder.entries().size());
    for (const FolderEntry& entry : folder.entries()) {
      if (interrupt.IsSet()) return Cancelled("interrupted", "start it again to load the rest");
      CIREIN_ASSIGN_OR_RETURN(const DataObject object, folder.Read(entry));
      CIREIN_RETURN_IF_ERROR(Load(pool, entry.key, object));
      progress.Add(1);
    }
    return OkStatus();
  }

  // What another run of it has loaded already is fine.
  Status Load(const Pool& pool, const Key& key, const DataObject& object) {
    PublishOptions options;
    if (overwrite_) options.overwrite = Overwrite::kYes;
    const Status status = pool.Publish(key, object, options).status();
    if (status.ok()) {
      ++published_;
      bytes_ += object.user_bytes();
      return status;
    }
    if (status.code() != StatusCode::kAlreadyExists) return status;
    CIREIN_ASSIGN_OR_RETURN(const DataObject there, pool.Need(key));
    if (there.Compare(object) != DataObject::Difference::kEqual) {
      return WithHint(status, "another object is there; give --overwrite to replace it");
    }
    ++there_;
    return OkStatus();
  }

  std::string pool_;
  std::string folder_;
  bool overwrite_ = false;
  std::uint64_t published_ = 0;
  std::uint64_t there_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Verb> MakeLoadVerb() { return std::make_unique<LoadVerb>(); }

}  // namespace cirein
