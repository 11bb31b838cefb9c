// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_library.h"

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>

namespace cirein::fabric {

InfoPtr OfiHints(const std::string& provider) {
  InfoPtr hints(fi_allocinfo());
  if (hints == nullptr) return nullptr;
  // Peers may read what is shown to them, and write nothing.
  hints->caps = FI_MSG | FI_RMA | FI_SEND | FI_RECV | FI_READ | FI_REMOTE_READ;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->tx_attr->msg_order = FI_ORDER_SAS;
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  hints->domain_attr->mr_mode =
      FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT;
  if (!provider.empty()) hints->fabric_attr->prov_name = strdup(provider.c_str());
  return hints;
}

OfiAnswer AskOfi(const fi_info& hints, const OfiPlace& place) {
  const bool somewhere = !place.host.empty();
  fi_info* info = nullptr;
  const int error =
      fi_getinfo(kOfiVersion, somewhere ? place.host.c_str() : nullptr,
                 somewhere && !place.service.empty() ? place.service.c_str() : nullptr,
                 somewhere ? FI_SOURCE | FI_NUMERICHOST : 0, &hints, &info);
  return {.info = InfoPtr(error == 0 ? info : nullptr), .error = error};
}

std::string OfiErrorText(long error) {
  const char* const text = fi_strerror(static_cast<int>(std::labs(error)));
  return text != nullptr ? text : fmt::format("error {}", error);
}

Status OfiError(const std::string& action, long error) {
  const std::string message = fmt::format("cannot {}: {}", action, OfiErrorText(error));
  switch (std::labs(error)) {
    case FI_EADDRINUSE:
      return Unavailable(message, "choose another port, or end who uses it: ss -ltnp");
    case FI_EADDRNOTAVAIL:
      return Unavailable(message, "choose an address of this host: ip address");
    case FI_EACCES:
    case FI_EPERM:
      return PermissionDenied(message,
                              "let this user use the device, and lock memory: ulimit -l unlimited");
    case FI_ENOMEM:
    case FI_EMFILE:
    case FI_ENOSPC:
      return ResourceExhausted(
          message, "raise this process's limits of locked memory and open files: ulimit -l, -n");
    default:
      return Unavailable(message, "FI_LOG_LEVEL=warn makes libfabric say more");
  }
}

}  // namespace cirein::fabric
