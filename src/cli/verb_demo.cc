// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cirein/library.h"

#include "base/units.h"
#include "cli/demo.h"
#include "cli/verb_table.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

const std::vector<std::string>& UsualDirectories() {
  static const std::vector<std::string>& directories =
      *new std::vector<std::string>{"/etc", "/usr/share/doc", "/usr/include"};
  return directories;
}

class DemoVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddArgument({"DIR", "",
                          "take files below it [some of /etc, /usr/share/doc, "
                          "/usr/include]"},
                         OptionSet::Presence::kOptional, &directory_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    const bool for_people = context.options.output == OutputFormat::kTable;
    DemoStage stage;
    stage.say = [&](const std::string& line) {
      // With -o json or csv standard output is data alone.
      for_people ? context.console.Write(line + "\n") : context.console.Tell(line + "\n");
    };
    std::vector<std::string> roots = UsualDirectories();
    if (directory_) roots = {*directory_};
    CIREIN_ASSIGN_OR_RETURN(stage.files, PickDemoFiles(roots));
    std::set<std::string> directories;
    for (const DemoFile& file : stage.files) directories.insert(file.directory);
    stage.say(fmt::format("Cirein takes {} files of {} directories of this system, {}.",
                          stage.files.size(), directories.size(),
                          BytesForPeople(stage.total_bytes())));

    CIREIN_ASSIGN_OR_RETURN(const TemporaryDirectory scratch, TemporaryDirectory::Create());
    stage.scratch = scratch.path();
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(stage.pool, Connect("local:[demo]"));
    stage.say(fmt::format("The library runs; the pool is {}.\n", stage.pool.url().ToString()));
    CIREIN_ASSIGN_OR_RETURN(const Report report, RunDemo(stage));
    if (for_people) context.console.Write("\n");
    context.Print({&report, 1});
    if (for_people) {
      context.console.Write(
          "\nAll of it was as it should be. Next:\n"
          "  cirein doctor               what this machine offers\n"
          "  cirein blast --verify       how fast it is here\n"
          "  cirein help                 everything else\n");
    }
    return ExitCode::kOk;
  }

 private:
  std::optional<std::string> directory_;
};

}  // namespace

std::unique_ptr<Verb> MakeDemoVerb() { return std::make_unique<DemoVerb>(); }

}  // namespace cirein
