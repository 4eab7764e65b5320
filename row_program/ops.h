// SPDX-License-Identifier: Apache-2.0
// The table of operations and types, with lookup by name, shared by the parser, the validator and every backend.
#ifndef ROW_PROGRAM_OPS_H_
#define ROW_PROGRAM_OPS_H_

#include <array>
#include <optional>
#include <string_view>

#include "row_program/row_program.h"

namespace jax_oneshot {

// Operations of one family have the same dtype and kind rules (see validate.cc).
enum class OpFamily : uint8_t {
  kSource,      // all_reduce, all_gather, load, constant
  kBroadcast,   // changes the kind only
  kReduction,   // row -> rowscalar, vec -> scalar
  kConvert,     // changes the dtype only
  kArithmetic,  // floats in, the same float type out
  kTest,        // floats in, pred out
  kLogic,       // pred in, pred out
  kSelect,      // pred, then two values of the result's dtype
};

struct OpFact {
  Op op;
  const char* name;  // HLO's opcode with '_' for '-', where HLO has one
  int operands;
  OpFamily family;
};

inline constexpr int kOpCount = static_cast<int>(Op::kMultiplyAdd) + 1;
inline constexpr int kDTypeCount = static_cast<int>(DType::kF8E5M2) + 1;

const std::array<OpFact, kOpCount>& OpTable();  // in the order of Op
OpFamily FamilyOf(Op op);
const char* DirectionName(Direction direction);  // "EQ"

std::optional<Op> OpFromName(std::string_view name);
std::optional<DType> DTypeFromName(std::string_view name);
std::optional<Kind> KindFromName(std::string_view name);
std::optional<Role> RoleFromName(std::string_view name);
std::optional<Direction> DirectionFromName(std::string_view name);

// True if a value of kind `narrow` can be used where `wide` is expected.
constexpr bool Widens(Kind narrow, Kind wide) { return Join(narrow, wide) == wide; }

// `value` rounded to `dtype` (ties to even), as f32; for pred: 1 unless `value` is zero.
float RoundToDType(DType dtype, float value);

// Equality of constants: both are NaN, or they have the same bits.
bool SameConstant(float a, float b);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_OPS_H_
