// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <rdma/fabric.h>

#include "cirein/status.h"

/// libfabric's objects and errors in the words of the rest. Only sources of this folder include it.
namespace cirein::fabric {

/// The interface that is asked for, whatever newer one the installed library has.
inline constexpr std::uint32_t kOfiVersion = FI_VERSION(1, 17);

struct FidCloser {
  template <typename T>
  void operator()(T* object) const noexcept {
    fi_close(&object->fid);
  }
};
/// Owns an object of the library. What an object was made of must outlive it.
template <typename T>
using FidPtr = std::unique_ptr<T, FidCloser>;

struct InfoFreer {
  void operator()(fi_info* info) const noexcept { fi_freeinfo(info); }
};
using InfoPtr = std::unique_ptr<fi_info, InfoFreer>;

/// What a port wants of a provider. With an empty name, of any.
InfoPtr OfiHints(const std::string& provider);

/// Where a port shall be; both empty: anywhere.
struct OfiPlace {
  std::string host;
  std::string service;
};

/// What there is of it, best first. `error` is the library's when there is nothing.
struct OfiAnswer {
  InfoPtr info;
  int error = 0;
};
OfiAnswer AskOfi(const fi_info& hints, const OfiPlace& place);

/// The library's words for one of its errors; of either sign.
std::string OfiErrorText(long error);
/// "cannot <action>: <the library's words>", with what to do next.
Status OfiError(const std::string& action, long error);

}  // namespace cirein::fabric
