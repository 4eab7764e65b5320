#include "xla_pass/sites/site.h"

#include <string>

#include "xla_pass/rows/row_shape.h"
#include "xla_pass/verdict/reasons.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;
using hlo::PrimitiveType;

Result<void> CheckGroups(Site* site) {
  if (site->groups.mode == hlo::GroupMode::kCrossReplicaAndPartition) {
    return Err(reason::UnsupportedGroupMode(GroupModeName(site->groups.mode)));
  }
  if (site->groups.groups.empty()) return Err(reason::GroupOfUnknownSize());
  site->group_size = static_cast<int64_t>(site->groups.groups[0].size());
  if (site->group_size < kMinGroupSize || site->group_size > kMaxGroupSize) {
    return Err(reason::GroupSize(site->group_size, kMinGroupSize, kMaxGroupSize));
  }
  return {};
}

Result<SiteElement> CheckElement(const hlo::Shape& shape) {
  SiteElement element;
  const Result<DType> dtype = ToDType(shape.element_type);
  if (!dtype || (*dtype != DType::kBF16 && *dtype != DType::kF16 && *dtype != DType::kF32)) {
    return Err(reason::UnsupportedDtype(PrimitiveTypeName(shape.element_type)));
  }
  element.dtype = *dtype;
  if (!shape.is_plain) return Err(reason::Layout(shape.ToString()));
  if (shape.ElementCount() == 0) return Err(reason::Empty());
  const RowExtent extent = ExtentAt(shape.dimensions, FoldBeforeTheRow(shape.dimensions));
  element.rows = extent.rows;
  element.width = extent.width;
  return element;
}

Result<void> CheckElements(const Graph& graph, Site* site) {
  const hlo::Instruction& all_reduce = graph.at(site->all_reduce);
  const bool is_tuple = all_reduce.shape->IsTuple();
  const size_t count = is_tuple ? all_reduce.shape->tuple_shapes.size() : 1;
  if (count != all_reduce.operands.size()) {
    return Err("the all-reduce has " + std::to_string(all_reduce.operands.size()) + " operands but " +
               std::to_string(count) + " results");
  }
  for (size_t i = 0; i < count; ++i) {
    const hlo::Shape& operand_shape = *graph.at(graph.operand(site->all_reduce, static_cast<int>(i))).shape;
    if (!operand_shape.is_plain) return Err(reason::Layout(operand_shape.ToString()));
    Result<SiteElement> element = CheckElement(is_tuple ? all_reduce.shape->tuple_shapes[i] : *all_reduce.shape);
    if (!element) return Err(element.error());
    element->operand = static_cast<int>(i);
    if (!is_tuple) element->results = {site->all_reduce};
    site->elements.push_back(*std::move(element));
  }
  if (!is_tuple) return {};
  if (graph.is_root(site->all_reduce)) return Err(reason::TupleUsedWhole());
  for (Node user : graph.users(site->all_reduce)) {
    const hlo::Instruction& gte = graph.at(user);
    if (gte.opcode != Opcode::kGetTupleElement || gte.number < 0 || gte.number >= static_cast<int64_t>(count)) {
      return Err(reason::TupleUsedWhole());
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

Result<DType> ToDType(PrimitiveType type) {
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
      return Err(std::string("type ") + PrimitiveTypeName(type) + " is not one of a row program's");
  }
}

int64_t MessageBytes(const hlo::Shape& shape) {
  if (!shape.IsTuple()) return shape.ElementCount() * hlo::PrimitiveTypeBytes(shape.element_type);
  int64_t bytes = 0;
  for (const hlo::Shape& element : shape.tuple_shapes) bytes += MessageBytes(element);
  return bytes;
}

Result<Site> CheckSite(const Graph& graph, Node all_reduce, const Result<hlo::ReplicaGroups>& groups,
                       const SiteLimits& limits) {
  const hlo::Instruction& instruction = graph.at(all_reduce);
  Site site;
  site.all_reduce = all_reduce;
  if (instruction.called_computations.size() != 1) return Err(reason::UnsupportedReducer("(none)"));
  const hlo::Computation& reducer = graph.module().computations[instruction.called_computations[0]];
  site.reducer = ClassifyReducer(reducer);
  if (site.reducer == Reducer::kOther) return Err(reason::UnsupportedReducer(reducer.name));
  if (!groups) return Err(reason::UnknownGroup(groups.error()));
  site.groups = *groups;
  if (Result<void> ok = CheckGroups(&site); !ok) return Err(ok.error());
  if (Result<void> ok = CheckElements(graph, &site); !ok) return Err(ok.error());
  const int64_t bytes = MessageBytes(*instruction.shape);
  const int64_t limit = limits.max_bytes.at(static_cast<size_t>(site.group_size));
  if (bytes > limit) return Err(reason::TooLarge(bytes, limit, site.group_size));
  if (graph.has_control_edges(all_reduce)) return Err(reason::ControlDependency());
  if (site.elements.size() == 1) site.only_slice = OnlySlice(graph, all_reduce);
  return site;
}

}  // namespace jax_oneshot
