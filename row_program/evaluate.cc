// SPDX-License-Identifier: Apache-2.0
// Implementation of evaluate.h.
//
// Evaluates row by row, statement by statement. Points that row_program.h leaves open:
// - the sum over ranks starts at +0, so it is never -0;
// - row sums are accumulated in double, in column order, and rounded to f32 once: except in contrived cases this is the
//   f32 nearest to the exact sum, so a backend's difference from it is the backend's own error.
#include "row_program/evaluate.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/float_types.h"
#include "row_program/ops.h"
#include "row_program/scalar_ops.h"

namespace jax_oneshot {
namespace {

bool VariesOverWidth(Kind kind) { return Widens(Kind::kVec, kind); }
bool VariesOverRows(Kind kind) { return Widens(Kind::kRowScalar, kind); }

// Index of element (row, column) in a buffer of `kind`.
int64_t ElementIndex(Kind kind, int64_t width, int64_t row, int64_t column) {
  const int64_t c = VariesOverWidth(kind) ? column : 0;
  if (!VariesOverRows(kind)) return c;
  return VariesOverWidth(kind) ? row * width + c : row;
}

template <typename T>
T Read(const void* buffer, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(buffer) + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void Write(void* buffer, int64_t i, T value) {
  std::memcpy(static_cast<char*>(buffer) + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

float ReadElement(DType dtype, const void* buffer, int64_t i) {
  switch (dtype) {
    case DType::kPred:
      return Read<uint8_t>(buffer, i) != 0 ? 1.0f : 0.0f;
    case DType::kBF16:
      return BF16ToF32(Read<uint16_t>(buffer, i));
    case DType::kF16:
      return F16ToF32(Read<uint16_t>(buffer, i));
    case DType::kF32:
      return Read<float>(buffer, i);
    case DType::kF8E4M3FN:
      return F8E4M3FNToF32(Read<uint8_t>(buffer, i));
    case DType::kF8E5M2:
      return F8E5M2ToF32(Read<uint8_t>(buffer, i));
  }
  return std::numeric_limits<float>::quiet_NaN();
}

void WriteElement(DType dtype, void* buffer, int64_t i, float value) {
  switch (dtype) {
    case DType::kPred:
      return Write<uint8_t>(buffer, i, value != 0 ? 1 : 0);
    case DType::kBF16:
      return Write(buffer, i, F32ToBF16(value));
    case DType::kF16:
      return Write(buffer, i, F32ToF16(value));
    case DType::kF32:
      return Write(buffer, i, value);
    case DType::kF8E4M3FN:
      return Write(buffer, i, F32ToF8E4M3FN(value));
    case DType::kF8E5M2:
      return Write(buffer, i, F32ToF8E5M2(value));
  }
}

// The values of one row. A value has `width` elements if its kind varies over the width, else one.
class RowEvaluator {
 public:
  RowEvaluator(const RowProgram& program, const EvaluateRequest& request) : program_(program), request_(request) {
    for (const Statement& s : program.statements) {
      values_.emplace_back(static_cast<size_t>(VariesOverWidth(s.kind) ? request.width : 1));
    }
  }

  void Run(int64_t row) {
    for (size_t id = 0; id < program_.statements.size(); ++id) Evaluate(static_cast<int>(id), row);
    for (size_t i = 0; i < program_.outputs.size(); ++i) Store(i, row);
  }

 private:
  void Evaluate(int id, int64_t row) {
    const Statement& s = program_.statements[id];
    std::vector<float>& value = values_[id];
    for (size_t column = 0; column < value.size(); ++column) {
      value[column] = RoundToDType(s.dtype, Element(s, row, static_cast<int64_t>(column)));
    }
  }

  float Element(const Statement& s, int64_t row, int64_t column) const {
    switch (FamilyOf(s.op)) {
      case OpFamily::kSource:
        if (s.op == Op::kConstant) return s.constant;
        if (s.op == Op::kLoad) return InputElement(request_.rank, s.index, row, column);
        return s.op == Op::kAllGather ? Gather(s.index, row, column) : Combine(s.index, row, column);
      case OpFamily::kReduction:
        return Reduce(s.op, values_[s.operands[0]]);
      case OpFamily::kBroadcast:
        return Operand(s, 0, column);
      default:
        return ApplyScalarOp(s.op, s.direction, Operand(s, 0, column), Operand(s, 1, column), Operand(s, 2, column));
    }
  }

  float Operand(const Statement& s, int k, int64_t column) const {
    if (k >= OperandCount(s.op)) return 0;
    const std::vector<float>& value = values_[s.operands[k]];
    return value[VariesOverWidth(program_.statements[s.operands[k]].kind) ? static_cast<size_t>(column) : 0];
  }

  float InputElement(int rank, int index, int64_t row, int64_t column) const {
    const Input& input = program_.inputs[index];
    const void* buffer = request_.inputs[static_cast<size_t>(rank)][static_cast<size_t>(index)];
    return ReadElement(input.dtype, buffer, ElementIndex(input.kind, request_.width, row, column));
  }

  int64_t ShardWidth() const { return request_.width / static_cast<int64_t>(request_.inputs.size()); }

  float Gather(int index, int64_t row, int64_t column) const {
    const Input& input = program_.inputs[index];
    const void* shard = request_.inputs[static_cast<size_t>(column / ShardWidth())][static_cast<size_t>(index)];
    return ReadElement(input.dtype, shard, ElementIndex(input.kind, ShardWidth(), row, column % ShardWidth()));
  }

  float Combine(int index, int64_t row, int64_t column) const {
    const Role role = program_.inputs[index].role;
    float total = IdentityOf(role);
    for (int rank = 0; rank < static_cast<int>(request_.inputs.size()); ++rank) {
      const float part = InputElement(rank, index, row, column);
      if (role == Role::kSum) {
        total += part;
      } else if (Replaces(role, part, total)) {
        total = part;
      }
    }
    return total;
  }

  float IdentityOf(Role role) const {
    if (role == Role::kSum) return 0;
    if (request_.extremes == Extremes::kLikeNccl) return std::numeric_limits<float>::quiet_NaN();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return role == Role::kMax ? -kInfinity : kInfinity;
  }

  // Whether `part` is the larger (or smaller) of the two. Never, if it is NaN.
  bool Replaces(Role role, float part, float total) const {
    if (role == Role::kMax ? total < part : part < total) return true;
    if (request_.extremes == Extremes::kLikeXlaCpu) return false;
    if (std::isnan(total)) return !std::isnan(part);
    return part == 0 && total == 0 && std::signbit(part) == (role == Role::kMin);
  }

  static float Reduce(Op op, const std::vector<float>& value) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    double sum = 0;
    float extreme = op == Op::kReduceMax ? -kInfinity : kInfinity;
    for (const float x : value) {
      sum += x;
      extreme = op == Op::kReduceMax ? MaximumOf(extreme, x) : MinimumOf(extreme, x);
    }
    return op == Op::kReduceSum ? static_cast<float>(sum) : extreme;
  }

  void Store(size_t i, int64_t row) {
    const Output& output = program_.outputs[i];
    const Statement& s = program_.statements[output.value];
    const std::vector<float>& value = values_[output.value];
    const int64_t stride = output.shard ? ShardWidth() : request_.width;
    const int64_t first = output.shard ? request_.rank * stride : 0;
    const int64_t columns = VariesOverWidth(output.kind) ? stride : 1;
    for (int64_t column = 0; column < columns; ++column) {
      const float x = value[VariesOverWidth(s.kind) ? static_cast<size_t>(first + column) : 0];
      WriteElement(s.dtype, request_.outputs[i], ElementIndex(output.kind, stride, row, column), x);
    }
  }

  const RowProgram& program_;
  const EvaluateRequest& request_;
  std::vector<std::vector<float>> values_;
};

}  // namespace

int64_t ElementCount(Kind kind, int64_t rows, int64_t width) {
  return (VariesOverRows(kind) ? rows : 1) * (VariesOverWidth(kind) ? width : 1);
}

int64_t ElementCount(const Input& input, int64_t rows, int64_t width, int64_t ranks) {
  return ElementCount(input.kind, rows, input.role == Role::kGather ? width / ranks : width);
}

int64_t ElementCount(const Output& output, int64_t rows, int64_t width, int64_t ranks) {
  return ElementCount(output.kind, rows, output.shard ? width / ranks : width);
}

void EvaluateRowProgram(const RowProgram& program, const EvaluateRequest& request) {
  RowEvaluator evaluator(program, request);
  for (int64_t row = 0; row < request.rows; ++row) evaluator.Run(row);
}

}  // namespace jax_oneshot
