// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "fabric/auto/auto_transport.h"
#include "fabric/conformance.h"
#include "fabric/ofi_fabric.h"
#include "fabric/shm_fabric.h"
#include "fabric/sim_fabric.h"
#include "support/seed.h"

namespace cirein::fabric {

/// Every fabric that there is, for INSTANTIATE_TEST_SUITE_P.
inline auto AllFabrics() {
  return testing::Values(
      NamedFabric{"sim_rdma",
                  [] { return std::make_unique<SimFabric>(CostModel::Rdma(), test::Seed()); }},
      NamedFabric{"sim_tcp",
                  [] { return std::make_unique<SimFabric>(CostModel::Tcp(), test::Seed()); }},
      NamedFabric{"shm", [] { return std::make_unique<ShmFabric>(256U << 10); }},
      NamedFabric{"shm_small_ring", [] { return std::make_unique<ShmFabric>(4096); }},
      NamedFabric{
          "shm_mapped",
          [] { return std::make_unique<ShmFabric>(256U << 10, ShmFabric::Memory::kMapped); }},
      NamedFabric{"ofi_tcp", [] { return std::make_unique<OfiFabric>("tcp;ofi_rxm"); }},
      NamedFabric{"auto", [] {
                    return std::make_unique<OfiFabric>([](Reactor& home) {
                      AutoOptions options;
                      options.limits = OfiFabric::SmallOptions().limits;
                      options.ofi = OfiFabric::SmallOptions();
                      return OfiFabric::Hold(AutoTransport::Create(home, options).value());
                    });
                  }});
}
inline std::string FabricName(const testing::TestParamInfo<NamedFabric>& fabric) {
  return fabric.param.name;
}

}  // namespace cirein::fabric
