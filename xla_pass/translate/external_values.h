// SPDX-License-Identifier: Apache-2.0
// Turns a value that the region reads but does not compute (a residual, a norm weight, a constant) into an operand of
// the call, or into a few statements on smaller operands.
//
//   broadcast(add(1, convert(g))), g: bf16[512]   ->  load g (vec); convert; constant 1; add
//   dynamic-slice(stack, i) inside a fusion       ->  hoisted: cloned before the call, then loaded
//   g: bf16[64], this rank's columns of 512       ->  gathered: the call concatenates the ranks' shards
//   all-gather(g)                                 ->  gathered too: the all-gather becomes part of the exchange
//   dynamic-slice(x, my columns), x replicated    ->  load x: no exchange needed
//
// Only cheap expressions are looked through, never instructions of another region. After copy insertion (XLA:CPU) they
// are not looked through to a value whose buffer may be overwritten: the call would read it later than they do.
#ifndef XLA_PASS_TRANSLATE_EXTERNAL_VALUES_H_
#define XLA_PASS_TRANSLATE_EXTERNAL_VALUES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/ordered_set.h"
#include "xla_pass/graph/overwritten_values.h"
#include "xla_pass/graph/step_budget.h"
#include "xla_pass/rows/row_shape.h"
#include "xla_pass/shards/shards.h"
#include "xla_pass/translate/program_builder.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// An operand of the call. `node` is an instruction of the region's computation or, if hoisted, one inside an absorbed
// fusion, whose expression is cloned. `leaves` are the instructions of the region's computation that it needs.
struct CallOperand {
  Node node = kNoNode;
  bool hoisted = false;
  std::vector<Node> leaves;
};

class ExternalValues {
 public:
  struct Scope {
    int computation = 0;  // the region's
    const Shards* shards = nullptr;
    std::function<bool(Node)> in_region;  // the region computes the value
    std::function<bool(Node)> is_opaque;  // another region owns the instruction: do not look through it
    std::function<bool(Node)> is_same;    // known to be the same on every rank of the group
    StepBudget* steps = nullptr;
    const OverwrittenValues* overwritten = nullptr;  // null: copies are inserted after the pass
  };

  ExternalValues(const Graph& graph, Scope scope, ProgramBuilder* builder)
      : graph_(graph), scope_(std::move(scope)), builder_(builder) {}

  // The program value of `node`, which has row layout `fold` where it is used, next to values with this distribution.
  // Values used together with shards must be sharded too, or be the same on every rank: each rank computes all columns.
  Decision<int> Read(Node node, const RowLayout& fold, Distribution distribution);

  // Operand i of the call feeds input i of the program under construction. Read appends kLocal and kGather inputs;
  // others are added with AddOperand.
  const std::vector<CallOperand>& operands() const { return operands_; }
  void AddOperand(CallOperand operand) { operands_.push_back(std::move(operand)); }
  // The all-gathers that were looked through.
  std::vector<Node> AllGathers() const;
  void Rollback(const ProgramBuilder::Checkpoint& mark);

 private:
  // How a value is used.
  struct Use {
    RowLayout fold;
    Distribution distribution;
    size_t depth = 0;       // instructions looked through so far
    bool is_later = false;  // one of them is in the region's computation: it runs before the call
    Use At(const RowLayout& new_fold) const { return {new_fold, distribution, depth + 1, is_later}; }
    Use As(Distribution other) const { return {fold, other, depth + 1, is_later}; }
  };

  Decision<int> ReadAt(Node node, const Use& use);
  // Nothing if the value must be loaded.
  std::optional<int> LookThrough(Node node, const Use& use);
  std::optional<int> LookThroughMove(Node node, const Use& use);
  std::optional<int> LookThroughElementwise(Node node, const Use& use);
  std::optional<int> TryReadAt(Node node, const Use& use);
  void Know(uint64_t key, int value);
  Decision<int> Load(Node node, const Use& use);
  Decision<Role> RoleOf(Node node, Kind kind, Distribution distribution) const;
  bool IsSmallMath(Node node) const;
  bool CanHoist(Node node, std::vector<Node>* leaves) const;
  bool AreStable(const std::vector<Node>& leaves) const;
  // Appends the nodes that a clone of an instruction inside a fusion needs; false if it cannot be cloned.
  bool AppendNeeds(Node node, std::vector<Node>* needs) const;

  const Graph& graph_;
  Scope scope_;
  ProgramBuilder* builder_;
  std::vector<CallOperand> operands_;
  // Values read so far, by node and use.
  OrderedSet<uint64_t> known_;
  std::vector<int> known_values_;
};

// Parses HLO's comparison direction ("LT") for operands of this type.
Decision<Direction> ParseDirection(const hlo::Instruction& compare, hlo::PrimitiveType operands);

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_EXTERNAL_VALUES_H_
