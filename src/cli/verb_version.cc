// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "cli/build_info.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class VersionVerb final : public Verb {
 public:
  void Declare(OptionSet* /*options*/) override {}

  Result<ExitCode> Run(const VerbContext& context) override {
    const BuildInfo build = CurrentBuild();
    if (context.options.output == OutputFormat::kTable) {
      context.console.Write(fmt::format("cirein {}\n", build.version));
      const std::array<std::pair<std::string_view, std::string_view>, 4> lines = {
          {{"commit", build.commit},
           {"compiler", build.compiler},
           {"build", build.build_type},
           {"sanitizers", build.sanitizers}}};
      for (const auto& [name, value] : lines) {
        if (!value.empty()) context.console.Write(fmt::format("  {}: {}\n", name, value));
      }
      return ExitCode::kOk;
    }
    Report report("version", {{"name", "name"},
                              {"version", "version"},
                              {"commit", "commit"},
                              {"compiler", "compiler"},
                              {"build_type", "build"},
                              {"sanitizers", "sanitizers"}});
    report.AddRow({std::string("cirein"), build.version, build.commit, build.compiler,
                   build.build_type, build.sanitizers});
    context.Print({&report, 1});
    return ExitCode::kOk;
  }
};

}  // namespace

std::unique_ptr<Verb> MakeVersionVerb() { return std::make_unique<VersionVerb>(); }

}  // namespace cirein
