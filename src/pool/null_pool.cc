// SPDX-License-Identifier: Apache-2.0
#include "pool/null_pool.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cirein {
namespace {

class NullPool final : public PoolBackend {
 public:
  explicit NullPool(DataObject empty) : empty_(std::move(empty)) {}

  std::string_view type() const override { return "null"; }

  Operation Publish(const Key& /*key*/, DataObject object, const PublishOptions& /*options*/,
                    PublishCallback done) override {
    done(Forgotten(object));
    return Operation();
  }
  std::optional<Result<ObjectInfo>> TryPublish(const Key& /*key*/, DataObject& object,
                                               const PublishOptions& /*options*/) override {
    const ObjectInfo info = Forgotten(object);
    object = DataObject();
    return info;
  }
  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& /*options*/,
                         GroupCallback done) override {
    std::vector<ObjectInfo> infos;
    infos.reserve(items.size());
    for (const PublishItem& item : items) infos.push_back(Forgotten(item.object));
    done(std::move(infos));
    return Operation();
  }
  Operation Want(const Pattern& pattern, const WantOptions& /*options*/,
                 WantCallback done) override {
    done(NamedObject{KeyFor(pattern), empty_, {}});
    return Operation();
  }
  std::optional<Result<DataObject>> TryNeed(const Key& /*key*/) override { return empty_; }
  Operation Drop(const Pattern& /*pattern*/, Deadline /*deadline*/, DropCallback done) override {
    done(std::uint64_t{0});
    return Operation();
  }
  Operation Info(const Key& /*key*/, Deadline /*deadline*/, InfoCallback done) override {
    done(ObjectInfo());
    return Operation();
  }
  Operation GetRowInfo(const Key& /*row*/, Deadline /*deadline*/, RowInfoCallback done) override {
    done(RowInfo());
    return Operation();
  }
  Operation List(const Pattern& /*pattern*/, const ListOptions& /*options*/,
                 ListCallback done) override {
    done(ListPage());
    return Operation();
  }
  Operation Compute(const ComputeRequest& /*request*/, Deadline /*deadline*/,
                    ComputeCallback done) override {
    done(NotFound("a null: pool holds no objects to compute on", "use another pool type"));
    return Operation();
  }

 private:
  // A key that may be, and that matches.
  static Key KeyFor(const Pattern& pattern) {
    if (pattern.is_exact()) return pattern.key();
    const std::string row = pattern.row().empty() ? "null" : pattern.row();
    return pattern.MatchesColumn(std::nullopt) ? Key(row) : Key(row, pattern.column());
  }
  static ObjectInfo Forgotten(const DataObject& object) {
    ObjectInfo info;
    info.meta_bytes = object.meta_bytes();
    info.data_bytes = object.data_bytes();
    return info;
  }

  const DataObject empty_;
};

Result<std::shared_ptr<PoolBackend>> MakeNullPool(const PoolContext& /*context*/) {
  CIREIN_ASSIGN_OR_RETURN(DataObject empty, DataObject::Allocate({}));
  return std::shared_ptr<PoolBackend>(std::make_shared<NullPool>(std::move(empty)));
}

}  // namespace

PoolType NullPoolType() {
  return {.name = "null",
          .description = "accepts every request and forgets it, for measuring and dry runs",
          .options = {},
          .factory = MakeNullPool};
}

}  // namespace cirein
