// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/instruction_bytes.h"

#include "ffi_kernels/call_attributes.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/rewrite/changed_bytes.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

namespace field = hlo::fields::hlo_instruction;
constexpr uint32_t kOutputOperandAliasing = 74;
// Fields of OutputOperandAliasing.
constexpr uint32_t kOutputShapeIndex = 1;
constexpr uint32_t kOperandIndex = 2;
using wire::Writer;

constexpr int64_t kApiVersionTypedFfi = 4;

// `others`: approximate size of the fields written afterwards.
void WriteIdentity(const InstructionIdentity& identity, std::string_view opcode, std::string_view shape, Writer* out,
                   size_t others = 0) {
  constexpr size_t kHeadersAndIds = 64;
  out->Reserve(identity.name.size() + opcode.size() + shape.size() + identity.metadata.size() + kHeadersAndIds +
               others);
  out->Bytes(field::kName, identity.name).Bytes(field::kOpcode, opcode).Bytes(field::kShape, shape);
  if (!identity.metadata.empty()) out->Bytes(field::kMetadata, identity.metadata);
  out->Integer(field::kId, identity.id);
}

std::string RowMajorLayout(size_t rank) {
  std::vector<int64_t> minor_to_major;
  for (size_t i = rank; i > 0; --i) minor_to_major.push_back(static_cast<int64_t>(i) - 1);
  return Writer().Packed(hlo::fields::layout::kMinorToMajor, minor_to_major).Take();
}

}  // namespace

std::string ShapeWithLayout(const hlo::Shape& shape) {
  if (shape.has_layout) return std::string(shape.bytes);
  return std::string(shape.bytes) +
         Writer().Bytes(hlo::fields::shape::kLayout, RowMajorLayout(shape.dimensions.size())).Take();
}

std::string RowMajorShape(const hlo::Shape& shape) {
  if (shape.IsRowMajor()) return ShapeWithLayout(shape);
  return Writer()
      .Integer(hlo::fields::shape::kElementType, static_cast<int64_t>(shape.element_type))
      .Packed(hlo::fields::shape::kDimensions, shape.dimensions)
      .Bytes(hlo::fields::shape::kLayout, RowMajorLayout(shape.dimensions.size()))
      .Take();
}

std::string TupleShape(const std::vector<std::string>& element_shapes) {
  constexpr size_t kHeader = 8;
  size_t bytes = kHeader;
  for (const std::string& element : element_shapes) bytes += element.size() + kHeader;
  Writer out;
  out.Reserve(bytes);
  out.Integer(hlo::fields::shape::kElementType, static_cast<int64_t>(hlo::PrimitiveType::kTuple));
  for (const std::string& element : element_shapes) out.Bytes(hlo::fields::shape::kTupleShapes, element);
  return out.Take();
}

std::string U32ScalarShape() {
  return Writer()
      .Integer(hlo::fields::shape::kElementType, static_cast<int64_t>(hlo::PrimitiveType::kU32))
      .Bytes(hlo::fields::shape::kLayout, "")
      .Take();
}

std::string CustomCallBytes(const CustomCall& call) {
  constexpr size_t kIdAndHeader = 16;
  size_t others = call.backend_config.size();
  for (const std::string& shape : call.operand_shapes) others += shape.size() + kIdAndHeader;
  Writer out;
  WriteIdentity(call.identity, "custom-call", call.shape, &out, others);
  out.Bytes(field::kCustomCallTarget, call.target)
      .Packed(field::kOperandIds, call.operand_ids)
      .Bytes(field::kBackendConfig, call.backend_config)
      .Integer(field::kConstrainLayout, 1);
  for (const std::string& shape : call.operand_shapes) out.Bytes(field::kOperandShapesWithLayout, shape);
  for (const InPlaceResult& result : call.in_place) {
    Writer aliasing;
    if (call.returns_tuple) aliasing.Packed(kOutputShapeIndex, {result.output});
    aliasing.Integer(kOperandIndex, result.operand);
    out.Bytes(kOutputOperandAliasing, aliasing.Take());
  }
  out.Integer(field::kCustomCallApiVersion, kApiVersionTypedFfi);
  return out.Take();
}

std::string GetTupleElementBytes(const InstructionIdentity& identity, const std::string& shape, int64_t tuple_id,
                                 int64_t index) {
  Writer out;
  WriteIdentity(identity, "get-tuple-element", shape, &out);
  out.Integer(field::kTupleIndex, index).Packed(field::kOperandIds, {tuple_id});
  return out.Take();
}

std::string CopyBytes(const InstructionIdentity& identity, const std::string& shape, int64_t operand_id) {
  Writer out;
  WriteIdentity(identity, "copy", shape, &out);
  out.Packed(field::kOperandIds, {operand_id});
  return out.Take();
}

std::string BarrierBytes(const InstructionIdentity& identity, const std::string& shape, int64_t operand_id) {
  Writer out;
  WriteIdentity(identity, "opt-barrier", shape, &out);
  out.Packed(field::kOperandIds, {operand_id});
  return out.Take();
}

std::string LogicalIdBytes(const InstructionIdentity& identity, std::string_view opcode) {
  Writer out;
  WriteIdentity(identity, opcode, U32ScalarShape(), &out);
  return out.Take();
}

std::string CloneBytes(const hlo::Instruction& original, const InstructionIdentity& identity,
                       const std::vector<int64_t>& operand_ids) {
  InstructionChanges changes;
  changes.name = identity.name;
  changes.id = identity.id;
  changes.operand_ids = operand_ids;
  return ChangedBytes(original, changes);
}

}  // namespace jax_oneshot
