// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "bench/turns.h"

/// What is compared: ways by which two processes exchange messages and reach each other's memory.
namespace cirein::bench {

inline constexpr std::size_t kMessageBytes = 64;
inline constexpr std::size_t kMemoryBytes = std::size_t{16} << 20;
using Message = std::array<std::byte, kMessageBytes>;

/// Requests that are answered, one at a time and many; operations on the other process's memory,
/// one at a time.
enum class Cell : std::uint8_t { kRoundTrip, kRate, kRead, kWrite, kSwap };
inline constexpr std::size_t kOutstanding = 64;

struct Measure {
  Cell cell = Cell::kRoundTrip;
  std::size_t bytes = kMessageBytes;
};

/// How a process waits for the other one.
enum class Patience : std::uint8_t { kPolls, kYields };

/// What the two processes of one turn share.
struct Meeting {
  struct Note {
    std::atomic<std::uint32_t> bytes{0};  ///< 0: not written yet.
    std::array<std::byte, 8192> text;
  };
  Note from_server;
  Note from_client;
  alignas(64) std::atomic<bool> over{false};
  std::atomic<pid_t> server{0};
  alignas(64) std::array<double, 64> results;
  /// How much each side has done so far.
  alignas(64) std::atomic<std::uint64_t> done_by_server{0};
  alignas(64) std::atomic<std::uint64_t> done_by_client{0};
};

/// Ends the process of a turn: the turn has no result.
[[noreturn]] void Fail(const std::string& why);

/// Tells the other process; once.
void Tell(Meeting::Note& note, std::span<const std::byte> text);
/// Waits until it has told.
std::vector<std::byte> Hear(Meeting::Note& note);

template <typename T>
void TellValue(Meeting::Note& note, const T& value) {
  Tell(note, std::as_bytes(std::span(&value, 1)));
}
template <typename T>
T HearValue(Meeting::Note& note) {
  const std::vector<std::byte> text = Hear(note);
  if (text.size() != sizeof(T)) Fail("the other process told something else");
  T value;
  std::memcpy(&value, text.data(), sizeof value);
  return value;
}

/// Takes the time of laps of some operations each. The median of the laps is the result: what else
/// runs on the machine takes whole slices of time, and so spoils few of them. Laps grow until the
/// readings of the clock between them are nothing, and stay far below a slice.
class Laps {
 public:
  Laps(Seconds length, std::size_t per_lap_min) : length_(length), per_lap_(per_lap_min) {}

  void Start();
  /// One more has ended; false when the time is over, also ever after.
  bool Count() {
    if (++count_ < per_lap_) [[likely]]
      return !over_;
    return EndLap();
  }
  /// Of one operation.
  double MedianSeconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Seconds kLapMin{20e-6};
  bool EndLap();

  const Seconds length_;
  std::size_t per_lap_;
  Clock::time_point start_;
  Clock::time_point lap_start_;
  std::size_t count_ = 0;
  bool over_ = false;
  std::vector<double> laps_;
};

/// The process that measures. Of each call: until the laps are over, and nothing is on its way.
class Client {
 public:
  virtual ~Client() = default;
  /// Requests of kMessageBytes, each answered with the same bytes.
  virtual void Exchange(std::size_t outstanding, Laps& laps) = 0;
  /// kRead into `memory`, kWrite out of it, or kSwap of a word, at the beginning of the other
  /// process's memory; ended when the effect is seen there.
  virtual void Operate(Cell operation, std::span<std::byte> memory, Laps& laps) = 0;
  /// What Operate may be given: kMemoryBytes.
  virtual std::span<std::byte> memory() = 0;
};

class Carrier {
 public:
  explicit Carrier(std::string name) : name_(std::move(name)) {}
  virtual ~Carrier() = default;

  const std::string& name() const { return name_; }
  virtual bool Offers(Cell cell, Patience patience) const = 0;
  /// The process that answers; returns when the meeting is over or the other side has gone.
  virtual void Serve(Meeting& meeting, Patience patience) = 0;
  virtual std::unique_ptr<Client> Connect(Meeting& meeting, Patience patience) = 0;

 private:
  const std::string name_;
};

}  // namespace cirein::bench
