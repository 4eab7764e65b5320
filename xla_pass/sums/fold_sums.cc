// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/fold_sums.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "xla_pass/graph/op_table.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/hlo_view/reachable.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/sums/all_reduce_bytes.h"
#include "xla_pass/sums/float_types.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;
using hlo::PrimitiveType;

// True if every value of `narrow` is a value of `wide`.
bool Holds(PrimitiveType wide, PrimitiveType narrow) {
  return wide == narrow || (wide == PrimitiveType::kF32 && IsFloat(narrow));
}

Reducer ReducerOf(const Graph& graph, Node all_reduce) {
  const hlo::Instruction& instruction = graph.at(all_reduce);
  if (instruction.called_computations.size() != 1) return Reducer::kOther;
  return ClassifyReducer(graph.module().computations[instruction.called_computations[0]]);
}

bool IsLoneAllReduce(const Graph& graph, Node node) {
  return graph.at(node).opcode == Opcode::kAllReduce && graph.operand_count(node) == 1 &&
         !graph.at(node).shape->IsTuple() && !graph.has_control_edges(node);
}

// True if it only moves or converts its operand, also as a fusion (XLA:CPU).
bool PassesOn(const Graph& graph, Node node) {
  const hlo::Instruction& instruction = graph.at(node);
  if (graph.operand_count(node) != 1 || graph.has_control_edges(node)) return false;
  const PrimitiveType type = instruction.shape->element_type;
  const PrimitiveType operand_type = graph.at(graph.operand(node, 0)).shape->element_type;
  if (IsMove(instruction.opcode)) return type == operand_type;
  if (instruction.opcode == Opcode::kConvert) return IsFloat(type) && IsFloat(operand_type);
  const int fused = graph.fused_computation(node);
  if (fused < 0) return false;
  const auto& instructions = graph.module().computations[fused].instructions;
  for (int i = 0; i < static_cast<int>(instructions.size()); ++i) {
    const Node inside = graph.node(fused, i);
    if (instructions[i].opcode != Opcode::kParameter && !PassesOn(graph, inside)) return false;
  }
  return true;
}

// Two nested all-reduces and the instructions between them, in data flow order.
struct Pair {
  Node inner = kNoNode, outer = kNoNode;
  std::vector<Node> between;
  Groups groups;
};

std::optional<Pair> FindPair(const Graph& graph, Node outer) {
  constexpr int kMaxBetween = 16;
  if (!IsLoneAllReduce(graph, outer)) return std::nullopt;
  Pair pair;
  pair.outer = outer;
  Node node = graph.operand(outer, 0);
  for (; !IsLoneAllReduce(graph, node); node = graph.operand(node, 0)) {
    if (!PassesOn(graph, node) || graph.users(node).size() != 1 || graph.is_root(node)) return std::nullopt;
    if (pair.between.size() == kMaxBetween) return std::nullopt;
    pair.between.push_back(node);
  }
  if (graph.users(node).size() != 1 || graph.is_root(node)) return std::nullopt;
  std::reverse(pair.between.begin(), pair.between.end());
  pair.inner = node;
  const Reducer reducer = ReducerOf(graph, outer);
  if (reducer == Reducer::kOther || reducer != ReducerOf(graph, node)) return std::nullopt;
  const Result<hlo::ReplicaGroups> outer_groups = DecodeReplicaGroups(graph.at(outer));
  const Result<hlo::ReplicaGroups> inner_groups = DecodeReplicaGroups(graph.at(node));
  if (!outer_groups || !inner_groups || outer_groups->mode != inner_groups->mode) return std::nullopt;
  std::optional<Groups> groups = ProductGroups(inner_groups->groups, outer_groups->groups);
  if (!groups) return std::nullopt;
  pair.groups = *std::move(groups);
  return pair;
}

class Folder {
 public:
  Folder(const Graph& graph, StageResult* result) : graph_(graph), result_(*result) {}

  void Fold(const Pair& pair) {
    if (IsTouched(pair)) return;
    if (OnlyWidens(pair)) {
      TakeOuter(pair, graph_.operand(pair.inner, 0), pair.between);
    } else if (OnlyNarrows(pair)) {
      TakeInner(pair);
    } else if (EndsAsItBegan(pair)) {
      TakeOuterAlone(pair);
    }
  }

 private:
  PrimitiveType TypeOf(Node node) const { return graph_.at(node).shape->element_type; }

  bool IsTouched(const Pair& pair) const {
    const auto touched = [&](Node node) { return result_.edit.IsTouched(node); };
    return touched(pair.inner) || touched(pair.outer) || std::any_of(pair.between.begin(), pair.between.end(), touched);
  }

  // False for a fusion, which may round inside: its operand and result types do not show it.
  template <typename Compare>
  bool Each(const Pair& pair, Compare compare) const {
    PrimitiveType type = TypeOf(pair.inner);
    for (const Node node : pair.between) {
      if (graph_.at(node).opcode == Opcode::kFusion || !compare(type, TypeOf(node))) return false;
      type = TypeOf(node);
    }
    return true;
  }
  bool OnlyWidens(const Pair& pair) const {
    return Each(pair, [](PrimitiveType before, PrimitiveType after) { return Holds(after, before); });
  }
  bool OnlyNarrows(const Pair& pair) const {
    return Each(pair, [](PrimitiveType before, PrimitiveType after) { return Holds(before, after); });
  }

  // With the same type and shape at both ends, the instructions in between can be dropped, together with their
  // rounding.
  bool EndsAsItBegan(const Pair& pair) const {
    const hlo::Shape& inner = *graph_.at(pair.inner).shape;
    const auto is_in_place = [&](Node node) {
      const hlo::Shape& shape = *graph_.at(node).shape;
      return graph_.at(node).opcode != Opcode::kTranspose && shape.dimensions == inner.dimensions && shape.IsRowMajor();
    };
    return TypeOf(pair.inner) == TypeOf(pair.outer) && inner.IsRowMajor() &&
           std::all_of(pair.between.begin(), pair.between.end(), is_in_place) && AllInPlaceInside(pair);
  }

  bool AllInPlaceInside(const Pair& pair) const {
    const std::vector<int64_t>& dimensions = graph_.at(pair.inner).shape->dimensions;
    return std::all_of(pair.between.begin(), pair.between.end(), [&](Node node) {
      const int fused = graph_.fused_computation(node);
      if (fused < 0) return true;
      const auto& inside = graph_.module().computations[fused].instructions;
      return std::all_of(inside.begin(), inside.end(), [&](const hlo::Instruction& instruction) {
        return instruction.opcode != Opcode::kTranspose && instruction.shape->dimensions == dimensions &&
               instruction.shape->IsRowMajor();
      });
    });
  }

  // The outer all-reduce sums over all ranks and reads `from` through `between`.
  void TakeOuter(const Pair& pair, Node from, const std::vector<Node>& between) {
    const Node reads = between.empty() ? from : between.back();
    if (!between.empty()) result_.edit.SetOperands(between[0], {from});
    result_.edit.Replace(pair.outer, AllReduceAmong(graph_.at(pair.outer), pair.groups, {graph_.at(reads).id}));
    result_.edit.Remove(pair.inner);
    result_.moved.push_back({pair.inner, pair.outer, MakeReason<ReasonId::kFoldedInto>(graph_.at(pair.outer).name)});
  }

  void TakeOuterAlone(const Pair& pair) {
    TakeOuter(pair, graph_.operand(pair.inner, 0), {});
    for (const Node node : pair.between) result_.edit.Remove(node);
  }

  // The inner all-reduce sums over all ranks; the outer one becomes a copy, which XLA removes.
  void TakeInner(const Pair& pair) {
    const hlo::Instruction& inner = graph_.at(pair.inner);
    const hlo::Instruction& outer = graph_.at(pair.outer);
    result_.edit.Replace(pair.inner, AllReduceAmong(inner, pair.groups, {graph_.at(graph_.operand(pair.inner, 0)).id}));
    const InstructionIdentity identity = {std::string(outer.name), outer.id, outer.metadata()};
    result_.edit.Replace(
        pair.outer, CopyBytes(identity, std::string(outer.shape->bytes), graph_.at(graph_.operand(pair.outer, 0)).id));
    result_.moved.push_back({pair.outer, pair.inner, MakeReason<ReasonId::kFoldedInto>(inner.name)});
  }

  const Graph& graph_;
  StageResult& result_;
};

}  // namespace

StageResult FoldSums(const Graph& graph) {
  StageResult result(graph);
  Folder folder(graph, &result);
  for (const ReachableComputation& reachable : FindReachable(graph.module())) {
    const auto count = static_cast<int>(graph.module().computations[reachable.computation].instructions.size());
    for (int i = count - 1; i >= 0; --i) {
      if (const std::optional<Pair> pair = FindPair(graph, graph.node(reachable.computation, i)); pair) {
        folder.Fold(*pair);
      }
    }
  }
  return result;
}

}  // namespace jax_oneshot
