// SPDX-License-Identifier: Apache-2.0
// Implementation of boundary.h.
#include "ffi_kernels/boundary.h"

#include <algorithm>

#include "row_program/evaluate.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

ffi::DataType ToFfi(DType dtype) {
  switch (dtype) {
    case DType::kPred:
      return ffi::PRED;
    case DType::kBF16:
      return ffi::BF16;
    case DType::kF16:
      return ffi::F16;
    case DType::kF32:
      return ffi::F32;
    case DType::kF8E4M3FN:
      return ffi::F8E4M3FN;
    case DType::kF8E5M2:
      return ffi::F8E5M2;
  }
  return ffi::DataType::INVALID;
}

std::string FfiName(ffi::DataType dtype) {
  for (const DType known : {DType::kPred, DType::kBF16, DType::kF16, DType::kF32, DType::kF8E4M3FN, DType::kF8E5M2}) {
    if (ToFfi(known) == dtype) return DTypeName(known);
  }
  if (dtype == ffi::U32) return "u32";
  return "XLA_FFI_DataType " + std::to_string(static_cast<int>(dtype));
}

std::string ShapeText(const ffi::AnyBuffer& buffer) {
  std::string text = FfiName(buffer.element_type()) + "[";
  for (size_t i = 0; i < buffer.dimensions().size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(buffer.dimensions()[i]);
  }
  return text + "]";
}

std::string ValueText(char letter, size_t i, const std::string& what) {
  return std::string(" (") + letter + std::to_string(i) + ": " + what + ")";
}

}  // namespace

std::vector<ffi::AnyBuffer> AllOf(const ffi::RemainingArgs& args) {
  std::vector<ffi::AnyBuffer> all;
  for (size_t i = 0; i < args.size(); ++i) {
    if (auto buffer = args.get<ffi::AnyBuffer>(i); buffer.has_value()) all.push_back(*buffer);
  }
  return all;
}

std::vector<ffi::AnyBuffer> AllOf(const ffi::RemainingRets& rets) {
  std::vector<ffi::AnyBuffer> all;
  for (size_t i = 0; i < rets.size(); ++i) {
    if (auto buffer = rets.get<ffi::AnyBuffer>(i); buffer.has_value()) all.push_back(**buffer);
  }
  return all;
}

Boundary::Boundary(const RowProgram& program, int64_t rows, int64_t width, int64_t ranks, TrailingIds ids) {
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const Input& input = program.inputs[i];
    const std::string type =
        std::string(RoleName(input.role)) + " " + DTypeName(input.dtype) + " " + KindName(input.kind);
    operands_.push_back({ToFfi(input.dtype), ElementCount(input, rows, width, ranks),
                         "operand " + std::to_string(i) + ValueText('a', i, type)});
  }
  for (const char* id : {"replica-id", "partition-id"}) {
    if (ids == TrailingIds::kNone) break;
    operands_.push_back({ffi::U32, 1, "operand " + std::to_string(operands_.size()) + " (" + id + ")"});
  }
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const Output& output = program.outputs[i];
    const DType dtype = program.statements[output.value].dtype;
    const std::string type =
        std::string(DTypeName(dtype)) + " " + KindName(output.kind) + (output.shard ? " shard" : "");
    results_.push_back({ToFfi(dtype), ElementCount(output, rows, width, ranks),
                        "result " + std::to_string(i) + ValueText('x', static_cast<size_t>(output.value), type)});
  }
}

void Boundary::Check(const std::vector<Expected>& expected, const std::vector<ffi::AnyBuffer>& buffers,
                     const char* kind, std::string* problems) {
  if (buffers.size() != expected.size()) {
    *problems +=
        "\n  expected " + std::to_string(expected.size()) + " " + kind + ", came " + std::to_string(buffers.size());
  }
  for (size_t i = 0; i < std::min(buffers.size(), expected.size()); ++i) {
    if (Fits(expected[i], buffers[i])) continue;
    *problems += "\n  " + expected[i].name + ": expected " + FfiName(expected[i].dtype) + " with " +
                 std::to_string(expected[i].elements) + " elements, came " + ShapeText(buffers[i]);
  }
}

std::string Boundary::Problems(const std::vector<ffi::AnyBuffer>& operands,
                               const std::vector<ffi::AnyBuffer>& results) const {
  std::string problems;
  Check(operands_, operands, "operands", &problems);
  Check(results_, results, "results", &problems);
  return problems;
}

}  // namespace jax_oneshot
