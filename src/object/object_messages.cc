// SPDX-License-Identifier: Apache-2.0
#include "object/object_messages.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cirein/compute.h"

namespace cirein::wire {
namespace {

using std::chrono::nanoseconds;
using ColumnMatch = Pattern::ColumnMatch;

static_assert(kMaxRowBytes == UINT16_MAX && kMaxColumnBytes == UINT16_MAX,
              "names stand behind lengths of two bytes");

// The fewest bytes of one of many: no count is believed that the message is too short for.
constexpr std::uint64_t kMinItemBytes = 16;
constexpr std::uint64_t kMinInfoBytes = 34;
constexpr std::uint64_t kMinListedBytes = 36;

class Writer {
 public:
  Writer() {
    bytes_.reserve(kUsualBytes);
    Number(kVersion);
  }

  template <typename T>
  void Number(T value) {
    std::array<std::byte, sizeof(T)> bytes;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    Bytes(bytes);
  }
  void Bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  template <typename Length>
  void Text(std::string_view text) {
    if (text.size() > std::numeric_limits<Length>::max()) {
      Refuse(fmt::format("a text has {} bytes, {} at most can be sent", text.size(),
                         std::numeric_limits<Length>::max()));
    }
    Number(static_cast<Length>(text.size()));
    Bytes(std::as_bytes(std::span(text)));
  }
  void Name(std::string_view name) { Text<std::uint16_t>(name); }
  void OptionalName(const std::optional<std::string_view>& name) {
    Number<std::uint8_t>(name ? 1 : 0);
    if (name) Name(*name);
  }
  void OptionalTime(const std::optional<nanoseconds>& time) {
    Number<std::uint8_t>(time ? 1 : 0);
    if (time) Number(std::max<std::int64_t>(time->count(), 0));
  }
  void Refuse(std::string what) {
    if (status_.ok()) status_ = InvalidArgument(std::move(what));
  }
  Result<std::vector<std::byte>> Take() {
    if (!status_.ok()) return status_;
    return std::move(bytes_);
  }

 private:
  // Most messages are small, and need no more memory than this.
  static constexpr std::size_t kUsualBytes = 256;
  std::vector<std::byte> bytes_;
  Status status_;
};

// The first error sticks; after it everything that is read is zero or empty.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  bool ok() const { return status_.ok(); }
  std::uint64_t left() const { return rest_.size(); }

  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  void Refuse(std::string_view what) {
    Fail(InvalidArgument(fmt::format("the message cannot be read: {}", what),
                         "both sides must speak the same version of Cirein"));
  }
  /// OK when all was read and nothing was wrong.
  Status Finish() {
    if (!rest_.empty()) Refuse(fmt::format("{} bytes too many", rest_.size()));
    return status_;
  }

  std::span<const std::byte> Bytes(std::uint64_t bytes, std::string_view what) {
    if (!ok()) return {};
    if (bytes > rest_.size()) {
      Refuse(fmt::format("{} takes {} bytes, {} are left", what, bytes, rest_.size()));
      return {};
    }
    const auto taken = rest_.first(static_cast<std::size_t>(bytes));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  template <typename T>
  T Number(std::string_view what) {
    std::uint64_t value = 0;
    std::size_t shift = 0;
    for (const std::byte byte : Bytes(sizeof(T), what)) {
      value |= std::to_integer<std::uint64_t>(byte) << shift;
      shift += 8;
    }
    return static_cast<T>(value);
  }
  template <typename T>
  T NumberUpTo(T max, std::string_view what) {
    const T value = Number<T>(what);
    if (value <= max) return value;
    Refuse(fmt::format("{} is {}, more than {}", what, value, max));
    return T{0};
  }
  bool Mark(std::string_view what) { return NumberUpTo<std::uint8_t>(1, what) == 1; }
  template <typename Enum>
  Enum Choice(Enum last, std::string_view what) {
    return static_cast<Enum>(NumberUpTo(static_cast<std::uint8_t>(last), what));
  }
  /// At most one for each `each_bytes` that are left.
  std::uint32_t Count(std::uint64_t max, std::uint64_t each_bytes, std::string_view what) {
    const auto count = NumberUpTo(static_cast<std::uint32_t>(max), what);
    if (count <= left() / each_bytes) return count;
    Refuse(fmt::format("{} is {}, for which {} bytes are too few", what, count, left()));
    return 0;
  }
  std::string Text(std::uint64_t bytes, std::string_view what) {
    const auto text = Bytes(bytes, what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};  // NOLINT: bytes as text.
  }
  std::string Name(std::string_view what) { return Text(Number<std::uint16_t>(what), what); }
  std::optional<std::string> OptionalName(std::string_view what) {
    if (!Mark(what)) return std::nullopt;
    return Name(what);
  }
  std::optional<nanoseconds> OptionalTime(std::string_view what) {
    if (!Mark(what)) return std::nullopt;
    const auto time = Number<std::uint64_t>(what);
    if (time > static_cast<std::uint64_t>(INT64_MAX)) {
      Refuse(fmt::format("{} is negative", what));
      return std::nullopt;
    }
    return nanoseconds(static_cast<std::int64_t>(time));
  }

 private:
  std::span<const std::byte> rest_;
  Status status_;
};

// What several messages are made of.

void Write(Writer& out, const Version& version) {
  out.Number(version.epoch);
  out.Number(version.counter);
}

Version ReadVersion(Reader& in) {
  Version version;
  version.epoch = in.Number<std::uint64_t>("the version");
  version.counter = in.Number<std::uint64_t>("the version");
  return version;
}

Bucket ReadBucket(Reader& in) {
  const Bucket bucket(in.Number<std::uint32_t>("the bucket"));
  if (!bucket.specified()) in.Refuse("no bucket is named");
  return bucket;
}

std::string ReadRow(Reader& in) {
  std::string row = in.Name("the row");
  if (row.empty()) in.Refuse("the row is empty");
  return row;
}

void WriteName(Writer& out, const Key& key) {
  out.Name(key.row());
  out.OptionalName(key.has_column() ? std::optional<std::string_view>(key.column()) : std::nullopt);
}

Key ReadName(Reader& in) {
  std::string row = ReadRow(in);
  std::optional<std::string> column = in.OptionalName("the column");
  return column ? Key(std::move(row), std::move(*column)) : Key(std::move(row));
}

void WriteKey(Writer& out, const Key& key) {
  out.Number(key.bucket().id());
  WriteName(out, key);
}

Key ReadKey(Reader& in) {
  const Bucket bucket = ReadBucket(in);
  return ReadName(in).set_bucket(bucket);
}

bool HasColumnText(ColumnMatch match) {
  return match == ColumnMatch::kExact || match == ColumnMatch::kPrefix;
}

void Write(Writer& out, const Pattern& pattern) {
  out.Number(pattern.bucket().id());
  out.Number<std::uint8_t>(pattern.row_is_prefix() ? 1 : 0);
  out.Name(pattern.row());
  out.Number(static_cast<std::uint8_t>(pattern.column_match()));
  if (HasColumnText(pattern.column_match())) out.Name(pattern.column());
}

Pattern InOneRow(std::string row, ColumnMatch match, std::string column) {
  switch (match) {
    case ColumnMatch::kNone:
      return Key(std::move(row));
    case ColumnMatch::kExact:
      return Key(std::move(row), std::move(column));
    case ColumnMatch::kPrefix:
      return Pattern::ColumnPrefix(std::move(row), std::move(column));
    case ColumnMatch::kAll:
      break;
  }
  return Pattern::Row(std::move(row));
}

// Patterns of some columns in many rows are made of text only.
Result<Pattern> InManyRows(std::string row, ColumnMatch match, std::string column) {
  if (match == ColumnMatch::kAll) return Pattern::RowPrefix(std::move(row));
  const Pattern one = InOneRow(std::move(row), match, std::move(column));
  const std::string rows = one.RowText() + "*";
  const std::optional<std::string> columns = one.ColumnText();
  return columns ? Pattern::Parse(rows, *columns) : Pattern::Parse(rows);
}

Pattern ReadPattern(Reader& in) {
  const Bucket bucket = ReadBucket(in);
  const bool many_rows = in.Mark("the kind of row");
  std::string row = in.Name("the row");
  const auto match = in.Choice(ColumnMatch::kAll, "the kind of column");
  std::string column = HasColumnText(match) ? in.Name("the column") : std::string();
  if (!in.ok()) return {};
  Result<Pattern> pattern = many_rows ? InManyRows(std::move(row), match, std::move(column))
                                      : Result<Pattern>(InOneRow(std::move(row), match, column));
  const Status valid = pattern.ok() ? pattern->Validate() : pattern.status();
  if (!valid.ok()) {
    in.Refuse(valid.message());
    return {};
  }
  return pattern->set_bucket(bucket);
}

/// Where the data of an object are.
enum class Place : std::uint8_t { kHere, kLent };

void Write(Writer& out, const DataObject& object, const Lent& lent) {
  if (object.is_null()) return out.Refuse("there is no object to be sent");
  out.Number(object.type());
  out.Number(static_cast<std::uint32_t>(object.meta_bytes()));
  out.Number(lent ? lent->bytes : object.data_bytes());
  out.Number(static_cast<std::uint8_t>(lent ? Place::kLent : Place::kHere));
  out.Bytes(object.meta());
  if (!lent) return out.Bytes(object.data());
  out.Number(lent->id);
  out.Number(lent->key);
}

void ReadObject(Reader& in, DataObject& object, Lent& lent) {
  const auto type = in.Number<std::uint16_t>("the type");
  const auto meta_bytes = in.NumberUpTo<std::uint32_t>(DataObject::kMaxMetaBytes, "the meta size");
  const auto data_bytes = in.NumberUpTo(DataObject::kMaxDataBytes, "the data size");
  const auto place = in.Choice(Place::kLent, "the place of the data");
  const auto meta = in.Bytes(meta_bytes, "the meta");
  std::span<const std::byte> data;
  if (place == Place::kHere) {
    data = in.Bytes(data_bytes, "the data");
  } else {
    fabric::Grant grant{.id = 0, .key = 0, .bytes = data_bytes, .access = fabric::Access::kRead};
    grant.id = in.Number<std::uint64_t>("the grant");
    grant.key = in.Number<std::uint64_t>("the grant's key");
    lent = grant;
  }
  if (!in.ok()) return;
  Result<DataObject> read = DataObject::Copy(data, meta, type);
  if (!read.ok()) return in.Fail(read.status());
  object = std::move(*read);
}

std::optional<nanoseconds> ReadTtl(Reader& in) {
  const std::optional<nanoseconds> ttl = in.OptionalTime("the time to live");
  if (ttl && ttl->count() == 0) in.Refuse("the time to live is nothing");
  return ttl;
}

/// What a publish leaves in its row.
template <typename Publishes>
void WriteLeft(Writer& out, const Publishes& request) {
  out.Number(request.keep);
  out.Number<std::uint8_t>(request.store ? 1 : 0);
  out.Number<std::uint8_t>(request.to_backing ? 1 : 0);
}

template <typename Publishes>
void ReadLeft(Reader& in, Publishes& request) {
  request.keep = in.NumberUpTo(kMaxKeptColumns, "how many columns stay");
  request.store = in.Mark("whether it stays");
  request.to_backing = in.Mark("whether it is written to the store");
}

// Requests.

void Write(Writer& out, const PublishRequest& request) {
  WriteKey(out, request.key);
  out.Number(static_cast<std::uint8_t>(request.mode));
  if (request.mode == PutMode::kIfVersion) Write(out, request.if_version);
  out.OptionalTime(request.ttl);
  WriteLeft(out, request);
  Write(out, request.object, request.lent);
}

void Read(Reader& in, PublishRequest& request) {
  request.key = ReadKey(in);
  request.mode = in.Choice(PutMode::kIfVersion, "the mode");
  if (request.mode == PutMode::kIfVersion) request.if_version = ReadVersion(in);
  request.ttl = ReadTtl(in);
  ReadLeft(in, request);
  ReadObject(in, request.object, request.lent);
}

void Write(Writer& out, const GroupRequest& request) {
  out.Number(request.bucket.id());
  out.Name(request.row);
  out.Number(static_cast<std::uint8_t>(request.mode));
  out.OptionalTime(request.ttl);
  WriteLeft(out, request);
  out.Number(static_cast<std::uint32_t>(request.items.size()));
  for (const GroupRequest::Item& item : request.items) {
    out.OptionalName(item.column);
    Write(out, item.object, item.lent);
  }
}

void Read(Reader& in, GroupRequest& request) {
  request.bucket = ReadBucket(in);
  request.row = ReadRow(in);
  request.mode = in.Choice(PutMode::kOverwrite, "the mode of a group");
  request.ttl = ReadTtl(in);
  ReadLeft(in, request);
  const std::uint32_t count = in.Count(kMaxGroupItems, kMinItemBytes, "the size of the group");
  if (count == 0) in.Refuse("the group is empty");
  request.items.reserve(count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    GroupRequest::Item item;
    item.column = in.OptionalName("the column");
    ReadObject(in, item.object, item.lent);
    request.items.push_back(std::move(item));
  }
  std::set<std::optional<std::string_view>> columns;
  for (const GroupRequest::Item& item : request.items) {
    if (!columns.insert(item.column).second) return in.Refuse("a key is in the group twice");
  }
}

void Write(Writer& out, const GetRequest& request) { WriteKey(out, request.key); }
void Read(Reader& in, GetRequest& request) { request.key = ReadKey(in); }

void Write(Writer& out, const WantRequest& request) {
  out.Number(request.number);
  Write(out, request.pattern);
  out.OptionalTime(request.deadline);
  out.Number<std::uint8_t>(request.lease ? 1 : 0);
}
void Read(Reader& in, WantRequest& request) {
  request.number = in.Number<std::uint64_t>("the want's number");
  request.pattern = ReadPattern(in);
  request.deadline = in.OptionalTime("the deadline");
  request.lease = in.Mark("whether it is kept");
  if (request.lease && !request.pattern.is_exact()) in.Refuse("a copy of many keys is to be kept");
}

void Write(Writer& out, const DropRequest& request) {
  Write(out, request.pattern);
  out.OptionalTime(request.deadline);
}
void Read(Reader& in, DropRequest& request) {
  request.pattern = ReadPattern(in);
  request.deadline = in.OptionalTime("the deadline");
}

void Write(Writer& out, const InfoRequest& request) { WriteKey(out, request.key); }
void Read(Reader& in, InfoRequest& request) { request.key = ReadKey(in); }

void Write(Writer& out, const RowInfoRequest& request) {
  out.Number(request.bucket.id());
  out.Name(request.row);
}
void Read(Reader& in, RowInfoRequest& request) {
  request.bucket = ReadBucket(in);
  request.row = ReadRow(in);
}

void Write(Writer& out, const ListRequest& request) {
  Write(out, request.pattern);
  out.Number(request.page_size);
  out.Text<std::uint32_t>(request.cursor);
}
void Read(Reader& in, ListRequest& request) {
  request.pattern = ReadPattern(in);
  request.page_size = in.NumberUpTo(ListOptions::kMaxPageSize, "the page size");
  if (request.page_size == 0) in.Refuse("the page size is 0");
  const auto bytes = in.NumberUpTo<std::uint32_t>(kMaxCursorBytes, "the size of the cursor");
  request.cursor = in.Text(bytes, "the cursor");
}

void Write(Writer& out, const CancelRequest& request) { out.Number(request.number); }
void Read(Reader& in, CancelRequest& request) {
  request.number = in.Number<std::uint64_t>("the want's number");
}

void Write(Writer& out, const ComputeRequest& request) {
  Write(out, request.pattern);
  out.Name(request.function);
  out.Text<std::uint32_t>(request.args);
}
void Read(Reader& in, ComputeRequest& request) {
  request.pattern = ReadPattern(in);
  if (request.pattern.row_is_prefix()) in.Refuse("a function is to run over many rows");
  request.function = in.Name("the function");
  const auto bytes =
      in.NumberUpTo<std::uint32_t>(kMaxComputeArgsBytes, "the size of the arguments");
  request.args = in.Text(bytes, "the arguments");
}

std::string ReadHandled(Reader& in) {
  const auto bytes = in.NumberUpTo<std::uint32_t>(kMaxHandledBytes, "the size of the message");
  return in.Text(bytes, "the message");
}

void Write(Writer& out, const MessageRequest& request) {
  out.Name(request.handler);
  out.Text<std::uint32_t>(request.message);
}
void Read(Reader& in, MessageRequest& request) {
  request.handler = in.Name("the handler");
  request.message = ReadHandled(in);
}

void Write(Writer& out, const ReleaseRequest& request) {
  out.Number(request.grant);
  out.Number(request.key);
}
void Read(Reader& in, ReleaseRequest& request) {
  request.grant = in.Number<std::uint64_t>("the grant");
  request.key = in.Number<std::uint64_t>("the grant's key");
}

void Write(Writer& out, const RecallRequest& request) { WriteKey(out, request.key); }
void Read(Reader& in, RecallRequest& request) { request.key = ReadKey(in); }

// Answers.

void Write(Writer& out, const Status& status) {
  // An answer that says nothing is no answer to anything.
  const Status error = status.ok() ? Internal("an error without a code was to be sent") : status;
  out.Number(static_cast<std::uint8_t>(error.code()));
  out.Text<std::uint16_t>(error.message().substr(0, kMaxErrorTextBytes));
  out.Text<std::uint16_t>(error.hint().substr(0, kMaxErrorTextBytes));
}

void Read(Reader& in, Status& status) {
  const auto code = in.Choice(StatusCode::kInternal, "the code");
  if (code == StatusCode::kOk) in.Refuse("an error has no code");
  const auto message_bytes = in.NumberUpTo<std::uint16_t>(kMaxErrorTextBytes, "the text's size");
  std::string message = in.Text(message_bytes, "the text");
  const auto hint_bytes = in.NumberUpTo<std::uint16_t>(kMaxErrorTextBytes, "the hint's size");
  std::string hint = in.Text(hint_bytes, "the hint");
  // Without one the code's own would be put in its place.
  if (hint.empty()) in.Refuse("an error has no hint");
  if (in.ok()) status = Status(code, std::move(message), std::move(hint));
}

void Write(Writer& out, const ObjectInfo& info) {
  out.Number(info.meta_bytes);
  out.Number(info.data_bytes);
  Write(out, info.version);
  out.Number(static_cast<std::uint8_t>(info.availability));
  out.OptionalTime(info.ttl);
}

void Read(Reader& in, ObjectInfo& info) {
  info.meta_bytes = in.NumberUpTo<std::uint64_t>(DataObject::kMaxMetaBytes, "the meta size");
  info.data_bytes = in.NumberUpTo(DataObject::kMaxDataBytes, "the data size");
  info.version = ReadVersion(in);
  info.availability = in.Choice(Availability::kDisk, "the availability");
  info.ttl = in.OptionalTime("the time to live");
}

void Write(Writer& out, const std::vector<ObjectInfo>& infos) {
  out.Number(static_cast<std::uint32_t>(infos.size()));
  for (const ObjectInfo& info : infos) Write(out, info);
}

void Read(Reader& in, std::vector<ObjectInfo>& infos) {
  const std::uint32_t count = in.Count(kMaxGroupItems, kMinInfoBytes, "the size of the group");
  infos.resize(count);
  for (ObjectInfo& info : infos) {
    if (!in.ok()) return;
    Read(in, info);
  }
}

void Write(Writer& out, const FoundObject& found) {
  WriteName(out, found.key);
  Write(out, found.info);
  Write(out, found.object, found.lent);
}

void Read(Reader& in, FoundObject& found) {
  found.key = ReadName(in);
  Read(in, found.info);
  ReadObject(in, found.object, found.lent);
}

void Write(Writer& out, std::uint64_t count) { out.Number(count); }
void Read(Reader& in, std::uint64_t& count) { count = in.Number<std::uint64_t>("the count"); }

void Write(Writer& out, const RowInfo& info) {
  out.Number(info.columns);
  out.Number<std::uint8_t>(info.has_object ? 1 : 0);
  out.Number(info.user_bytes);
  out.Number(static_cast<std::uint8_t>(info.availability));
}

void Read(Reader& in, RowInfo& info) {
  info.columns = in.Number<std::uint64_t>("the number of columns");
  info.has_object = in.Mark("whether there is an object");
  info.user_bytes = in.Number<std::uint64_t>("the size of the row");
  info.availability = in.Choice(Availability::kDisk, "the availability");
}

void Write(Writer& out, const ListPage& page) {
  out.Number(static_cast<std::uint32_t>(page.objects.size()));
  for (const ListedObject& object : page.objects) {
    WriteName(out, object.key);
    out.Number(object.meta_bytes);
    out.Number(object.data_bytes);
    Write(out, object.version);
  }
  out.Text<std::uint32_t>(page.next);
}

void Read(Reader& in, ListPage& page) {
  const std::uint32_t count =
      in.Count(ListOptions::kMaxPageSize, kMinListedBytes, "the size of the page");
  page.objects.resize(count);
  for (ListedObject& object : page.objects) {
    if (!in.ok()) return;
    object.key = ReadName(in);
    object.meta_bytes = in.NumberUpTo<std::uint64_t>(DataObject::kMaxMetaBytes, "the meta size");
    object.data_bytes = in.NumberUpTo(DataObject::kMaxDataBytes, "the data size");
    object.version = ReadVersion(in);
  }
  const auto bytes = in.NumberUpTo<std::uint32_t>(kMaxCursorBytes, "the size of the cursor");
  page.next = in.Text(bytes, "the cursor");
}

void Write(Writer& out, const ComputedObject& computed) {
  Write(out, computed.object, computed.lent);
}
void Read(Reader& in, ComputedObject& computed) { ReadObject(in, computed.object, computed.lent); }

void Write(Writer& out, const MessageAnswer& answer) { out.Text<std::uint32_t>(answer.message); }
void Read(Reader& in, MessageAnswer& answer) { answer.message = ReadHandled(in); }

void Write(Writer& out, const LeasedObject& leased) {
  Write(out, static_cast<const FoundObject&>(leased));
  out.Number(static_cast<std::uint64_t>(leased.lease.count()));
}
void Read(Reader& in, LeasedObject& leased) {
  Read(in, static_cast<FoundObject&>(leased));
  const auto lease = in.NumberUpTo<std::uint64_t>(INT64_MAX, "the lease");
  if (lease == 0) in.Refuse("the lease is nothing");
  leased.lease = nanoseconds(static_cast<std::int64_t>(lease));
}

// Any of several kinds of message, by the byte that says which.

template <typename Message>
Result<std::vector<std::byte>> EncodeAny(const Message& message) {
  Writer out;
  out.Number(static_cast<std::uint8_t>(message.index() + 1));
  std::visit([&out](const auto& kind) { Write(out, kind); }, message);
  return out.Take();
}

// True when `index` is this place, or a later one that ReadPlace has read.
template <typename Message, std::size_t place = 0>
bool ReadPlace(Reader& in, std::size_t index, Message& message) {
  if constexpr (place == std::variant_size_v<Message>) {
    return false;
  } else {
    if (index != place) return ReadPlace<Message, place + 1>(in, index, message);
    Read(in, message.template emplace<place>());
    return true;
  }
}

template <typename Message>
Result<Message> DecodeAny(std::span<const std::byte> bytes, std::string_view what) {
  Reader in(bytes);
  const auto version = in.Number<std::uint8_t>("the version");
  if (in.ok() && version != kVersion) {
    in.Refuse(fmt::format("it is of version {}, not {}", version, kVersion));
  }
  const auto kind = in.Number<std::uint8_t>(what);
  Message message;
  if (in.ok() && (kind == 0 || !ReadPlace(in, kind - std::size_t{1}, message))) {
    in.Refuse(fmt::format("{} {} is unknown", what, kind));
  }
  CIREIN_RETURN_IF_ERROR(in.Finish());
  return message;
}

}  // namespace

Result<std::vector<std::byte>> Encode(const Request& request) { return EncodeAny(request); }

std::vector<std::byte> Encode(const Reply& reply) {
  Result<std::vector<std::byte>> bytes = EncodeAny(reply);
  if (bytes.ok()) return std::move(*bytes);
  // Of two short texts, which can always be sent.
  return *EncodeAny(Reply(Internal(fmt::format("no answer: {}", bytes.status().message()))));
}

Result<Request> DecodeRequest(std::span<const std::byte> bytes) {
  return DecodeAny<Request>(bytes, "the verb");
}

Result<Reply> DecodeReply(std::span<const std::byte> bytes) {
  return DecodeAny<Reply>(bytes, "the kind of answer");
}

}  // namespace cirein::wire
