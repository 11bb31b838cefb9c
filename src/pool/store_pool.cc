// SPDX-License-Identifier: Apache-2.0
#include "pool/store_pool.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"
#include "object/backed_bucket.h"
#include "pool/pool_backing.h"

namespace cirein {
namespace {

class StorePool final : public PoolBackend {
 public:
  StorePool(std::string_view type, std::shared_ptr<StripedStore> store, const Clock& clock,
            const StorePoolOptions& options)
      : type_(type), store_(std::move(store)), clock_(clock), options_(options) {}

  std::string_view type() const override { return type_; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    store_->Publish(View(key), Request(std::move(object), options), std::move(done));
    return Operation();
  }

  std::optional<Result<ObjectInfo>> TryPublish(const Key& key, DataObject& object,
                                               const PublishOptions& options) override {
    PutRequest request = Request(std::move(object), options);
    auto info = store_->TryPublish(View(key), request);
    if (!info) object = std::move(request.object);
    return info;
  }

  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override {
    std::vector<PutItem> puts;
    puts.reserve(items.size());
    for (PublishItem& item : items) {
      puts.push_back({View(item.key), Request(std::move(item.object), options)});
    }
    store_->PublishGroup(std::move(puts), std::move(done));
    return Operation();
  }

  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override {
    return store_->Want(InBucket(pattern), clock_.EndOf(options.deadline), std::move(done));
  }

  std::optional<Result<DataObject>> TryNeed(const Key& key) override {
    if (store_->BackedBy(options_.bucket) != nullptr) return std::nullopt;
    Result<DataObject> object = store_->Get(View(key));
    if (object.ok() && object->is_null()) return std::nullopt;
    return object;
  }

  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override {
    store_->Drop(InBucket(pattern), clock_.EndOf(deadline), std::move(done));
    return Operation();
  }

  Operation Info(const Key& key, Deadline /*deadline*/, InfoCallback done) override {
    return Answer(std::move(done), [store = store_, bucket = options_.bucket, key] {
      return store->Info(KeyView(bucket, key));
    });
  }

  Operation GetRowInfo(const Key& row, Deadline /*deadline*/, RowInfoCallback done) override {
    return Answer(std::move(done), [store = store_, bucket = options_.bucket, row] {
      return store->GetRowInfo(KeyView(bucket, row.row()));
    });
  }

  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    return Answer(std::move(done), [store = store_, pattern = InBucket(pattern), options] {
      return store->List(pattern, options);
    });
  }

  Operation Compute(const ComputeRequest& request, Deadline /*deadline*/,
                    ComputeCallback done) override {
    return store_->Compute(InBucket(request.pattern), request.function, request.args, done);
  }

 private:
  /// Here and now; where a store is behind the bucket, on a thread that may block for it.
  template <typename Done, typename Call>
  Operation Answer(Done done, Call call) const {
    if (const auto backed = store_->BackedBy(options_.bucket)) {
      const Status submitted = backed->Submit([done, call = std::move(call)] { done(call()); });
      if (!submitted.ok()) done(submitted);
    } else {
      done(call());
    }
    return Operation();
  }

  KeyView View(const Key& key) const { return KeyView(options_.bucket, key); }
  Pattern InBucket(Pattern pattern) const {
    pattern.set_bucket(options_.bucket);
    return pattern;
  }

  PutRequest Request(DataObject object, const PublishOptions& options) const {
    const PublishTerms terms = TermsOf(options, options_);
    PutRequest request;
    request.object = std::move(object);
    request.mode = terms.mode;
    request.if_version = terms.if_version;
    if (terms.age) request.expires = clock_.EndOf(*terms.age);
    request.keep = terms.keep;
    request.store = terms.store;
    request.to_backing = terms.to_backing;
    return request;
  }

  const std::string_view type_;
  const std::shared_ptr<StripedStore> store_;
  const Clock& clock_;
  const StorePoolOptions options_;
};

}  // namespace

PublishTerms TermsOf(const PublishOptions& options, const StorePoolOptions& pool) {
  PublishTerms terms;
  const bool overwrite = options.overwrite == Overwrite::kPoolDefault
                             ? pool.behavior.has(Behavior::kEnableOverwrites)
                             : options.overwrite == Overwrite::kYes;
  if (options.if_version) {
    terms.mode = PutMode::kIfVersion;
    terms.if_version = *options.if_version;
  } else {
    terms.mode = overwrite ? PutMode::kOverwrite : PutMode::kWriteOnce;
  }
  terms.age = options.ttl;
  if (pool.max_age) terms.age = std::min(terms.age.value_or(*pool.max_age), *pool.max_age);
  terms.keep = pool.keep;
  terms.to_backing = pool.behavior.has(Behavior::kWriteToIom);
  // At the owner either flag keeps the object.
  terms.store =
      pool.behavior.has(Behavior::kWriteToLocal) || pool.behavior.has(Behavior::kWriteToRemote);
  return terms;
}

std::vector<std::string> StorePoolOptionNames(std::vector<std::string> own) {
  for (const char* name : {"behavior", "keep", "max_age"}) own.emplace_back(name);
  return own;
}

Result<StorePoolOptions> ParseStorePoolOptions(const PoolContext& context) {
  StorePoolOptions options;
  options.bucket = context.url.bucket();
  if (context.behavior) options.behavior = *context.behavior;
  if (!context.behavior && NamesBacking(context.url)) {
    options.behavior = Behavior(Behavior::kDefaultLocalIom);
  }
  if (options.behavior.has(Behavior::kWriteToIom) && !NamesBacking(context.url)) {
    return InvalidArgument(
        fmt::format("the behavior \"{}\" writes to a store, and the URL names none",
                    options.behavior.ToString()),
        "add &store=TYPE:PATH to a pool that may have a store behind it, or leave out WriteToIOM");
  }
  if (const std::optional<std::string> keep = context.url.option("keep")) {
    const Result<std::uint64_t> count = ParseUint64(*keep);
    if (!count.ok() || *count == 0 || *count > kMaxKeptColumns) {
      return InvalidArgument(fmt::format("keep={} is no number of columns", QuoteForPeople(*keep)),
                             fmt::format("give 1 to {}", kMaxKeptColumns));
    }
    options.keep = static_cast<std::uint32_t>(*count);
    if (NamesBacking(context.url)) {
      return InvalidArgument("a row cannot be kept short where there is a store behind it",
                             "leave out keep= or the store");
    }
  }
  if (const std::optional<std::string> max_age = context.url.option("max_age")) {
    const Result<std::chrono::nanoseconds> age = ParseDuration(*max_age);
    if (!age.ok()) return age.status().WithContext("max_age");
    if (*age <= std::chrono::nanoseconds::zero()) {
      return InvalidArgument("max_age must be longer than nothing", "give such as max_age=90s");
    }
    options.max_age = *age;
  }
  return options;
}

std::shared_ptr<PoolBackend> MakeStorePool(std::string_view type,
                                           std::shared_ptr<StripedStore> store, const Clock& clock,
                                           const StorePoolOptions& options) {
  return std::make_shared<StorePool>(type, std::move(store), clock, options);
}

}  // namespace cirein
