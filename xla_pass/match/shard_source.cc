#include "xla_pass/match/shard_source.h"

#include <algorithm>

#include "xla_pass/match/op_table.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

constexpr int kMaxSteps = 32;

bool IsReduction(Opcode opcode) { return opcode == Opcode::kReduce || opcode == Opcode::kReduceWindow; }

// What fused parameters and fusions stand for: an instruction that does something.
Node SeeThrough(const Graph& graph, Node node) {
  for (int step = 0; step < kMaxSteps; ++step) {
    const int fused = graph.fused_computation(node);
    const Node next = fused >= 0 ? graph.root(fused) : graph.Outer(node);
    if (next == kNoNode) break;
    node = next;
  }
  return node;
}

// The one operand as large as the result that is no broadcast and no constant; kNoNode if there are two or none.
Node OnlyLargeOperand(const Graph& graph, Node node) {
  Node only = kNoNode;
  for (int i = 0; i < graph.operand_count(node); ++i) {
    const Node operand = SeeThrough(graph, graph.operand(node, i));
    const hlo::Instruction& instruction = graph.at(operand);
    if (instruction.opcode == Opcode::kBroadcast || instruction.opcode == Opcode::kConstant || operand == only)
      continue;
    if (only != kNoNode || instruction.shape->dimensions != graph.at(node).shape->dimensions) return kNoNode;
    only = operand;
  }
  return only;
}

}  // namespace

std::optional<ShardSource> FindShardSource(const Graph& graph, Node all_reduce, int64_t ranks) {
  const int computation = graph.computation_index(all_reduce);
  if (graph.operand_count(all_reduce) != 1) return std::nullopt;
  Node node = SeeThrough(graph, graph.operand(all_reduce, 0));
  // The last reduction says which dimensions are columns; windows before it reduce the same ones.
  for (int step = 0; step < kMaxSteps && graph.at(node).opcode != Opcode::kReduce; ++step) {
    const bool passes = IsMove(graph.at(node).opcode) || graph.at(node).opcode == Opcode::kConvert;
    if (!passes || graph.operand_count(node) != 1) return std::nullopt;
    node = SeeThrough(graph, graph.operand(node, 0));
  }
  const hlo::Instruction& reduce = graph.at(node);
  if (reduce.opcode != Opcode::kReduce || graph.operand_count(node) != 2) return std::nullopt;
  const Dims dims = graph.at(graph.operand(node, 0)).shape->dimensions;
  int split = static_cast<int>(dims.size()) - static_cast<int>(reduce.dimensions.size());
  if (!std::all_of(reduce.dimensions.begin(), reduce.dimensions.end(), [&](int64_t d) { return d >= split; })) {
    return std::nullopt;
  }
  ShardSource source;
  for (int step = 0; step < kMaxSteps; ++step) {
    const Opcode opcode = graph.at(node).opcode;
    if (graph.computation_index(node) == computation && !IsReduction(opcode)) {
      source.node = node;
      source.split = split;
    }
    if (!IsReduction(opcode) && !IsMove(opcode) && !ElementwiseOp(opcode)) break;
    if (graph.operand_count(node) == 0) break;
    const Node next = ElementwiseOp(opcode) ? OnlyLargeOperand(graph, node) : SeeThrough(graph, graph.operand(node, 0));
    if (next == kNoNode) break;
    if (IsMove(opcode)) {
      const auto before = SplitAfterReshape(graph.at(node).shape->dimensions, split, graph.at(next).shape->dimensions);
      if (!before) break;
      split = *before;
    }
    if (split > static_cast<int>(graph.at(next).shape->dimensions.size())) break;
    node = next;
  }
  if (source.node == kNoNode) return std::nullopt;
  const Dims found = graph.at(source.node).shape->dimensions;
  source.extent = {Product(found, 0, source.split), Product(found, source.split, found.size()) * ranks};
  return source;
}

}  // namespace jax_oneshot
