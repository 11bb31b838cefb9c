// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_history.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "base/fatal.h"
#include "base/hash.h"
#include "base/text.h"

namespace cirein::simulation {

namespace {

constexpr std::size_t kShownText = 60;
constexpr std::size_t kShownAnswers = 300;

std::string Shortened(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  return fmt::format("{}...({} bytes)", text.substr(0, most), text.size());
}

std::string WordsText(const RedisWords& words) {
  std::string line;
  for (const std::string& word : words) {
    line += (line.empty() ? "" : " ") + EscapeForPeople(word, kShownText);
  }
  return line;
}

/// The answer of one that did nothing: the pool was full.
bool IsRefusal(std::string_view answer) {
  return answer.starts_with("-OOM") || answer.starts_with("-RESOURCE_EXHAUSTED") ||
         answer.starts_with("-UNAVAILABLE");
}

bool OnlyLooks(const RedisCall& call) {
  static constexpr std::string_view kLooks[] = {"GET",  "MGET", "HGET", "HGETALL", "HLEN",
                                                "PTTL", "TYPE", "KEYS", "EXISTS",  "CIREIN.NEED"};
  return !call.watch &&
         std::all_of(call.commands.begin(), call.commands.end(), [](const RedisWords& words) {
           return std::find(std::begin(kLooks), std::end(kLooks), words[0]) != std::end(kLooks);
         });
}

}  // namespace

std::string RedisRecord::ToString() const {
  std::string line =
      fmt::format("#{} client{} {} group {}: ", id, client.number, connection, group);
  if (call.is_exec) line += "MULTI";
  if (call.watch) line += fmt::format(" (watch #{})", *call.watch);
  for (const RedisWords& words : call.commands)
    line += (call.is_exec ? "; " : "") + WordsText(words);
  line += fmt::format(", {} to {}: ", TimeText(invoked.time),
                      completed == kNever ? "?" : TimeText(completed.time));
  if (is_lost) return line + "never done";
  if (!answers) return line + "unknown";
  std::string all;
  for (const std::string& answer : *answers) all += (all.empty() ? "" : " | ") + answer;
  return line + Shortened(all, kShownAnswers);
}

std::string RedisHistory::NewConnection() {
  return *open_.insert(fmt::format("k{}", ++connections_)).first;
}

OperationId RedisHistory::Begin(const Origin& origin, RedisCall call, TimePoint now) {
  RedisRecord record;
  record.id = records_.size();
  record.client = origin.client;
  record.connection = origin.connection;
  record.group = origin.group;
  record.call = std::move(call);
  record.invoked = {now, next_event_++};
  record.is_lost = !open_.contains(origin.connection);
  records_.push_back(std::move(record));
  return records_.back().id;
}

void RedisHistory::End(OperationId id, std::vector<std::string> answers, TimePoint now) {
  RedisRecord& record = records_.at(id);
  if (record.answers || record.is_lost) Fatal("a call of a history ends that cannot");
  record.answers = std::move(answers);
  record.completed = {now, next_event_++};
}

void RedisHistory::Limit(RedisRecord& record, TimePoint now) {
  if (record.answers || record.completed != kNever) return;
  record.completed = {now, next_event_++};
}

void RedisHistory::ConnectionEnded(const std::string& connection, TimePoint now) {
  open_.erase(connection);
  for (RedisRecord& record : records_) {
    if (record.connection == connection) Limit(record, now);
  }
}

void RedisHistory::ServerStarted(TimePoint now) {
  open_.clear();
  for (RedisRecord& record : records_) Limit(record, now);
}

std::string RedisHistory::ToString() const {
  std::string text;
  for (const RedisRecord& record : records_) text += record.ToString() + "\n";
  return text;
}

namespace {

/// Looks for an order of one group's calls.
class Search {
 public:
  Search(const std::vector<const RedisRecord*>& records, const RedisJudgeOptions& options);

  enum class Found : std::uint8_t { kOrder, kNone, kUndecided };
  Found Run();
  std::uint64_t steps() const noexcept { return steps_; }
  /// How far it came, and what stood in the way there.
  std::string Report() const;

 private:
  static constexpr std::size_t kNobody = ~std::size_t{0};
  /// A call or an expiry.
  struct Item {
    const RedisRecord* record = nullptr;
    std::vector<ExpiryId> expiries = {};  ///< That its commands set, one for each; 0: none.
    ExpiryId expiry = 0;                  ///< That it is.
    std::size_t before = kNobody;         ///< It comes after that one, of the same connection, or
                                          ///< of which it is the expiry.
    Moment invoked = {};
    Moment completed = kNever;
    bool is_known() const { return record != nullptr && record->answers.has_value(); }
  };
  struct Ttl {
    const RedisRecord* setter;
    std::chrono::nanoseconds ttl;
  };
  struct Place {
    RedisState state = {};
    std::vector<bool> done = {};
    std::size_t done_count = 0;
    std::size_t first = 0;  ///< All before it is done, or can come no more.
    Moment latest = {};     ///< The latest beginning of all that is done.
  };

  void AddExpiries(std::size_t setter);
  bool IsMandatory(const Place& place, std::size_t i) const {
    const Item& item = items_[i];
    return item.is_known() || (item.expiry != 0 && place.done[item.before]);
  }
  /// What may come next, the earliest to end first.
  std::vector<std::size_t> Candidates(const Place& place, bool* finished) const;
  enum class Fit : std::uint8_t { kNot, kUnchanged, kChanges };
  /// Puts it into the order, if it fits.
  Fit Take(Place& place, std::size_t i, std::string* why) const;
  bool AnswersFit(const Item& item, RedisState& state, bool* changed, std::string* why) const;
  bool RemainingFits(const RedisRecord& record, ExpiryId expiry, std::string_view answer) const;
  /// Is there something that may have happened, but not after this has?
  bool EndsSome(const Place& place, std::size_t i) const;
  std::uint64_t DigestOf(const Place& place) const;
  Found Go(Place place);
  Moment Earlier(Moment moment, std::chrono::nanoseconds by) const {
    return {moment.time - std::min(by, moment.time), 0};
  }

  const RedisJudgeOptions& options_;
  std::vector<Item> items_;  // By their beginning.
  std::vector<Ttl> ttls_;    // Of expiry i + 1.
  std::size_t known_ = 0;    // Items with answers.
  std::uint64_t steps_ = 0;
  std::unordered_set<std::uint64_t> seen_;
  Place best_;
};

Search::Search(const std::vector<const RedisRecord*>& records, const RedisJudgeOptions& options)
    : options_(options) {
  std::map<std::string, std::size_t> last;
  for (const RedisRecord* const record : records) {
    Item item;
    item.record = record;
    item.invoked = record->invoked;
    item.completed = record->completed;
    const auto [before, fresh] = last.try_emplace(record->connection, items_.size());
    if (!fresh) item.before = std::exchange(before->second, items_.size());
    items_.push_back(std::move(item));
    AddExpiries(items_.size() - 1);
  }
  // Those that they come after are found again by what they are.
  std::vector<std::size_t> order(items_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return items_[a].invoked < items_[b].invoked;
  });
  std::vector<std::size_t> place(items_.size());
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  std::vector<Item> sorted;
  for (const std::size_t i : order) {
    sorted.push_back(std::move(items_[i]));
    if (sorted.back().before != kNobody) sorted.back().before = place[sorted.back().before];
  }
  items_ = std::move(sorted);
  for (const Item& item : items_) known_ += item.is_known() ? 1U : 0U;
}

void Search::AddExpiries(std::size_t setter) {
  const RedisRecord& record = *items_[setter].record;
  for (const RedisWords& words : record.call.commands) {
    const std::chrono::milliseconds ttl(TtlOf(words));
    items_[setter].expiries.push_back(0);
    if (ttl.count() == 0) continue;
    ttls_.push_back({&record, ttl});
    const auto id = static_cast<ExpiryId>(ttls_.size());
    items_[setter].expiries.back() = id;
    Item expiry;
    expiry.expiry = id;
    expiry.before = setter;
    expiry.invoked = Earlier({record.invoked.time + ttl, 0}, options_.expiry_margin);
    if (record.completed != kNever) {
      expiry.completed = LastOf(record.completed.time + ttl + options_.expiry_margin);
    }
    items_.push_back(std::move(expiry));
  }
}

std::vector<std::size_t> Search::Candidates(const Place& place, bool* finished) const {
  *finished = place.done_count == known_;
  // Whatever begins after the end of one that is to come must wait for it.
  Moment first_end = kNever;
  for (std::size_t i = place.first; i < items_.size() && items_[i].invoked <= first_end; ++i) {
    if (!place.done[i] && IsMandatory(place, i)) {
      first_end = std::min(first_end, items_[i].completed);
    }
  }
  std::vector<std::size_t> candidates;
  for (std::size_t i = place.first; i < items_.size(); ++i) {
    const Item& item = items_[i];
    if (item.invoked > first_end) break;
    if (place.done[i] || item.completed < place.latest) continue;
    if (item.before != kNobody && !place.done[item.before]) continue;
    candidates.push_back(i);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [this](std::size_t a, std::size_t b) {
    return items_[a].completed < items_[b].completed;
  });
  return candidates;
}

bool Search::RemainingFits(const RedisRecord& record, ExpiryId expiry,
                           std::string_view answer) const {
  if (!answer.starts_with(':') || answer.starts_with(":-")) return false;
  const auto number = ParseUint64(answer.substr(1));
  if (!number.ok()) return false;
  const std::chrono::nanoseconds left = std::chrono::milliseconds(*number);
  const Ttl& ttl = ttls_[expiry - 1];
  const auto margin = options_.expiry_margin;
  const TimePoint earliest = ttl.setter->invoked.time + ttl.ttl - margin;
  const bool late_enough = left + record.completed.time >= earliest;
  if (ttl.setter->completed == kNever) return late_enough;
  return late_enough && record.invoked.time + left <= ttl.setter->completed.time + ttl.ttl + margin;
}

bool Search::AnswersFit(const Item& item, RedisState& state, bool* changed,
                        std::string* why) const {
  const RedisRecord& record = *item.record;
  const auto& answers = record.answers;
  if (record.call.commands[0][0] == "WATCH") {
    const RedisWords& words = record.call.commands[0];
    ApplyWatch(state, static_cast<WatchId>(record.id + 1), {words.begin() + 1, words.end()});
    *changed = true;
    return true;
  }
  if (record.call.watch) {
    const auto watch = state.watches.find(static_cast<WatchId>(*record.call.watch + 1));
    const bool touched = watch == state.watches.end() || watch->second.touched;
    if (watch != state.watches.end()) state.watches.erase(watch);
    *changed = true;
    const bool given_up = answers && answers->size() == 1 && answers->front() == "nil";
    if (answers && given_up != touched && !IsRefusal(answers->front())) {
      if (why != nullptr) *why = touched ? "it must be given up" : "it must not be given up";
      return false;
    }
    if (touched || given_up) return true;
  }
  // All of it was refused.
  if (answers && answers->size() < record.call.commands.size()) {
    if (why != nullptr) *why = "it is answered so only when it is refused";
    return IsRefusal(answers->front());
  }
  for (std::size_t i = 0; i < record.call.commands.size(); ++i) {
    if (answers && IsRefusal((*answers)[i])) continue;
    const RedisAnswer answer = ApplyRedis(state, record.call.commands[i], item.expiries[i]);
    *changed = *changed || answer.changed;
    if (!answers) continue;
    const std::string& seen = (*answers)[i];
    const bool fits =
        answer.remaining != 0 ? RemainingFits(record, answer.remaining, seen) : answer.text == seen;
    if (fits) continue;
    if (why != nullptr) {
      *why = fmt::format("{} would be answered {}", WordsText(record.call.commands[i]),
                         answer.remaining != 0 ? fmt::format("by expiry {}", answer.remaining)
                                               : Shortened(answer.text, kShownAnswers));
    }
    return false;
  }
  return true;
}

Search::Fit Search::Take(Place& place, std::size_t i, std::string* why) const {
  const Item& item = items_[i];
  bool changed = false;
  if (item.expiry != 0) {
    changed = ApplyExpire(place.state, item.expiry);
  } else if (!AnswersFit(item, place.state, &changed, why)) {
    return Fit::kNot;
  }
  place.done[i] = true;
  if (item.is_known()) ++place.done_count;
  place.latest = std::max(place.latest, item.invoked);
  while (place.first < items_.size() &&
         (place.done[place.first] || items_[place.first].completed < place.latest)) {
    ++place.first;
  }
  return changed ? Fit::kChanges : Fit::kUnchanged;
}

bool Search::EndsSome(const Place& place, std::size_t i) const {
  for (std::size_t j = place.first; j < items_.size() && items_[j].invoked < items_[i].invoked;
       ++j) {
    const Moment end = items_[j].completed;
    if (!place.done[j] && end >= place.latest && end < items_[i].invoked) return true;
  }
  return false;
}

std::uint64_t Search::DigestOf(const Place& place) const {
  // What can come no more counts as done.
  std::string bits;
  for (std::size_t i = place.first; i < items_.size() && items_[i].invoked <= place.latest; ++i) {
    bits.push_back(place.done[i] || items_[i].completed < place.latest ? '1' : '0');
  }
  return place.state.Digest(Hash64(bits, place.first));
}

Search::Found Search::Go(Place place) {
  for (;;) {
    if (++steps_ > options_.max_steps) return Found::kUndecided;
    bool finished = false;
    const std::vector<std::size_t> candidates = Candidates(place, &finished);
    if (finished) return Found::kOrder;
    if (place.done_count >= best_.done_count) best_ = place;
    if (!seen_.insert(DigestOf(place)).second) return Found::kNone;
    // One that must come, fits and changes nothing may as well come now.
    bool moved = false;
    std::vector<std::pair<std::size_t, Place>> ways;
    for (const std::size_t i : candidates) {
      Place next = place;
      const Fit fit = Take(next, i, nullptr);
      if (fit == Fit::kNot) continue;
      if (fit == Fit::kUnchanged && IsMandatory(place, i) && !EndsSome(place, i)) {
        place = std::move(next);
        moved = true;
        break;
      }
      ways.emplace_back(i, std::move(next));
    }
    if (moved) continue;
    if (ways.empty()) return Found::kNone;
    for (std::size_t w = 0; w + 1 < ways.size(); ++w) {
      const Found found = Go(std::move(ways[w].second));
      if (found != Found::kNone) return found;
    }
    place = std::move(ways.back().second);
  }
}

Search::Found Search::Run() {
  Place place;
  place.done.resize(items_.size());
  best_ = place;
  return Go(std::move(place));
}

std::string Search::Report() const {
  std::string text = fmt::format("an order was found for {} calls; then there is {}\n",
                                 best_.done_count, best_.state.ToString());
  bool finished = false;
  for (const std::size_t i : Candidates(best_, &finished)) {
    const Item& item = items_[i];
    if (item.expiry != 0) {
      text += fmt::format("may be next: expiry {}, of #{}\n", item.expiry,
                          ttls_[item.expiry - 1].setter->id);
      continue;
    }
    Place next = best_;
    std::string why;
    static_cast<void>(Take(next, i, &why));
    text += fmt::format("may be next: {}{}{}\n", item.record->ToString(),
                        why.empty() ? "" : " -- but: ", why);
  }
  return text;
}

}  // namespace

std::string JudgeRedis(const RedisHistory& history, const RedisJudgeOptions& options) {
  std::map<std::uint32_t, std::vector<const RedisRecord*>> groups;
  std::set<OperationId> used_watches;
  for (const RedisRecord& record : history.records()) {
    if (record.call.watch) used_watches.insert(*record.call.watch);
  }
  for (const RedisRecord& record : history.records()) {
    // A watch that nothing came of says nothing; nor does a look of which nobody knows.
    const bool is_watch = record.call.commands[0][0] == "WATCH";
    if (is_watch && !used_watches.contains(record.id)) continue;
    if (record.is_lost || (!record.answers && OnlyLooks(record.call))) continue;
    groups[record.group].push_back(&record);
  }
  for (const auto& [group, records] : groups) {
    Search search(records, options);
    switch (search.Run()) {
      case Search::Found::kOrder:
        break;
      case Search::Found::kNone:
        return fmt::format("group {} is not linearizable:\n{}", group, search.Report());
      case Search::Found::kUndecided:
        return fmt::format("group {} is undecided after {} steps", group, search.steps());
    }
  }
  return {};
}

}  // namespace cirein::simulation
