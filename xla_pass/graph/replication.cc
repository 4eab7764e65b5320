// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/graph/replication.h"

#include <algorithm>
#include <unordered_map>

#include "xla_pass/graph/op_table.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/hlo_view/sharding.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// A loop's state converges after as many iterations as facts take to propagate between its elements: two in real
// modules, multiplied for nested loops.
constexpr int64_t kMaxVisits = 64;

// True if the result depends only on the operands.
bool IsPure(Opcode opcode) {
  switch (opcode) {
    case Opcode::kConstant:
    case Opcode::kIota:
    case Opcode::kBroadcast:
    case Opcode::kSlice:
    case Opcode::kDynamicSlice:
    case Opcode::kDynamicUpdateSlice:
    case Opcode::kConcatenate:
    case Opcode::kPad:
    case Opcode::kGather:
    case Opcode::kDot:
    case Opcode::kReduce:
    case Opcode::kReduceWindow:
    case Opcode::kReducePrecision:
    case Opcode::kBitcastConvert:
    case Opcode::kOptimizationBarrier:
      return true;
    default:
      return IsMove(opcode) || ElementwiseOp(opcode).has_value();
  }
}

// Opcodes that Opcode does not list.
bool SortsOrSelects(const hlo::Instruction& instruction) {
  return instruction.opcode_name == "sort" || instruction.opcode_name == "topk";
}

// GPUs add scattered updates in any order, which gives the same result on every rank only for integers.
bool IsScatterThatAdds(const Graph& graph, Node node) {
  const hlo::Instruction& instruction = graph.at(node);
  if (instruction.opcode_name != "scatter" || instruction.called_computations.size() != 1) return false;
  const auto& combine = graph.module().computations[instruction.called_computations[0]];
  if (instruction.shape->IsTuple() || ClassifyReducer(combine) == Reducer::kOther) return false;
  switch (instruction.shape->element_type) {
    case hlo::PrimitiveType::kS32:
    case hlo::PrimitiveType::kU32:
    case hlo::PrimitiveType::kS64:
    case hlo::PrimitiveType::kU64:
      return true;
    default:
      return false;
  }
}

}  // namespace

Replication::Replication(const Graph& graph, const hlo::ReplicaGroups& groups)
    : graph_(graph),
      groups_(groups),
      same_(graph.size()),
      callers_(graph.module().computations.size(), 0),
      instructions_left_(kMaxVisits * graph.size()) {
  for (Node node = 0; node < graph.size(); ++node) {
    for (int callee : graph.at(node).called_computations) ++callers_[callee];
  }
  Visit(graph.module().entry, EntryParameters());
}

// Facts from the shardings of the entry parameters, which are per partition.
std::vector<Replication::Fact> Replication::EntryParameters() const {
  const hlo::Module& module = graph_.module();
  const bool counts_partitions =
      groups_.mode == hlo::GroupMode::kFlattenedId || groups_.mode == hlo::GroupMode::kCrossPartition;
  std::vector<Fact> facts;
  if (!counts_partitions || module.parameter_shardings.size() != module.computations[module.entry].parameters.size()) {
    return facts;
  }
  for (std::string_view sharding : module.parameter_shardings) {
    const Result<std::vector<std::vector<int64_t>>> holders = hlo::HoldersOfTheSame(sharding);
    facts.push_back({holders && (holders->empty() || LieWithin(*holders)), {}});
  }
  return facts;
}

Replication::Fact Replication::Meet(const Fact& a, const Fact& b) {
  Fact fact;
  fact.whole = a.whole && b.whole;
  for (size_t i = 0; i < std::min(a.elements.size(), b.elements.size()); ++i) {
    fact.elements.push_back(a.elements[i] && b.elements[i]);
  }
  return fact;
}

void Replication::Visit(int computation, const std::vector<Fact>& parameters) {
  const int count = static_cast<int>(graph_.module().computations[computation].instructions.size());
  instructions_left_ -= count;
  gave_up_ |= instructions_left_ < 0;
  for (int i = 0; i < count && !gave_up_; ++i) {
    const Node node = graph_.node(computation, i);
    same_[node] = Of(node, parameters);
  }
}

Replication::Fact Replication::Of(Node node, const std::vector<Fact>& parameters) {
  const hlo::Instruction& instruction = graph_.at(node);
  switch (instruction.opcode) {
    case Opcode::kParameter:
      return OfParameter(node, parameters);
    case Opcode::kTuple:
      return OfTuple(node);
    case Opcode::kGetTupleElement: {
      if (graph_.operand_count(node) != 1) return {};
      const Fact& tuple = same_[graph_.operand(node, 0)];
      const auto index = static_cast<size_t>(instruction.number);
      return {tuple.whole || (index < tuple.elements.size() && tuple.elements[index]), {}};
    }
    case Opcode::kFusion:
    case Opcode::kCall:
      return OfCall(node);
    case Opcode::kWhile:
      return OfWhile(node);
    case Opcode::kAllReduce:
    case Opcode::kAllGather:
      return {SpansTheGroups(node), {}};
    default:
      return {IsFunction(node) && OperandsAreSame(node), {}};
  }
}

Replication::Fact Replication::OfParameter(Node node, const std::vector<Fact>& parameters) const {
  const auto number = static_cast<size_t>(graph_.at(node).number);
  return number < parameters.size() ? parameters[number] : Fact{};
}

Replication::Fact Replication::OfTuple(Node node) const {
  Fact fact;
  for (int i = 0; i < graph_.operand_count(node); ++i) fact.elements.push_back(same_[graph_.operand(node, i)].whole);
  fact.whole = std::all_of(fact.elements.begin(), fact.elements.end(), [](bool same) { return same; });
  return fact;
}

// A computation with several callers would have to be analysed for all of them; nothing is assumed about it.
Replication::Fact Replication::OfCall(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  if (instruction.called_computations.size() != 1 || callers_[instruction.called_computations[0]] != 1) return {};
  const int callee = instruction.called_computations[0];
  std::vector<Fact> parameters;
  for (int i = 0; i < graph_.operand_count(node); ++i) parameters.push_back(same_[graph_.operand(node, i)]);
  Visit(callee, parameters);
  return same_[graph_.root(callee)];
}

Replication::Fact Replication::OfWhile(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  if (instruction.called_computations.size() != 2 || graph_.operand_count(node) != 1) return {};
  for (int callee : instruction.called_computations) {
    if (callers_[callee] != 1) return {};
  }
  for (Fact state = same_[graph_.operand(node, 0)]; !gave_up_;) {
    Fact after = state;
    for (int callee : instruction.called_computations) {
      Visit(callee, {state});
      const Fact& root = same_[graph_.root(callee)];
      const bool is_body = graph_.at(graph_.root(callee)).shape->IsTuple();
      // Ranks that run different numbers of iterations have different states.
      after = is_body ? Meet(after, root) : root.whole ? after : Fact{};
    }
    if (after.whole == state.whole && after.elements == state.elements) return state;
    state = after;
  }
  return {};
}

// True if the result depends only on the operands, for any opcode.
bool Replication::IsFunction(Node node) const {
  const hlo::Instruction& instruction = graph_.at(node);
  return IsPure(instruction.opcode) || SortsOrSelects(instruction) || IsScatterThatAdds(graph_, node);
}

bool Replication::OperandsAreSame(Node node) const {
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    if (!same_[graph_.operand(node, i)].whole) return false;
  }
  return true;
}

bool Replication::SpansTheGroups(Node collective) const {
  const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(graph_.at(collective));
  return groups && groups->mode == groups_.mode && LieWithin(groups->groups);
}

// True if each of our groups is within one of `groups`.
bool Replication::LieWithin(const std::vector<std::vector<int64_t>>& groups) const {
  std::unordered_map<int64_t, size_t> group_of;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (int64_t id : groups[g]) group_of[id] = g;
  }
  return std::all_of(groups_.groups.begin(), groups_.groups.end(), [&](const std::vector<int64_t>& ours) {
    return std::all_of(ours.begin(), ours.end(), [&](int64_t id) {
      return group_of.count(id) != 0 && group_of.count(ours[0]) != 0 && group_of[id] == group_of[ours[0]];
    });
  });
}

const Replication& ReplicationCache::For(const hlo::ReplicaGroups& groups) {
  for (const Known& known : known_) {
    if (known.groups == groups) return known.replication;
  }
  known_.push_back({groups, Replication(graph_, groups)});
  return known_.back().replication;
}

}  // namespace jax_oneshot
