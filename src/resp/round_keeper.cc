// SPDX-License-Identifier: Apache-2.0
#include "resp/round_keeper.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <absl/container/inlined_vector.h>

#include "base/logging.h"

namespace cirein::resp {

void RoundKeeper::Keep(std::span<Session* const> round) {
  absl::InlinedVector<Due, 2> due;
  const auto add = [&due](Keeper* keeper, std::uint64_t ticket) {
    if (ticket == 0) return;
    for (Due& each : due) {
      if (each.keeper == keeper) {
        each.ticket = std::max(each.ticket, ticket);
        return;
      }
    }
    due.push_back({keeper, ticket});
  };
  for (const Session* const session : round) {
    if (!session->busy()) add(session->round_keeper(), session->round_ticket());
  }
  for (const StripedStore::Committed& tell : tells_) add(tell.keeper, tell.ticket);
  if (due.empty() && tells_.empty()) return;
  const std::span<Due> all(due.data(), due.size());
  if (keeping_ == Keeping::kAtOnce) {
    KeepAtOnce(round, all);
  } else {
    KeepLater(round, all);
  }
}

void RoundKeeper::KeepAtOnce(std::span<Session* const> round, std::span<const Due> due) {
  Status failed;
  for (const Due& each : due) {
    if (Status status = each.keeper->Await(each.ticket); !status.ok()) failed = status;
  }
  if (!failed.ok()) LogError("resp", "replies cannot be given: {}", failed.ToString());
  for (StripedStore::Committed& tell : std::exchange(tells_, {})) {
    StripedStore::Tell(tell, failed);
  }
  for (Session* const session : round) {
    if (session->busy() || session->round_ticket() == 0) continue;
    if (!failed.ok()) session->Break();
    session->ReleaseRound();
  }
}

void RoundKeeper::KeepLater(std::span<Session* const> round, std::span<Due> due) {
  for (Due& each : due) each.question = ++last_question_;
  for (Session* const session : round) {
    if (session->busy()) continue;
    const auto asked = std::find_if(due.begin(), due.end(), [session](const Due& each) {
      return each.keeper == session->round_keeper();
    });
    if (asked != due.end()) session->HoldRound(asked->question);
  }
  auto tells = std::make_shared<std::vector<StripedStore::Committed>>(std::exchange(tells_, {}));
  for (const Due& each : due) {
    each.keeper->WhenKept(each.ticket, [each, tells, answered = answered_](const Status& status) {
      for (StripedStore::Committed& tell : *tells) {
        if (tell.keeper == each.keeper) StripedStore::Tell(tell, status);
      }
      answered(each.question, status);
    });
  }
  for (StripedStore::Committed& tell : *tells) {
    if (tell.ticket == 0) StripedStore::Tell(tell, OkStatus());
  }
}

bool RoundKeeper::Kept(Session& session, std::uint64_t question, const Status& status) {
  if (!session.has_holds()) return false;
  if (status.ok()) {
    session.Kept(question);
  } else {
    session.Break();
  }
  return true;
}

}  // namespace cirein::resp
