// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/graph/rank_expression.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "xla_pass/graph/op_table.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;
using hlo::PrimitiveType;

// Real offsets take a few instructions; the bound also keeps the recursion shallow.
constexpr int kMaxSteps = 64;

tl::unexpected<std::string> NotEvaluated(const hlo::Instruction& instruction, const std::string& why) {
  return Err("%" + std::string(instruction.name) + " (" + std::string(instruction.opcode_name) + ") " + why);
}

// `value` wrapped to the instruction's integer type; fails for other types.
Result<int64_t> Wrapped(const hlo::Instruction& instruction, int64_t value) {
  switch (instruction.shape->element_type) {
    case PrimitiveType::kPred:
      return value != 0 ? 1 : 0;
    case PrimitiveType::kS8:
      return static_cast<int8_t>(value);
    case PrimitiveType::kS16:
      return static_cast<int16_t>(value);
    case PrimitiveType::kS32:
      return static_cast<int32_t>(value);
    case PrimitiveType::kU8:
      return static_cast<uint8_t>(value);
    case PrimitiveType::kU16:
      return static_cast<uint16_t>(value);
    case PrimitiveType::kU32:
      return static_cast<uint32_t>(value);
    case PrimitiveType::kS64:
      return value;
    case PrimitiveType::kU64:
      if (value >= 0) return value;
      break;
    default:
      break;
  }
  return NotEvaluated(instruction, "is no integer of at most 63 bits");
}

int64_t Compare(std::string_view direction, int64_t a, int64_t b) {
  if (direction == "EQ") return static_cast<int64_t>(a == b);
  if (direction == "NE") return static_cast<int64_t>(a != b);
  if (direction == "LT") return static_cast<int64_t>(a < b);
  if (direction == "LE") return static_cast<int64_t>(a <= b);
  if (direction == "GT") return static_cast<int64_t>(a > b);
  return static_cast<int64_t>(a >= b);
}

std::optional<int64_t> Arithmetic(Opcode opcode, const std::array<int64_t, 3>& x) {
  switch (opcode) {
    case Opcode::kConvert:
      return x[0];
    case Opcode::kNegate:
      return -x[0];
    case Opcode::kAbs:
      return std::abs(x[0]);
    case Opcode::kAdd:
      return x[0] + x[1];
    case Opcode::kSubtract:
      return x[0] - x[1];
    case Opcode::kMultiply:
      return x[0] * x[1];
    case Opcode::kDivide:
      return x[0] / x[1];
    case Opcode::kRemainder:
      return x[0] % x[1];
    case Opcode::kMaximum:
      return std::max(x[0], x[1]);
    case Opcode::kMinimum:
      return std::min(x[0], x[1]);
    case Opcode::kClamp:
      return std::min(std::max(x[0], x[1]), x[2]);
    default:
      return std::nullopt;
  }
}

std::optional<int64_t> Logic(const hlo::Instruction& instruction, const std::array<int64_t, 3>& x) {
  switch (instruction.opcode) {
    case Opcode::kAnd:
      return x[0] & x[1];
    case Opcode::kOr:
      return x[0] | x[1];
    case Opcode::kXor:
      return x[0] ^ x[1];
    case Opcode::kNot:
      return instruction.shape->element_type == PrimitiveType::kPred ? int64_t{x[0] == 0} : ~x[0];
    case Opcode::kCompare:
      return Compare(instruction.comparison_direction(), x[0], x[1]);
    case Opcode::kSelect:
      return x[0] != 0 ? x[1] : x[2];
    default:
      return std::nullopt;
  }
}

// Operands are kept small, so that nothing overflows.
Result<int64_t> Apply(const hlo::Instruction& instruction, const std::array<int64_t, 3>& x) {
  constexpr int64_t kLarge = int64_t{1} << 31;
  if (std::any_of(x.begin(), x.end(), [](int64_t value) { return value <= -kLarge || value >= kLarge; })) {
    return NotEvaluated(instruction, "reads a large number");
  }
  const bool divides = instruction.opcode == Opcode::kDivide || instruction.opcode == Opcode::kRemainder;
  if (divides && x[1] == 0) return NotEvaluated(instruction, "divides by zero");
  const std::optional<int64_t> number = Arithmetic(instruction.opcode, x);
  const std::optional<int64_t> value = number ? number : Logic(instruction, x);
  if (!value) return NotEvaluated(instruction, "is not understood");
  return *value;
}

}  // namespace

Result<int64_t> RankExpression::Evaluate(Node node) {
  for (Node outer = graph_.Outer(node); outer != kNoNode; outer = graph_.Outer(node)) node = outer;
  auto found = known_.find(node);
  if (found != known_.end()) return found->second;
  const hlo::Instruction& instruction = graph_.at(node);
  if (++steps_ > kMaxSteps) return NotEvaluated(instruction, "is too long an expression");
  if (instruction.shape->IsTuple() || instruction.shape->ElementCount() != 1) {
    return NotEvaluated(instruction, "is no scalar");
  }
  Result<int64_t> value = EvaluateNew(node);
  if (!value) return value;
  value = Wrapped(instruction, *value);
  if (value) known_[node] = *value;
  return value;
}

Result<int64_t> RankExpression::EvaluateNew(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  if (instruction.opcode == Opcode::kPartitionId || instruction.opcode == Opcode::kReplicaId) return LogicalId(node);
  if (instruction.opcode == Opcode::kDynamicSlice) return LookUp(node);
  if (const int fused = graph_.fused_computation(node); fused >= 0) return Evaluate(graph_.root(fused));
  if (const Node before = graph_.BeforeLoop(node); before != kNoNode) return Evaluate(before);
  if (instruction.opcode == Opcode::kConstant) {
    const Result<std::vector<int64_t>> elements = IntegerLiteral(instruction);
    if (!elements || elements->size() != 1) return NotEvaluated(instruction, "is no integer");
    return elements->front();
  }
  const bool moves = IsMove(instruction.opcode) || instruction.opcode == Opcode::kBroadcast;
  if (moves && graph_.operand_count(node) == 1) return Evaluate(graph_.operand(node, 0));
  if (!ElementwiseOp(instruction.opcode) || graph_.operand_count(node) > 3) {
    return NotEvaluated(instruction, "is not a number that the rank alone decides");
  }
  std::array<int64_t, 3> operands = {0, 0, 0};
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    Result<int64_t> operand = Evaluate(graph_.operand(node, i));
    if (!operand) return operand;
    operands[i] = *operand;
  }
  return Apply(instruction, operands);
}

// Ids in groups count partitions, replicas or, with flattened ids, whichever of the two the module has more than one
// of; the expression is assumed to read that one.
Result<int64_t> RankExpression::LogicalId(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Opcode counted = mode_ == hlo::GroupMode::kCrossReplica     ? Opcode::kReplicaId
                         : mode_ == hlo::GroupMode::kCrossPartition ? Opcode::kPartitionId
                                                                    : instruction.opcode;
  if (instruction.opcode != counted || (read_id_ != Opcode::kOther && read_id_ != counted)) {
    return NotEvaluated(instruction, "is not what the groups count");
  }
  read_id_ = counted;
  return id_;
}

// An element of an integer constant.
Result<int64_t> RankExpression::LookUp(Node slice) {
  const hlo::Instruction& instruction = graph_.at(slice);
  if (graph_.operand_count(slice) == 0) return NotEvaluated(instruction, "reads nothing");
  Node table = graph_.operand(slice, 0);
  for (Node outer = graph_.Outer(table); outer != kNoNode; outer = graph_.Outer(table)) table = outer;
  const hlo::Shape& shape = *graph_.at(table).shape;
  if (graph_.at(table).opcode != Opcode::kConstant || !shape.IsRowMajor() ||
      graph_.operand_count(slice) != 1 + static_cast<int>(shape.dimensions.size())) {
    return NotEvaluated(instruction, "is no look-up in a constant");
  }
  const Result<std::vector<int64_t>> elements = IntegerLiteral(graph_.at(table));
  if (!elements) return NotEvaluated(instruction, "is no look-up in a constant of integers");
  int64_t index = 0;
  for (int d = 0; d < static_cast<int>(shape.dimensions.size()); ++d) {
    Result<int64_t> position = Evaluate(graph_.operand(slice, d + 1));
    if (!position) return position;
    index = index * shape.dimensions[d] + std::clamp<int64_t>(*position, 0, shape.dimensions[d] - 1);
  }
  if (index >= static_cast<int64_t>(elements->size())) return NotEvaluated(instruction, "reads beyond its constant");
  return (*elements)[static_cast<size_t>(index)];
}

}  // namespace jax_oneshot
