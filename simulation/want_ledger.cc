// SPDX-License-Identifier: Apache-2.0
#include "simulation/want_ledger.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::simulation {

void WantLedger::Parked(WantId id, ClientId client, std::string what, Times times) {
  wants_[id].parkings.push_back({client, std::move(what), times});
}

void WantLedger::Answered(WantId id, WantAnswer answer, TimePoint at) {
  wants_[id].ends.push_back({std::move(answer), {}, at});
}

void WantLedger::Failed(WantId id, std::string why, TimePoint at) {
  wants_[id].ends.push_back({std::nullopt, std::move(why), at});
}

std::string WantLedger::End::ToString() const {
  if (!answer) return fmt::format("failed at {} ({})", TimeText(at), why);
  return fmt::format("answered at {} with #{} of {} {}", TimeText(at), answer->seen.value,
                     QuoteForPeople(answer->row), ColumnText(answer->column));
}

void WantLedger::JudgeOne(WantId id, const Want& want, std::chrono::nanoseconds slack,
                          std::vector<std::string>& findings) {
  std::string name = fmt::format("want {}", id);
  const auto find = [&](const std::string& what) { findings.push_back(name + ": " + what); };
  if (want.parkings.empty()) {
    for (const End& end : want.ends) find("never parked, but " + end.ToString());
    return;
  }
  const Parking& parking = want.parkings.front();
  name += fmt::format(" of client {} for {}, parked at {}, deadline {}", parking.client.number,
                      QuoteForPeople(parking.what), TimeText(parking.times.parked),
                      TimeText(parking.times.deadline));
  if (want.parkings.size() > 1) find("parked twice");
  if (want.ends.empty()) {
    find("neither answered nor failed");
    return;
  }
  const End& first = want.ends.front();
  for (std::size_t i = 1; i < want.ends.size(); ++i) {
    find(first.ToString() + ", and again " + want.ends[i].ToString());
  }
  if (first.at < parking.times.parked) find(first.ToString() + ", before it was parked");
  // Written so that it cannot overflow.
  if (first.at > parking.times.deadline && first.at - slack > parking.times.deadline) {
    find(first.ToString() + ", too late");
  }
  if (first.answer && first.answer->seen.value == kNoValue) {
    find(first.ToString() + ", which is nothing");
  }
}

std::vector<std::string> WantLedger::Judge(std::chrono::nanoseconds slack) const {
  std::vector<std::string> findings;
  for (const auto& [id, want] : wants_) JudgeOne(id, want, slack, findings);
  return findings;
}

void WantLedger::AddAnswersTo(History& history) const {
  for (const auto& [id, want] : wants_) {
    if (want.parkings.empty()) continue;
    const Parking& parking = want.parkings.front();
    for (const End& end : want.ends) {
      if (!end.answer || end.at < parking.times.parked) continue;
      history.Observed(parking.client, end.answer->row, end.answer->column, end.answer->seen,
                       {.from = parking.times.parked, .to = end.at});
    }
  }
}

}  // namespace cirein::simulation
