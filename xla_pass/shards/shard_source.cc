// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/shards/shard_source.h"

#include <algorithm>

#include "xla_pass/graph/op_table.h"
#include "xla_pass/rows/row_moves.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

constexpr int kMaxSteps = 32;

bool IsReduction(Opcode opcode) { return opcode == Opcode::kReduce || opcode == Opcode::kReduceWindow; }

// One step into a fusion or out of a fusion's parameter; kNoNode for other instructions.
Node StandsFor(const Graph& graph, Node node) {
  const int fused = graph.fused_computation(node);
  return fused >= 0 ? graph.root(fused) : graph.Outer(node);
}

Node SeeThrough(const Graph& graph, Node node) {
  for (int step = 0; step < kMaxSteps; ++step) {
    const Node next = StandsFor(graph, node);
    if (next == kNoNode) break;
    node = next;
  }
  return node;
}

// The only operand with the dimensions of the result, not counting broadcasts and constants; else kNoNode.
Node OnlyLargeOperand(const Graph& graph, Node node) {
  Node only = kNoNode;
  for (int i = 0; i < graph.operand_count(node); ++i) {
    const Node operand = graph.operand(node, i);
    const Node meant = SeeThrough(graph, operand);
    const hlo::Instruction& instruction = graph.at(meant);
    const bool is_small = instruction.opcode == Opcode::kBroadcast || instruction.opcode == Opcode::kConstant;
    if (is_small || (only != kNoNode && meant == SeeThrough(graph, only))) continue;
    if (only != kNoNode || instruction.shape->dimensions != graph.at(node).shape->dimensions) return kNoNode;
    only = operand;
  }
  return only;
}

// A row reduction, and the split of its operand's row layout.
struct Reduction {
  Node node = kNoNode;
  int split = 0;
};

// The reduce before the all-reduce says which dimensions are columns; windows before it reduce the same ones.
Reduction LastReduction(const Graph& graph, Node result) {
  Node node = SeeThrough(graph, result);
  for (int step = 0; step < kMaxSteps && graph.at(node).opcode != Opcode::kReduce; ++step) {
    const bool passes = IsMove(graph.at(node).opcode) || graph.at(node).opcode == Opcode::kConvert;
    if (!passes || graph.operand_count(node) != 1) return {};
    node = SeeThrough(graph, graph.operand(node, 0));
  }
  const hlo::Instruction& reduce = graph.at(node);
  if (reduce.opcode != Opcode::kReduce || graph.operand_count(node) != 2) return {};
  const size_t rank = graph.at(graph.operand(node, 0)).shape->dimensions.size();
  const int split = static_cast<int>(rank) - static_cast<int>(reduce.dimensions.size());
  const bool reduces_last = std::all_of(reduce.dimensions.begin(), reduce.dimensions.end(),
                                        [&](int64_t dimension) { return dimension >= split; });
  return reduces_last ? Reduction{node, split} : Reduction{};
}

// One step from a value to the only operand of its size that it is computed from; else kNoNode. Updates *split.
Node StepBack(const Graph& graph, Node node, int* split) {
  const Opcode opcode = graph.at(node).opcode;
  if (const Node next = StandsFor(graph, node); next != kNoNode) return next;
  if (ElementwiseOp(opcode)) return OnlyLargeOperand(graph, node);
  if ((!IsReduction(opcode) && !IsMove(opcode)) || graph.operand_count(node) == 0) return kNoNode;
  const Node next = graph.operand(node, 0);
  if (!IsMove(opcode)) return next;
  const std::optional<RowLayout> before = RowLayoutBeforeMove(graph, node, {*split});
  if (!before || before->columns_first) return kNoNode;
  *split = before->split;
  return next;
}

}  // namespace

std::optional<ShardSource> FindShardSource(const Graph& graph, Node all_reduce, int64_t ranks) {
  if (graph.operand_count(all_reduce) != 1) return std::nullopt;
  const Reduction reduction = LastReduction(graph, graph.operand(all_reduce, 0));
  if (reduction.node == kNoNode) return std::nullopt;
  const int computation = graph.computation_index(all_reduce);
  ShardSource source;
  int split = reduction.split;
  Node node = StepBack(graph, reduction.node, &split);
  for (int step = 0; step < kMaxSteps && node != kNoNode; ++step) {
    if (split > static_cast<int>(graph.at(node).shape->dimensions.size())) break;
    if (graph.computation_index(node) == computation && !IsReduction(graph.at(node).opcode)) {
      source.node = node;
      source.split = split;
    }
    node = StepBack(graph, node, &split);
  }
  if (source.node == kNoNode) return std::nullopt;
  const Dims found = graph.at(source.node).shape->dimensions;
  source.extent = {Product(found, 0, source.split), Product(found, source.split, found.size()) * ranks};
  return source;
}

}  // namespace jax_oneshot
