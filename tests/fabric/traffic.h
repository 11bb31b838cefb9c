// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "fabric/conformance.h"

namespace cirein::fabric {

/// All kinds of traffic over one connection, begun again as it ends; counts what is open.
class Traffic {
 public:
  /// How many bytes the next one has, at most `most`.
  struct Sizes {
    std::size_t most = 0;
    std::function<std::size_t(Random&)> draw;
  };

  /// `theirs` has at least that many bytes.
  Traffic(ConnectionPtr connection, const Grant& theirs, Sizes sizes)
      : connection_(std::move(connection)),
        theirs_(theirs),
        sizes_(std::move(sizes)),
        bytes_(sizes_.most, std::byte{'x'}),
        into_(sizes_.most) {}

  void BeginSome(Random& random) {
    const auto ended = [this](const auto&) { ++ended_; };
    const std::size_t bytes = sizes_.draw(random);
    const auto part = std::span<const std::byte>(bytes_).first(bytes);
    Status begun;
    switch (random.Below(6)) {
      case 0:
        static_cast<void>(connection_->Send(OnePart(part)).ok());
        return;
      case 1:
        begun = connection_->Request(OnePart(part), kLong, ended);
        break;
      case 2:
        begun = connection_->Read(theirs_, 0, std::span(into_).first(bytes), kLong, ended);
        break;
      case 3:
        begun = connection_->Write(theirs_, 0, part, kLong, ended);
        break;
      case 4:
        begun = connection_->CompareAndSwap(theirs_, 8, {0, 1}, kLong, ended);
        break;
      default:
        begun = connection_->FetchAdd(theirs_, 0, 1, kLong, ended);
        break;
    }
    begun_ += begun.ok();
  }
  bool all_ended() const { return begun_ == ended_; }
  int begun() const { return begun_; }

 private:
  const ConnectionPtr connection_;
  const Grant theirs_;
  const Sizes sizes_;
  std::vector<std::byte> bytes_;
  std::vector<std::byte> into_;
  int begun_ = 0;
  int ended_ = 0;
};

}  // namespace cirein::fabric
