// SPDX-License-Identifier: Apache-2.0
#include "node/message_handlers.h"

#include <exception>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"

namespace cirein::node {
namespace {

Status NoHandler(std::string_view name, std::string hint) {
  return NotFound(fmt::format("nobody answers messages for {} there", QuoteForPeople(name)),
                  std::move(hint));
}

}  // namespace

Result<std::string> MessageHandlers::Handler::Run(std::string_view message) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return NoHandler(name_, "the pool that answered them is gone");
  std::string what = "something that is no std::exception";
  try {
    return function_(message);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  return Aborted(fmt::format("the handler \"{}\" threw: {}", name_, what),
                 "return an error instead of throwing");
}

Result<std::shared_ptr<MessageHandlers::Handler>> MessageHandlers::Add(std::string name,
                                                                       Function function) {
  const auto handler = std::make_shared<Handler>(std::move(name), std::move(function));
  const std::lock_guard lock(mutex_);
  if (handlers_.emplace(handler->name(), handler).second) return handler;
  return AlreadyExists(fmt::format("messages for \"{}\" have a handler already", handler->name()),
                       "choose another name, such as one with the pool's path in it");
}

void MessageHandlers::Remove(const std::shared_ptr<Handler>& handler) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = handlers_.find(handler->name());
    if (found != handlers_.end() && found->second == handler) handlers_.erase(found);
  }
  handler->gate_.CloseAndWait();
}

Result<std::shared_ptr<MessageHandlers::Handler>> MessageHandlers::Find(
    std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = handlers_.find(name);
  if (found != handlers_.end()) return found->second;
  std::vector<std::string_view> names;
  for (const auto& [known, handler] : handlers_) names.push_back(known);
  return NoHandler(name, DidYouMean(name, names, "connect to the pool in that process first"));
}

}  // namespace cirein::node
