// SPDX-License-Identifier: Apache-2.0
#include "simulation/fault_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;

// What a kind of fault needs besides its time and its target.
struct KindWords {
  Kind kind;
  std::string_view name;
  bool has_other;
  bool has_factor;
  bool lasts;
};
constexpr auto kKinds = std::to_array<KindWords>({
    {Kind::kKill, "kill", false, false, true},
    {Kind::kPowerLoss, "power", false, false, true},
    {Kind::kPause, "pause", false, false, true},
    {Kind::kSlow, "slow", false, true, true},
    {Kind::kCut, "cut", true, false, true},
    {Kind::kDelay, "delay", true, true, true},
    {Kind::kBreak, "break", false, false, false},
    {Kind::kFull, "full", false, false, true},
});
constexpr std::uint64_t kMaxFactor = 1000;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;

const KindWords& WordsOf(Kind kind) {
  return *std::find_if(kKinds.begin(), kKinds.end(),
                       [&](const KindWords& each) { return each.kind == kind; });
}

std::vector<std::string_view> WordsIn(std::string_view line) {
  std::vector<std::string_view> words;
  line = line.substr(0, line.find('#'));
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

Result<Kind> ParseKind(std::string_view name) {
  std::vector<std::string_view> names;
  for (const KindWords& each : kKinds) {
    if (each.name == name) return each.kind;
    names.push_back(each.name);
  }
  return InvalidArgument(fmt::format(
      "there is no fault \"{}\"; {}", EscapeForPeople(name),
      DidYouMean(name, names, "there are kill, power, pause, slow, cut, delay, break and full")));
}

// "to B", "by 3", "for 5ms": each at most once, and just those that the kind has.
Status ParseRest(std::span<const std::string_view> words, const KindWords& kind, Fault& fault) {
  bool has_other = false;
  bool has_factor = false;
  bool lasts = false;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] == "to" && kind.has_other && !has_other) {
      fault.other = words[i + 1];
      has_other = true;
    } else if (words[i] == "by" && kind.has_factor && !has_factor) {
      CIREIN_ASSIGN_OR_RETURN(const std::uint64_t factor, ParseUint64(words[i + 1]));
      if (factor < 1 || factor > kMaxFactor) {
        return InvalidArgument(fmt::format("a factor is 1 to {}, not {}", kMaxFactor, factor));
      }
      fault.factor = static_cast<std::uint32_t>(factor);
      has_factor = true;
    } else if (words[i] == "for" && kind.lasts && !lasts) {
      CIREIN_ASSIGN_OR_RETURN(fault.lasts, ParseDuration(words[i + 1]));
      lasts = true;
    } else {
      return InvalidArgument(fmt::format("\"{}\" is not expected here", EscapeForPeople(words[i])));
    }
  }
  if (words.size() % 2 != 0 || has_other != kind.has_other || has_factor != kind.has_factor ||
      lasts != kind.lasts) {
    return InvalidArgument(fmt::format("a {} is \"at TIME {} MACHINE{}{}{}\"", kind.name, kind.name,
                                       kind.has_other ? " to MACHINE" : "",
                                       kind.has_factor ? " by FACTOR" : "",
                                       kind.lasts ? " for TIME" : ""));
  }
  return OkStatus();
}

Result<Fault> ParseFault(std::span<const std::string_view> words) {
  constexpr std::size_t kLeastWords = 4;
  if (words.size() < kLeastWords || words[0] != "at") {
    return InvalidArgument(
        "a fault is \"at TIME KIND MACHINE ...\", e.g. \"at 1s kill server for "
        "50ms\"");
  }
  Fault fault;
  CIREIN_ASSIGN_OR_RETURN(fault.at, ParseDuration(words[1]));
  CIREIN_ASSIGN_OR_RETURN(fault.kind, ParseKind(words[2]));
  fault.target = words[3];
  CIREIN_RETURN_IF_ERROR(ParseRest(words.subspan(kLeastWords), WordsOf(fault.kind), fault));
  return fault;
}

// Kinds that need the process of the target to be there.
bool NeedsProcess(Kind kind) {
  return kind == Kind::kKill || kind == Kind::kPowerLoss || kind == Kind::kPause ||
         kind == Kind::kSlow || kind == Kind::kBreak || kind == Kind::kFull;
}
bool EndsProcess(Kind kind) { return kind == Kind::kKill || kind == Kind::kPowerLoss; }

bool MaySuffer(const FaultTarget& target, Kind kind) {
  switch (kind) {
    case Kind::kKill:
    case Kind::kPause:
    case Kind::kSlow:
      return target.may_stop;
    case Kind::kPowerLoss:
      return target.may_lose_power;
    case Kind::kFull:
      return target.may_fill;
    case Kind::kCut:
    case Kind::kDelay:
    case Kind::kBreak:
      return true;
  }
  return false;
}

// Mostly short against the run, sometimes longer than any lease or keepalive.
std::chrono::nanoseconds DrawTime(Random& random, std::chrono::nanoseconds longest) {
  if (random.OneIn(12)) return std::chrono::milliseconds(1 + random.Below(10'000));
  const auto longest_us = static_cast<std::uint64_t>(longest / 1us);
  const std::uint64_t scale =
      random.OneIn(4) ? longest_us : std::max<std::uint64_t>(longest_us / 20, 1);
  return std::chrono::microseconds(1 + random.Below(scale));
}

}  // namespace

std::string Fault::ToString() const {
  const KindWords& words = WordsOf(kind);
  std::string text = fmt::format("at {} {} {}", FormatDuration(at), words.name, target);
  if (words.has_other) text += fmt::format(" to {}", other);
  if (words.has_factor) text += fmt::format(" by {}", factor);
  if (words.lasts) text += fmt::format(" for {}", FormatDuration(lasts));
  return text;
}

FaultPlan::FaultPlan(std::vector<Fault> faults) : faults_(std::move(faults)) {
  std::stable_sort(faults_.begin(), faults_.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
}

Result<FaultPlan> FaultPlan::Parse(std::string_view text) {
  if (text.size() > kMaxTextBytes) return InvalidArgument("a fault plan has at most 1 MiB");
  std::vector<Fault> faults;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = WordsIn(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    Result<Fault> fault = ParseFault(words);
    if (!fault.ok()) {
      return InvalidArgument(
          fmt::format("line {} of the fault plan: {}", line, fault.status().message()));
    }
    faults.push_back(*std::move(fault));
    if (faults.size() > kMaxFaults) {
      return InvalidArgument(fmt::format("a fault plan has at most {} faults", kMaxFaults));
    }
  }
  return FaultPlan(std::move(faults));
}

FaultPlan FaultPlan::Draw(Random& random, std::span<const FaultTarget> targets,
                          std::chrono::nanoseconds length, std::size_t faults_max) {
  const std::size_t wanted = targets.empty() ? 0 : random.Below(faults_max + 1);
  // Each run has its own mixture: half of the kinds do not happen in it.
  const std::uint64_t kinds = random.Fork()();
  FaultPlan plan;
  for (std::size_t tries = 0; tries < 10 * wanted && plan.faults_.size() < wanted; ++tries) {
    Fault fault;
    const KindWords& words = kKinds[random.Below(kKinds.size())];
    if ((kinds >> static_cast<unsigned>(words.kind) & 1) == 0) continue;
    fault.kind = words.kind;
    fault.at = std::chrono::microseconds(random.Below(static_cast<std::uint64_t>(length / 1us)));
    fault.target = targets[random.Below(targets.size())].name;
    if (words.has_other) fault.other = targets[random.Below(targets.size())].name;
    if (words.has_factor) fault.factor = static_cast<std::uint32_t>(2 + random.Below(50));
    if (words.lasts) fault.lasts = DrawTime(random, length / 2);
    std::vector<Fault> more = plan.faults_;
    more.push_back(fault);
    FaultPlan longer(std::move(more));
    if (longer.Check(targets).ok()) plan = std::move(longer);
  }
  return plan;
}

Status FaultPlan::Check(std::span<const FaultTarget> targets) const {
  std::map<std::string_view, const FaultTarget*> known;
  std::vector<std::string_view> names;
  for (const FaultTarget& target : targets) {
    known.emplace(target.name, &target);
    names.push_back(target.name);
  }
  std::map<std::string_view, std::chrono::nanoseconds> down_until;
  for (const Fault& fault : faults_) {
    const KindWords& words = WordsOf(fault.kind);
    const auto impossible = [&](std::string_view why) {
      return FailedPrecondition(
          fmt::format("the fault \"{}\" is impossible: {}", fault.ToString(), why),
          "mend the plan: the events of a run (--log FILE) show its machines");
    };
    for (const std::string* name : {&fault.target, &fault.other}) {
      if (name == &fault.other && !words.has_other) continue;
      if (!known.contains(*name)) {
        return impossible(fmt::format("there is no machine \"{}\"; {}", EscapeForPeople(*name),
                                      DidYouMean(*name, names, "see what the scenario has")));
      }
    }
    if (words.has_other && fault.target == fault.other) return impossible("both ends are the same");
    if (!MaySuffer(*known[fault.target], fault.kind)) {
      return impossible(fmt::format("the scenario does not allow it for {}", fault.target));
    }
    if (fault.at < 0ns) return impossible("it is before the beginning");
    if (words.lasts && fault.lasts <= 0ns) return impossible("it lasts no time at all");
    if (fault.lasts > 24h || fault.at > 24h) return impossible("a run is at most a day");
    if (!NeedsProcess(fault.kind)) continue;
    if (down_until[fault.target] >= fault.at && down_until[fault.target] > 0ns) {
      return impossible(fmt::format("{} is down then", fault.target));
    }
    if (EndsProcess(fault.kind)) down_until[fault.target] = fault.at + fault.lasts;
  }
  return OkStatus();
}

FaultPlan FaultPlan::Without(std::size_t first, std::size_t count) const {
  FaultPlan plan = *this;
  const auto begin = plan.faults_.begin() + static_cast<std::ptrdiff_t>(first);
  plan.faults_.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
  return plan;
}

std::string FaultPlan::ToString() const {
  std::string text;
  for (const Fault& fault : faults_) text += fault.ToString() + "\n";
  return text;
}

}  // namespace cirein::simulation
