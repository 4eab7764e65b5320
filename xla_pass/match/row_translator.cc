#include "xla_pass/match/row_translator.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "xla_pass/match/op_table.h"
#include "xla_pass/match/site.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

std::string Quote(const hlo::Instruction& instruction) { return "%" + std::string(instruction.name); }

std::string NoRowForm(const hlo::Instruction& instruction) {
  return std::string(instruction.opcode_name) + " has no row form";
}

Role RoleOf(Reducer reducer) {
  if (reducer == Reducer::kMax) return Role::kMax;
  return reducer == Reducer::kMin ? Role::kMin : Role::kSum;
}

bool IsIdentity(Op reduction, double value) {
  if (reduction == Op::kReduceSum) return value == 0;
  return reduction == Op::kReduceMax ? value == -HUGE_VAL : value == HUGE_VAL;
}

Op CombiningOp(Op reduction) {
  if (reduction == Op::kReduceSum) return Op::kAdd;
  return reduction == Op::kReduceMax ? Op::kMaximum : Op::kMinimum;
}

}  // namespace

RowTranslator::RowTranslator(const Graph& graph, int computation, RowExtent extent, std::function<bool(Node)> is_opaque)
    : graph_(graph),
      computation_(computation),
      extent_(extent),
      externals_(graph, {computation, extent, [this](Node node) { return Computes(node); }, std::move(is_opaque)},
                 &builder_) {}

void RowTranslator::AddAllReduce(Reducer reducer, Node operand, const std::vector<Node>& results, DType dtype) {
  const DType input_dtype = ToDType(graph_.at(operand).shape->element_type).value_or(dtype);
  const int id = builder_.AddInput(RoleOf(reducer), input_dtype, Kind::kRow, dtype);
  externals_.AddOperand({operand, false, {operand}});
  for (Node result : results) {
    const int rank = static_cast<int>(graph_.at(result).shape->dimensions.size());
    Set(result, {id, rank > 0 ? rank - 1 : 0, std::nullopt});
  }
}

Node RowTranslator::Resolve(Node node) const {
  while (graph_.computation_index(node) != computation_) {
    const Node outer = graph_.Outer(node);
    if (outer == kNoNode) break;
    node = outer;
  }
  return node;
}

const RowTranslator::RowValue* RowTranslator::Find(Node node) const {
  auto found = values_.find(Resolve(node));
  return found == values_.end() ? nullptr : &found->second;
}

void RowTranslator::Set(Node node, const RowValue& value) {
  values_[node] = value;
  log_.push_back(node);
}

Result<void> RowTranslator::TranslateUnit(Node unit) {
  unit_mark_ = builder_.Mark();
  unit_log_mark_ = log_.size();
  Result<void> done;
  const int fused = graph_.fused_computation(unit);
  if (fused >= 0) {
    done = TranslateFusion(unit, fused);
  } else if (Result<RowValue> value = Translate(unit); value) {
    Set(unit, *value);
  } else {
    done = Err(value.error());
  }
  if (!done) TakeBackLastUnit();
  return done;
}

void RowTranslator::TakeBackLastUnit() {
  externals_.Rollback(unit_mark_);
  for (size_t i = unit_log_mark_; i < log_.size(); ++i) values_.erase(log_[i]);
  log_.resize(unit_log_mark_);
}

Result<void> RowTranslator::TranslateFusion(Node fusion, int fused) {
  const hlo::Computation& computation = graph_.module().computations[fused];
  for (int i = 0; i < static_cast<int>(computation.instructions.size()); ++i) {
    const Node node = graph_.node(fused, i);
    if (graph_.at(node).opcode == Opcode::kParameter || graph_.at(node).opcode == Opcode::kTuple) continue;
    bool depends = false;
    for (int k = 0; k < graph_.operand_count(node); ++k) depends |= Find(graph_.operand(node, k)) != nullptr;
    if (!depends) continue;
    Result<RowValue> value = Translate(node);
    if (!value) return Err(value.error());
    Set(node, *value);
  }
  const Node root = graph_.root(fused);
  if (graph_.at(root).opcode == Opcode::kTuple) {
    for (int k = 0; k < graph_.operand_count(root); ++k) {
      if (Find(graph_.operand(root, k)) == nullptr) return Err("one of its results does not depend on the all-reduce");
    }
    return {};
  }
  const RowValue* value = Find(root);
  if (value == nullptr) return Err("its result does not depend on the all-reduce");
  Set(fusion, *value);
  return {};
}

Result<RowTranslator::RowValue> RowTranslator::Translate(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  switch (instruction.opcode) {
    case Opcode::kBroadcast:
      return TranslateBroadcast(node);
    case Opcode::kReduce:
      return TranslateReduce(node);
    case Opcode::kReduceWindow:
      return TranslateReduceWindow(node);
    case Opcode::kGetTupleElement:
      return TranslateTupleElement(node);
    default:
      break;
  }
  if (IsMove(instruction.opcode)) return TranslateMove(node);
  if (const std::optional<Op> op = ElementwiseOp(instruction.opcode); op) return TranslateElementwise(node, *op);
  return Err(NoRowForm(instruction));
}

Result<RowTranslator::RowValue> RowTranslator::TranslateElementwise(Node node, Op op) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Result<DType> dtype = ToDType(instruction.shape->element_type);
  if (!dtype) return Err(dtype.error());
  if (graph_.operand_count(node) != OperandCount(op)) return Err(NoRowForm(instruction));
  std::optional<int> split;
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    const RowValue* value = Find(graph_.operand(node, i));
    if (value == nullptr) continue;
    if (value->partial_reduction) return Err("it reads a partial row reduction");
    if (split && !SplitsAgree(instruction.shape->dimensions, *split, value->split)) {
      return Err("its operands fold onto rows differently");
    }
    split = value->split;
  }
  std::vector<int> operands;
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    const Node operand = graph_.operand(node, i);
    if (const RowValue* value = Find(operand); value != nullptr) {
      operands.push_back(value->id);
      continue;
    }
    Result<int> value = externals_.Read(operand, graph_.at(operand).shape->dimensions.empty() ? 0 : *split);
    if (!value) return Err(value.error());
    operands.push_back(*value);
  }
  Direction direction = Direction::kEq;
  if (op == Op::kCompare) {
    const Result<Direction> parsed = ParseDirection(instruction);
    if (!parsed) return Err(parsed.error());
    direction = *parsed;
  }
  return RowValue{builder_.Elementwise(op, *dtype, operands, direction), *split, std::nullopt};
}

Result<RowTranslator::RowValue> RowTranslator::TranslateBroadcast(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Node operand = graph_.operand(node, 0);
  const RowValue* value = Find(operand);
  if (value->partial_reduction) return Err("it reads a partial row reduction");
  const auto split = SplitAfterBroadcast(graph_.at(operand).shape->dimensions, value->split, instruction.dimensions,
                                         instruction.shape->dimensions, extent_);
  if (!split) return Err("broadcast to " + instruction.shape->ToString() + " is not along rows");
  return RowValue{value->id, *split, std::nullopt};
}

Result<RowTranslator::RowValue> RowTranslator::TranslateMove(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  const hlo::Shape& from = *graph_.at(graph_.operand(node, 0)).shape;
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value->partial_reduction) return Err("it reads a partial row reduction");
  if (from.element_type != instruction.shape->element_type) return Err("a bitcast changes the type");
  if (instruction.opcode == Opcode::kTranspose && !TransposeMovesNothing(from.dimensions, instruction.dimensions)) {
    return Err("transpose moves elements between rows");
  }
  if (instruction.opcode == Opcode::kBitcast && (!from.IsRowMajor() || !instruction.shape->IsRowMajor())) {
    return Err("bitcast changes the layout");
  }
  const auto split = SplitAfterReshape(from.dimensions, value->split, instruction.shape->dimensions);
  if (!split) {
    return Err(std::string(instruction.opcode_name) + " from " + from.ToString() + " to " +
               instruction.shape->ToString() + " mixes rows and width");
  }
  return RowValue{value->id, *split, std::nullopt};
}

Result<Op> RowTranslator::ReductionOp(Node node) const {
  const hlo::Instruction& instruction = graph_.at(node);
  if (graph_.operand_count(node) != 2 || instruction.called_computations.size() != 1) {
    return Err(std::string(instruction.opcode_name) + " of several values has no row form");
  }
  switch (ClassifyReducer(graph_.module().computations[instruction.called_computations[0]])) {
    case Reducer::kSum:
      return Op::kReduceSum;
    case Reducer::kMax:
      return Op::kReduceMax;
    case Reducer::kMin:
      return Op::kReduceMin;
    case Reducer::kOther:
      break;
  }
  return Err("its reduction is not a sum, maximum or minimum");
}

Result<int> RowTranslator::CombineWithInitial(Node reduce, Op reduction, int value) {
  const hlo::Instruction& initial = graph_.at(Resolve(graph_.operand(reduce, 1)));
  const Result<double> number = ScalarLiteral(initial);
  if (initial.opcode != Opcode::kConstant || !number) return Err("its initial value is not a constant");
  if (IsIdentity(reduction, *number)) return value;
  const DType dtype = builder_.dtype(value);
  const int constant = builder_.Constant(dtype, static_cast<float>(*number));
  return builder_.Elementwise(CombiningOp(reduction), dtype, {value, constant});
}

Result<RowTranslator::RowValue> RowTranslator::TranslateReduce(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Result<Op> op = ReductionOp(node);
  if (!op) return Err(op.error());
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value == nullptr) return Err("its initial value depends on the all-reduce");
  const Dims& from = graph_.at(graph_.operand(node, 0)).shape->dimensions;
  if (!ReducesTheWidth(from, value->split, instruction.dimensions)) return Err("reduce is not over the whole row");
  if (value->partial_reduction && *value->partial_reduction != *op) return Err("it mixes two kinds of reduction");
  const Result<DType> dtype = ToDType(instruction.shape->element_type);
  if (!dtype) return Err(dtype.error());
  const int split = SplitAfterReduce(value->split, instruction.dimensions);
  const Result<int> total = CombineWithInitial(node, *op, builder_.RowReduction(*op, value->id, *dtype));
  if (!total) return Err(total.error());
  return RowValue{*total, split, std::nullopt};
}

// Only windows that tile the row and cover each element once: what XLA:CPU makes of a row reduction.
Result<RowTranslator::RowValue> RowTranslator::TranslateReduceWindow(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Result<Op> op = ReductionOp(node);
  if (!op) return Err(op.error());
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value == nullptr) return Err("its initial value depends on the all-reduce");
  if (value->partial_reduction && *value->partial_reduction != *op) return Err("it mixes two kinds of reduction");
  const hlo::Instruction& initial = graph_.at(Resolve(graph_.operand(node, 1)));
  const Result<double> number = ScalarLiteral(initial);
  if (initial.opcode != Opcode::kConstant || !number || !IsIdentity(*op, *number)) {
    return Err("its initial value is not the reduction's identity");
  }
  const Dims& from = graph_.at(graph_.operand(node, 0)).shape->dimensions;
  const auto window = DecodeWindow(instruction);
  if (!window || window->size() != from.size()) return Err("its window cannot be read");
  for (int i = 0; i < static_cast<int>(from.size()); ++i) {
    const hlo::WindowDimension& w = (*window)[i];
    const bool tiles = w.size == w.stride && w.window_dilation == 1 && w.base_dilation == 1 && !w.reversed &&
                       w.padding_low >= 0 && w.padding_high >= 0 &&
                       w.padding_low + from[i] + w.padding_high == w.size * instruction.shape->dimensions[i];
    if (!tiles || (i < value->split && w.size != 1)) return Err("its window does not tile the row");
  }
  return RowValue{value->id, value->split, *op};
}

Result<RowTranslator::RowValue> RowTranslator::TranslateTupleElement(Node node) {
  const Node tuple = graph_.operand(node, 0);
  const int fused = graph_.fused_computation(tuple);
  if (fused < 0) return Err("it reads a tuple made outside the region");
  const Node root = graph_.root(fused);
  const int64_t index = graph_.at(node).number;
  if (graph_.at(root).opcode != Opcode::kTuple || index < 0 || index >= graph_.operand_count(root)) {
    return Err("its tuple is malformed");
  }
  const RowValue* value = Find(graph_.operand(root, static_cast<int>(index)));
  if (value == nullptr) return Err("the fusion it reads is outside the region");
  return *value;
}

Result<Output> RowTranslator::ExportOf(Node node) const {
  const hlo::Instruction& instruction = graph_.at(node);
  const RowValue* value = Find(node);
  if (value == nullptr) return Err(Quote(instruction) + " has no single value");
  if (value->partial_reduction) return Err(Quote(instruction) + " is a partial row reduction");
  if (!instruction.shape->is_plain || !instruction.shape->IsRowMajor()) {
    return Err(Quote(instruction) + ": its layout is not row-major");
  }
  const auto kind = KindAt(instruction.shape->dimensions, value->split, extent_);
  if (!kind) return Err(Quote(instruction) + " does not fit the rows");
  return Output{value->id, Join(*kind, builder_.kind(value->id))};
}

int64_t RowTranslator::InstructionCount(Node unit) const {
  const int fused = graph_.fused_computation(unit);
  if (fused < 0) return graph_.at(unit).opcode == Opcode::kGetTupleElement ? 0 : 1;
  const hlo::Computation& computation = graph_.module().computations[fused];
  int64_t count = 0;
  for (const hlo::Instruction& instruction : computation.instructions) {
    count += instruction.opcode != Opcode::kParameter && instruction.opcode != Opcode::kTuple &&
             instruction.opcode != Opcode::kConstant;
  }
  return count;
}

}  // namespace jax_oneshot
