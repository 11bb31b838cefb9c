// SPDX-License-Identifier: Apache-2.0
#include "simulation/world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cirein::simulation {

World::World(std::uint64_t seed, const fabric::CostModel& costs)
    : costs_(costs),
      scheduler_(seed),
      fault_random_(scheduler_.ForkRandom()),
      network_(std::make_unique<fabric::SimNetwork>(scheduler_, costs_)) {}

World::~World() {
  for (const auto& machine : machines_) machine->Stop();
  // What is still planned may hold on to what the machines had.
  scheduler_.Close();
}

Machine& World::AddMachine(Machine::Options options) {
  machines_.push_back(std::make_unique<Machine>(*this, std::move(options)));
  return *machines_.back();
}

Machine* World::FindMachine(std::string_view name) {
  const auto found = std::find_if(machines_.begin(), machines_.end(),
                                  [&](const auto& machine) { return machine->name() == name; });
  return found == machines_.end() ? nullptr : found->get();
}

std::vector<FaultTarget> World::Targets() const {
  std::vector<FaultTarget> targets;
  for (const auto& machine : machines_) {
    targets.push_back(machine->allowed());
    targets.back().name = machine->name();
  }
  return targets;
}

void World::Start() {
  for (const auto& machine : machines_) machine->Start();
}

void World::Plan(const FaultPlan& plan) {
  for (const Fault& fault : plan.faults()) {
    scheduler_.RunAfter(fault.at, [this, fault] { Apply(fault); });
  }
}

void World::Apply(const Fault& fault) {
  scheduler_.Say(fmt::format("fault: {}", fault.ToString()));
  Machine* const machine = FindMachine(fault.target);
  if (machine == nullptr) return;
  VirtualHost* const host = machine->host();
  switch (fault.kind) {
    case Fault::Kind::kKill:
      return machine->Crash(Machine::End::kProcess, fault.lasts);
    case Fault::Kind::kPowerLoss:
      return machine->Crash(Machine::End::kPower, fault.lasts);
    case Fault::Kind::kPause:
      if (host != nullptr) host->PauseUntil(now() + fault.lasts);
      return;
    case Fault::Kind::kBreak:
      network_->BreakConnection(fault.target, fault_random_);
      return;
    case Fault::Kind::kSlow:
      if (host != nullptr) host->SetSlowness(fault.factor);
      break;
    case Fault::Kind::kCut:
      network_->Cut({fault.target, fault.other});
      break;
    case Fault::Kind::kDelay:
      network_->SetDelay({fault.target, fault.other}, fault.factor);
      break;
    case Fault::Kind::kFull:
      machine->SetDiskFull(true);
      break;
  }
  scheduler_.RunAfter(fault.lasts, [this, fault] { Undo(fault); });
}

void World::Undo(const Fault& fault) {
  scheduler_.Say(fmt::format("over: {}", fault.ToString()));
  Machine* const machine = FindMachine(fault.target);
  VirtualHost* const host = machine->host();
  if (fault.kind == Fault::Kind::kSlow && host != nullptr) host->SetSlowness(1);
  if (fault.kind == Fault::Kind::kCut) network_->Heal({fault.target, fault.other});
  if (fault.kind == Fault::Kind::kDelay) network_->SetDelay({fault.target, fault.other}, 1);
  if (fault.kind == Fault::Kind::kFull) machine->SetDiskFull(false);
}

void World::HealAll() {
  scheduler_.Say("all faults end");
  network_->HealAll();
  for (const auto& machine : machines_) {
    if (machine->host() == nullptr) {
      machine->Start();
      continue;
    }
    machine->host()->SetSlowness(1);
    machine->SetDiskFull(false);
  }
}

void World::Violate(std::string what) {
  scheduler_.Say(fmt::format("VIOLATION: {}", what));
  violations_.push_back(std::move(what));
}

}  // namespace cirein::simulation
