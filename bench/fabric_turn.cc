// SPDX-License-Identifier: Apache-2.0
#include "bench/fabric_turn.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <limits>
#include <new>
#include <sched.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace cirein::bench {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
// Beyond any turn; then something hangs.
constexpr unsigned kTurnSecondsMax = 120;

// The core of the n-th process: of those that this program may use.
unsigned CoreOf(unsigned process, Cores cores) {
  static const std::vector<unsigned> allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    std::vector<unsigned> found;
    for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) found.push_back(core);
    }
    return found;
  }();
  const std::size_t wanted = cores == Cores::kOne ? 0 : process;
  return allowed.empty() ? 0 : allowed[wanted % allowed.size()];
}

[[noreturn]] void BeChild(Meeting& meeting, unsigned core, const Part& part) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(kTurnSecondsMax);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
  part(meeting);
  std::fflush(stdout);
  _exit(0);
}

pid_t Fork(Meeting& meeting, unsigned core, const Part& part) {
  const pid_t pid = fork();
  if (pid == 0) BeChild(meeting, core, part);
  return pid;
}

bool EndedWell(pid_t pid) {
  if (pid <= 0) return false;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return status == 0;
}

// Answers come in bursts of as many as are on their way.
std::size_t PerLapMin(Cell cell) { return cell == Cell::kRate ? kOutstanding : 1; }

// A carrier that loses bytes would be the fastest.
void CheckBytes(Client& client, std::size_t bytes) {
  const std::span<std::byte> memory = client.memory().first(bytes);
  const auto byte_at = [](std::size_t i) { return static_cast<std::byte>(i * 7 + 3); };
  for (std::size_t i = 0; i < bytes; ++i) memory[i] = byte_at(i);
  const auto once = [&client, memory](Cell operation) {
    Laps laps(Seconds(0), 1);
    laps.Start();
    client.Operate(operation, memory, laps);
  };
  once(Cell::kWrite);
  std::fill(memory.begin(), memory.end(), std::byte{0});
  once(Cell::kRead);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (memory[i] != byte_at(i)) Fail(fmt::format("byte {} of {} is another one", i, bytes));
  }
}

double Take(Client& client, const Measure& measure, Seconds length) {
  Laps laps(length, PerLapMin(measure.cell));
  if (measure.cell == Cell::kRead || measure.cell == Cell::kWrite) {
    CheckBytes(client, measure.bytes);
  }
  laps.Start();
  if (measure.cell == Cell::kRoundTrip || measure.cell == Cell::kRate) {
    client.Exchange(measure.cell == Cell::kRate ? kOutstanding : 1, laps);
  } else {
    client.Operate(measure.cell, client.memory().first(measure.bytes), laps);
  }
  return laps.MedianSeconds();
}

}  // namespace

void Fail(const std::string& why) {
  fmt::print(stderr, "fabric_bench: {}\n", why);
  std::fflush(stderr);
  _exit(1);
}

void Tell(Meeting::Note& note, std::span<const std::byte> text) {
  if (text.empty() || text.size() > note.text.size()) Fail("a note does not fit");
  std::memcpy(note.text.data(), text.data(), text.size());
  note.bytes.store(static_cast<std::uint32_t>(text.size()), std::memory_order_release);
}

std::vector<std::byte> Hear(Meeting::Note& note) {
  std::uint32_t bytes = 0;
  while ((bytes = note.bytes.load(std::memory_order_acquire)) == 0) usleep(200);
  return {note.text.begin(), note.text.begin() + bytes};
}

void Laps::Start() {
  start_ = Clock::now();
  lap_start_ = start_;
}

bool Laps::EndLap() {
  const Clock::time_point now = Clock::now();
  const Seconds lap = now - lap_start_;
  over_ = over_ || now - start_ >= length_;
  if (lap < kLapMin && !over_) {
    per_lap_ *= 2;
    laps_.clear();
  } else {
    laps_.push_back(lap.count() / static_cast<double>(per_lap_));
  }
  count_ = 0;
  lap_start_ = Clock::now();
  return !over_;
}

double Laps::MedianSeconds() const { return laps_.empty() ? kNone : Median(laps_); }

SharedMeeting::SharedMeeting() {
  void* const memory =
      mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Fail("there is no shared memory");
  meeting_ = new (memory) Meeting;
}

SharedMeeting::~SharedMeeting() { munmap(meeting_, sizeof(Meeting)); }

bool RunPair(Meeting& meeting, Cores cores, const Part& server, const Part& client) {
  std::fflush(stdout);
  const pid_t serving = Fork(meeting, CoreOf(1, cores), server);
  meeting.server = serving;
  const pid_t asking = Fork(meeting, CoreOf(0, cores), client);
  const bool asked = EndedWell(asking);
  meeting.over = true;
  // One that waits for a client that failed would wait for ever.
  if (!asked && serving > 0) kill(serving, SIGKILL);
  const bool served = EndedWell(serving);
  return asked && served;
}

std::vector<double> RunTurn(Carrier& carrier, std::span<const Measure> measures, Cores cores,
                            Seconds length) {
  const Patience patience = cores == Cores::kOne ? Patience::kYields : Patience::kPolls;
  std::vector<double> results(measures.size(), kNone);
  const bool offers_some =
      std::any_of(measures.begin(), measures.end(),
                  [&](const Measure& measure) { return carrier.Offers(measure.cell, patience); });
  if (!offers_some) return results;
  SharedMeeting meeting;
  std::fill(meeting->results.begin(), meeting->results.end(), kNone);
  const bool well = RunPair(
      *meeting, cores, [&](Meeting& with) { carrier.Serve(with, patience); },
      [&](Meeting& with) {
        const std::unique_ptr<Client> client = carrier.Connect(with, patience);
        for (std::size_t i = 0; i < measures.size(); ++i) {
          if (!carrier.Offers(measures[i].cell, patience)) continue;
          with.results.at(i) = Take(*client, measures[i], length);
        }
        with.over = true;
      });
  if (!well) fmt::print(stderr, "fabric_bench: a turn of {} did not end well\n", carrier.name());
  // What was measured before stands.
  std::copy_n(meeting->results.begin(), results.size(), results.begin());
  return results;
}

std::vector<std::vector<Rounds>> RunRounds(std::span<const std::unique_ptr<Carrier>> carriers,
                                           std::span<const Measure> measures, Cores cores,
                                           Seconds length, std::size_t rounds) {
  std::vector<std::vector<Rounds>> all(carriers.size(), std::vector<Rounds>(measures.size()));
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t c = 0; c < carriers.size(); ++c) {
      const std::vector<double> turn = RunTurn(*carriers[c], measures, cores, length);
      for (std::size_t m = 0; m < measures.size(); ++m) all[c][m].push_back(turn[m]);
    }
  }
  return all;
}

double MedianOfRounds(const Rounds& rounds) {
  Rounds numbers;
  std::copy_if(rounds.begin(), rounds.end(), std::back_inserter(numbers),
               [](double value) { return !std::isnan(value); });
  return numbers.empty() ? kNone : Median(numbers);
}

double MedianRatio(const Rounds& ours, const Rounds& theirs) {
  Rounds ratios;
  for (std::size_t round = 0; round < std::min(ours.size(), theirs.size()); ++round) {
    ratios.push_back(ours[round] / theirs[round]);
  }
  return MedianOfRounds(ratios);
}

}  // namespace cirein::bench
