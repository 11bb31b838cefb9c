// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/config.h"
#include "cirein/status.h"

namespace cirein::fabric {

/// What a fabric costs: the figures by which a simulated network lets time pass. They are of the
/// right order of magnitude and in the right relation to each other, and no more. They are
/// settings, simulation.<model>.<figure>, each of which says where its default comes from: measured
/// on one machine of two cores, or assumed.
struct CostModel {
  std::string name;
  /// One way, without the processor's work at both ends.
  std::chrono::nanoseconds latency{0};
  std::uint64_t bandwidth_bytes_per_s = 0;
  /// Of each side's processor, for each message.
  std::chrono::nanoseconds message_cpu{0};
  /// Of each side's processor, for each KiB of a message.
  std::chrono::nanoseconds kib_cpu{0};
  /// Of the target's processor, for each one-sided operation; 0: it takes no part.
  std::chrono::nanoseconds one_sided_cpu{0};
  /// A persist takes `persist_base`, and `persist_line` for each cache line.
  std::chrono::nanoseconds persist_base{0};
  std::chrono::nanoseconds persist_line{0};

  bool one_sided_by_hardware() const { return one_sided_cpu.count() == 0; }
  std::chrono::nanoseconds MessageCpu(std::uint64_t bytes) const {
    return message_cpu + kib_cpu * static_cast<std::int64_t>((bytes + 1023) / 1024);
  }
  /// Of the caller's processor, for beginning a one-sided operation with so many bytes, or for
  /// getting its answer: hardware needs no copy.
  std::chrono::nanoseconds OperationCpu(std::uint64_t bytes) const {
    return one_sided_by_hardware() ? message_cpu : MessageCpu(bytes);
  }
  std::chrono::nanoseconds WireTime(std::uint64_t bytes) const;
  std::chrono::nanoseconds PersistTime(std::uint64_t bytes) const;

  /// With the defaults.
  static CostModel Rdma();
  static CostModel Tcp();
  static CostModel Cxl();
  static CostModel Shm();

  /// The model "rdma", "tcp", "cxl" or "shm" as the settings say.
  /// InvalidArgument for another name.
  static Result<CostModel> FromConfig(std::string_view name, const Config& config);
};

}  // namespace cirein::fabric
