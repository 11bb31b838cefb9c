// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/directory.h"
#include "cirein/status.h"

#include "runtime/clock.h"

namespace cirein {

/// One process of a group, as it stands at the meeting place. What is written there is not changed,
/// only removed: a process that comes anew has another token.
struct Attendee {
  std::size_t rank = 0;
  std::size_t size = 1;     ///< Of the group, as this one thinks.
  std::uint64_t token = 0;  ///< No other has it.
  std::string address;

  /// All but the address, as a short text: "3of8-00000000000000a7".
  std::string Name() const;
  /// Of such a text, without the address; nullopt for any other.
  static std::optional<Attendee> FromName(std::string_view name);

  friend bool operator==(const Attendee&, const Attendee&) = default;
};

/// Where the processes of one group say where they are. Not thread-safe; calls block.
class MeetingPlace {
 public:
  virtual ~MeetingPlace() = default;
  virtual Status Come(const Attendee& who) = 0;
  /// What is not there is no error.
  virtual Status Remove(const Attendee& who) = 0;
  /// All who are there, by rank and token.
  virtual Result<std::vector<Attendee>> Look() = 0;
  /// Comes back when another look may show something else, at `end` at last.
  virtual void Wait(TimePoint end) = 0;
};

/// A folder that the processes share: a file for each, called "<run>.<name>", which appears whole.
/// Files of other runs are not looked at.
std::unique_ptr<MeetingPlace> MakeFolderPlace(std::string folder, std::string run);
/// An entry of the directory, which is not removed at the end.
Result<std::unique_ptr<MeetingPlace>> MakeDirectoryPlace(Directory directory,
                                                         const std::string& run, std::size_t size);

struct MeetingOptions {
  const Clock& clock;
  TimePoint end;
  /// Does a process answer at the address? Blocks.
  std::function<bool(const std::string& address)> is_there;
  /// Is this process about to end?
  std::function<bool()> gives_up;
};

/// Comes there, and waits until each rank has come once. Of two of one rank the later one counts
/// if the former is not there any more; else it is refused, AlreadyExists. The addresses, by rank.
/// Further errors: InvalidArgument (others have another size), DeadlineExceeded, which names the
/// ranks that are missing, Unavailable, the place's. After an error this one is not there any more.
Result<std::vector<std::string>> Meet(MeetingPlace& place, const Attendee& self,
                                      const MeetingOptions& options);

}  // namespace cirein
