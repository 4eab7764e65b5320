// SPDX-License-Identifier: Apache-2.0
// Implementation of scalar_ops.h.
//
// Almost everything is computed in double and rounded to f32 once. For + - * / and sqrt this gives exactly f32
// arithmetic (double has more than twice f32's precision); for the other functions it gives the nearest f32 or its
// neighbour, and no backend's f32 function can be expected to be closer.
#include "row_program/scalar_ops.h"

#include <cmath>
#include <limits>

namespace jax_oneshot {
namespace {

// HLO's sign: -1, +1, the signed zero that was passed in, or NaN.
double SignOf(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; }

// Ties to even, independent of the thread's rounding mode (unlike std::nearbyint).
double RoundTiesToEven(double x) {
  const double floor = std::floor(x);
  const double above = x - floor;
  const bool floor_is_even = std::fmod(floor, 2.0) == 0;
  const double rounded = above < 0.5 || (above == 0.5 && floor_is_even) ? floor : floor + 1;
  return std::isfinite(x) ? std::copysign(rounded, x) : x;
}

double ApplyUnary(Op op, double x) {
  switch (op) {
    case Op::kAbs:
      return std::fabs(x);
    case Op::kNegate:
      return -x;
    case Op::kSign:
      return SignOf(x);
    case Op::kFloor:
      return std::floor(x);
    case Op::kCeil:
      return std::ceil(x);
    case Op::kRoundEven:
      return RoundTiesToEven(x);
    case Op::kRoundAfz:
      return std::round(x);
    case Op::kIsFinite:
      return std::isfinite(x) ? 1 : 0;
    case Op::kNot:
      return x == 0 ? 1 : 0;
    default:
      return x;  // convert: the caller rounds to the dtype
  }
}

double ApplyFunction(Op op, double x) {
  switch (op) {
    case Op::kSqrt:
      return std::sqrt(x);
    case Op::kRsqrt:
      return 1 / std::sqrt(x);
    case Op::kCbrt:
      return std::cbrt(x);
    case Op::kExp:
      return std::exp(x);
    case Op::kExpm1:
      return std::expm1(x);
    case Op::kLog:
      return std::log(x);
    case Op::kLog1p:
      return std::log1p(x);
    case Op::kLogistic:
      return 1 / (1 + std::exp(-x));
    case Op::kTanh:
      return std::tanh(x);
    case Op::kTan:
      return std::tan(x);
    case Op::kSin:
      return std::sin(x);
    case Op::kCos:
      return std::cos(x);
    case Op::kErf:
      return std::erf(x);
    default:
      return ApplyUnary(op, x);
  }
}

double Compare(Direction direction, float x, float y) {
  switch (direction) {
    case Direction::kEq:
      return x == y;
    case Direction::kNe:
      return x != y;
    case Direction::kLt:
      return x < y;
    case Direction::kLe:
      return x <= y;
    case Direction::kGt:
      return x > y;
    case Direction::kGe:
      return x >= y;
  }
  return 0;
}

double ApplyBinary(Op op, float x, float y) {
  switch (op) {
    case Op::kAdd:
      return double{x} + y;
    case Op::kSubtract:
      return double{x} - y;
    case Op::kMultiply:
      return double{x} * y;
    case Op::kDivide:
      return double{x} / y;
    case Op::kMaximum:
      return MaximumOf(x, y);
    case Op::kMinimum:
      return MinimumOf(x, y);
    case Op::kPower:
      return std::pow(double{x}, double{y});
    case Op::kRemainder:
      return std::fmod(double{x}, double{y});
    case Op::kAtan2:
      return std::atan2(double{x}, double{y});
    case Op::kAnd:
      return x != 0 && y != 0;
    case Op::kOr:
      return x != 0 || y != 0;
    case Op::kXor:
      return (x != 0) != (y != 0);
    default:
      return ApplyFunction(op, x);
  }
}

}  // namespace

float MaximumOf(float x, float y) {
  if (std::isnan(x) || std::isnan(y)) return std::numeric_limits<float>::quiet_NaN();
  if (x == y) return std::signbit(x) ? y : x;
  return x > y ? x : y;
}

float MinimumOf(float x, float y) {
  if (std::isnan(x) || std::isnan(y)) return std::numeric_limits<float>::quiet_NaN();
  if (x == y) return std::signbit(x) ? x : y;
  return x < y ? x : y;
}

float ApplyScalarOp(Op op, Direction direction, float x, float y, float z) {
  switch (op) {
    case Op::kCompare:
      return static_cast<float>(Compare(direction, x, y));
    case Op::kSelect:
      return x != 0 ? y : z;
    case Op::kClamp:  // low, x, high; high wins if low > high, as in HLO
      return MinimumOf(MaximumOf(x, y), z);
    case Op::kMultiplyAdd:
      return std::fma(x, y, z);  // computing in double would round the sum twice
    default:
      return static_cast<float>(ApplyBinary(op, x, y));
  }
}

}  // namespace jax_oneshot
