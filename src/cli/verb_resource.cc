// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cirein/directory.h"
#include "cirein/library.h"

#include "base/text.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class ResourceVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddChoiceArgument({"ACTION", "", "what to do"}, {"list", "info", "define", "drop"},
                               action_, [this](std::string_view word) {
                                 action_ = word;
                                 return OkStatus();
                               });
    options->AddArgument({"URL", "", "of the resource; for list: how its path begins"},
                         OptionSet::Presence::kOptional, &url_);
    options->AddText({"--directory", "ADDRESS", "where it is hosted (default: as settings say)"},
                     &directory_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    if (!url_ && action_ != "list") {
      return InvalidArgument(fmt::format("resource {} needs the URL of one", action_),
                             "give such as dht:/project/pool");
    }
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Directory directory, Directory::Connect(directory_));
    const std::string text = url_.value_or("/");
    CIREIN_ASSIGN_OR_RETURN(const ResourceUrl url, ResourceUrl::Parse(text));
    if (action_ == "list") return List(context, directory, url);
    if (action_ == "info") return Info(context, directory, url);
    CIREIN_RETURN_IF_ERROR(action_ == "define" ? directory.Define(url) : directory.Drop(url));
    return ExitCode::kOk;
  }

 private:
  static Result<ExitCode> List(const VerbContext& context, const Directory& directory,
                               const ResourceUrl& url) {
    CIREIN_ASSIGN_OR_RETURN(const std::vector<DirectoryInfo> resources,
                            directory.List(url.path(), url.bucket()));
    Report report("resources", {{"url", "url"},
                                {"members", "members", Report::Type::kCount},
                                {"min_members", "needed", Report::Type::kCount}});
    for (const DirectoryInfo& resource : resources) {
      report.AddRow({resource.url.ToString(), std::uint64_t{resource.members.size()},
                     std::uint64_t{resource.min_members()}});
    }
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

  static Result<ExitCode> Info(const VerbContext& context, const Directory& directory,
                               const ResourceUrl& url) {
    CIREIN_ASSIGN_OR_RETURN(const DirectoryInfo resource, directory.Lookup(url));
    Report report("members", {{"url", "url"}, {"name", "name"}, {"address", "address"}});
    for (const DirectoryMember& member : resource.members) {
      report.AddRow({resource.url.ToString(), member.name, member.address});
    }
    if (resource.members.empty()) report.AddRow({resource.url.ToString(), {}, {}});
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

  std::string action_ = "list";
  std::optional<std::string> url_;
  std::string directory_;
};

}  // namespace

std::unique_ptr<Verb> MakeResourceVerb() { return std::make_unique<ResourceVerb>(); }

}  // namespace cirein
