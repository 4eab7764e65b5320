// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sites/site.h"

#include <string>

#include "xla_pass/rows/row_shape.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;
using hlo::PrimitiveType;

Decision<void> CheckGroups(Site* site) {
  if (site->groups.mode == hlo::GroupMode::kCrossReplicaAndPartition) {
    return Refuse<ReasonId::kUnsupportedGroupMode>(GroupModeName(site->groups.mode));
  }
  if (site->groups.groups.empty()) return Refuse<ReasonId::kGroupOfUnknownSize>();
  site->group_size = static_cast<int64_t>(site->groups.groups[0].size());
  if (site->group_size < kMinGroupSize || site->group_size > kMaxGroupSize) {
    return Refuse<ReasonId::kGroupSize>(site->group_size, kMinGroupSize, kMaxGroupSize);
  }
  return {};
}

Decision<SiteElement> CheckElement(const hlo::Shape& shape) {
  SiteElement element;
  const Decision<DType> dtype = ToDType(shape.element_type);
  if (!dtype || (*dtype != DType::kBF16 && *dtype != DType::kF16 && *dtype != DType::kF32)) {
    return Refuse<ReasonId::kUnsupportedSumType>(PrimitiveTypeName(shape.element_type));
  }
  element.dtype = *dtype;
  if (!shape.is_plain) return Refuse<ReasonId::kLayout>(shape.ToString());
  if (shape.ElementCount() == 0) return Refuse<ReasonId::kEmpty>();
  const RowExtent extent = ExtentAt(shape.dimensions, DefaultRowLayout(shape.dimensions));
  element.rows = extent.rows;
  element.width = extent.width;
  return element;
}

Decision<void> CheckElements(const Graph& graph, Site* site) {
  const hlo::Instruction& all_reduce = graph.at(site->all_reduce);
  const bool is_tuple = all_reduce.shape->IsTuple();
  const size_t count = is_tuple ? all_reduce.shape->tuple_shapes.size() : 1;
  if (count != all_reduce.operands.size()) {
    return Refuse<ReasonId::kOperandCount>(all_reduce.operands.size(), count);
  }
  for (size_t i = 0; i < count; ++i) {
    const hlo::Shape& operand_shape = *graph.at(graph.operand(site->all_reduce, static_cast<int>(i))).shape;
    if (!operand_shape.is_plain) return Refuse<ReasonId::kLayout>(operand_shape.ToString());
    Decision<SiteElement> element = CheckElement(is_tuple ? all_reduce.shape->tuple_shapes[i] : *all_reduce.shape);
    if (!element) return Refuse(element.error());
    element->operand = static_cast<int>(i);
    if (!is_tuple) element->results = {site->all_reduce};
    site->elements.push_back(*std::move(element));
  }
  if (!is_tuple) return {};
  if (graph.is_root(site->all_reduce)) return Refuse<ReasonId::kTupleUsedWhole>();
  for (Node user : graph.users(site->all_reduce)) {
    const hlo::Instruction& gte = graph.at(user);
    if (gte.opcode != Opcode::kGetTupleElement || gte.number < 0 || gte.number >= static_cast<int64_t>(count)) {
      return Refuse<ReasonId::kTupleUsedWhole>();
    }
    site->elements[gte.number].results.push_back(user);
  }
  return {};
}

bool MovesOnly(Opcode opcode) {
  return opcode == Opcode::kReshape || opcode == Opcode::kBitcast || opcode == Opcode::kCopy ||
         opcode == Opcode::kConvert;
}

// The dynamic-slice that is the only user of `value`, looking through no-ops and fusions; else kNoNode.
Node OnlySlice(const Graph& graph, Node value) {
  constexpr int kMaxSteps = 16;
  for (int step = 0; step < kMaxSteps; ++step) {
    if (graph.users(value).size() != 1 || graph.is_root(value)) return kNoNode;
    const Node user = graph.users(value)[0];
    const hlo::Instruction& instruction = graph.at(user);
    if (instruction.opcode == Opcode::kDynamicSlice) return graph.operand(user, 0) == value ? user : kNoNode;
    if (MovesOnly(instruction.opcode)) {
      value = user;
      continue;
    }
    const int fused = graph.fused_computation(user);
    if (fused < 0) return kNoNode;
    Node parameter = kNoNode;
    for (int p : graph.module().computations[fused].parameters) {
      if (graph.Outer(graph.node(fused, p)) != value) continue;
      if (parameter != kNoNode) return kNoNode;
      parameter = graph.node(fused, p);
    }
    if (parameter == kNoNode) return kNoNode;
    value = parameter;
  }
  return kNoNode;
}

}  // namespace

Decision<DType> ToDType(PrimitiveType type) {
  switch (type) {
    case PrimitiveType::kPred:
      return DType::kPred;
    case PrimitiveType::kBF16:
      return DType::kBF16;
    case PrimitiveType::kF16:
      return DType::kF16;
    case PrimitiveType::kF32:
      return DType::kF32;
    case PrimitiveType::kF8E4M3FN:
      return DType::kF8E4M3FN;
    case PrimitiveType::kF8E5M2:
      return DType::kF8E5M2;
    default:
      return Refuse<ReasonId::kUnsupportedType>(PrimitiveTypeName(type));
  }
}

int64_t MessageBytes(const hlo::Shape& shape) {
  if (!shape.IsTuple()) return shape.ElementCount() * hlo::PrimitiveTypeBytes(shape.element_type);
  int64_t bytes = 0;
  for (const hlo::Shape& element : shape.tuple_shapes) bytes += MessageBytes(element);
  return bytes;
}

Decision<Site> CheckSite(const Graph& graph, Node all_reduce, const Result<hlo::ReplicaGroups>& groups,
                         const SiteLimits& limits) {
  const hlo::Instruction& instruction = graph.at(all_reduce);
  Site site;
  site.all_reduce = all_reduce;
  if (instruction.called_computations.size() != 1) return Refuse<ReasonId::kUnsupportedReducer>("(none)");
  const hlo::Computation& reducer = graph.module().computations[instruction.called_computations[0]];
  site.reducer = ClassifyReducer(reducer);
  if (site.reducer == Reducer::kOther) return Refuse<ReasonId::kUnsupportedReducer>(reducer.name);
  if (!groups) return Refuse<ReasonId::kUnknownGroups>(groups.error());
  site.groups = *groups;
  if (Decision<void> ok = CheckGroups(&site); !ok) return Refuse(ok.error());
  if (Decision<void> ok = CheckElements(graph, &site); !ok) return Refuse(ok.error());
  const int64_t bytes = MessageBytes(*instruction.shape);
  const int64_t limit = limits.max_bytes.at(static_cast<size_t>(site.group_size));
  if (bytes > limit) return Refuse<ReasonId::kTooLarge>(bytes, limit, site.group_size);
  if (graph.has_control_edges(all_reduce)) return Refuse<ReasonId::kControlDependency>();
  if (site.elements.size() == 1) site.only_slice = OnlySlice(graph, all_reduce);
  return site;
}

}  // namespace jax_oneshot
