// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "region/shadow_space.h"

namespace cirein::crash {

/// A way into a shadow space that outlives it: a pool that is opened, killed and opened again on
/// the same medium, in one history.
class SharedSpace final : public RegionSpace {
 public:
  explicit SharedSpace(std::shared_ptr<ShadowSpace> space) : space_(std::move(space)) {}

  const std::string& path() const override { return space_->path(); }
  const MediumTraits& traits() const override { return space_->traits(); }
  const std::string& boot_id() const override { return space_->boot_id(); }
  Status Lock() override { return space_->Lock(); }
  void Unlock() override { space_->Unlock(); }
  Result<std::unique_ptr<Region>> Create(const std::string& name, std::uint64_t bytes,
                                         RegionUse use) override {
    return space_->Create(name, bytes, use);
  }
  Result<std::unique_ptr<Region>> Open(const std::string& name, RegionUse use,
                                       Access access) override {
    return space_->Open(name, use, access);
  }
  Status Remove(const std::string& name) override { return space_->Remove(name); }
  Status PersistNames(PersistSite site) override { return space_->PersistNames(site); }
  Result<std::vector<Entry>> List() const override { return space_->List(); }

 private:
  const std::shared_ptr<ShadowSpace> space_;
};

}  // namespace cirein::crash
