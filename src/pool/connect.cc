// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "cirein/directory.h"

#include "pool/pool_state.h"
#include "pool/pool_types.h"
#include "pool/process.h"

namespace cirein {
namespace {

// The bucket from the URL's brackets or its `bucket` option, else the configured one.
Result<Bucket> BucketOf(const ResourceUrl& url, const Config& config) {
  const std::optional<std::string> option = url.option("bucket");
  if (!option) {
    return url.bucket().specified() ? url.bucket()
                                    : Bucket::Parse(config.GetString("default.bucket"));
  }
  CIREIN_ASSIGN_OR_RETURN(const Bucket bucket, Bucket::Parse(*option));
  if (url.bucket().specified() && url.bucket() != bucket) {
    return InvalidArgument(fmt::format("\"{}\" names two buckets", url.ToString()),
                           "leave out the brackets or the bucket option");
  }
  return bucket;
}

Result<std::shared_ptr<PoolBackend>> MakeBackend(const PoolType& type, const PoolContext& context) {
  try {
    Result<std::shared_ptr<PoolBackend>> backend = type.factory(context);
    if (backend.ok() && *backend == nullptr) {
      return Internal(fmt::format("the factory of pool type \"{}\" made no pool", type.name));
    }
    return backend;
  } catch (const std::exception& error) {
    return Aborted(
        fmt::format("the factory of pool type \"{}\" threw: {}", type.name, error.what()),
        "return an error instead of throwing");
  } catch (...) {
    return Aborted(
        fmt::format("the factory of pool type \"{}\" threw what is no std::exception", type.name),
        "return an error instead of throwing");
  }
}

Result<std::shared_ptr<Pool::State>> ConnectReference(const ResourceUrl& url);

}  // namespace

void Pool::State::End(State* state) {
  if (!AnsweringHere::now()) {
    delete state;
    return;
  }
  // Kept, for the state may be gone before RunElsewhere returns.
  const std::shared_ptr<Process> process = state->process_;
  process->RunElsewhere([state] { delete state; });
}

Result<std::shared_ptr<Pool::State>> ConnectState(const ResourceUrl& url) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) {
    return FailedPrecondition(
        fmt::format("cannot connect to \"{}\": the library is not started", url.ToString()),
        "call cirein::Start, or make a cirein::Library, first");
  }
  if (url.is_reference()) return ConnectReference(url);
  CIREIN_ASSIGN_OR_RETURN(const PoolType type, FindPoolType(url.type()));
  CIREIN_RETURN_IF_ERROR(CheckPoolOptions(url, type));
  PoolContext context{.url = url, .behavior = std::nullopt};
  CIREIN_ASSIGN_OR_RETURN(const Bucket bucket, BucketOf(url, process->config()));
  context.url.set_bucket(bucket).remove_option("bucket");
  if (const std::optional<std::string> behavior = url.option("behavior")) {
    CIREIN_ASSIGN_OR_RETURN(context.behavior, Behavior::Parse(*behavior));
  }
  const auto connect = [&]() -> Result<std::shared_ptr<Pool::State>> {
    CIREIN_ASSIGN_OR_RETURN(std::shared_ptr<PoolBackend> backend, MakeBackend(type, context));
    return std::shared_ptr<Pool::State>(new Pool::State(context.url, std::move(backend), process),
                                        Pool::State::End);
  };
  return process->Share(context.url.ToString(), connect);
}

namespace {

// The directory says what it is; what the reference says beside its name counts before that.
Result<std::shared_ptr<Pool::State>> ConnectReference(const ResourceUrl& url) {
  Result<Directory> directory = Directory::Connect();
  if (!directory.ok()) {
    return directory.status().WithContext(
        fmt::format("\"{}\" names no type, so the directory must know it", url.ToString()));
  }
  CIREIN_ASSIGN_OR_RETURN(const DirectoryInfo entry, directory->Await(url));
  ResourceUrl resolved = entry.url;
  for (const auto& [name, value] : url.options()) resolved.set_option(name, value);
  return ConnectState(resolved);
}

}  // namespace

Result<Pool> Connect(const ResourceUrl& url) {
  CIREIN_ASSIGN_OR_RETURN(std::shared_ptr<Pool::State> state, ConnectState(url));
  return Pool(std::move(state));
}

Result<Pool> Connect(std::string_view url) {
  CIREIN_ASSIGN_OR_RETURN(const ResourceUrl parsed, ResourceUrl::Parse(url));
  return Connect(parsed);
}

}  // namespace cirein
