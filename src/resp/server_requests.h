// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cirein/operations.h"
#include "cirein/pool_backend.h"

#include "resp/output_buffer.h"
#include "resp/reply_parser.h"

/// What a client asks a server by the commands CIREIN.*, and what the answers mean. Pure functions;
/// safe from any thread.
namespace cirein::resp {

/// A command as it is sent. The object's data are held, not copied.
struct RequestBytes {
  std::string head;
  DataObject data;  ///< Between the two; null for none.
  std::string tail;

  std::uint64_t size() const noexcept {
    return head.size() + (data.is_null() ? 0 : data.data_bytes()) + tail.size();
  }
  void AppendTo(OutputBuffer& output) const;
};

/// `password` is empty for none.
RequestBytes HelloRequest(std::string_view password);
RequestBytes PublishRequest(const Key& key, DataObject object, const PublishOptions& options);
RequestBytes WantRequest(const Pattern& pattern);
RequestBytes UnwantRequest(std::int64_t id);
RequestBytes DropRequest(const Pattern& pattern);
RequestBytes InfoRequest(const Key& key);
RequestBytes RowInfoRequest(const std::string& row);
RequestBytes ListRequest(const Pattern& pattern, const ListOptions& options);
/// `timeout_ms` is 0 for none.
RequestBytes ComputeCommand(const ComputeRequest& request, std::int64_t timeout_ms);

/// The error that a server answered; OK if it is none.
Status ErrorOf(const Reply& reply);
/// The same for an error's text: "CODE message (hint)".
Status ParseError(std::string_view text);

/// The answers. A server's error comes back as it is; what cannot be an answer to the question is
/// DataLoss.
Result<ObjectInfo> ReadInfo(const Key& key, const Reply& reply);
Result<RowInfo> ReadRowInfo(const Key& row, const Reply& reply);
Result<std::uint64_t> ReadCount(const Reply& reply);
Result<ListPage> ReadPage(const Pattern& pattern, std::uint32_t page_size, Reply reply);
Result<DataObject> ReadComputed(Reply reply);
Result<std::int64_t> ReadWantId(const Reply& reply);

/// What a server pushes when a want is answered.
struct WantPush {
  std::int64_t id = 0;
  Reply answer;
};
/// nullopt for another push.
std::optional<WantPush> ReadWantPush(Reply push);
Result<NamedObject> ReadWanted(const Pattern& pattern, Reply answer);

}  // namespace cirein::resp
