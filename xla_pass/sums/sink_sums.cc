// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/sink_sums.h"

#include <optional>
#include <string>
#include <vector>

#include "xla_pass/graph/reducer.h"
#include "xla_pass/graph/replication.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/reachable.h"
#include "xla_pass/rewrite/changed_bytes.h"
#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/rewrite/new_ids.h"
#include "xla_pass/sums/linear_chain.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using hlo::PrimitiveType;

// The same shape and layout with another element type.
std::string ShapeOfType(const hlo::Shape& shape, PrimitiveType type) {
  namespace field = hlo::fields::shape;
  wire::Writer out;
  wire::Reader reader(shape.bytes);
  wire::Field f;
  while (reader.Next(&f)) {
    if (f.number == field::kElementType) {
      out.Integer(field::kElementType, static_cast<int64_t>(type));
    } else {
      out.Verbatim(f.bytes);
    }
  }
  return out.Take();
}

std::string ConvertBytes(const InstructionIdentity& identity, const std::string& shape, int64_t operand_id) {
  namespace field = hlo::fields::hlo_instruction;
  wire::Writer out;
  out.Bytes(field::kName, identity.name).Bytes(field::kOpcode, "convert").Bytes(field::kShape, shape);
  if (!identity.metadata.empty()) out.Bytes(field::kMetadata, identity.metadata);
  return out.Integer(field::kId, identity.id).Packed(field::kOperandIds, {operand_id}).Take();
}

// The id of a computation before `before` that adds two f32 values.
std::optional<int64_t> FindF32Sum(const hlo::Module& module, int before) {
  for (int c = 0; c < before; ++c) {
    const hlo::Computation& computation = module.computations[c];
    if (computation.is_fusion || computation.instructions.size() != 3) continue;
    if (computation.instructions[computation.root].shape->element_type != PrimitiveType::kF32) continue;
    if (ClassifyReducer(computation) == Reducer::kSum) return computation.id;
  }
  return std::nullopt;
}

class Sinker {
 public:
  Sinker(const Graph& graph, NewIds* ids, StageResult* result) : graph_(graph), ids_(*ids), result_(*result) {}

  // `f32_sum` is a computation that adds f32 values, for sums taken in f32.
  void Sink(const LinearChain& chain, int64_t f32_sum) {
    last_ = chain.steps.back();
    f32_sum_ = f32_sum;
    const Node before = graph_.operand(chain.all_reduce, 0);
    Node previous = chain.all_reduce;
    Value value = {graph_.at(before).id, graph_.at(before).shape->element_type};
    for (size_t i = 0; i < chain.steps.size(); ++i) {
      value = Step(chain.steps[i], chain.kinds[i], previous, value);
      previous = chain.steps[i];
    }
    if (chain.is_wide) value = Widened(value, last_);
    TakeSum(chain, value);
  }

 private:
  struct Value {
    int64_t id;
    PrimitiveType type;
  };

  InstructionIdentity NewIdentity() { return {ids_.Name("sum"), ids_.InstructionIn(graph_.computation_of(last_)), {}}; }

  void TakeF32Sum(InstructionChanges* changes) const {
    if (f32_sum_ >= 0) changes->called_ids = std::vector<int64_t>{f32_sum_};
  }

  void Append(std::string bytes) { result_.edit.InsertBefore(last_, std::move(bytes)); }

  // `value` as f32; `like` has its dimensions.
  Value Widened(Value value, Node like) {
    if (value.type == PrimitiveType::kF32) return value;
    const InstructionIdentity identity = NewIdentity();
    Append(ConvertBytes(identity, ShapeOfType(*graph_.at(like).shape, PrimitiveType::kF32), value.id));
    return {identity.id, PrimitiveType::kF32};
  }

  // This rank's local value of `step`, computed from `value`, which replaces `previous`.
  Value Step(Node step, StepKind kind, Node previous, Value value) {
    result_.edit.Remove(step);
    if (kind == StepKind::kConvert) return Widened(value, step);
    const bool is_arithmetic = kind == StepKind::kArithmetic || kind == StepKind::kReduction;
    if (is_arithmetic) value = Widened(value, previous);
    std::vector<int64_t> operand_ids;
    for (int i = 0; i < graph_.operand_count(step); ++i) {
      const Node operand = graph_.operand(step, i);
      const Value other = {graph_.at(operand).id, graph_.at(operand).shape->element_type};
      const Value read = operand == previous ? value : is_arithmetic ? Widened(other, operand) : other;
      operand_ids.push_back(read.id);
    }
    const PrimitiveType type = is_arithmetic || kind == StepKind::kProduct ? PrimitiveType::kF32 : value.type;
    InstructionIdentity identity = NewIdentity();
    InstructionChanges changes;
    changes.name = std::move(identity.name);
    changes.id = identity.id;
    changes.shape = ShapeOfType(*graph_.at(step).shape, type);
    changes.operand_ids = std::move(operand_ids);
    const bool adds_narrow = kind == StepKind::kReduction && graph_.at(step).shape->element_type != PrimitiveType::kF32;
    if (adds_narrow) TakeF32Sum(&changes);
    Append(ChangedBytes(graph_.at(step), changes));
    return {identity.id, type};
  }

  // The all-reduce keeps its id and name; its result is read under the id and name of the last step.
  void TakeSum(const LinearChain& chain, Value value) {
    const hlo::Instruction& all_reduce = graph_.at(chain.all_reduce);
    const hlo::Instruction& last = graph_.at(last_);
    InstructionChanges changes;
    changes.name = std::string(all_reduce.name);
    changes.id = all_reduce.id;
    changes.shape = ShapeOfType(*last.shape, value.type);
    changes.operand_ids = std::vector<int64_t>{value.id};
    if (all_reduce.shape->element_type != value.type) TakeF32Sum(&changes);
    Append(ChangedBytes(all_reduce, changes));
    result_.edit.Remove(chain.all_reduce);
    const InstructionIdentity identity = {std::string(last.name), last.id, last.metadata()};
    const std::string shape(last.shape->bytes);
    result_.edit.Keep(last_);
    result_.edit.Replace(last_, value.type == last.shape->element_type ? CopyBytes(identity, shape, all_reduce.id)
                                                                       : ConvertBytes(identity, shape, all_reduce.id));
  }

  const Graph& graph_;
  NewIds& ids_;
  StageResult& result_;
  Node last_ = kNoNode;
  int64_t f32_sum_ = -1;  // -1: the module has none
};

bool IsTouched(const LinearChain& chain, const ModuleEdit& edit) {
  for (const Node step : chain.steps) {
    if (edit.IsTouched(step)) return true;
  }
  return edit.IsTouched(chain.all_reduce);
}

}  // namespace

StageResult SinkSums(const Graph& graph) {
  StageResult result(graph);
  ReplicationCache replication(graph);
  NewIds ids(graph.module());
  Sinker sinker(graph, &ids, &result);
  for (const ReachableComputation& reachable : FindReachable(graph.module())) {
    const auto count = static_cast<int>(graph.module().computations[reachable.computation].instructions.size());
    for (int i = 0; i < count; ++i) {
      const Node node = graph.node(reachable.computation, i);
      if (graph.at(node).opcode != hlo::Opcode::kAllReduce) continue;
      const std::optional<LinearChain> chain = FindChain(graph, node, &replication);
      if (!chain || IsTouched(*chain, result.edit)) continue;
      const std::optional<int64_t> f32_sum = FindF32Sum(graph.module(), reachable.computation);
      if (chain->is_wide && !f32_sum) continue;
      sinker.Sink(*chain, f32_sum.value_or(-1));
    }
  }
  return result;
}

}  // namespace jax_oneshot
