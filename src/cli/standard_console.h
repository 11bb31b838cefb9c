// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "cli/console.h"

namespace cirein {

/// Standard input, output and error of the process.
class StandardConsole final : public Console {
 public:
  enum class Colors : std::uint8_t { kNever, kOnTerminals };
  explicit StandardConsole(Colors colors);

  void Write(std::string_view data) override;
  void Tell(std::string_view message) override;
  Status Flush() override;
  bool reader_gone() const override;
  Result<std::string> ReadInput(std::uint64_t max_bytes) override;

  bool animates() const override { return animates_; }
  bool colors_data() const override { return colors_data_; }
  bool colors_messages() const override { return colors_messages_; }

 private:
  void NoteError();

  const bool animates_;
  const bool colors_data_;
  const bool colors_messages_;
  mutable std::mutex mutex_;
  int error_ = 0;  // The errno of the first write to standard output that failed.
};

}  // namespace cirein
