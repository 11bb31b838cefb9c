// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_bytes.h"
#include "cli/object_text.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class PutVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"KEY", "", "row or row|column"}, Presence::kRequired, &key_);
    options->AddArgument({"FILE", "", "the data; - or none: standard input"}, Presence::kOptional,
                         &file_);
    options->AddText({"--data", "TEXT", "the data, instead of a file"}, &data_);
    options->AddText({"--meta", "TEXT", "describes the data, up to 64KiB"}, &shape_.meta);
    options->AddNumber({"--type", "N", "a tag of one's own, 0 to 65535"}, {0, UINT16_MAX}, &type_);
    options->AddDuration({"--ttl", "TIME", "the object is gone after it"}, &ttl_);
    options->AddFlag({"--overwrite", "", "replace what is there"}, &overwrite_);
    options->AddText({"--if-version", "V",
                      "only if this version is there, and then replace it; 0.0: nothing is there"},
                     &if_version_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    if (data_ && file_) {
      return InvalidArgument(fmt::format("put takes {} or --data, not both", *file_),
                             "leave one of them out");
    }
    CIREIN_ASSIGN_OR_RETURN(const Key key, ParseKeyText(key_));
    CIREIN_ASSIGN_OR_RETURN(const PublishOptions options, Options());
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    shape_.type = static_cast<std::uint16_t>(type_);
    shape_.limit_bytes = config.GetBytes("memory.object_limit");
    // Before the pool is opened: what comes from another command may come from the same pool.
    CIREIN_ASSIGN_OR_RETURN(DataObject object,
                            ReadObject({data_, file_.value_or("-")}, shape_, context.console));
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectForPut(context.console));
    const Result<ObjectInfo> info = pool.Publish(key, std::move(object), options);
    if (!info.ok()) return Explain(info.status());
    const Report report = PutReport(key, *info);
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

 private:
  // A pool may be made for the object, but not without a word: it may be a slip of the path.
  Result<Pool> ConnectForPut(Console& console) const {
    Result<Pool> there = ConnectNamedPool(pool_, MissingPool::kRefuse);
    if (there.code() != StatusCode::kNotFound) return there;
    Result<Pool> made = ConnectNamedPool(pool_, MissingPool::kAsUrlSays);
    if (made.ok()) {
      console.Tell(fmt::format("cirein: made a new pool, {}\n", made->url().ToString()));
    }
    return made;
  }

  Result<PublishOptions> Options() const {
    PublishOptions options;
    if (overwrite_) options.overwrite = Overwrite::kYes;
    options.ttl = ttl_;
    if (if_version_) {
      CIREIN_ASSIGN_OR_RETURN(options.if_version, ParseVersionText(*if_version_));
    }
    return options;
  }

  // The pool's own words are for programs.
  static Status Explain(const Status& error) {
    if (error.code() == StatusCode::kAlreadyExists) {
      return WithHint(error, "give --overwrite to replace it, or another key");
    }
    if (error.code() == StatusCode::kFailedPrecondition) {
      return WithHint(error, "see what is there with cirein info, and give its version");
    }
    return error;
  }

  static Report PutReport(const Key& key, const ObjectInfo& info) {
    using Type = Report::Type;
    Report report("object", {{"key", "key"},
                             {"meta_bytes", "meta", Type::kBytes},
                             {"data_bytes", "data", Type::kBytes},
                             {"version", "version"}});
    report.AddRow({KeyText(key), info.meta_bytes, info.data_bytes, info.version.ToString()});
    return report;
  }

  std::string pool_;
  std::string key_;
  std::optional<std::string> file_;
  std::optional<std::string> data_;
  ObjectShape shape_;
  std::uint64_t type_ = 0;
  std::optional<std::chrono::nanoseconds> ttl_;
  bool overwrite_ = false;
  std::optional<std::string> if_version_;
};

}  // namespace

std::unique_ptr<Verb> MakePutVerb() { return std::make_unique<PutVerb>(); }

}  // namespace cirein
