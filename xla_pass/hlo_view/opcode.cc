// SPDX-License-Identifier: Apache-2.0
// Implementation of opcode.h.
#include "xla_pass/hlo_view/opcode.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace jax_oneshot::hlo {
namespace {

struct Entry {
  std::string_view name;
  Opcode opcode;
};

constexpr Entry kEntries[] = {
    {"parameter", Opcode::kParameter},
    {"constant", Opcode::kConstant},
    {"tuple", Opcode::kTuple},
    {"get-tuple-element", Opcode::kGetTupleElement},
    {"fusion", Opcode::kFusion},
    {"while", Opcode::kWhile},
    {"conditional", Opcode::kConditional},
    {"call", Opcode::kCall},
    {"custom-call", Opcode::kCustomCall},
    {"all-reduce", Opcode::kAllReduce},
    {"all-reduce-start", Opcode::kAllReduceStart},
    {"all-reduce-done", Opcode::kAllReduceDone},
    {"all-gather", Opcode::kAllGather},
    {"all-gather-start", Opcode::kAllGatherStart},
    {"all-gather-done", Opcode::kAllGatherDone},
    {"reduce-scatter", Opcode::kReduceScatter},
    {"all-to-all", Opcode::kAllToAll},
    {"collective-permute", Opcode::kCollectivePermute},
    {"collective-permute-start", Opcode::kCollectivePermuteStart},
    {"collective-permute-done", Opcode::kCollectivePermuteDone},
    {"collective-broadcast", Opcode::kCollectiveBroadcast},
    {"partition-id", Opcode::kPartitionId},
    {"replica-id", Opcode::kReplicaId},
    {"reshape", Opcode::kReshape},
    {"bitcast", Opcode::kBitcast},
    {"copy", Opcode::kCopy},
    {"transpose", Opcode::kTranspose},
    {"broadcast", Opcode::kBroadcast},
    {"slice", Opcode::kSlice},
    {"dynamic-slice", Opcode::kDynamicSlice},
    {"dynamic-update-slice", Opcode::kDynamicUpdateSlice},
    {"concatenate", Opcode::kConcatenate},
    {"pad", Opcode::kPad},
    {"iota", Opcode::kIota},
    {"gather", Opcode::kGather},
    {"dot", Opcode::kDot},
    {"opt-barrier", Opcode::kOptimizationBarrier},
    {"reduce", Opcode::kReduce},
    {"reduce-window", Opcode::kReduceWindow},
    {"convert", Opcode::kConvert},
    {"abs", Opcode::kAbs},
    {"negate", Opcode::kNegate},
    {"sign", Opcode::kSign},
    {"floor", Opcode::kFloor},
    {"ceil", Opcode::kCeil},
    {"round-nearest-even", Opcode::kRoundNearestEven},
    {"round-nearest-afz", Opcode::kRoundNearestAfz},
    {"sqrt", Opcode::kSqrt},
    {"rsqrt", Opcode::kRsqrt},
    {"cbrt", Opcode::kCbrt},
    {"exponential", Opcode::kExponential},
    {"exponential-minus-one", Opcode::kExponentialMinusOne},
    {"log", Opcode::kLog},
    {"log-plus-one", Opcode::kLogPlusOne},
    {"logistic", Opcode::kLogistic},
    {"tanh", Opcode::kTanh},
    {"tan", Opcode::kTan},
    {"sine", Opcode::kSine},
    {"cosine", Opcode::kCosine},
    {"erf", Opcode::kErf},
    {"is-finite", Opcode::kIsFinite},
    {"not", Opcode::kNot},
    {"reduce-precision", Opcode::kReducePrecision},
    {"bitcast-convert", Opcode::kBitcastConvert},
    {"add", Opcode::kAdd},
    {"subtract", Opcode::kSubtract},
    {"multiply", Opcode::kMultiply},
    {"divide", Opcode::kDivide},
    {"maximum", Opcode::kMaximum},
    {"minimum", Opcode::kMinimum},
    {"power", Opcode::kPower},
    {"remainder", Opcode::kRemainder},
    {"atan2", Opcode::kAtan2},
    {"and", Opcode::kAnd},
    {"or", Opcode::kOr},
    {"xor", Opcode::kXor},
    {"compare", Opcode::kCompare},
    {"select", Opcode::kSelect},
    {"clamp", Opcode::kClamp},
};

constexpr size_t kSlots = 256;

// The length and three letters distinguish nearly all names.
constexpr size_t SlotOf(std::string_view name) {
  if (name.empty()) return 0;
  uint32_t hash = static_cast<uint32_t>(name.size());
  for (const size_t i : {size_t{0}, name.size() / 2, name.size() - 1}) {
    hash = hash * 31 + static_cast<unsigned char>(name[i]);
  }
  return hash * 0x9e3779b1u >> 24;
}

// Open-addressing hash table: index into kEntries plus one; 0 marks a free slot.
constexpr auto kTable = [] {
  std::array<uint8_t, kSlots> table = {};
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    size_t slot = SlotOf(kEntries[i].name);
    while (table[slot] != 0) slot = (slot + 1) % kSlots;
    table[slot] = static_cast<uint8_t>(i + 1);
  }
  return table;
}();

}  // namespace

Opcode ParseOpcode(std::string_view name) {
  for (size_t slot = SlotOf(name); kTable[slot] != 0; slot = (slot + 1) % kSlots) {
    const Entry& entry = kEntries[kTable[slot] - 1];
    if (entry.name == name) return entry.opcode;
  }
  return Opcode::kOther;
}

}  // namespace jax_oneshot::hlo
