// In:  HLO's name of an opcode. Out: the Opcode. See opcode.h.
#include "xla_pass/hlo_view/opcode.h"

#include <unordered_map>

namespace jax_oneshot::hlo {
namespace {

// Tells nearly all of the names below apart, at a fraction of what hashing whole strings costs.
struct NameHash {
  size_t operator()(std::string_view name) const {
    if (name.empty()) return 0;
    const auto letter = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(name[i])); };
    return (letter(0) | letter(name.size() / 2) << 8 | letter(name.size() - 1) << 16 | name.size() << 24) *
               0x9e3779b1u >>
           7;
  }
};

using Table = std::unordered_map<std::string_view, Opcode, NameHash>;

const Table& ByName() {  // NOLINT(readability-function-size): a table
  static const Table* const table = new Table{
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
  return *table;
}

}  // namespace

Opcode ParseOpcode(std::string_view name) {
  const auto found = ByName().find(name);
  return found == ByName().end() ? Opcode::kOther : found->second;
}

}  // namespace jax_oneshot::hlo
