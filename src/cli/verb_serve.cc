// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/directory.h"
#include "cirein/library.h"

#include "base/logging.h"
#include "cli/verb_table.h"
#include "runtime/file.h"
#include "runtime/interrupt_flag.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

// How often a member looks whether the directory still knows it.
constexpr std::chrono::seconds kLookAgain{2};

/// What a process is a member of, and what it says again when the directory has lost it.
class Membership {
 public:
  Membership(ResourceUrl url, DirectoryMember member)
      : url_(std::move(url)), member_(std::move(member)) {}

  Result<DirectoryInfo> Join(const Directory& directory) {
    if (!url_.is_reference()) {
      const Status defined = directory.Define(url_);
      if (!defined.ok()) return defined;
    }
    Result<DirectoryInfo> joined = directory.Join(url_, member_);
    // As a whole, also where this member was told less: it may be the first to define it anew.
    if (joined.ok()) url_ = joined->url;
    return joined;
  }

  /// Once in a while. Nothing changes where it is known.
  void LookAgain(const Directory& directory) {
    if (dropped_) return;
    const Result<DirectoryInfo> known = directory.Join(url_, member_);
    if (known.code() == StatusCode::kFailedPrecondition) {
      dropped_ = true;
      LogWarn("member", "{}: it was dropped from the directory; what is here stays until the end",
              url_.BucketPath());
      return;
    }
    // Another process hosts the directory now, or the same one was started again.
    const Status told =
        known.code() == StatusCode::kNotFound ? Join(directory).status() : known.status();
    if (told.ok() == told_ok_) return;
    told_ok_ = told.ok();
    if (told_ok_) LogInfo("member", "{}: the directory knows it again", url_.BucketPath());
    if (!told_ok_) LogWarn("member", "{}: {}", url_.BucketPath(), told.ToString());
  }

  void Leave(const Directory& directory) const {
    const Status left = directory.Leave(url_, member_.name).status();
    if (left.ok() || left.code() == StatusCode::kNotFound) return;
    LogWarn("member", "{}: cannot leave: {}", url_.BucketPath(), left.ToString());
  }

 private:
  ResourceUrl url_;
  const DirectoryMember member_;
  bool told_ok_ = true;
  bool dropped_ = false;
};

class ServeVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddList({"--join", "URL", "be a member of this pool; may be given several times"},
                     &join_);
    options->AddText({"--name", "NAME",
                      "what this member is called; the same name is the same "
                      "place in the pool (default: its address)"},
                     &name_);
    options->AddText({"--directory-file", "FILE", "host the directory, and write its address here"},
                     &directory_file_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    InterruptFlag& interrupt = InterruptFlag::Install();
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const std::string address, OwnAddress());
    context.console.Write(fmt::format("cirein is a member at {}\n", address));
    std::optional<Directory> directory;
    if (!directory_file_.empty()) {
      CIREIN_ASSIGN_OR_RETURN(directory, Directory::Connect(address));
      CIREIN_RETURN_IF_ERROR(WriteFileAtomically(directory_file_, address + "\n"));
    } else if (!join_.empty()) {
      CIREIN_ASSIGN_OR_RETURN(directory, Directory::Connect());
    }
    const Result<std::vector<Membership>> memberships = JoinAll(context, directory, address);
    Status status = memberships.status();
    if (status.ok()) {
      context.console.Write("cirein is ready\n");
      status = context.console.Flush();
    }
    if (status.ok()) Serve(interrupt, directory, *memberships);
    if (!directory_file_.empty()) (void)RemoveFile(directory_file_);
    if (!status.ok()) return status;
    return ExitCode::kOk;
  }

 private:
  Result<std::vector<Membership>> JoinAll(const VerbContext& context,
                                          const std::optional<Directory>& directory,
                                          const std::string& address) const {
    std::vector<Membership> memberships;
    for (const std::string& text : join_) {
      CIREIN_ASSIGN_OR_RETURN(const ResourceUrl url, ResourceUrl::Parse(text));
      memberships.emplace_back(url, DirectoryMember{name_.empty() ? address : name_, address});
      CIREIN_ASSIGN_OR_RETURN(const DirectoryInfo joined, memberships.back().Join(*directory));
      context.console.Write(fmt::format("cirein joined {} ({} of {} members)\n",
                                        joined.url.ToString(), joined.members.size(),
                                        joined.min_members()));
    }
    return memberships;
  }

  void Serve(InterruptFlag& interrupt, std::optional<Directory> directory,
             std::vector<Membership> memberships) const {
    const Clock& clock = RealClock::Instance();
    while (!interrupt.WaitUntil(memberships.empty() ? kEndOfTime : clock.Now() + kLookAgain)) {
      // Its file may say by now that it is hosted elsewhere.
      if (directory_file_.empty()) {
        if (Result<Directory> now = Directory::Connect(); now.ok()) directory = *std::move(now);
      }
      for (Membership& membership : memberships) membership.LookAgain(*directory);
    }
    for (const Membership& membership : memberships) membership.Leave(*directory);
  }

  std::vector<std::string> join_;
  std::string name_;
  std::string directory_file_;
};

}  // namespace

std::unique_ptr<Verb> MakeServeVerb() { return std::make_unique<ServeVerb>(); }

}  // namespace cirein
