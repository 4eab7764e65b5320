// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/linear_chain.h"

#include <algorithm>

#include "xla_pass/graph/op_table.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/sums/float_types.h"
#include "xla_pass/sums/product_groups.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;
using hlo::PrimitiveType;

constexpr size_t kMaxSteps = 32;
// Bounds the dependency search between two sums.
constexpr int kMaxLookedAt = 5000;

bool IsSum(const Graph& graph, Node node) {
  const hlo::Instruction& instruction = graph.at(node);
  return instruction.opcode == Opcode::kAllReduce && !instruction.shape->IsTuple() && graph.operand_count(node) == 1 &&
         instruction.called_computations.size() == 1 &&
         ClassifyReducer(graph.module().computations[instruction.called_computations[0]]) == Reducer::kSum;
}

// Also true if the search takes too long. Operands have smaller node numbers than their users.
bool MayDependOn(const Graph& graph, Node node, Node on) {
  std::vector<Node> stack = {node};
  NodeSet seen;
  int looked_at = 0;
  while (!stack.empty()) {
    const Node top = stack.back();
    stack.pop_back();
    if (top == on || ++looked_at > kMaxLookedAt) return true;
    if (top < on) continue;
    for (int i = 0; i < graph.operand_count(top); ++i) {
      if (seen.Insert(graph.operand(top, i))) stack.push_back(graph.operand(top, i));
    }
    for (const int predecessor : graph.at(top).control_predecessors) {
      const Node before = graph.node(graph.computation_index(top), predecessor);
      if (seen.Insert(before)) stack.push_back(before);
    }
  }
  return false;
}

class Finder {
 public:
  Finder(const Graph& graph, Node all_reduce, const hlo::ReplicaGroups& groups, ReplicationCache* replication)
      : graph_(graph), groups_(groups), replication_(*replication) {
    chain_.all_reduce = all_reduce;
  }

  std::optional<LinearChain> Run() {
    Node value = chain_.all_reduce;
    const hlo::Shape& before = *graph_.at(value).shape;
    bool is_wide = before.element_type == PrimitiveType::kF32;
    int64_t least = Bytes(before.ElementCount(), before.element_type);
    while (chain_.steps.size() < kMaxSteps && graph_.users(value).size() == 1 && !graph_.is_root(value)) {
      const Node user = graph_.users(value)[0];
      const std::optional<StepKind> kind = LinearStep(graph_, user, value, [this](Node node) { return IsSame(node); });
      if (!kind || !KeepsPrecision(*kind, user, is_wide)) break;
      is_wide |= *kind != StepKind::kMove && *kind != StepKind::kConvert;
      is_wide |= *kind == StepKind::kConvert && IsF32(user);
      chain_.steps.push_back(user);
      chain_.kinds.push_back(*kind);
      value = user;
      const PrimitiveType type = is_wide ? PrimitiveType::kF32 : graph_.at(user).shape->element_type;
      const int64_t bytes = Bytes(graph_.at(user).shape->ElementCount(), type);
      const bool ends_regions = *kind == StepKind::kReduction || *kind == StepKind::kProduct || IsSlicing(user);
      if (ends_regions && bytes <= least) {
        least = bytes;
        Stop(is_wide);
      }
      if (MeetsSum(value)) Stop(is_wide);
    }
    if (stop_ == 0) return std::nullopt;
    chain_.steps.resize(stop_);
    chain_.kinds.resize(stop_);
    chain_.is_wide = stop_is_wide_;
    return chain_;
  }

 private:
  static int64_t Bytes(int64_t count, PrimitiveType type) { return count * hlo::PrimitiveTypeBytes(type); }
  bool IsF32(Node node) const { return graph_.at(node).shape->element_type == PrimitiveType::kF32; }

  // A dot must not become an f32 dot, which is slow and inexact on GPUs. Partial sums must not be rounded to a type
  // narrower than f32.
  bool KeepsPrecision(StepKind kind, Node step, bool is_wide) const {
    if (kind == StepKind::kProduct) return !is_wide || IsF32(step);
    return kind != StepKind::kConvert || is_wide || IsF32(step);
  }

  // The replication analysis only runs when it is asked for.
  bool IsSame(Node node) { return replication_.For(groups_).IsSame(node); }

  bool IsSlicing(Node node) const {
    const Opcode opcode = graph_.at(node).opcode;
    return opcode == Opcode::kSlice || opcode == Opcode::kGather || opcode == Opcode::kDynamicSlice;
  }

  void Stop(bool is_wide) {
    stop_ = chain_.steps.size();
    stop_is_wide_ = is_wide;
  }

  // True if the only user of `value` is a sum over other ranks, or adds it to a sum over the same ranks.
  bool MeetsSum(Node value) const {
    if (!HasArithmetic() || graph_.users(value).size() != 1 || graph_.is_root(value)) return false;
    const Node user = graph_.users(value)[0];
    if (IsSum(graph_, user)) return FoldsInto(user);
    if (graph_.at(user).opcode != Opcode::kAdd || graph_.operand_count(user) != 2) return false;
    const Node other = graph_.operand(user, graph_.operand(user, 0) == value ? 1 : 0);
    return other != value && FindsSumBehind(other, graph_.at(value).shape->ElementCount());
  }

  // Folding already passes through moves and converts.
  bool HasArithmetic() const {
    return std::any_of(chain_.kinds.begin(), chain_.kinds.end(),
                       [](StepKind kind) { return kind != StepKind::kMove && kind != StepKind::kConvert; });
  }

  bool FoldsInto(Node sum) const {
    const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(graph_.at(sum));
    return groups && groups->mode == groups_.mode && ProductGroups(groups_.groups, groups->groups).has_value();
  }

  // Looks through moves, converts and additions for an independent sum of `count` elements over the same ranks.
  bool FindsSumBehind(Node value, int64_t count) const {
    constexpr size_t kMaxBehind = 16;
    std::vector<Node> stack = {value};
    NodeSet seen;
    while (!stack.empty() && seen.size() < kMaxBehind) {
      const Node node = stack.back();
      stack.pop_back();
      if (IsSum(graph_, node)) {
        if (node != chain_.all_reduce && IsPartner(node, count)) return true;
        continue;
      }
      const Opcode opcode = graph_.at(node).opcode;
      if (!IsMove(opcode) && opcode != Opcode::kConvert && opcode != Opcode::kAdd) continue;
      for (int i = 0; i < graph_.operand_count(node); ++i) {
        if (seen.Insert(graph_.operand(node, i))) stack.push_back(graph_.operand(node, i));
      }
    }
    return false;
  }

  bool IsPartner(Node sum, int64_t count) const {
    const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(graph_.at(sum));
    return groups && *groups == groups_ && graph_.at(sum).shape->ElementCount() == count &&
           !MayDependOn(graph_, sum, chain_.all_reduce) && !MayDependOn(graph_, chain_.all_reduce, sum);
  }

  const Graph& graph_;
  const hlo::ReplicaGroups& groups_;
  ReplicationCache& replication_;
  LinearChain chain_;
  size_t stop_ = 0;  // number of steps before the sum; 0: the sum stays
  bool stop_is_wide_ = false;
};

}  // namespace

std::optional<LinearChain> FindChain(const Graph& graph, Node all_reduce, ReplicationCache* replication) {
  if (!IsSum(graph, all_reduce) || graph.has_control_edges(all_reduce)) return std::nullopt;
  if (!IsFloat(graph.at(all_reduce).shape->element_type) || !graph.at(all_reduce).shape->is_plain) return std::nullopt;
  const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(graph.at(all_reduce));
  if (!groups || groups->groups.empty() || groups->groups[0].size() < 2) return std::nullopt;
  return Finder(graph, all_reduce, *groups, replication).Run();
}

}  // namespace jax_oneshot
