// SPDX-License-Identifier: Apache-2.0

// A pool type of one's own: it counts requests and hands them on to another pool.
// Prints: counting: 3 requests

#include <iostream>

#include <cirein/cirein.h>

using namespace cirein;
namespace {
int requests = 0;
class CountingPool : public PoolBackend {
 public:
  explicit CountingPool(Pool next) : next_(std::move(next)) {}
  std::string_view type() const override { return "counting"; }
  Operation Publish(const Key& key, DataObject data, const PublishOptions& how,
                    PublishCallback done) override {
    return Count().Publish(key, std::move(data), std::move(done), how);
  }
  Operation Want(const Pattern& what, const WantOptions& options, WantCallback done) override {
    return Count().Want(what, std::move(done), options);
  }
  Operation Drop(const Pattern& what, Deadline deadline, DropCallback done) override {
    return Count().Drop(what, std::move(done), deadline);
  }
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    return Count().Info(key, std::move(done), deadline);
  }
  Operation GetRowInfo(const Key&, Deadline, RowInfoCallback done) override {
    return done(Unimplemented("counting: pools know no rows")), Operation();
  }
  Operation List(const Pattern&, const ListOptions&, ListCallback done) override {
    return done(Unimplemented("counting: pools do not list")), Operation();
  }
  Operation Compute(const ComputeRequest& what, Deadline end, ComputeCallback done) override {
    return Count().Compute(what.pattern, what.function, what.args, std::move(done), end);
  }

 private:
  Pool& Count() { return ++requests, next_; }
  Pool next_;
};

Result<std::shared_ptr<PoolBackend>> MakeCountingPool(const PoolContext& context) {
  CIREIN_ASSIGN_OR_RETURN(Pool next, Connect(context.url.option("next").value_or("null:")));
  return std::shared_ptr<PoolBackend>(std::make_shared<CountingPool>(std::move(next)));
}
}  // namespace

// What fails here ends the program: value() throws.
int main() {
  const Library library;
  if (!RegisterPoolType({"counting", "counts requests", {"next"}, MakeCountingPool}).ok()) return 1;
  Pool pool = Connect("counting:/mine&next=local:/behind").value();
  pool.Publish(Key("row"), DataObject::FromString("x").value()).value();
  pool.Need(Key("row")).value();
  pool.Drop(Key("row")).value();
  std::cout << pool.type() << ": " << requests << " requests\n";
}
