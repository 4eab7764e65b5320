// SPDX-License-Identifier: Apache-2.0
// RowProgram: the small language that describes to the kernels what a call computes.
//
// A row program describes the computation on one row. The tensor is [rows, width], with all leading dimensions
// collapsed. Example: bf16 all-reduce, residual add, RMSNorm, two outputs:
//
//   v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 vec) {
//     x0: bf16 row = all_reduce a0;
//     x1: bf16 row = load a1;
//     x2: bf16 row = add x1, x0;
//     x3: f32 row = convert x2;
//     x4: f32 row = multiply x3, x3;
//     x5: f32 rowscalar = reduce_sum x4;
//     x6: f32 scalar = constant 0.00024414062;
//     x7: f32 rowscalar = multiply x5, x6;
//     x8: f32 rowscalar = rsqrt x7;
//     x9: f32 row = multiply x3, x8;
//     x10: bf16 row = convert x9;
//     x11: bf16 vec = load a2;
//     x12: bf16 row = multiply x10, x11
//   } -> (x12: row, x2: row)
//
// (the canonical text is the same on a single line, with single spaces; see text.h)
//
// Semantics. A value has a dtype and a kind. Kinds widen implicitly (scalar -> vec/rowscalar -> row), and the kind of
// an elementwise result is the join of its operands' kinds. Elementwise arithmetic is done in f32 and rounded to the
// statement's dtype (to nearest even), so a value of dtype bf16 is always a bf16 number. The dtype of an elementwise
// result equals its operands' dtype, except for convert (any to any), compare / is_finite (result pred) and select
// (operand 0 is pred). and / or / xor / not take pred only. all_reduce combines the ranks' rows in f32 in rank order
// and rounds to the statement's dtype once, at the end. Row reductions are done in f32 and rounded at the end; the
// order within a row is unspecified. Only these two accumulators may be wider than f32: every value is rounded before
// anything reads it (docs/row_program.md says why). A maximum or minimum over ranks ignores NaN.
//
// A vec or a row may be sharded: each of the N ranks holds width/N of its columns, rank r those from r * width/N on.
// all_gather reads a sharded input as a whole; an output `x2: row shard` stores only this rank's columns.
#ifndef ROW_PROGRAM_ROW_PROGRAM_H_
#define ROW_PROGRAM_ROW_PROGRAM_H_

#include <array>
#include <cstdint>
#include <vector>

namespace jax_oneshot {

enum class DType : uint8_t { kPred, kBF16, kF16, kF32, kF8E4M3FN, kF8E5M2 };

// What a value varies over. Bit 0: over the width; bit 1: over the rows. Join is bitwise or.
enum class Kind : uint8_t { kScalar = 0, kVec = 1, kRowScalar = 2, kRow = 3 };

constexpr Kind Join(Kind a, Kind b) { return static_cast<Kind>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b)); }

// How an input's per-rank values become one value: combined over the ranks, concatenated, or this rank's own.
enum class Role : uint8_t { kSum, kMax, kMin, kGather, kLocal };

constexpr bool IsCombined(Role role) { return role == Role::kSum || role == Role::kMax || role == Role::kMin; }

enum class Op : uint8_t {
  // Sources.
  kAllReduce,  // input `index`, whose role is kSum / kMax / kMin
  kAllGather,  // input `index`, whose role is kGather
  kLoad,       // input `index`, whose role is kLocal
  kConstant,   // `constant`, a scalar
  // `broadcast x` to the statement's wider kind. Only needed before a row reduction.
  kBroadcast,
  // Row reductions: operand row -> rowscalar, operand vec -> scalar.
  kReduceSum,
  kReduceMax,
  kReduceMin,
  // Unary.
  kConvert,
  kAbs,
  kNegate,
  kSign,
  kFloor,
  kCeil,
  kRoundEven,
  kRoundAfz,
  kSqrt,
  kRsqrt,
  kCbrt,
  kExp,
  kExpm1,
  kLog,
  kLog1p,
  kLogistic,
  kTanh,
  kTan,
  kSin,
  kCos,
  kErf,
  kIsFinite,
  kNot,
  // Binary.
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
  // Ternary.
  kSelect,       // pred, on true, on false
  kClamp,        // low, x, high
  kMultiplyAdd,  // x * y + z, rounded once
};

enum class Direction : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe };

struct Input {
  Role role;
  DType dtype;
  Kind kind;  // of the value as read; kRow for combined roles, kRow or kVec for kGather
};

// A statement defines one value, whose id is the statement's index.
struct Statement {
  Op op;
  DType dtype;
  Kind kind;
  std::array<int, 3> operands = {-1, -1, -1};  // value ids, all smaller than this statement's own
  int index = -1;                              // kAllReduce, kAllGather, kLoad: which input
  float constant = 0;                          // kConstant: already rounded to dtype; 0 or 1 for pred
  Direction direction = Direction::kEq;        // kCompare
};

struct Output {
  int value;
  Kind kind;           // at least as wide as the value's kind: the value is broadcast on store
  bool shard = false;  // store only this rank's columns; requires a kind that varies over the width
};

struct RowProgram {
  std::vector<Input> inputs;
  std::vector<Statement> statements;
  std::vector<Output> outputs;
};

// Properties of operations, shared by the parser, the validator and every backend (defined by the table in ops.cc).
const char* OpName(Op op);  // "reduce_sum"
int OperandCount(Op op);    // 0 for sources
bool IsRowReduction(Op op);
bool ReadsInput(Op op);              // all_reduce, all_gather, load: `index` says which
const char* DTypeName(DType dtype);  // HLO's spelling: "bf16", "f8e4m3fn", "pred"
int DTypeBytes(DType dtype);
const char* KindName(Kind kind);  // "scalar", "vec", "rowscalar", "row"
const char* RoleName(Role role);  // "sum", "max", "min", "gather", "local"

// True if an input or an output is sharded: the number of ranks must then divide the width.
bool HasShards(const RowProgram& program);

bool operator==(const RowProgram& a, const RowProgram& b);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_ROW_PROGRAM_H_
