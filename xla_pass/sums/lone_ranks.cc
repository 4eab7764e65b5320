// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/lone_ranks.h"

#include <algorithm>
#include <string>

#include "xla_pass/hlo_view/reachable.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

bool IsInGroupsOfOne(const hlo::Instruction& all_reduce) {
  const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(all_reduce);
  // In this mode a replica's group includes all its partitions, whose number is unknown here.
  return groups && groups->mode != hlo::GroupMode::kCrossReplicaAndPartition && !groups->groups.empty() &&
         groups->groups[0].size() == 1;
}

void BecomeCopy(const Graph& graph, Node node, Node operand, ModuleEdit* edit) {
  const hlo::Instruction& instruction = graph.at(node);
  const InstructionIdentity identity = {std::string(instruction.name), instruction.id, instruction.metadata()};
  edit->Replace(node, CopyBytes(identity, std::string(instruction.shape->bytes), graph.at(operand).id));
}

bool IsElement(const Graph& graph, Node user, Node all_reduce) {
  const hlo::Instruction& gte = graph.at(user);
  return gte.opcode == Opcode::kGetTupleElement && gte.number >= 0 && gte.number < graph.operand_count(all_reduce);
}

// Returns false if nothing was changed.
bool Drop(const Graph& graph, Node all_reduce, ModuleEdit* edit) {
  if (graph.has_control_edges(all_reduce)) return false;
  if (!graph.at(all_reduce).shape->IsTuple()) {
    if (graph.operand_count(all_reduce) != 1) return false;
    BecomeCopy(graph, all_reduce, graph.operand(all_reduce, 0), edit);
    return true;
  }
  const Span<Node> users = graph.users(all_reduce);
  const auto is_element = [&](Node user) { return IsElement(graph, user, all_reduce); };
  if (graph.is_root(all_reduce) || !std::all_of(users.begin(), users.end(), is_element)) return false;
  for (const Node user : users) {
    BecomeCopy(graph, user, graph.operand(all_reduce, static_cast<int>(graph.at(user).number)), edit);
  }
  edit->Remove(all_reduce);
  return true;
}

}  // namespace

StageResult DropLoneRanks(const Graph& graph) {
  StageResult result(graph);
  for (const ReachableComputation& reachable : FindReachable(graph.module())) {
    const auto count = graph.module().computations[reachable.computation].instructions.size();
    for (int i = 0; i < static_cast<int>(count); ++i) {
      const Node node = graph.node(reachable.computation, i);
      if (graph.at(node).opcode != Opcode::kAllReduce || !IsInGroupsOfOne(graph.at(node))) continue;
      if (Drop(graph, node, &result.edit)) result.moved.push_back({node, kNoNode, MakeReason<ReasonId::kLoneRank>()});
    }
  }
  return result;
}

}  // namespace jax_oneshot
