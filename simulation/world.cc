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
  if (healed_) return;
  scheduler_.Say(fmt::format("fault: {}", fault.ToString()));
  Machine* const machine = FindMachine(fault.target);
  switch (fault.kind) {
    case Fault::Kind::kKill:
      return machine->Crash(Machine::End::kProcess, fault.lasts);
    case Fault::Kind::kPowerLoss:
      return machine->Crash(Machine::End::kPower, fault.lasts);
    case Fault::Kind::kPause:
      longest_pause_ = std::max(longest_pause_, fault.lasts);
      if (machine->host() != nullptr) machine->host()->PauseUntil(now() + fault.lasts);
      return;
    case Fault::Kind::kBreak:
      network_->BreakConnection(fault.target, fault_random_);
      return;
    case Fault::Kind::kSlow:
    case Fault::Kind::kCut:
    case Fault::Kind::kDelay:
    case Fault::Kind::kFull:
      lasting_.push_back(fault);
      Set(fault);
      scheduler_.RunAfter(fault.lasts, [this, fault] { Undo(fault); });
  }
}

void World::Undo(const Fault& fault) {
  if (healed_) return;
  scheduler_.Say(fmt::format("over: {}", fault.ToString()));
  lasting_.erase(std::find(lasting_.begin(), lasting_.end(), fault));
  Set(fault);
}

void World::Set(const Fault& fault) {
  std::uint32_t factor = 1;
  bool any = false;
  for (const Fault& each : lasting_) {
    if (each.kind != fault.kind || each.target != fault.target || each.other != fault.other) {
      continue;
    }
    any = true;
    factor = std::max(factor, each.factor);
  }
  Machine* const machine = FindMachine(fault.target);
  const fabric::SimNetwork::Way way{fault.target, fault.other};
  if (fault.kind == Fault::Kind::kSlow && machine->host() != nullptr) {
    machine->host()->SetSlowness(factor);
  }
  if (fault.kind == Fault::Kind::kCut) any ? network_->Cut(way) : network_->Heal(way);
  if (fault.kind == Fault::Kind::kDelay) network_->SetDelay(way, factor);
  if (fault.kind == Fault::Kind::kFull) machine->SetDiskFull(any);
}

void World::HealAll() {
  scheduler_.Say("all faults end");
  healed_ = true;
  network_->HealAll();
  for (const auto& machine : machines_) machine->Heal();
}

void World::Violate(std::string what) {
  scheduler_.Say(fmt::format("VIOLATION: {}", what));
  violations_.push_back(std::move(what));
}

}  // namespace cirein::simulation
