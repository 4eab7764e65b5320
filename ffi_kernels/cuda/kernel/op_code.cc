// SPDX-License-Identifier: Apache-2.0
// Implementation of op_code.h.
#include "ffi_kernels/cuda/kernel/op_code.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "row_program/ops.h"

namespace jax_oneshot::cuda {
namespace {

// The CUDA C++ text of an operation; $0, $1, $2 are its operands. Capitalised functions are defined in
// device/operations.cuh.
struct OpText {
  Op op;
  const char* text;
  bool exact;  // the result is a value of the operands' dtype without rounding
};

constexpr OpText kOpTexts[] = {
    {Op::kBroadcast, "$0", true},
    {Op::kConvert, "$0", false},
    {Op::kAbs, "fabsf($0)", true},
    {Op::kNegate, "-$0", true},
    {Op::kSign, "Sign($0)", true},
    {Op::kFloor, "floorf($0)", false},
    {Op::kCeil, "ceilf($0)", false},
    {Op::kRoundEven, "rintf($0)", false},
    {Op::kRoundAfz, "roundf($0)", false},
    {Op::kSqrt, "sqrtf($0)", false},
    {Op::kRsqrt, "rsqrtf($0)", false},
    {Op::kCbrt, "cbrtf($0)", false},
    {Op::kExp, "expf($0)", false},
    {Op::kExpm1, "expm1f($0)", false},
    {Op::kLog, "logf($0)", false},
    {Op::kLog1p, "log1pf($0)", false},
    {Op::kLogistic, "Logistic($0)", false},
    {Op::kTanh, "tanhf($0)", false},
    {Op::kTan, "tanf($0)", false},
    {Op::kSin, "sinf($0)", false},
    {Op::kCos, "cosf($0)", false},
    {Op::kErf, "erff($0)", false},
    {Op::kIsFinite, "IsFinite($0)", true},
    {Op::kNot, "!$0", true},
    {Op::kAdd, "$0 + $1", false},
    {Op::kSubtract, "$0 - $1", false},
    {Op::kMultiply, "$0 * $1", false},
    {Op::kDivide, "$0 / $1", false},
    {Op::kMaximum, "Maximum($0, $1)", true},
    {Op::kMinimum, "Minimum($0, $1)", true},
    {Op::kPower, "powf($0, $1)", false},
    {Op::kRemainder, "fmodf($0, $1)", false},
    {Op::kAtan2, "atan2f($0, $1)", false},
    {Op::kAnd, "$0 && $1", true},
    {Op::kOr, "$0 || $1", true},
    {Op::kXor, "$0 != $1", true},
    {Op::kSelect, "$0 ? $1 : $2", true},
    {Op::kClamp, "Clamp($0, $1, $2)", true},
    {Op::kMultiplyAdd, "fmaf($0, $1, $2)", false},
};

constexpr const char* kComparisons[] = {"$0 == $1", "$0 != $1", "$0 < $1", "$0 <= $1", "$0 > $1", "$0 >= $1"};

OpText TextOf(const Statement& statement) {
  if (statement.op == Op::kCompare) return {Op::kCompare, kComparisons[static_cast<int>(statement.direction)], true};
  for (const OpText& text : kOpTexts) {
    if (text.op == statement.op) return text;
  }
  return {statement.op, "", false};  // a source or a reduction: every other operation is above
}

std::string Filled(std::string_view text, const std::array<std::string, 3>& operands) {
  std::string filled;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$') {
      filled += operands[static_cast<size_t>(text[++i] - '0')];
    } else {
      filled += text[i];
    }
  }
  return filled;
}

std::string ConvertCode(DType to, DType from, const std::string& operand) {
  if (from == DType::kPred) return to == DType::kPred ? operand : operand + " ? 1.0f : 0.0f";
  if (to == DType::kPred) return operand + " != 0.0f";
  return Rounded(to, operand);
}

}  // namespace

const char* ElementType(DType dtype) {
  switch (dtype) {
    case DType::kPred:
      return "Pred";
    case DType::kBF16:
      return "BF16";
    case DType::kF16:
      return "F16";
    case DType::kF32:
      return "F32";
    case DType::kF8E4M3FN:
      return "F8E4M3FN";
    case DType::kF8E5M2:
      return "F8E5M2";
  }
  return "unknown";
}

const char* ValueType(DType dtype) { return dtype == DType::kPred ? "bool" : "float"; }

std::string Literal(DType dtype, float value) {
  if (dtype == DType::kPred) return value != 0 ? "true" : "false";
  char text[64];
  if (!std::isfinite(value)) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    std::snprintf(text, sizeof text, "FloatOfBits(0x%08x)", bits);
    return text;
  }
  char* end = std::to_chars(text, text + sizeof text, value).ptr;
  std::string literal(text, end);
  if (literal.find_first_of(".e") == std::string::npos) literal += ".0";
  literal += "f";
  return std::signbit(value) ? "(" + literal + ")" : literal;
}

std::string Rounded(DType dtype, const std::string& expression) {
  if (dtype == DType::kF32 || dtype == DType::kPred) return expression;
  return std::string("Round<") + ElementType(dtype) + ">(" + expression + ")";
}

std::string OpCode(const Statement& statement, DType operand_dtype, const std::array<std::string, 3>& operands) {
  if (statement.op == Op::kConvert) return ConvertCode(statement.dtype, operand_dtype, operands[0]);
  const OpText text = TextOf(statement);
  const std::string expression = Filled(text.text, operands);
  return text.exact ? expression : Rounded(statement.dtype, expression);
}

}  // namespace jax_oneshot::cuda
