// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/translate/row_translator.h"

#include <string>
#include <utility>

#include "row_program/ops.h"
#include "xla_pass/graph/op_table.h"
#include "xla_pass/rows/row_moves.h"
#include "xla_pass/rows/row_reduction.h"
#include "xla_pass/sites/site.h"
#include "xla_pass/translate/contraction.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

tl::unexpected<Reason> NoRowForm(const hlo::Instruction& instruction) {
  return Refuse<ReasonId::kNoRowForm>(instruction.opcode_name);
}

Role RoleOf(Reducer reducer) {
  if (reducer == Reducer::kMax) return Role::kMax;
  return reducer == Reducer::kMin ? Role::kMin : Role::kSum;
}

// The direction of a comparison; ignored for other operations.
Decision<Direction> DirectionOf(const Graph& graph, Node node, Op op) {
  if (op != Op::kCompare) return Direction::kEq;
  return ParseDirection(graph.at(node), graph.at(graph.operand(node, 0)).shape->element_type);
}

}  // namespace

RowTranslator::RowTranslator(const Graph& graph, const TranslatorScope& scope)
    : graph_(graph),
      scope_(scope),
      shards_(graph, *scope.groups, scope.extent),
      externals_(graph,
                 {scope.computation, &shards_, [this](Node node) { return Computes(node); }, scope.is_opaque,
                  scope.is_same, scope.steps, scope.overwritten},
                 &builder_) {}

void RowTranslator::AddAllReduce(Reducer reducer, Node operand, const std::vector<Node>& results, DType dtype) {
  const DType input_dtype = ToDType(graph_.at(operand).shape->element_type).value_or(dtype);
  const int id = builder_.AddInput(RoleOf(reducer), input_dtype, Kind::kRow, dtype);
  externals_.AddOperand({operand, false, {operand}});
  for (Node result : results) {
    Set(result, {id, DefaultRowLayout(graph_.at(result).shape->dimensions), Distribution::kWhole, std::nullopt});
  }
}

Decision<void> RowTranslator::AddShard(Node shard, const RowLayout& fold) {
  const Decision<int> id = externals_.Read(shard, fold, Distribution::kShard);
  if (!id) return Refuse(id.error());
  Set(shard, {*id, fold, Distribution::kShard, std::nullopt});
  return {};
}

Node RowTranslator::Resolve(Node node) const {
  while (graph_.computation_index(node) != scope_.computation) {
    const Node outer = graph_.Outer(node);
    if (outer == kNoNode) break;
    node = outer;
  }
  return node;
}

const RowTranslator::RowValue* RowTranslator::Find(Node node) const {
  const int found = known_.Find(Resolve(node));
  return found < 0 ? nullptr : &values_[found];
}

std::optional<Distribution> RowTranslator::DistributionOf(Node node, const RowLayout& fold) const {
  return shards_.DistributionOf(graph_.at(node).shape->dimensions, fold);
}

Decision<void> RowTranslator::CheckSame(int value) const {
  for (int input : builder_.LoadsBehind(value)) {
    const Node node = operands()[input].node;
    if (!scope_.is_same(node)) return Refuse<ReasonId::kMayDifferBetweenRanks>(graph_.at(node).name);
  }
  return {};
}

void RowTranslator::Set(Node node, const RowValue& value) {
  if (known_.Insert(node)) {
    values_.push_back(value);
  } else {
    values_[known_.Find(node)] = value;
  }
}

Decision<void> RowTranslator::TranslateUnit(Node unit) {
  unit_mark_ = builder_.Mark();
  unit_first_value_ = values_.size();
  Decision<void> done;
  const int fused = graph_.fused_computation(unit);
  if (fused >= 0) {
    done = TranslateFusion(unit, fused);
  } else if (Decision<RowValue> value = Translate(unit); value) {
    Set(unit, *value);
  } else {
    done = Refuse(std::move(value.error()));
  }
  if (!done) TakeBackLastUnit();
  return done;
}

void RowTranslator::TakeBackLastUnit() {
  externals_.Rollback(unit_mark_);
  known_.Truncate(unit_first_value_);
  values_.resize(unit_first_value_);
}

Decision<void> RowTranslator::TranslateFusion(Node fusion, int fused) {
  const hlo::Computation& computation = graph_.module().computations[fused];
  for (int i = 0; i < static_cast<int>(computation.instructions.size()); ++i) {
    const Node node = graph_.node(fused, i);
    if (graph_.at(node).opcode == Opcode::kParameter || graph_.at(node).opcode == Opcode::kTuple) continue;
    bool depends = false;
    for (int k = 0; k < graph_.operand_count(node); ++k) depends |= Find(graph_.operand(node, k)) != nullptr;
    if (!depends) continue;
    if (!scope_.steps->Spend()) return Refuse<ReasonId::kStepsSpent>();
    Decision<RowValue> value = Translate(node);
    if (!value) return Refuse(value.error());
    Set(node, *value);
  }
  const Node root = graph_.root(fused);
  if (graph_.at(root).opcode == Opcode::kTuple) {
    for (int k = 0; k < graph_.operand_count(root); ++k) {
      if (Find(graph_.operand(root, k)) == nullptr) return Refuse<ReasonId::kOneIndependentResult>();
    }
    return {};
  }
  const RowValue* value = Find(root);
  if (value == nullptr) return Refuse<ReasonId::kIndependentResult>();
  Set(fusion, *value);
  return {};
}

Decision<RowTranslator::RowValue> RowTranslator::Translate(Node node) {
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
    case Opcode::kDynamicSlice:
      return TranslateSlice(node);
    case Opcode::kAllGather:
      return TranslateGather(node);
    case Opcode::kAllReduce:
      return TranslateAllReduce(node);
    default:
      break;
  }
  if (IsMove(instruction.opcode)) return TranslateMove(node);
  if (const std::optional<Op> op = ElementwiseOp(instruction.opcode); op) return TranslateElementwise(node, *op);
  return NoRowForm(instruction);
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateElementwise(Node node, Op op) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Decision<DType> dtype = ToDType(instruction.shape->element_type);
  if (!dtype) return Refuse(dtype.error());
  if (graph_.operand_count(node) != OperandCount(op)) return NoRowForm(instruction);
  std::optional<RowLayout> fold;
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    const RowValue* value = Find(graph_.operand(node, i));
    if (value == nullptr) continue;
    if (value->partial) return PassPartial(node, *value);
    if (fold && !RowLayoutsAgree(instruction.shape->dimensions, *fold, value->fold)) {
      return Refuse<ReasonId::kOperandsDiffer>();
    }
    fold = value->fold;
  }
  const auto distribution = DistributionOf(node, *fold);
  if (!distribution) return Refuse<ReasonId::kShapeDoesNotFit>();
  OperandIds operands;
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    const Node operand = graph_.operand(node, i);
    if (const RowValue* value = Find(operand); value != nullptr) {
      if (*distribution == Distribution::kShard && value->distribution == Distribution::kWhole) {
        if (Decision<void> same = CheckSame(value->id); !same) return Refuse(same.error());
      }
      operands.Add(value->id);
      continue;
    }
    Decision<int> value =
        externals_.Read(operand, graph_.at(operand).shape->dimensions.empty() ? RowLayout{} : *fold, *distribution);
    if (!value) return Refuse(value.error());
    operands.Add(*value);
  }
  const Decision<Direction> direction = DirectionOf(graph_, node, op);
  if (!direction) return Refuse(direction.error());
  const int value = AddElementwise(graph_, node, {op, *dtype, operands, *direction}, &builder_);
  return RowValue{value, *fold, *distribution, std::nullopt};
}

// Sums of a rank's columns may be widened and narrowed before the all-reduce that completes them: XLA:CPU does so for
// bf16 sums. The effect of rounding the partial sums or not is no larger than that of summing in another order.
Decision<RowTranslator::RowValue> RowTranslator::PassPartial(Node node, const RowValue& value) const {
  const Decision<DType> dtype = ToDType(graph_.at(node).shape->element_type);
  const bool is_float = dtype && *dtype != DType::kPred;
  if (value.partial->over_ranks && graph_.at(node).opcode == Opcode::kConvert && is_float) return value;
  return Refuse<ReasonId::kReadsPartialReduction>();
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateBroadcast(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  if (graph_.operand_count(node) != 1) return NoRowForm(instruction);
  const Node operand = graph_.operand(node, 0);
  const RowValue* value = Find(operand);
  if (value->partial) return Refuse<ReasonId::kReadsPartialReduction>();
  const bool has_columns = Widens(Kind::kVec, builder_.kind(value->id));
  for (const Distribution distribution : {Distribution::kWhole, Distribution::kShard}) {
    const RowExtent extent = shards_.extent(distribution);
    if ((has_columns && distribution != value->distribution) || extent.width == 0) continue;
    const auto fold = RowLayoutAfterBroadcast(graph_.at(operand).shape->dimensions, value->fold, instruction.dimensions,
                                              instruction.shape->dimensions, extent);
    if (!fold) continue;
    if (distribution == Distribution::kShard && value->distribution == Distribution::kWhole) {
      if (Decision<void> same = CheckSame(value->id); !same) return Refuse(same.error());
    }
    return RowValue{value->id, *fold, distribution, std::nullopt};
  }
  return Refuse<ReasonId::kBroadcastNotAlongRows>(instruction.shape->ToString());
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateMove(Node node) {
  if (graph_.operand_count(node) != 1) return NoRowForm(graph_.at(node));
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value->partial && !value->partial->over_ranks) return Refuse<ReasonId::kReadsPartialReduction>();
  const Decision<RowLayout> fold = RowLayoutAfterMove(graph_, node, value->fold);
  if (!fold) return Refuse(fold.error());
  return RowValue{value->id, *fold, value->distribution, value->partial};
}

Decision<int> RowTranslator::CombineWithInitial(Node reduce, Op reduction, int value) {
  const Decision<double> initial = InitialValue(graph_, reduce);
  if (!initial) return Refuse(initial.error());
  if (*initial == IdentityOf(reduction)) return value;
  const DType dtype = builder_.dtype(value);
  const int constant = builder_.Constant(dtype, static_cast<float>(*initial));
  return builder_.Elementwise(CombiningOp(reduction), dtype, {value, constant});
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateReduce(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  const Decision<Op> op = RowReductionOp(graph_, node);
  if (!op) return Refuse(op.error());
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value == nullptr) return Refuse<ReasonId::kInitialFromRegion>();
  const Dims& from = graph_.at(graph_.operand(node, 0)).shape->dimensions;
  if (!ReducesTheWidth(from, value->fold, instruction.dimensions)) return Refuse<ReasonId::kPartialReduction>();
  if (value->partial && (value->partial->over_ranks || value->partial->op != *op)) {
    return Refuse<ReasonId::kMixedReductions>();
  }
  const Decision<DType> dtype = ToDType(instruction.shape->element_type);
  if (!dtype) return Refuse(dtype.error());
  const RowLayout fold = RowLayoutAfterReduce(value->fold, instruction.dimensions, instruction.shape->dimensions);
  if (value->distribution == Distribution::kShard) {
    const Decision<double> initial = InitialValue(graph_, node);
    if (!initial || *initial != IdentityOf(*op)) return Refuse<ReasonId::kInitialNotIdentity>();
    return RowValue{value->id, fold, Distribution::kWhole, Partial{*op, true}};
  }
  const Decision<int> total = CombineWithInitial(node, *op, builder_.RowReduction(*op, value->id, *dtype));
  if (!total) return Refuse(total.error());
  return RowValue{*total, fold, Distribution::kWhole, std::nullopt};
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateReduceWindow(Node node) {
  const Decision<Op> op = RowReductionOp(graph_, node);
  if (!op) return Refuse(op.error());
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value == nullptr) return Refuse<ReasonId::kInitialFromRegion>();
  if (value->partial && (value->partial->over_ranks || value->partial->op != *op)) {
    return Refuse<ReasonId::kMixedReductions>();
  }
  const Decision<double> initial = InitialValue(graph_, node);
  if (!initial || *initial != IdentityOf(*op)) return Refuse<ReasonId::kInitialNotIdentity>();
  if (Decision<void> ok = CheckWindows(graph_, node, value->fold); !ok) return Refuse(ok.error());
  const RowLayout fold = RowsFirstIfEither(graph_.at(node).shape->dimensions, value->fold);
  return RowValue{value->id, fold, value->distribution, Partial{*op, false}};
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateSlice(Node node) {
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value == nullptr) return Refuse<ReasonId::kOffsetFromRegion>();
  if (value->partial || value->distribution == Distribution::kShard) return Refuse<ReasonId::kSliceNotOfColumns>();
  if (Decision<void> ok = shards_.CheckSlice(node, value->fold); !ok) return Refuse(ok.error());
  if (Decision<void> same = CheckSame(value->id); !same) return Refuse(same.error());
  return RowValue{value->id, value->fold, Distribution::kShard, std::nullopt};
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateGather(Node node) {
  if (graph_.operand_count(node) != 1) return Refuse<ReasonId::kGathersSeveral>();
  const RowValue* value = Find(graph_.operand(node, 0));
  if (value->partial || value->distribution != Distribution::kShard) return Refuse<ReasonId::kGatherNotOfColumns>();
  if (Decision<void> ok = shards_.CheckGather(node, value->fold); !ok) return Refuse(ok.error());
  return RowValue{value->id, value->fold, Distribution::kWhole, std::nullopt};
}

// An all-reduce that completes row reductions of shards. For a tuple, each get-tuple-element completes its element.
Decision<RowTranslator::RowValue> RowTranslator::TranslateAllReduce(Node node) {
  const hlo::Instruction& instruction = graph_.at(node);
  for (int i = 0; i < graph_.operand_count(node); ++i) {
    const RowValue* value = Find(graph_.operand(node, i));
    if (value == nullptr || !value->partial || !value->partial->over_ranks) {
      return Refuse<ReasonId::kDoesNotCompleteReduction>(instruction.opcode_name);
    }
    Decision<void> ok = shards_.CheckReduce(node, ReducerOf(value->partial->op));
    if (!ok) return Refuse(ok.error());
  }
  if (instruction.shape->IsTuple()) {
    RowValue several;
    several.is_tuple = true;
    return several;
  }
  return CompleteOverRanks(graph_.operand(node, 0), *instruction.shape);
}

// Reduces in the type of the reduced value; converts before the all-reduce may have changed the type.
Decision<RowTranslator::RowValue> RowTranslator::CompleteOverRanks(Node operand, const hlo::Shape& shape) {
  const RowValue value = *Find(operand);
  const Decision<DType> dtype = ToDType(shape.element_type);
  if (!dtype) return Refuse(dtype.error());
  if (shape.dimensions != graph_.at(operand).shape->dimensions) return Refuse<ReasonId::kOfAnotherShape>();
  const DType reduced_in = builder_.dtype(value.id);
  int total = builder_.RowReduction(value.partial->op, value.id, reduced_in);
  if (reduced_in != *dtype) total = builder_.Elementwise(Op::kConvert, *dtype, {total});
  return RowValue{total, value.fold, Distribution::kWhole, std::nullopt};
}

Decision<RowTranslator::RowValue> RowTranslator::TranslateTupleElement(Node node) {
  const Node tuple = graph_.operand(node, 0);
  const hlo::Instruction& made_by = graph_.at(tuple);
  if (made_by.opcode == Opcode::kAllReduce && Computes(tuple)) {
    const auto element = static_cast<size_t>(graph_.at(node).number);
    if (element >= made_by.operands.size()) return Refuse<ReasonId::kMalformedTuple>();
    return CompleteOverRanks(graph_.operand(tuple, static_cast<int>(element)), *graph_.at(node).shape);
  }
  const int fused = graph_.fused_computation(tuple);
  if (fused < 0) return Refuse<ReasonId::kTupleFromOutside>();
  const Node root = graph_.root(fused);
  const int64_t index = graph_.at(node).number;
  if (graph_.at(root).opcode != Opcode::kTuple || index < 0 || index >= graph_.operand_count(root)) {
    return Refuse<ReasonId::kMalformedTuple>();
  }
  const RowValue* value = Find(graph_.operand(root, static_cast<int>(index)));
  if (value == nullptr) return Refuse<ReasonId::kFusionFromOutside>();
  return *value;
}

bool RowTranslator::IsTransposed(Node node) const {
  const RowValue* value = Find(node);
  return value != nullptr && value->fold.columns_first;
}

const char* RowTranslator::FindProblem(Node node, LayoutRule layouts) const {
  const hlo::Shape& shape = *graph_.at(node).shape;
  const RowValue* value = Find(node);
  if (value == nullptr) return " has no single value";
  if (value->is_tuple || value->partial) return " is a partial row reduction";
  if (value->fold.columns_first) return ": its rows are transposed";
  const bool is_wrong =
      layouts == LayoutRule::kRowMajor && !shape.IsRowMajor() && value->distribution == Distribution::kWhole;
  if (!shape.is_plain || is_wrong) {
    return ": its layout is not row-major";
  }
  return KindAt(shape.dimensions, value->fold, shards_.extent(value->distribution)) ? nullptr
                                                                                    : " does not fit the rows";
}

Decision<Output> RowTranslator::ExportOf(Node node, LayoutRule layouts) const {
  const hlo::Instruction& instruction = graph_.at(node);
  if (const char* problem = FindProblem(node, layouts); problem != nullptr) {
    return Refuse<ReasonId::kNotExportable>(instruction.name, problem);
  }
  const RowValue& value = *Find(node);
  const Kind kind = *KindAt(instruction.shape->dimensions, value.fold, shards_.extent(value.distribution));
  return Output{value.id, Join(kind, builder_.kind(value.id)), value.distribution == Distribution::kShard};
}

}  // namespace jax_oneshot
