// SPDX-License-Identifier: Apache-2.0
// Implementation of ops.h.
#include "row_program/ops.h"

#include <cmath>

#include "base/float_types.h"

namespace jax_oneshot {
namespace {

constexpr std::array<OpFact, kOpCount> kOps = {{
    {Op::kAllReduce, "all_reduce", 0, OpFamily::kSource},
    {Op::kAllGather, "all_gather", 0, OpFamily::kSource},
    {Op::kLoad, "load", 0, OpFamily::kSource},
    {Op::kConstant, "constant", 0, OpFamily::kSource},
    {Op::kBroadcast, "broadcast", 1, OpFamily::kBroadcast},
    {Op::kReduceSum, "reduce_sum", 1, OpFamily::kReduction},
    {Op::kReduceMax, "reduce_max", 1, OpFamily::kReduction},
    {Op::kReduceMin, "reduce_min", 1, OpFamily::kReduction},
    {Op::kConvert, "convert", 1, OpFamily::kConvert},
    {Op::kAbs, "abs", 1, OpFamily::kArithmetic},
    {Op::kNegate, "negate", 1, OpFamily::kArithmetic},
    {Op::kSign, "sign", 1, OpFamily::kArithmetic},
    {Op::kFloor, "floor", 1, OpFamily::kArithmetic},
    {Op::kCeil, "ceil", 1, OpFamily::kArithmetic},
    {Op::kRoundEven, "round_nearest_even", 1, OpFamily::kArithmetic},
    {Op::kRoundAfz, "round_nearest_afz", 1, OpFamily::kArithmetic},
    {Op::kSqrt, "sqrt", 1, OpFamily::kArithmetic},
    {Op::kRsqrt, "rsqrt", 1, OpFamily::kArithmetic},
    {Op::kCbrt, "cbrt", 1, OpFamily::kArithmetic},
    {Op::kExp, "exponential", 1, OpFamily::kArithmetic},
    {Op::kExpm1, "exponential_minus_one", 1, OpFamily::kArithmetic},
    {Op::kLog, "log", 1, OpFamily::kArithmetic},
    {Op::kLog1p, "log_plus_one", 1, OpFamily::kArithmetic},
    {Op::kLogistic, "logistic", 1, OpFamily::kArithmetic},
    {Op::kTanh, "tanh", 1, OpFamily::kArithmetic},
    {Op::kTan, "tan", 1, OpFamily::kArithmetic},
    {Op::kSin, "sine", 1, OpFamily::kArithmetic},
    {Op::kCos, "cosine", 1, OpFamily::kArithmetic},
    {Op::kErf, "erf", 1, OpFamily::kArithmetic},
    {Op::kIsFinite, "is_finite", 1, OpFamily::kTest},
    {Op::kNot, "not", 1, OpFamily::kLogic},
    {Op::kAdd, "add", 2, OpFamily::kArithmetic},
    {Op::kSubtract, "subtract", 2, OpFamily::kArithmetic},
    {Op::kMultiply, "multiply", 2, OpFamily::kArithmetic},
    {Op::kDivide, "divide", 2, OpFamily::kArithmetic},
    {Op::kMaximum, "maximum", 2, OpFamily::kArithmetic},
    {Op::kMinimum, "minimum", 2, OpFamily::kArithmetic},
    {Op::kPower, "power", 2, OpFamily::kArithmetic},
    {Op::kRemainder, "remainder", 2, OpFamily::kArithmetic},
    {Op::kAtan2, "atan2", 2, OpFamily::kArithmetic},
    {Op::kAnd, "and", 2, OpFamily::kLogic},
    {Op::kOr, "or", 2, OpFamily::kLogic},
    {Op::kXor, "xor", 2, OpFamily::kLogic},
    {Op::kCompare, "compare", 2, OpFamily::kTest},
    {Op::kSelect, "select", 3, OpFamily::kSelect},
    {Op::kClamp, "clamp", 3, OpFamily::kArithmetic},
    {Op::kMultiplyAdd, "multiply_add", 3, OpFamily::kArithmetic},
}};

constexpr bool TableFollowsEnum() {
  for (int i = 0; i < kOpCount; ++i) {
    if (static_cast<int>(kOps[i].op) != i) return false;
  }
  return true;
}
static_assert(TableFollowsEnum(), "kOps must list every Op once, in the enum's order");

struct DTypeFact {
  const char* name;
  int bytes;
};
constexpr std::array<DTypeFact, kDTypeCount> kDTypes = {
    {{"pred", 1}, {"bf16", 2}, {"f16", 2}, {"f32", 4}, {"f8e4m3fn", 1}, {"f8e5m2", 1}}};

constexpr std::array<const char*, 4> kKinds = {"scalar", "vec", "rowscalar", "row"};
constexpr std::array<const char*, 5> kRoles = {"sum", "max", "min", "gather", "local"};
constexpr std::array<const char*, 6> kDirections = {"EQ", "NE", "LT", "LE", "GT", "GE"};

template <typename Enum, size_t N>
const char* NameIn(const std::array<const char*, N>& names, Enum value) {
  const auto i = static_cast<size_t>(value);
  return i < N ? names[i] : "unknown";
}

template <typename Enum, size_t N>
std::optional<Enum> FindIn(const std::array<const char*, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (name == names[i]) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

bool SameStatement(const Statement& a, const Statement& b) {
  return a.op == b.op && a.dtype == b.dtype && a.kind == b.kind && a.operands == b.operands && a.index == b.index &&
         SameConstant(a.constant, b.constant) && a.direction == b.direction;
}

template <typename T, typename Same>
bool SameList(const std::vector<T>& a, const std::vector<T>& b, Same same) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

}  // namespace

const std::array<OpFact, kOpCount>& OpTable() { return kOps; }

// The validator accepts programs from any source, so values outside the enum must be handled.
const char* OpName(Op op) { return static_cast<int>(op) < kOpCount ? kOps[static_cast<int>(op)].name : "unknown"; }
int OperandCount(Op op) { return static_cast<int>(op) < kOpCount ? kOps[static_cast<int>(op)].operands : 0; }
OpFamily FamilyOf(Op op) {
  return static_cast<int>(op) < kOpCount ? kOps[static_cast<int>(op)].family : OpFamily::kSource;
}
bool IsRowReduction(Op op) { return FamilyOf(op) == OpFamily::kReduction; }
bool ReadsInput(Op op) { return op == Op::kAllReduce || op == Op::kAllGather || op == Op::kLoad; }

const char* DTypeName(DType dtype) {
  return static_cast<int>(dtype) < kDTypeCount ? kDTypes[static_cast<int>(dtype)].name : "unknown";
}
int DTypeBytes(DType dtype) {
  return static_cast<int>(dtype) < kDTypeCount ? kDTypes[static_cast<int>(dtype)].bytes : 0;
}
const char* KindName(Kind kind) { return NameIn(kKinds, kind); }
const char* RoleName(Role role) { return NameIn(kRoles, role); }
const char* DirectionName(Direction direction) { return NameIn(kDirections, direction); }

std::optional<Op> OpFromName(std::string_view name) {
  for (const OpFact& fact : kOps) {
    if (name == fact.name) return fact.op;
  }
  return std::nullopt;
}

std::optional<DType> DTypeFromName(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (name == kDTypes[i].name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::optional<Kind> KindFromName(std::string_view name) { return FindIn<Kind>(kKinds, name); }
std::optional<Role> RoleFromName(std::string_view name) { return FindIn<Role>(kRoles, name); }
std::optional<Direction> DirectionFromName(std::string_view name) { return FindIn<Direction>(kDirections, name); }

float RoundToDType(DType dtype, float value) {
  switch (dtype) {
    case DType::kPred:
      return value != 0 ? 1.0f : 0.0f;
    case DType::kBF16:
      return BF16ToF32(F32ToBF16(value));
    case DType::kF16:
      return F16ToF32(F32ToF16(value));
    case DType::kF32:
      return value;
    case DType::kF8E4M3FN:
      return F8E4M3FNToF32(F32ToF8E4M3FN(value));
    case DType::kF8E5M2:
      return F8E5M2ToF32(F32ToF8E5M2(value));
  }
  return value;
}

bool SameConstant(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b && std::signbit(a) == std::signbit(b);
}

bool HasShards(const RowProgram& program) {
  for (const Input& input : program.inputs) {
    if (input.role == Role::kGather) return true;
  }
  for (const Output& output : program.outputs) {
    if (output.shard) return true;
  }
  return false;
}

bool operator==(const RowProgram& a, const RowProgram& b) {
  const auto same_input = [](const Input& x, const Input& y) {
    return x.role == y.role && x.dtype == y.dtype && x.kind == y.kind;
  };
  const auto same_output = [](const Output& x, const Output& y) {
    return x.value == y.value && x.kind == y.kind && x.shard == y.shard;
  };
  return SameList(a.inputs, b.inputs, same_input) && SameList(a.statements, b.statements, SameStatement) &&
         SameList(a.outputs, b.outputs, same_output);
}

}  // namespace jax_oneshot
