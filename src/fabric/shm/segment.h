// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cirein/status.h"

#include "fabric/shm/loan.h"
#include "fabric/shm/ring.h"
#include "region/mapping.h"
#include "runtime/file_descriptor.h"

namespace cirein::fabric {

/// The shared memory of one connection: two rings, of which each side writes one, and what is said
/// of memory that is lent. It has no name, and goes with the last process that holds it.
class Segment {
 public:
  /// A new one, sealed, with all its memory there. ResourceExhausted, IoError.
  static Result<std::unique_ptr<Segment>> Create(std::uint64_t ring_bytes);
  /// One that the other side has made. PermissionDenied for what cannot be such a segment: one that
  /// might still shrink, or is of another size.
  static Result<std::unique_ptr<Segment>> Open(const FileDescriptor& file,
                                               std::uint64_t ring_bytes);

  /// Of one that was created, to be passed on; closed by Forget.
  int fd() const { return file_.get(); }
  void ForgetFile() { file_.Close(); }

  /// The two rings, 0 written by the side that connected.
  std::span<std::byte> ring(unsigned which) const;
  RingControl& control(unsigned which) const;
  /// The lines of what a side lends, kLoansMax of each; side 0 connected.
  LoanLine& loan(unsigned side, unsigned line) const;

 private:
  Segment(FileDescriptor file, FileMapping mapping, std::uint64_t ring_bytes)
      : file_(std::move(file)), mapping_(std::move(mapping)), ring_bytes_(ring_bytes) {}

  FileDescriptor file_;
  const FileMapping mapping_;
  const std::uint64_t ring_bytes_;
};

}  // namespace cirein::fabric
