// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/trim_region.h"

#include <algorithm>
#include <cstdint>

#include "xla_pass/graph/op_table.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Shrinks a set of members until it is stable.
class Trimmer {
 public:
  Trimmer(const Graph& graph, const RowTranslator& translator, const DependencyOrder& order, const NodeSet& members,
          const NodeSet& seeds, bool compiler_fuses_later)
      : graph_(graph),
        translator_(translator),
        order_(order),
        members_(members),
        seeds_(seeds),
        states_(members.size(), State::kInside),
        compiler_fuses_later_(compiler_fuses_later) {}

  TrimmedRegion Run() {
    do {
      FindOutputs();
    } while (!order_.steps()->IsSpent() && LetGoOfOne());
    TrimmedRegion trimmed;
    trimmed.members.reserve(states_.size());
    for (size_t m = 0; m < states_.size(); ++m) {
      const Node member = members_.keys()[m];
      if (states_[m] == State::kGone) {
        if (trimmed.transposed == kNoNode && translator_.IsTransposed(member)) trimmed.transposed = member;
        continue;
      }
      trimmed.members.push_back(member);
      if (states_[m] == State::kOutput) trimmed.outputs.push_back(member);
      if (states_[m] == State::kAlsoKept) trimmed.also_kept.push_back(member);
    }
    return trimmed;
  }

 private:
  // State of a member; all but kGone are inside.
  enum class State : uint8_t { kInside, kOutput, kAlsoKept, kGone };

  State StateOf(Node node) const {
    const int member = members_.Find(node);
    return member < 0 ? State::kGone : states_[member];
  }

  bool IsInside(Node node) const { return StateOf(node) != State::kGone; }

  bool HasReaderInside(Node node) const {
    const Span<Node> users = graph_.users(node);
    return std::any_of(users.begin(), users.end(), [&](Node user) {
      (void)order_.steps()->Spend();
      return IsInside(user);
    });
  }

  // A value without any users counts as read outside: a region must return something, even if it is dead.
  bool HasReaderOutside(Node node) const {
    const Span<Node> users = graph_.users(node);
    if (graph_.is_root(node) || users.empty() || order_.IsReadByRegion(node)) return true;
    return std::any_of(users.begin(), users.end(), [&](Node user) {
      (void)order_.steps()->Spend();
      const State state = StateOf(user);
      return (state == State::kGone && order_.region(user) < 0 && !IsDead(user, 0)) || state == State::kAlsoKept;
    });
  }

  // True if all its direct and indirect users went into accepted regions, whose calls read other values instead.
  bool IsDead(Node node, int depth) const {
    constexpr int kMaxDepth = 16;  // the depth to which a call's operands are looked through
    const Span<Node> users = graph_.users(node);
    if (graph_.is_root(node) || users.empty() || order_.IsReadByRegion(node) || depth == kMaxDepth) return false;
    return std::all_of(users.begin(), users.end(), [&](Node user) {
      return order_.steps()->Spend() && (order_.region(user) >= 0 || IsDead(user, depth + 1));
    });
  }

  bool IsTupleFusion(Node node) const { return graph_.at(node).shape->IsTuple(); }

  // Free to recompute from its one operand, if that can be returned.
  bool IsFree(Node node) const {
    if (seeds_.Contains(node)) return false;
    const int fused = graph_.fused_computation(node);
    if (fused < 0) return IsFreeInstruction(node) && CanReturn(graph_.operand(node, 0));
    if (graph_.operand_count(node) != 1 || !CanReturn(graph_.operand(node, 0))) return false;
    const auto& instructions = graph_.module().computations[fused].instructions;
    for (int i = 0; i < static_cast<int>(instructions.size()); ++i) {
      if (instructions[i].opcode != Opcode::kParameter && !IsFreeInstruction(graph_.node(fused, i))) return false;
    }
    return true;
  }

  // XLA:CPU gathers columns in a different layout, which only the copy after the gather converts back.
  bool CanReturn(Node node) const { return translator_.CanExport(node); }

  bool IsFreeInstruction(Node node) const {
    const hlo::Instruction& instruction = graph_.at(node);
    if (IsMove(instruction.opcode) || instruction.opcode == Opcode::kBroadcast) return true;
    if (instruction.opcode != Opcode::kConvert) return false;
    const hlo::Shape& from = *graph_.at(graph_.operand(node, 0)).shape;
    return hlo::PrimitiveTypeBytes(from.element_type) < hlo::PrimitiveTypeBytes(instruction.shape->element_type);
  }

  void FindOutputs() {
    for (State& state : states_) {
      if (state != State::kGone) state = State::kInside;
    }
    for (size_t m = states_.size(); m-- > 0;) {
      const Node node = members_.keys()[m];
      if (states_[m] == State::kGone || IsTupleFusion(node) || !HasReaderOutside(node)) continue;
      states_[m] = IsFree(node) ? State::kAlsoKept : State::kOutput;
    }
    // If other regions look through all users of a sum, it has no user; but a call must return something.
    const bool returns = std::any_of(states_.begin(), states_.end(), [](State s) { return s == State::kOutput; });
    if (!returns && !seeds_.keys().empty()) states_[members_.Find(seeds_.keys()[0])] = State::kOutput;
  }

  bool LetGoOfOne() {
    for (size_t m = states_.size(); m-- > 0;) {
      const Node node = members_.keys()[m];
      if (states_[m] == State::kGone || seeds_.Contains(node) || !MustGo(node)) continue;
      LetGo(node);
      return true;
    }
    return false;
  }

  bool MustGo(Node node) const {
    if (StateOf(node) == State::kOutput && !CanReturn(node)) return true;
    if (IsTupleFusion(node)) return HasReaderOutside(node) || graph_.users(node).empty();
    if (HasReaderInside(node)) return false;
    if (!HasReaderOutside(node)) return true;  // the call of an accepted region reads an operand of it instead
    return IsFree(node) || (compiler_fuses_later_ && IsFreeAfterFusion(node));
  }

  // True if all its operands from the region are returned anyway, and XLA can fuse it into all of its users.
  bool IsFreeAfterFusion(Node node) const {
    if (graph_.is_root(node) || graph_.users(node).empty() || order_.IsReadByRegion(node)) return false;
    if (!ElementwiseOp(graph_.at(node).opcode)) return false;
    for (int i = 0; i < graph_.operand_count(node); ++i) {
      const Node operand = graph_.operand(node, i);
      const State state = StateOf(operand);
      if (state != State::kGone && state != State::kOutput) return false;
    }
    const Span<Node> users = graph_.users(node);
    return std::all_of(users.begin(), users.end(), [&](Node user) { return CanFuseItsOperands(user, 0); });
  }

  bool CanFuseItsOperands(Node node, int depth) const {
    const hlo::Instruction& instruction = graph_.at(node);
    const Opcode opcode = instruction.opcode;
    // Look through moves: a reshaped operand of a dot is an operand of the dot.
    if (IsMove(opcode) && depth < 8) {
      if (graph_.is_root(node)) return false;
      const Span<Node> users = graph_.users(node);
      return std::all_of(users.begin(), users.end(), [&](Node user) { return CanFuseItsOperands(user, depth + 1); });
    }
    return ElementwiseOp(opcode).has_value() || opcode == Opcode::kBroadcast || opcode == Opcode::kSlice ||
           opcode == Opcode::kConcatenate || opcode == Opcode::kPad || opcode == Opcode::kReduce ||
           opcode == Opcode::kDynamicSlice;
  }

  // Drops a member and all members that depend on it.
  void LetGo(Node node) {
    std::vector<Node> work = {node};
    while (!work.empty()) {
      const Node gone = work.back();
      work.pop_back();
      if (seeds_.Contains(gone) || !IsInside(gone)) continue;
      states_[members_.Find(gone)] = State::kGone;
      for (Node user : graph_.users(gone)) {
        if (IsInside(user)) work.push_back(user);
      }
    }
  }

  const Graph& graph_;
  const RowTranslator& translator_;
  const DependencyOrder& order_;
  const NodeSet& members_;
  const NodeSet& seeds_;
  std::vector<State> states_;  // by member
  bool compiler_fuses_later_;
};

}  // namespace

TrimmedRegion TrimRegion(const Graph& graph, const RowTranslator& translator, const DependencyOrder& order,
                         const NodeSet& members, const NodeSet& seeds, bool compiler_fuses_later) {
  return Trimmer(graph, translator, order, members, seeds, compiler_fuses_later).Run();
}

}  // namespace jax_oneshot
