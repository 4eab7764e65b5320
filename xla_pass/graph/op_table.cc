// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/graph/op_table.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace jax_oneshot {
namespace {

using hlo::Opcode;

constexpr std::array<std::pair<Opcode, Op>, 38> kElementwise = {{
    {Opcode::kConvert, Op::kConvert},
    {Opcode::kAbs, Op::kAbs},
    {Opcode::kNegate, Op::kNegate},
    {Opcode::kSign, Op::kSign},
    {Opcode::kFloor, Op::kFloor},
    {Opcode::kCeil, Op::kCeil},
    {Opcode::kRoundNearestEven, Op::kRoundEven},
    {Opcode::kRoundNearestAfz, Op::kRoundAfz},
    {Opcode::kSqrt, Op::kSqrt},
    {Opcode::kRsqrt, Op::kRsqrt},
    {Opcode::kCbrt, Op::kCbrt},
    {Opcode::kExponential, Op::kExp},
    {Opcode::kExponentialMinusOne, Op::kExpm1},
    {Opcode::kLog, Op::kLog},
    {Opcode::kLogPlusOne, Op::kLog1p},
    {Opcode::kLogistic, Op::kLogistic},
    {Opcode::kTanh, Op::kTanh},
    {Opcode::kTan, Op::kTan},
    {Opcode::kSine, Op::kSin},
    {Opcode::kCosine, Op::kCos},
    {Opcode::kErf, Op::kErf},
    {Opcode::kIsFinite, Op::kIsFinite},
    {Opcode::kNot, Op::kNot},
    {Opcode::kAdd, Op::kAdd},
    {Opcode::kSubtract, Op::kSubtract},
    {Opcode::kMultiply, Op::kMultiply},
    {Opcode::kDivide, Op::kDivide},
    {Opcode::kMaximum, Op::kMaximum},
    {Opcode::kMinimum, Op::kMinimum},
    {Opcode::kPower, Op::kPower},
    {Opcode::kRemainder, Op::kRemainder},
    {Opcode::kAtan2, Op::kAtan2},
    {Opcode::kAnd, Op::kAnd},
    {Opcode::kOr, Op::kOr},
    {Opcode::kXor, Op::kXor},
    {Opcode::kCompare, Op::kCompare},
    {Opcode::kSelect, Op::kSelect},
    {Opcode::kClamp, Op::kClamp},
}};

// Index into kElementwise by opcode, or -1.
constexpr auto kPlaces = [] {
  std::array<int16_t, 256> places = {};
  for (int16_t& place : places) place = -1;
  for (size_t i = 0; i < kElementwise.size(); ++i)
    places[static_cast<uint8_t>(kElementwise[i].first)] = static_cast<int16_t>(i);
  return places;
}();

}  // namespace

std::optional<Op> ElementwiseOp(Opcode opcode) {
  const int place = kPlaces[static_cast<uint8_t>(opcode)];
  if (place < 0) return std::nullopt;
  return kElementwise[static_cast<size_t>(place)].second;
}

bool IsMove(Opcode opcode) {
  return opcode == Opcode::kReshape || opcode == Opcode::kBitcast || opcode == Opcode::kCopy ||
         opcode == Opcode::kTranspose;
}

}  // namespace jax_oneshot
