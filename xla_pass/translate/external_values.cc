// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/translate/external_values.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "row_program/ops.h"
#include "xla_pass/graph/op_table.h"
#include "xla_pass/rows/row_moves.h"
#include "xla_pass/sites/site.h"
#include "xla_pass/translate/contraction.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Bounds the depth of cheap expressions that are looked through; real ones (gamma + 1, converted and reshaped) are much
// shallower.
constexpr size_t kMaxDepth = 16;

// May be cloned before the call at any size: reads of a part of a larger value (a gather reads rows of a table).
bool IsHoistableRead(Opcode opcode) {
  return opcode == Opcode::kDynamicSlice || opcode == Opcode::kSlice || opcode == Opcode::kGather || IsMove(opcode);
}

// Packs a node and its use into one number.
uint64_t KeyOf(Node node, const RowLayout& fold, Distribution distribution) {
  return uint64_t{static_cast<uint32_t>(node)} << 32 | static_cast<uint64_t>(fold.split) << 2 |
         static_cast<uint64_t>(fold.columns_first) << 1 | static_cast<uint64_t>(distribution == Distribution::kShard);
}

Node NodeOf(uint64_t key) { return static_cast<Node>(key >> 32); }

bool IsWidening(const hlo::Shape& from, const hlo::Shape& to) {
  return PrimitiveTypeBytes(from.element_type) <= PrimitiveTypeBytes(to.element_type);
}

}  // namespace

Decision<Direction> ParseDirection(const hlo::Instruction& compare, hlo::PrimitiveType operands) {
  // For pred, total order is the only order, and IEEE comparison of 0 and 1 agrees with it.
  if (compare.is_total_order() && operands != hlo::PrimitiveType::kPred) {
    return Refuse<ReasonId::kTotalOrder>();
  }
  static constexpr std::pair<std::string_view, Direction> kDirections[] = {
      {"EQ", Direction::kEq}, {"NE", Direction::kNe}, {"LT", Direction::kLt},
      {"LE", Direction::kLe}, {"GT", Direction::kGt}, {"GE", Direction::kGe}};
  const std::string_view spelled = compare.comparison_direction();
  for (const auto& [name, direction] : kDirections) {
    if (name == spelled) return direction;
  }
  return Refuse<ReasonId::kUnknownDirection>(spelled);
}

void ExternalValues::Rollback(const ProgramBuilder::Checkpoint& mark) {
  builder_->Rollback(mark);
  operands_.resize(mark.inputs);
  const auto is_gone = [&](int value) { return value >= static_cast<int>(mark.statements); };
  while (!known_values_.empty() && is_gone(known_values_.back())) known_values_.pop_back();
  known_.Truncate(known_values_.size());
  if (std::none_of(known_values_.begin(), known_values_.end(), is_gone)) return;
  // Keep the keys that map to older values.
  const std::vector<uint64_t> keys = known_.keys();
  const std::vector<int> values = std::move(known_values_);
  known_.Truncate(0);
  known_values_.clear();
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!is_gone(values[i])) Know(keys[i], values[i]);
  }
}

void ExternalValues::Know(uint64_t key, int value) {
  if (known_.Insert(key)) known_values_.push_back(value);
}

Decision<int> ExternalValues::Read(Node node, const RowLayout& fold, Distribution distribution) {
  return ReadAt(node, {fold, distribution});
}

std::vector<Node> ExternalValues::AllGathers() const {
  std::vector<Node> gathers;
  for (const uint64_t key : known_.keys()) {
    const Node node = NodeOf(key);
    const auto reads_it = [&](const CallOperand& operand) { return operand.node == node; };
    const bool is_gather = graph_.at(node).opcode == Opcode::kAllGather;
    if (is_gather && std::none_of(operands_.begin(), operands_.end(), reads_it)) gathers.push_back(node);
  }
  return gathers;
}

Decision<int> ExternalValues::ReadAt(Node node, const Use& use) {
  for (Node outer = graph_.Outer(node); outer != kNoNode; outer = graph_.Outer(node)) {
    if (graph_.computation_index(node) == scope_.computation) break;
    node = outer;
  }
  if (scope_.in_region(node)) return Refuse<ReasonId::kTwoLayouts>(graph_.at(node).name);
  const uint64_t key = KeyOf(node, use.fold, use.distribution);
  if (const int known = known_.Find(key); known >= 0) return known_values_[known];
  if (!scope_.steps->Spend()) return Refuse<ReasonId::kStepsSpent>();
  const ProgramBuilder::Checkpoint mark = builder_->Mark();
  std::optional<int> seen;
  if (use.depth < kMaxDepth && !scope_.is_opaque(node)) {
    Use beyond = use;
    beyond.is_later |= graph_.computation_index(node) == scope_.computation;
    seen = LookThrough(node, beyond);
  }
  // Small math on hoisted operands is itself hoisted: one operand instead of several.
  const bool added_hoisted = std::any_of(operands_.begin() + static_cast<std::ptrdiff_t>(mark.inputs), operands_.end(),
                                         [](const CallOperand& operand) { return operand.hoisted; });
  if (seen && added_hoisted && IsSmallMath(node)) {
    std::vector<Node> leaves;
    if (CanHoist(node, &leaves)) seen.reset();
  }
  if (!seen) Rollback(mark);
  Decision<int> value = seen ? Decision<int>(*seen) : Load(node, use);
  if (value) Know(key, *value);
  return value;
}

std::optional<int> ExternalValues::TryReadAt(Node node, const Use& use) {
  const Decision<int> value = ReadAt(node, use);
  return value ? std::optional<int>(*value) : std::nullopt;
}

std::optional<int> ExternalValues::LookThrough(Node node, const Use& use) {
  const hlo::Instruction& instruction = graph_.at(node);
  if (instruction.opcode == Opcode::kConstant) {
    const Decision<DType> dtype = ToDType(instruction.shape->element_type);
    const Result<double> value = ScalarLiteral(instruction);
    if (!dtype || !value) return std::nullopt;  // not a scalar constant
    return builder_->Constant(*dtype, static_cast<float>(*value));
  }
  if (graph_.operand_count(node) == 0) return std::nullopt;  // it reads nothing
  if (instruction.opcode == Opcode::kBroadcast) {
    const Node operand = graph_.operand(node, 0);
    const auto before =
        RowLayoutBeforeBroadcast(graph_.at(operand).shape->dimensions, instruction.dimensions, use.fold);
    if (!before) return std::nullopt;  // broadcast dimensions are not sorted
    return TryReadAt(operand, use.At(*before));
  }
  if (instruction.opcode == Opcode::kDynamicSlice && use.distribution == Distribution::kShard) {
    const Node whole = graph_.operand(node, 0);
    if (!scope_.is_same(whole)) return std::nullopt;  // the ranks may slice different values
    if (!scope_.shards->CheckSlice(node, use.fold)) return std::nullopt;
    return TryReadAt(whole, use.As(Distribution::kWhole));
  }
  if (instruction.opcode == Opcode::kAllGather && use.distribution == Distribution::kWhole) {
    if (graph_.is_root(node) || graph_.has_control_edges(node)) return std::nullopt;  // has other uses than the call
    if (!scope_.shards->CheckGather(node, use.fold)) return std::nullopt;
    return TryReadAt(graph_.operand(node, 0), use.As(Distribution::kShard));
  }
  if (const int fused = graph_.fused_computation(node); fused >= 0) {
    // Recomputing a fusion of a weight is cheap (XLA:CPU wraps even a single convert); values with rows are loaded.
    const auto kind = KindAt(instruction.shape->dimensions, use.fold, scope_.shards->extent(use.distribution));
    if (!kind || Widens(Kind::kRowScalar, *kind)) return std::nullopt;  // full-size work of its own
    return TryReadAt(graph_.root(fused), use.At(use.fold));
  }
  if (IsMove(instruction.opcode)) return LookThroughMove(node, use);
  return LookThroughElementwise(node, use);
}

std::optional<int> ExternalValues::LookThroughMove(Node node, const Use& use) {
  const auto before = RowLayoutBeforeMove(graph_, node, use.fold);
  if (!before) return std::nullopt;  // it moves elements between rows
  return TryReadAt(graph_.operand(node, 0), use.At(*before));
}

std::optional<int> ExternalValues::LookThroughElementwise(Node node, const Use& use) {
  const hlo::Instruction& instruction = graph_.at(node);
  const std::optional<Op> op = ElementwiseOp(instruction.opcode);
  const Decision<DType> dtype = ToDType(instruction.shape->element_type);
  if (!op || !dtype || graph_.operand_count(node) != OperandCount(*op)) return std::nullopt;  // not elementwise
  const auto kind = KindAt(instruction.shape->dimensions, use.fold, scope_.shards->extent(use.distribution));
  if (!kind) return std::nullopt;  // the shape does not fit the rows
  // In the region's own computation, loading a full-size result is cheaper than recomputing it, except that the operand
  // of a widening convert has fewer bytes.
  const bool varies_over_rows = (static_cast<int>(*kind) & static_cast<int>(Kind::kRowScalar)) != 0;
  if (graph_.computation_index(node) == scope_.computation && varies_over_rows &&
      !(*op == Op::kConvert && IsWidening(*graph_.at(graph_.operand(node, 0)).shape, *instruction.shape))) {
    return std::nullopt;  // full-size work of its own
  }
  OperandIds operands;
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    const Node operand = graph_.operand(node, i);
    const bool is_scalar = graph_.at(operand).shape->dimensions.empty();
    const std::optional<int> value = TryReadAt(operand, use.At(is_scalar ? RowLayout{} : use.fold));
    if (!value) return std::nullopt;
    operands.Add(*value);
  }
  Direction direction = Direction::kEq;
  if (*op == Op::kCompare) {
    const Decision<Direction> parsed =
        ParseDirection(instruction, graph_.at(graph_.operand(node, 0)).shape->element_type);
    if (!parsed) return std::nullopt;
    direction = *parsed;
  }
  return AddElementwise(graph_, node, {*op, *dtype, operands, direction}, builder_);
}

// Index arithmetic, comparisons of token ids, masks with one flag per row: cheap enough to clone.
bool ExternalValues::IsSmallMath(Node node) const {
  const hlo::Instruction& instruction = graph_.at(node);
  if (instruction.shape->IsTuple() ||
      instruction.shape->ElementCount() > scope_.shards->extent(Distribution::kWhole).rows)
    return false;
  return instruction.opcode == Opcode::kBroadcast || ElementwiseOp(instruction.opcode).has_value();
}

bool ExternalValues::AppendNeeds(Node node, std::vector<Node>* needs) const {
  const hlo::Instruction& instruction = graph_.at(node);
  if (instruction.opcode == Opcode::kParameter) {
    needs->push_back(graph_.Outer(node));
    return needs->back() != kNoNode;
  }
  if (instruction.opcode == Opcode::kConstant) return true;
  if (!IsSmallMath(node) && !IsHoistableRead(instruction.opcode)) return false;
  for (int i = 0; i < graph_.operand_count(node); ++i) needs->push_back(graph_.operand(node, i));
  return true;
}

// Breadth first, visiting each instruction once: an expression may reach a value on many paths.
bool ExternalValues::CanHoist(Node node, std::vector<Node>* leaves) const {
  NodeSet seen = {node};
  for (size_t first = 0, depth = 0; first < seen.size(); ++depth) {
    const size_t end = seen.size();
    for (; first < end; ++first) {
      const Node needed = seen.keys()[first];
      if (graph_.computation_index(needed) == scope_.computation) {
        leaves->push_back(needed);
        if (scope_.in_region(needed)) return false;
        continue;
      }
      std::vector<Node> needs;
      if (!scope_.steps->Spend() || !AppendNeeds(needed, &needs) || (depth >= kMaxDepth && !needs.empty()))
        return false;
      for (Node need : needs) seen.Insert(need);
    }
  }
  return true;
}

bool ExternalValues::AreStable(const std::vector<Node>& leaves) const {
  return scope_.overwritten == nullptr || std::none_of(leaves.begin(), leaves.end(), [&](Node leaf) {
           return scope_.overwritten->MayBeOverwritten(leaf);
         });
}

Decision<Role> ExternalValues::RoleOf(Node node, Kind kind, Distribution distribution) const {
  if (distribution == Distribution::kWhole) return Role::kLocal;
  const hlo::Instruction& instruction = graph_.at(node);
  if (!Widens(Kind::kVec, kind)) {
    if (!scope_.is_same(node)) return Refuse<ReasonId::kMayDifferBetweenRanks>(instruction.name);
    return Role::kLocal;
  }
  const Decision<DType> dtype = ToDType(instruction.shape->element_type);
  if (dtype && DTypeBytes(*dtype) >= 2) return Role::kGather;
  return Refuse<ReasonId::kUngatheredType>(instruction.name, hlo::PrimitiveTypeName(instruction.shape->element_type));
}

Decision<int> ExternalValues::Load(Node node, const Use& use) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Decision<DType> dtype = ToDType(instruction.shape->element_type);
  if (!dtype) return Refuse<ReasonId::kOperandOfType>(instruction.name, dtype.error().text);
  const RowExtent extent = scope_.shards->extent(use.distribution);
  const auto kind = KindAt(instruction.shape->dimensions, use.fold, extent);
  if (!kind) {
    return Refuse<ReasonId::kOperandDoesNotFit>(instruction.name, instruction.shape->ToString(), extent.width);
  }
  if (*kind == Kind::kRow && use.fold.columns_first) return Refuse<ReasonId::kOperandTransposed>(instruction.name);
  // Other layouts are copied to row-major before the call; the copy is no larger than the message.
  if (!instruction.shape->is_plain) {
    return Refuse<ReasonId::kOperandNotPlain>(instruction.name);
  }
  const Decision<Role> role = RoleOf(node, *kind, use.distribution);
  if (!role) return Refuse(role.error());
  CallOperand operand;
  operand.node = node;
  operand.hoisted = graph_.computation_index(node) != scope_.computation;
  if (!CanHoist(node, &operand.leaves) || (use.is_later && !AreStable(operand.leaves))) {
    return Refuse<ReasonId::kOperandHasNoRowForm>(instruction.name, instruction.opcode_name);
  }
  const int value = builder_->AddInput(*role, *dtype, *kind, *dtype);
  operands_.push_back(std::move(operand));
  return value;
}

}  // namespace jax_oneshot
