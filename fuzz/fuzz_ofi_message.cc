// SPDX-License-Identifier: Apache-2.0

// Any bytes as a message that came to a port of libfabric, as the card that says where messages go,
// and as what comes out of the socket beside them, in pieces of any length: what is taken has the
// lengths that it says, and lies in what was given.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <unistd.h>
#include <utility>

#include <sys/socket.h>

#include "check.h"
#include "fabric/ofi/control_stream.h"
#include "fabric/ofi/ofi_messages.h"
#include "fabric/packet/handshake_messages.h"
#include "runtime/stream_socket.h"

namespace {

using namespace cirein;          // NOLINT: all of it is under test
using namespace cirein::fabric;  // NOLINT: all of it is under test

void CheckMessage(std::span<const std::byte> bytes) {
  const auto read = ReadOfiMessage(bytes);
  if (!read.ok()) return;
  const OfiHead& head = read->head;
  CIREIN_FUZZ_CHECK(bytes.size() >= sizeof head && head.part_bytes <= head.bytes);
  CIREIN_FUZZ_CHECK(std::memcmp(&head, bytes.data(), sizeof head) == 0);
  if (head.is_shown != 0) {
    CIREIN_FUZZ_CHECK(head.part != OfiPart::kAck && read->bytes.empty());
    CIREIN_FUZZ_CHECK(read->shown.bytes > 0 && read->shown.bytes <= kShownBytesMax);
    CIREIN_FUZZ_CHECK(read->shown.bytes == head.part_bytes);
    return;
  }
  CIREIN_FUZZ_CHECK(read->shown.bytes == 0 && read->bytes.size() == head.part_bytes);
  if (read->bytes.empty()) return;
  CIREIN_FUZZ_CHECK(read->bytes.data() == bytes.data() + sizeof head);
  CIREIN_FUZZ_CHECK(read->bytes.size() == bytes.size() - sizeof head);
}

void CheckCard(std::span<const std::byte> bytes) {
  const auto read = ReadHandshake<OfiCardMessage>(bytes);
  CIREIN_FUZZ_CHECK(read.ok() == (bytes.size() == sizeof(OfiCardMessage) &&
                                  CheckHandshake(bytes, OfiCardMessage::kKind, bytes.size()).ok()));
  if (read.ok()) CIREIN_FUZZ_CHECK(std::equal(bytes.begin(), bytes.end(), BytesOf(*read).begin()));
}

/// The messages that come out are the bytes that went in, in their order.
void CheckStream(std::span<const std::byte> bytes, std::size_t piece) {
  std::array<int, 2> ends{};
  CIREIN_FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  StreamSocket sender{FileDescriptor(ends[0])};
  ControlStream receiver{StreamSocket{FileDescriptor(ends[1])}};
  std::span<const std::byte> expected = bytes;
  // What is longer than some messages says nothing new, and must fit into the socket.
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), 4096));
  for (;;) {
    const auto received = receiver.Receive();
    if (!received.ok() || received->got == ControlStream::Got::kEnd) return;
    if (received->got == ControlStream::Got::kMessage) {
      const auto message = received->message;
      CIREIN_FUZZ_CHECK(message.size() <= kHandshakeBytesMax && message.size() <= expected.size());
      CIREIN_FUZZ_CHECK(std::equal(message.begin(), message.end(), expected.begin()));
      expected = expected.subspan(message.size());
      continue;
    }
    const auto part = bytes.first(std::min(bytes.size(), piece));
    bytes = bytes.subspan(part.size());
    if (part.empty()) {
      sender.Close();
    } else {
      CIREIN_FUZZ_CHECK(sender.Send({&part, 1}).bytes == part.size());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  CheckMessage(bytes);
  CheckCard(bytes);
  CheckStream(bytes, size == 0 ? 1 : 1 + std::size_t{data[size - 1]} * 4);
  return 0;
}
