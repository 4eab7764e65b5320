// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/liveness.h"

#include "xla_pass/graph/op_table.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Instructions without side effects that are cheap to classify; all others stay even if unused. An all-gather absorbed
// into a call is unused on every rank, so it may go too.
bool IsPure(Opcode opcode) {
  return ElementwiseOp(opcode).has_value() || IsMove(opcode) || opcode == Opcode::kBroadcast ||
         opcode == Opcode::kConstant || opcode == Opcode::kFusion || opcode == Opcode::kSlice ||
         opcode == Opcode::kDynamicSlice || opcode == Opcode::kIota || opcode == Opcode::kReduce ||
         opcode == Opcode::kGetTupleElement || opcode == Opcode::kTuple || opcode == Opcode::kAllGather ||
         opcode == Opcode::kPartitionId || opcode == Opcode::kReplicaId;
}

// An instruction that reads a value twice is listed as its user only once.
bool IsRepeated(const Graph& graph, Node node, int operand) {
  for (int i = 0; i < operand; ++i) {
    if (graph.operand(node, i) == graph.operand(node, operand)) return true;
  }
  return false;
}

}  // namespace

std::vector<bool> FindRemoved(const Graph& graph, int computation, const SiteTable& sites,
                              const std::vector<Region>& regions) {
  const Node first = graph.node(computation, 0);
  const auto count = static_cast<Node>(graph.module().computations[computation].instructions.size());
  std::vector<bool> removed(count, false);
  // Use counts instead of walks over user lists: a constant may have thousands of users.
  std::vector<int> readers(count);
  for (Node i = 0; i < count; ++i) {
    readers[i] = static_cast<int>(graph.users(first + i).size()) + (graph.is_root(first + i) ? 1 : 0);
  }
  std::vector<Node> work;
  const auto remove = [&](Node node) {
    if (removed[node - first]) return;
    removed[node - first] = true;
    work.push_back(node);
  };
  for (const Region& region : regions) {
    for (Node leaf : region.InputLeaves()) ++readers[leaf - first];
    for (Node member : region.members) remove(member);
    // A tuple all-reduce is no region's member: its elements are.
    for (const SiteRef& seed : region.seeds) remove(sites.site(seed.site).all_reduce);
  }
  while (!work.empty()) {
    const Node node = work.back();
    work.pop_back();
    for (int i = 0; i < graph.operand_count(node); ++i) {
      const Node operand = graph.operand(node, i);
      if (IsRepeated(graph, node, i) || --readers[operand - first] > 0) continue;
      if (IsPure(graph.at(operand).opcode) && !graph.has_control_edges(operand)) remove(operand);
    }
  }
  return removed;
}

std::vector<int> FindUncalled(const Graph& graph, const std::vector<Node>& removed) {
  std::vector<int> calls(graph.module().computations.size(), 0);
  for (Node node = 0; node < graph.size(); ++node) {
    for (int callee : graph.at(node).called_computations) ++calls[callee];
  }
  std::vector<int> uncalled;
  const auto drop = [&](const hlo::Instruction& instruction) {
    for (int callee : instruction.called_computations) {
      if (--calls[callee] == 0) uncalled.push_back(callee);
    }
  };
  for (Node node : removed) drop(graph.at(node));
  for (size_t i = 0; i < uncalled.size(); ++i) {
    for (const hlo::Instruction& instruction : graph.module().computations[uncalled[i]].instructions) drop(instruction);
  }
  return uncalled;
}

}  // namespace jax_oneshot
