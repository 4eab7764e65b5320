// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/translate/contraction.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "row_program/ops.h"
#include "xla_pass/graph/op_table.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

bool IsInLoopFusion(const Graph& graph, Node node) {
  const Node fusion = graph.caller(graph.computation_index(node));
  return fusion != kNoNode && graph.at(fusion).opcode == Opcode::kFusion && graph.at(fusion).fusion_kind() == "kLoop";
}

bool IsF32(const Graph& graph, Node node) { return graph.at(node).shape->element_type == hlo::PrimitiveType::kF32; }

// True if exactly one operand of one instruction reads it.
bool IsReadOnce(const Graph& graph, Node node) {
  const Span<Node> users = graph.users(node);
  if (users.size() != 1 || graph.is_root(node)) return false;
  const Span<int>& operands = graph.at(users[0]).operands;
  int reads = 0;
  for (int k = 0; k < static_cast<int>(operands.size()); ++k) reads += graph.operand(users[0], k) == node ? 1 : 0;
  return reads == 1;
}

// A product, possibly negated before it is added.
struct Factors {
  int x, y;
  bool negated;
};

// A product that is invariant in the innermost loop is computed before it, and rounded.
bool IsInTheSameLoop(Kind product, Kind sum) {
  return Widens(Kind::kVec, sum) ? Widens(Kind::kVec, product) : product == sum;
}

std::optional<Factors> FactorsOf(const ProgramBuilder& builder, int value, Kind sum) {
  const auto& statements = builder.program().statements;
  bool negated = false;
  for (; statements[value].op == Op::kNegate; value = statements[value].operands[0]) negated = !negated;
  const Statement& s = statements[value];
  if (s.op != Op::kMultiply || s.dtype != DType::kF32) return std::nullopt;
  if (!IsInTheSameLoop(s.kind, sum)) return std::nullopt;
  return Factors{s.operands[0], s.operands[1], negated};
}

int Negated(ProgramBuilder* builder, int value) {
  const Statement s = builder->program().statements[value];
  if (s.op == Op::kConstant) return builder->Constant(DType::kF32, -s.constant);
  return builder->Elementwise(Op::kNegate, DType::kF32, {value});
}

// Negating either factor negates the product; the one with fewer elements is cheaper.
void Negate(ProgramBuilder* builder, Factors* factors) {
  int& factor = builder->kind(factors->y) < builder->kind(factors->x) ? factors->y : factors->x;
  factor = Negated(builder, factor);
}

}  // namespace

bool IsContracted(const Graph& graph, Node sum, int i) {
  if (!IsF32(graph, sum) || !IsInLoopFusion(graph, sum)) return false;
  Node node = graph.operand(sum, i);
  while (IsReadOnce(graph, node) && IsF32(graph, node)) {
    const Opcode opcode = graph.at(node).opcode;
    if (opcode == Opcode::kMultiply) return true;
    if (opcode != Opcode::kNegate && opcode != Opcode::kBroadcast && !IsMove(opcode)) return false;
    if (graph.operand_count(node) != 1) return false;
    node = graph.operand(node, 0);
  }
  return false;
}

int AddSum(ProgramBuilder* builder, Op op, const OperandIds& operands, bool first_contracted, bool second_contracted) {
  const int first = operands.padded()[0];
  const int second = operands.padded()[1];
  const Kind kind = Join(builder->kind(first), builder->kind(second));
  const bool subtracts = op == Op::kSubtract;
  for (const bool takes_first : {true, false}) {
    if (!(takes_first ? first_contracted : second_contracted)) continue;
    std::optional<Factors> factors = FactorsOf(*builder, takes_first ? first : second, kind);
    if (!factors) continue;
    if (factors->negated != (subtracts && !takes_first)) Negate(builder, &*factors);
    const int other = takes_first ? second : first;
    const int added = subtracts && takes_first ? Negated(builder, other) : other;
    return builder->Elementwise(Op::kMultiplyAdd, DType::kF32, {factors->x, factors->y, added});
  }
  return builder->Elementwise(op, DType::kF32, operands);
}

int AddElementwise(const Graph& graph, Node node, const Elementwise& e, ProgramBuilder* builder) {
  if (e.dtype == DType::kF32 && (e.op == Op::kAdd || e.op == Op::kSubtract)) {
    return AddSum(builder, e.op, e.operands, IsContracted(graph, node, 0), IsContracted(graph, node, 1));
  }
  return builder->Elementwise(e.op, e.dtype, e.operands, e.direction);
}

}  // namespace jax_oneshot
