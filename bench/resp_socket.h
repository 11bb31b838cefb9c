// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "runtime/file_descriptor.h"

/// The few calls that a load makes on sockets. Whatever fails ends the program: nothing that is
/// measured can be saved.
namespace cirein::bench::resp {

/// Says why on standard error and ends the program. From any thread.
[[noreturn]] void Fail(const std::string& why);
/// The same with the system's own reason.
[[noreturn]] void FailBySystem(const std::string& what);

struct Address {
  std::string unix_path;  ///< When not empty, this is all.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};
/// "host:port". Ends the program when it is none.
Address ParseAddress(const std::string& text);

/// A server that says nothing for so long is taken for dead.
constexpr std::chrono::seconds kSilence{60};

/// Blocks; sends at once what is to be sent, and waits no longer than kSilence for anything.
FileDescriptor Connect(const Address& address);
/// Of an address with port 0, any port: it is put into the address.
FileDescriptor Listen(Address* address);
void MakeNonblocking(const FileDescriptor& socket);

/// Blocks until all is taken.
void SendAll(const FileDescriptor& socket, std::string_view bytes);
/// Of a socket that does not block: how much was taken now.
std::size_t SendSome(const FileDescriptor& socket, std::string_view bytes);
/// What is there now, at least one byte of a socket that blocks. `closed` when the other end is.
struct Received {
  std::string_view bytes;
  bool closed = false;
};
Received Receive(const FileDescriptor& socket, std::span<char> buffer);

}  // namespace cirein::bench::resp
