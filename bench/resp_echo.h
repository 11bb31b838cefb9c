// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <thread>

#include "bench/resp_socket.h"
#include "bench/resp_workload.h"
#include "runtime/file_descriptor.h"

namespace cirein::bench::resp {

/// The least that a server can do, on a thread of its own: it counts the bytes of the requests,
/// which all have the same size, and answers each with the same bytes. What a load reaches with it
/// is the load's own ceiling.
class Echo {
 public:
  /// Listens on a Unix socket at `unix_path`, or on a port of loopback if it is empty.
  Echo(const Workload& workload, const std::string& unix_path);
  /// Ends the thread, removes the Unix socket.
  ~Echo();
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;

  const Address& address() const { return address_; }
  std::thread& thread() { return thread_; }

 private:
  void Serve();

  const std::size_t request_bytes_;
  const std::size_t reply_bytes_;
  const std::string replies_;  // As many as a batch has requests.
  Address address_;
  FileDescriptor listener_;
  FileDescriptor stop_;
  std::thread thread_;
};

}  // namespace cirein::bench::resp
