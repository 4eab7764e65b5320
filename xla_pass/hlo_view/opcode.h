// SPDX-License-Identifier: Apache-2.0
// Parses HLO opcode names; kOther for opcodes that the pass does not distinguish.
#ifndef XLA_PASS_HLO_VIEW_OPCODE_H_
#define XLA_PASS_HLO_VIEW_OPCODE_H_

#include <cstdint>
#include <string_view>

namespace jax_oneshot::hlo {

enum class Opcode : uint8_t {
  kOther,
  // Structure.
  kParameter,
  kConstant,
  kTuple,
  kGetTupleElement,
  kFusion,
  kWhile,
  kConditional,
  kCall,
  kCustomCall,
  // Collectives.
  kAllReduce,
  kAllReduceStart,
  kAllReduceDone,
  kAllGather,
  kAllGatherStart,
  kAllGatherDone,
  kReduceScatter,
  kAllToAll,
  kCollectivePermute,
  kCollectivePermuteStart,
  kCollectivePermuteDone,
  kCollectiveBroadcast,
  kPartitionId,
  kReplicaId,
  // Movement.
  kReshape,
  kBitcast,
  kCopy,
  kTranspose,
  kBroadcast,
  kSlice,
  kDynamicSlice,
  kDynamicUpdateSlice,
  kConcatenate,
  kPad,
  kIota,
  kGather,
  kDot,
  kOptimizationBarrier,
  // Reductions.
  kReduce,
  kReduceWindow,
  // Elementwise, unary.
  kConvert,
  kAbs,
  kNegate,
  kSign,
  kFloor,
  kCeil,
  kRoundNearestEven,
  kRoundNearestAfz,
  kSqrt,
  kRsqrt,
  kCbrt,
  kExponential,
  kExponentialMinusOne,
  kLog,
  kLogPlusOne,
  kLogistic,
  kTanh,
  kTan,
  kSine,
  kCosine,
  kErf,
  kIsFinite,
  kNot,
  kReducePrecision,
  kBitcastConvert,
  // Elementwise, binary.
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMaximum,
  kMinimum,
  kPower,
  kRemainder,
  kAtan2,
  kAnd,
  kOr,
  kXor,
  kCompare,
  // Elementwise, ternary.
  kSelect,
  kClamp,
};

Opcode ParseOpcode(std::string_view name);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_OPCODE_H_
