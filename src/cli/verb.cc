// SPDX-License-Identifier: Apache-2.0
#include "cli/verb.h"

namespace cirein {

void VerbContext::Print(std::span<const Report> reports) const {
  switch (options.output) {
    case OutputFormat::kTable:
      console.Write(RenderTables(
          reports, console.colors_data() ? TableColors::kColored : TableColors::kPlain));
      return;
    case OutputFormat::kJson:
      console.Write(RenderJson(reports));
      return;
    case OutputFormat::kCsv:
      console.Write(RenderCsv(reports));
      return;
  }
}

ReportStream VerbContext::Stream() const {
  return ReportStream(options.output,
                      console.colors_data() ? TableColors::kColored : TableColors::kPlain);
}

}  // namespace cirein
