// SPDX-License-Identifier: Apache-2.0
#include "simulation/linearizability.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>
#include <fmt/format.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"
#include "simulation/row_model.h"

namespace cirein::simulation {
namespace {

using Kind = RowStep::Kind;
constexpr std::size_t kNone = ~std::size_t{0};

/// What is to be put in order: an operation, or the end of a value's time to live.
struct Entry {
  RowStep step;
  Moment begins;
  Moment ends;
  bool optional = false;
  std::size_t after = kNone;  ///< Only when this one, the write of what expires, has its place.
  /// One that does the same, is optional too and began earlier: it may as well be that one.
  std::size_t twin = kNone;
  std::size_t number = 0;  ///< Of an optional one among those.
  bool bounded = false;    ///< Optional, and not for ever.
};

TimePoint Plus(TimePoint time, std::chrono::nanoseconds more) {
  if (time == kEndOfTime) return time;
  return more >= kEndOfTime - time ? kEndOfTime : time + more;
}

bool IsUncountedDrop(const RowStep& step) { return step.kind == Kind::kDrop && !step.count; }

bool Share(const RowStep& a, const RowStep& b) {
  auto x = a.columns.begin();
  auto y = b.columns.begin();
  while (x != a.columns.end() && y != b.columns.end()) {
    if (*x == *y) return true;
    *x < *y ? ++x : ++y;
  }
  return false;
}

/// When each value was first seen for certain: its write has taken effect by then.
std::map<ValueId, Moment> Sightings(const std::vector<Record>& records) {
  std::map<ValueId, Moment> seen;
  for (const Record& record : records) {
    const auto* const got = record.outcome ? std::get_if<Got>(&*record.outcome) : nullptr;
    if (got == nullptr || got->value == kNoValue) continue;
    const auto [place, first] = seen.emplace(got->value, record.completed);
    if (!first) place->second = std::min(place->second, record.completed);
  }
  return seen;
}

/// The entries of one row, by when they begin.
class Entries {
 public:
  Entries(const std::vector<Record>& records, const RowModel& model,
          std::chrono::nanoseconds expiry_margin)
      : model_(model), expiry_margin_(expiry_margin), seen_(Sightings(records)) {
    for (const Record& record : records) Add(record);
    Sort();
    FindTwins();
  }

  const std::vector<Entry>& all() const { return entries_; }

 private:
  void Add(const Record& record) {
    Entry entry{.step = model_.Compile(record.call, record.outcome),
                .begins = record.invoked,
                .ends = record.completed,
                .optional = !record.outcome};
    if (entry.step.kind == Kind::kNothing) return;
    if (entry.optional && entry.step.kind == Kind::kImpossible) return;
    if (entry.optional) Settle(entry, record);
    const std::size_t index = entries_.size();
    entries_.push_back(std::move(entry));
    AddExpiry(record, index);
  }

  // An unknown write whose value was seen has happened. Of one that was not seen it does not matter
  // which value it wrote, so that all such writes leave the same state.
  void Settle(Entry& entry, const Record& record) const {
    for (const RowStep::Item& item : entry.step.items) {
      const auto seen = seen_.find(item.value);
      if (seen == seen_.end()) continue;
      entry.optional = false;
      entry.ends = std::min(entry.ends, seen->second);
    }
    if (!entry.optional || HasTtl(record.call)) return;
    for (RowStep::Item& item : entry.step.items) item.value = kUnseenValue;
  }

  static const std::optional<std::chrono::nanoseconds>& TtlOf(const Call& call) {
    static const std::optional<std::chrono::nanoseconds> kForEver;
    if (const auto* const publish = std::get_if<PublishCall>(&call)) return publish->ttl;
    if (const auto* const group = std::get_if<GroupCall>(&call)) return group->ttl;
    return kForEver;
  }
  static bool HasTtl(const Call& call) { return TtlOf(call).has_value(); }

  void AddExpiry(const Record& record, std::size_t write) {
    const auto& ttl = TtlOf(record.call);
    if (!ttl || entries_[write].step.kind != Kind::kWrite) return;
    const bool known = record.outcome.has_value();
    const auto add = [&](const Column& column, ValueId value) {
      entries_.push_back(
          {.step = model_.Expiry(column, value),
           .begins = FirstOf(Plus(record.invoked.time, *ttl) - expiry_margin_),
           .ends = known ? LastOf(Plus(Plus(record.completed.time, *ttl), expiry_margin_)) : kNever,
           .optional = !known,
           .after = write});
    };
    if (const auto* const publish = std::get_if<PublishCall>(&record.call)) {
      add(publish->column, publish->value);
    }
    if (const auto* const group = std::get_if<GroupCall>(&record.call)) {
      for (const GroupItem& item : group->items) add(item.column, item.value);
    }
  }

  void Sort() {
    std::vector<std::size_t> order(entries_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      return entries_[a].begins < entries_[b].begins;
    });
    std::vector<std::size_t> place(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    std::vector<Entry> sorted;
    sorted.reserve(order.size());
    for (const std::size_t index : order) {
      sorted.push_back(std::move(entries_[index]));
      if (sorted.back().after != kNone) sorted.back().after = place[sorted.back().after];
    }
    entries_ = std::move(sorted);
  }

  void FindTwins() {
    std::vector<std::size_t> optional;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      if (!entry.optional) continue;
      entry.number = optional.size();
      entry.bounded = entry.ends != kNever;
      for (auto other = optional.rbegin(); other != optional.rend() && !entry.bounded; ++other) {
        const Entry& earlier = entries_[*other];
        if (earlier.bounded || entry.after != earlier.after || earlier.step != entry.step) continue;
        entry.twin = *other;
        break;
      }
      optional.push_back(i);
    }
  }

  const RowModel& model_;
  const std::chrono::nanoseconds expiry_margin_;
  const std::map<ValueId, Moment> seen_;
  std::vector<Entry> entries_;
};

/// Entries that have no place yet, by when they begin; one may be taken out and put back in the
/// reverse order.
class Remaining {
 public:
  Remaining(const std::vector<Entry>& entries, bool optional)
      : end_(entries.size()), next_(entries.size() + 1, end_), previous_(entries.size() + 1, end_) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].optional != optional) continue;
      const std::size_t last = previous_[end_];
      next_[last] = i;
      previous_[i] = last;
      next_[i] = end_;
      previous_[end_] = i;
    }
  }
  std::size_t first() const { return next_[end_]; }
  std::size_t end() const { return end_; }
  std::size_t Next(std::size_t i) const { return next_[i]; }
  bool empty() const { return first() == end_; }
  void Take(std::size_t i) {
    next_[previous_[i]] = next_[i];
    previous_[next_[i]] = previous_[i];
  }
  void PutBack(std::size_t i) {
    next_[previous_[i]] = i;
    previous_[next_[i]] = i;
  }

 private:
  const std::size_t end_;
  std::vector<std::size_t> next_;
  std::vector<std::size_t> previous_;
};

/// Depth first through the orders that real time allows. What keeps it short:
/// - A certain entry that may come now and changes nothing does come now: it can spoil nothing. But
///   a drop that nobody counted may be needed later, where it does change something.
/// - Where the same certain entries left the same state before, with no optional ones more, nothing
///   new can follow.
/// - An optional entry comes only right before what it makes a difference to: behind a row of them
///   each must share a column with a later one of the row, or with what follows the row. Those that
///   are independent of each other come in one order only.
class Search {
 public:
  Search(const RowModel& model, const std::vector<Entry>& entries, std::uint64_t max_steps)
      : entries_(entries),
        max_steps_(max_steps),
        certain_(entries, false),
        optional_(entries, true),
        placed_(entries.size(), false) {
    std::size_t optional = 0;
    for (const Entry& entry : entries) {
      optional += entry.optional ? 1 : 0;
      if (entry.bounded) bounds_.push_back(entry.ends);
    }
    std::sort(bounds_.begin(), bounds_.end());
    used_.resize((optional + 63) / 64);
    Frame first;
    first.state = model.Empty();
    frames_.push_back(std::move(first));
  }

  VerdictCode Run() {
    return Explore([](const RowState&) { return true; });
  }

  /// The different states that all certain entries can leave, at most so many.
  std::vector<RowState> FinalStates(std::size_t max_states) {
    std::vector<RowState> states;
    Explore([&](const RowState& state) {
      if (std::find(states.begin(), states.end(), state) == states.end()) states.push_back(state);
      return states.size() >= max_states;
    });
    return states;
  }

  std::uint64_t steps() const { return steps_; }

 private:
  using OptionalSet = absl::InlinedVector<std::uint64_t, 2>;
  using MemoKey = std::pair<std::uint64_t, std::uint64_t>;

  struct Frame {
    RowState state;
    Moment now{TimePoint::min(), 0};   ///< The latest beginning of what has its place.
    std::vector<std::size_t> waiting;  ///< Optional ones that nothing has needed so far.
    std::vector<std::size_t> choices;
    std::size_t next_choice = 0;
    std::size_t placed = kNone;
  };

  template <typename Accept>
  VerdictCode Explore(const Accept& is_enough) {
    if (certain_.empty() && is_enough(frames_.back().state)) return VerdictCode::kLinearizable;
    FindChoices(frames_.back());
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      if (frame.next_choice == frame.choices.size()) {
        Undo();
        continue;
      }
      if (++steps_ > max_steps_) return VerdictCode::kUndecided;
      Place(frame.choices[frame.next_choice++]);
      if (certain_.empty() && is_enough(frames_.back().state)) return VerdictCode::kLinearizable;
      if (IsNew(frames_.back())) FindChoices(frames_.back());
    }
    return VerdictCode::kNotLinearizable;
  }

  std::size_t Lapsed(Moment now) const {
    return static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), now) -
                                    bounds_.begin());
  }

  void FindChoices(Frame& frame) const {
    Moment first_end = kNever;
    for (std::size_t i = certain_.first(); i != certain_.end(); i = certain_.Next(i)) {
      const Entry& entry = entries_[i];
      if (entry.begins > first_end) break;
      first_end = std::min(first_end, entry.ends);
      if (entry.after != kNone && !placed_[entry.after]) continue;
      if (!MayFollow(frame, i)) continue;
      const Effect effect = RowModel::Check(frame.state, entry.step);
      if (effect == Effect::kImpossible) continue;
      if (effect == Effect::kUnchanged && !IsUncountedDrop(entry.step) &&
          Lapsed(std::max(frame.now, entry.begins)) == Lapsed(frame.now)) {
        frame.choices.assign(1, i);
        return;
      }
      frame.choices.push_back(i);
    }
    // What ends first is tried first: it is the most likely to have been first.
    std::stable_sort(
        frame.choices.begin(), frame.choices.end(),
        [this](std::size_t a, std::size_t b) { return entries_[a].ends < entries_[b].ends; });
    AddOptionalChoices(frame, first_end);
  }

  void AddOptionalChoices(Frame& frame, Moment first_end) const {
    for (std::size_t i = optional_.first(); i != optional_.end(); i = optional_.Next(i)) {
      const Entry& entry = entries_[i];
      if (entry.begins > first_end) break;
      if (entry.ends < frame.now) continue;
      if (entry.after != kNone && !placed_[entry.after]) continue;
      if (entry.twin != kNone && !placed_[entry.twin]) continue;
      if (!MayFollow(frame, i)) continue;
      if (RowModel::Check(frame.state, entry.step) == Effect::kChanges) frame.choices.push_back(i);
    }
  }

  // The reductions for optional entries; one that ends too soon to come later had to come here.
  bool MayFollow(const Frame& frame, std::size_t i) const {
    if (frame.waiting.empty()) return true;
    const Entry& entry = entries_[i];
    const Moment now = std::max(frame.now, entry.begins);
    const auto belongs_before = [&](std::size_t waiting) {
      return entries_[waiting].ends < now || Share(entries_[waiting].step, entry.step);
    };
    if (entry.optional) return i > frame.waiting.back() || belongs_before(frame.waiting.back());
    return std::all_of(frame.waiting.begin(), frame.waiting.end(), belongs_before);
  }

  void Place(std::size_t i) {
    const Entry& entry = entries_[i];
    const Frame& before = frames_.back();
    Frame frame;
    frame.state = before.state;
    RowModel::Apply(frame.state, entry.step);
    frame.now = std::max(before.now, entry.begins);
    frame.placed = i;
    placed_[i] = true;
    if (entry.optional) {
      for (const std::size_t waiting : before.waiting) {
        if (!Share(entries_[waiting].step, entry.step)) frame.waiting.push_back(waiting);
      }
      frame.waiting.push_back(i);
      used_[entry.number / 64] |= std::uint64_t{1} << (entry.number % 64);
      optional_.Take(i);
    } else {
      Flip(i);
      certain_.Take(i);
    }
    frames_.push_back(std::move(frame));
  }

  void Undo() {
    const std::size_t i = frames_.back().placed;
    frames_.pop_back();
    if (i == kNone) return;
    const Entry& entry = entries_[i];
    placed_[i] = false;
    if (entry.optional) {
      used_[entry.number / 64] &= ~(std::uint64_t{1} << (entry.number % 64));
      optional_.PutBack(i);
    } else {
      Flip(i);
      certain_.PutBack(i);
    }
  }

  // Two independent halves, 128 bits together, so that no two places are ever confused.
  void Flip(std::size_t i) {
    std::uint64_t state = i;
    certain_hash_.first ^= SplitMix64(&state);
    certain_hash_.second ^= SplitMix64(&state);
  }

  template <typename Word>
  static void Mix(MemoKey& key, const std::vector<Word>& words) {
    const std::string_view bytes(reinterpret_cast<const char*>(words.data()),
                                 words.size() * sizeof(Word));
    key = {Hash64(bytes, key.first), Hash64(bytes, key.second)};
  }

  MemoKey KeyOf(const Frame& frame, std::span<const std::size_t> waiting) const {
    MemoKey key = certain_hash_;
    Mix(key, frame.state);
    std::vector<std::size_t> rest = {Lapsed(frame.now)};
    rest.insert(rest.end(), waiting.begin(), waiting.end());
    Mix(key, rest);
    return key;
  }

  bool IsCovered(const MemoKey& key) const {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return false;
    return std::any_of(found->second.begin(), found->second.end(), [this](const OptionalSet& set) {
      for (std::size_t word = 0; word < set.size(); ++word) {
        if ((set[word] & ~used_[word]) != 0) return false;
      }
      return true;
    });
  }

  // Has this place been reached before, with no more of the optional entries used? One behind
  // optional entries that wait was explored in part only, and so stands for itself alone.
  bool IsNew(const Frame& frame) {
    if (IsCovered(KeyOf(frame, {}))) return false;
    const MemoKey key = KeyOf(frame, frame.waiting);
    if (!frame.waiting.empty() && IsCovered(key)) return false;
    memo_[key].push_back(used_);
    return true;
  }

  const std::vector<Entry>& entries_;
  const std::uint64_t max_steps_;
  Remaining certain_;
  Remaining optional_;
  std::vector<bool> placed_;
  std::vector<Moment> bounds_;  ///< Ends of optional entries, ascending.
  OptionalSet used_;
  MemoKey certain_hash_;
  std::vector<Frame> frames_;
  absl::flat_hash_map<MemoKey, absl::InlinedVector<OptionalSet, 1>> memo_;
  std::uint64_t steps_ = 0;
};

/// The judge of one row.
class RowJudge {
 public:
  RowJudge(std::vector<Record> records, const JudgeOptions& options)
      : records_(std::move(records)), options_(options) {
    for (const Record& record : records_) {
      if (record.outcome) completions_.push_back(record.completed);
    }
    std::sort(completions_.begin(), completions_.end());
  }

  VerdictCode Run() { return Run(records_); }
  std::uint64_t steps() const { return steps_; }

  /// Of a row that is not linearizable.
  void Explain(Verdict& verdict) {
    const std::size_t length = ShortestBad();
    const Moment end = completions_[length - 1];
    const auto culprit = std::find_if(records_.begin(), records_.end(), [&](const Record& record) {
      return record.outcome && record.completed == end;
    });
    verdict.culprit = culprit->id;
    verdict.report = fmt::format(
        "row {} is not linearizable: after {} completed operations there is no place for\n  {}\n{}"
        "operations of the row around it:\n{}",
        QuoteForPeople(culprit->row), length - 1, culprit->ToString(), StatesText(length - 1),
        Around(static_cast<std::size_t>(culprit - records_.begin())));
  }

 private:
  VerdictCode Run(const std::vector<Record>& records) {
    const RowModel model(records);
    const Entries entries(records, model, options_.expiry_margin);
    Search search(model, entries.all(), options_.max_steps);
    const VerdictCode code = search.Run();
    steps_ += search.steps();
    return code;
  }

  // What was known when so many operations had completed.
  std::vector<Record> Prefix(std::size_t length) const {
    std::vector<Record> prefix;
    if (length == 0) return prefix;
    const Moment end = completions_[length - 1];
    for (const Record& record : records_) {
      if (record.invoked > end) continue;
      prefix.push_back(record);
      if (record.outcome && record.completed > end) {
        prefix.back().outcome.reset();
        prefix.back().completed = kNever;
      }
    }
    return prefix;
  }

  // Each prefix of a linearizable history is linearizable, so halving finds the first that is not.
  // One that is undecided counts as good: what is reported is certainly bad.
  std::size_t ShortestBad() {
    std::size_t good = 0;
    std::size_t bad = completions_.size();
    while (bad - good > 1) {
      const std::size_t middle = good + (bad - good) / 2;
      (Run(Prefix(middle)) == VerdictCode::kNotLinearizable ? bad : good) = middle;
    }
    return bad;
  }

  std::string StatesText(std::size_t length) {
    const std::vector<Record> prefix = Prefix(length);
    const RowModel model(prefix);
    const Entries entries(prefix, model, options_.expiry_margin);
    Search search(model, entries.all(), options_.max_steps);
    const std::vector<RowState> states = search.FinalStates(options_.max_states);
    steps_ += search.steps();
    std::set<std::string> lines;
    for (const RowState& state : states) lines.insert("  " + model.ToString(state) + "\n");
    std::string text = "states possible before it, without what was under way or unknown:\n";
    for (const std::string& line : lines) text += line;
    return text;
  }

  std::string Around(std::size_t culprit) const {
    const std::size_t first =
        culprit - std::min(culprit, static_cast<std::size_t>(options_.operations_around));
    const std::size_t last =
        std::min(records_.size(),
                 culprit + 1 + std::min(options_.operations_around, records_.size() - culprit - 1));
    std::string text;
    for (std::size_t i = first; i < last; ++i) {
      text += (i == culprit ? "> " : "  ") + records_[i].ToString() + "\n";
    }
    return text;
  }

  const std::vector<Record> records_;
  const JudgeOptions& options_;
  std::vector<Moment> completions_;
  std::uint64_t steps_ = 0;
};

}  // namespace

std::string_view VerdictName(VerdictCode code) {
  switch (code) {
    case VerdictCode::kLinearizable:
      return "linearizable";
    case VerdictCode::kNotLinearizable:
      return "not linearizable";
    case VerdictCode::kUndecided:
      return "undecided";
  }
  return "?";
}

Verdict Judge(const History& history, const JudgeOptions& options) {
  Verdict verdict;
  for (auto& [row, records] : history.ByRow()) {
    RowJudge judge(records, options);
    const VerdictCode code = judge.Run();
    if (code == VerdictCode::kNotLinearizable) {
      verdict.code = code;
      verdict.row = row;
      judge.Explain(verdict);
    } else if (code == VerdictCode::kUndecided && verdict.code == VerdictCode::kLinearizable) {
      verdict.code = code;
      verdict.row = row;
      verdict.report = fmt::format("row {} is undecided after {} steps, {} operations\n",
                                   QuoteForPeople(row), judge.steps(), records.size());
    }
    verdict.steps += judge.steps();
    if (code == VerdictCode::kNotLinearizable) break;
  }
  return verdict;
}

}  // namespace cirein::simulation
