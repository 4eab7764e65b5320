// In:  a valid RowProgram. Out: whether its values should be carried in double. See precision.h.
#include "ffi_kernels/cpu/precision.h"

#include <algorithm>
#include <vector>

#include "ffi_kernels/row_program/ops.h"

namespace jax_oneshot {
namespace {

enum class Effect : uint8_t {
  kExact,    // the result is one of the operands, or its negative; a sum over ranks is looked at by itself
  kRounds,   // the nearest f32 to the true result
  kDecides,  // a choice, or a function whose error is its own
};

Effect EffectOf(Op op) {
  switch (op) {
    case Op::kAllReduce:
    case Op::kAllGather:
    case Op::kLoad:
    case Op::kConstant:
    case Op::kBroadcast:
    case Op::kConvert:
    case Op::kReduceMax:
    case Op::kReduceMin:
    case Op::kAbs:
    case Op::kNegate:
    case Op::kMaximum:
    case Op::kMinimum:
    case Op::kClamp:
      return Effect::kExact;
    case Op::kReduceSum:
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kSqrt:
    case Op::kRsqrt:
      return Effect::kRounds;
    default:
      return Effect::kDecides;
  }
}

}  // namespace

bool PrefersDouble(const RowProgram& program) {
  std::vector<int> roundings;  // by statement: to f32, since the inputs or the last narrower type
  for (const Statement& s : program.statements) {
    const Effect effect = EffectOf(s.op);
    if (effect == Effect::kDecides) return false;
    const bool sums = s.op == Op::kAllReduce && program.inputs[s.index].role == Role::kSum;
    int most = 0;
    for (const int operand : s.operands) {
      if (operand >= 0) most = std::max(most, roundings[operand]);
    }
    roundings.push_back(s.dtype == DType::kF32 ? most + (sums || effect == Effect::kRounds) : 0);
  }
  return std::any_of(program.outputs.begin(), program.outputs.end(),
                     [&](const Output& output) { return roundings[output.value] > 1; });
}

}  // namespace jax_oneshot
