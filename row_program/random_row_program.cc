// SPDX-License-Identifier: Apache-2.0
// Implementation of random_row_program.h.
#include "row_program/random_row_program.h"

#include <limits>
#include <random>

#include "row_program/ops.h"

namespace jax_oneshot {
namespace {

class Generator {
 public:
  Generator(uint32_t seed, bool shards) : random_(seed), shards_(shards) {}

  RowProgram Run() {
    AddInputs();
    const int operations = Below(24);
    for (int i = 0; i < operations; ++i) AddOperation();
    const int outputs = 1 + Below(3);
    for (int i = 0; i < outputs; ++i) {
      const int value = AnyValue();
      const Kind kind = Join(program_.statements[value].kind, AnyKind());
      program_.outputs.push_back({value, kind, shards_ && Widens(Kind::kVec, kind) && Below(2) == 0});
    }
    return program_;
  }

 private:
  // Not std::uniform_int_distribution: its results differ between standard libraries.
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  Kind AnyKind() { return static_cast<Kind>(Below(4)); }
  DType AnyDType() { return static_cast<DType>(Below(kDTypeCount)); }
  DType AnyFloat() { return static_cast<DType>(1 + Below(kDTypeCount - 1)); }
  int AnyValue() { return Below(static_cast<int>(program_.statements.size())); }
  Kind KindOf(int value) const { return program_.statements[value].kind; }
  DType DTypeOf(int value) const { return program_.statements[value].dtype; }

  int Add(Op op, DType dtype, Kind kind, std::array<int, 3> operands = {-1, -1, -1}) {
    Statement s{};
    s.op = op;
    s.dtype = dtype;
    s.kind = kind;
    s.operands = operands;
    program_.statements.push_back(s);
    return static_cast<int>(program_.statements.size()) - 1;
  }

  void AddInputs() {
    const int combined = shards_ ? Below(4) : 1 + Below(3);
    const int all = combined + Below(5);
    for (int i = 0; i < all; ++i) {
      const bool local = i >= combined;
      const Input input = {local ? Role::kLocal : static_cast<Role>(Below(3)), local ? AnyDType() : AnyFloat(),
                           local ? AnyKind() : Kind::kRow};
      program_.inputs.push_back(input);
      const int reader = Add(local ? Op::kLoad : Op::kAllReduce, local ? input.dtype : AnyFloat(), input.kind);
      program_.statements[reader].index = i;
    }
    if (shards_) AddGatheredInputs();
  }

  void AddGatheredInputs() {
    const int gathered = 1 + Below(3);
    for (int i = 0; i < gathered; ++i) {
      const DType dtype = static_cast<DType>(1 + Below(3));  // bf16, f16, f32
      const Kind kind = Below(2) == 0 ? Kind::kVec : Kind::kRow;
      program_.inputs.push_back({Role::kGather, dtype, kind});
      const int reader = Add(Op::kAllGather, dtype, kind);
      program_.statements[reader].index = static_cast<int>(program_.inputs.size()) - 1;
    }
  }

  // An existing value of `dtype`, or a new conversion to it.
  int ValueOf(DType dtype) {
    const int value = AnyValue();
    return DTypeOf(value) == dtype ? value : Add(Op::kConvert, dtype, KindOf(value), {value, -1, -1});
  }

  void AddConstant() {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kNumbers[] = {0,     -0.0f, 1,         -1,         0.1f,   1e-5f,
                                  1e30f, 448,   kInfinity, -kInfinity, 1e-45f, std::numeric_limits<float>::quiet_NaN()};
    const float picked = Below(2) == 0 ? kNumbers[Below(12)] : static_cast<float>(Below(20001) - 10000) / 1024;
    const DType dtype = AnyDType();
    const int id = Add(Op::kConstant, dtype, Kind::kScalar);
    program_.statements[id].constant = RoundToDType(dtype, picked);
  }

  void AddBroadcast() {
    const int x = AnyValue();
    const Kind wide = Join(KindOf(x), AnyKind());
    if (wide != KindOf(x)) Add(Op::kBroadcast, DTypeOf(x), wide, {x, -1, -1});
  }

  void AddReduction(Op op) {
    const int x = ValueOf(AnyFloat());
    if (!Widens(Kind::kVec, KindOf(x))) return;
    Add(op, DTypeOf(x), KindOf(x) == Kind::kRow ? Kind::kRowScalar : Kind::kScalar, {x, -1, -1});
  }

  void AddElementwise(const OpFact& fact, DType first, DType rest, DType result) {
    std::array<int, 3> operands = {-1, -1, -1};
    Kind kind = Kind::kScalar;
    for (int k = 0; k < fact.operands; ++k) {
      operands[k] = ValueOf(k == 0 ? first : rest);
      kind = Join(kind, KindOf(operands[k]));
    }
    const int id = Add(fact.op, result, kind, operands);
    if (fact.op == Op::kCompare) program_.statements[id].direction = static_cast<Direction>(Below(6));
  }

  void AddOperation() {
    const OpFact& fact = OpTable()[Below(kOpCount)];
    const DType dtype = AnyFloat();
    switch (fact.family) {
      case OpFamily::kSource:
        return AddConstant();
      case OpFamily::kBroadcast:
        return AddBroadcast();
      case OpFamily::kReduction:
        return AddReduction(fact.op);
      case OpFamily::kConvert:
        return AddElementwise(fact, AnyDType(), dtype, AnyDType());
      case OpFamily::kArithmetic:
        return AddElementwise(fact, dtype, dtype, dtype);
      case OpFamily::kTest:
        return AddElementwise(fact, dtype, dtype, DType::kPred);
      case OpFamily::kLogic:
        return AddElementwise(fact, DType::kPred, DType::kPred, DType::kPred);
      case OpFamily::kSelect:
        return AddElementwise(fact, DType::kPred, dtype, dtype);
    }
  }

  std::mt19937 random_;
  const bool shards_;
  RowProgram program_;
};

}  // namespace

RowProgram RandomRowProgram(uint32_t seed) { return Generator(seed, /*shards=*/false).Run(); }
RowProgram RandomShardedRowProgram(uint32_t seed) { return Generator(seed, /*shards=*/true).Run(); }

}  // namespace jax_oneshot
