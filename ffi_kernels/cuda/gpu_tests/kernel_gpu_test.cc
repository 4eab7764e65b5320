// SPDX-License-Identifier: Apache-2.0
// Tests the kernels on one or several GPUs against the scalar evaluator.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "ffi_kernels/cuda/gpu_tests/gpu_run.h"
#include "ffi_kernels/cuda/kernel/test_programs.h"
#include "row_program/ops.h"
#include "row_program/random_row_program.h"
#include "row_program/text.h"

namespace jax_oneshot::cuda {
namespace {

std::string TextOf(const Shape& shape) {
  return std::to_string(shape.rows) + " x " + std::to_string(shape.width) + ", " + std::to_string(shape.ranks) +
         " ranks, by " + (shape.algorithm == Algorithm::kOneShot ? "one shot" : "two shots");
}

// None if kernels are only compiled: making inputs takes longer than compiling.
BuffersOfRanks InputsToRun(const RowProgram& program, const Shape& shape, uint32_t seed, Numbers numbers) {
  return TestGpu::Get().present() ? RandomInputs(program, shape, seed, numbers) : BuffersOfRanks();
}

// Compares all ranks' outputs with the evaluator's, and with each other if they must be equal.
void ExpectAsEvaluated(const RowProgram& program, const Shape& shape, double ulps, Numbers numbers = Numbers::kOrdinary,
                       uint32_t seed = 1) {
  const BuffersOfRanks inputs = InputsToRun(program, shape, seed, numbers);
  const Result<BuffersOfRanks> outputs = RunOnce(program, shape, inputs);
  ASSERT_TRUE(outputs) << PrintRowProgram(program) << "\n" << TextOf(shape) << "\n" << outputs.error();
  if (!TestGpu::Get().present()) return;
  ASSERT_EQ(Difference(program, *outputs, Evaluate(program, shape, inputs), ulps), "")
      << PrintRowProgram(program) << "\n"
      << TextOf(shape);
  for (size_t o = 0; o < program.outputs.size(); ++o) {
    if (program.outputs[o].shard) continue;
    for (const std::vector<Bytes>& of_rank : *outputs) {
      ASSERT_EQ(of_rank[o], (*outputs)[0][o]) << "bits differ; " << TextOf(shape);
    }
  }
}

// A two-shot call must give the same bits as the one-shot call, which other tests compare with the evaluator.
void ExpectTheSameByTwoShots(const RowProgram& program, Shape shape, Numbers numbers = Numbers::kOrdinary,
                             uint32_t seed = 1) {
  const BuffersOfRanks inputs = InputsToRun(program, shape, seed, numbers);
  shape.algorithm = Algorithm::kTwoShot;
  const Result<BuffersOfRanks> by_two = RunOnce(program, shape, inputs);
  ASSERT_TRUE(by_two) << PrintRowProgram(program) << "\n" << TextOf(shape) << "\n" << by_two.error();
  shape.algorithm = Algorithm::kOneShot;
  const Result<BuffersOfRanks> by_one = RunOnce(program, shape, inputs);
  ASSERT_TRUE(by_one) << PrintRowProgram(program) << "\n" << TextOf(shape) << "\n" << by_one.error();
  const std::string difference =
      TestGpu::Get().present() ? Difference(program, *by_two, *by_one, 0) : "";  // the place of the first difference
  ASSERT_TRUE(*by_one == *by_two) << difference << "\n" << PrintRowProgram(program) << "\n" << TextOf(shape);
}

class OnGpu : public ::testing::Test {
 protected:
  void TearDown() override {
    if (!TestGpu::Get().present() && !HasFailure()) GTEST_SKIP() << "compiled only: " << TestGpu::Get().why_absent();
  }
};

using KernelOnGpu = OnGpu;

TEST_F(KernelOnGpu, SumsExactlyAtTheShapesOfModels) {
  for (const int64_t rows : {1, 8, 64}) {
    for (const int64_t width : {3584, 4096, 8192}) {
      for (const int ranks : {2, 4, 8}) ExpectAsEvaluated(ProgramOf(kPlain), {rows, width, ranks}, 0);
    }
  }
}

// In ulps of bf16. The evaluator sums a row in double: that can move the norm to an adjacent value, and adjacent values
// times a weight round to numbers two ulps apart.
constexpr double kNormUlps = 2;

TEST_F(KernelOnGpu, NormsAtTheShapesOfModels) {
  for (const int64_t rows : {1, 8, 16, 32, 64}) {
    for (const int64_t width : {3584, 4096, 8192}) {
      for (const int ranks : {2, 4, 8}) ExpectAsEvaluated(ProgramOf(kResidualRmsNorm), {rows, width, ranks}, kNormUlps);
    }
  }
}

TEST_F(KernelOnGpu, TakesAnyExtentAndGroup) {
  const Shape shapes[] = {{1, 1, 2},   {4096, 1, 2},  {3, 7, 3},    {5, 15, 5},   {2, 17, 16},   {129, 33, 4},
                          {300, 6, 6}, {17, 1000, 7}, {4096, 8, 2}, {1, 8193, 2}, {2, 40000, 3}, {1000, 4096, 8}};
  for (const Shape& shape : shapes) {
    ExpectAsEvaluated(ProgramOf(kPlain), shape, 0);
    ExpectAsEvaluated(ProgramOf(kResidualRmsNorm), shape, kNormUlps);
  }
}

TEST_F(KernelOnGpu, GathersShardsThatSplitChunksAndShardsThatDoNot) {
  for (const Shape& shape : {Shape{1, 4096, 8}, {8, 4096, 4}, {64, 8192, 2}, {5, 12, 4}, {3, 6, 2}, {40, 24, 8}}) {
    ExpectAsEvaluated(ProgramOf(kShardedRmsNorm), shape, kNormUlps);
  }
}

// As in an all-reduce of a tuple: the values are independent, and each may have its own type.
TEST_F(KernelOnGpu, SumsSeveralValuesThatHaveNothingToDoWithOneAnother) {
  const char text[] =
      "v1 (a0: sum bf16 row, a1: sum f32 row, a2: max f16 row, a3: sum bf16 row) { x0: bf16 row = all_reduce a0; "
      "x1: f32 row = all_reduce a1; x2: f16 row = all_reduce a2; x3: bf16 row = all_reduce a3 } -> "
      "(x0: row, x1: row, x2: row, x3: row)";
  for (const Shape& shape : {Shape{1, 4096, 2}, {8, 2048, 4}, {3, 37, 3}, {16, 512, 8}}) {
    ExpectAsEvaluated(ProgramOf(text), shape, 0, Numbers::kSpecialToo);
  }
}

// Each rank's columns of a sum, and a residual sharded in the same columns: the end of a scanned layer.
TEST_F(KernelOnGpu, AddsShardsOfAResidualToThisRanksColumnsOfASum) {
  const char text[] =
      "v1 (a0: sum bf16 row, a1: gather bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = all_gather a1; "
      "x2: bf16 row = add x0, x1 } -> (x2: row shard)";
  for (const Shape& shape : {Shape{1, 4096, 2}, {8, 4096, 4}, {64, 512, 8}, {5, 12, 4}, {3, 6, 2}}) {
    ExpectAsEvaluated(ProgramOf(text), shape, 0, Numbers::kSpecialToo);
  }
}

TEST_F(KernelOnGpu, CombinesEveryTypeByEveryRoleAndKeepsSpecialNumbers) {
  for (const char* dtype : {"bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"}) {
    for (const char* role : {"sum", "max", "min"}) {
      const std::string text = std::string("v1 (a0: ") + role + " " + dtype + " row) { x0: f32 row = all_reduce a0; " +
                               "x1: " + dtype + " row = convert x0 } -> (x0: row, x1: row)";
      for (const Shape& shape : {Shape{3, 37, 3}, {8, 512, 4}, {2, 64, 16}}) {
        ExpectAsEvaluated(ProgramOf(text.c_str()), shape, 0, Numbers::kSpecialToo);
      }
    }
  }
}

// -0.0 is the sentinel: a value that passes through unchanged must keep its sign.
TEST_F(KernelOnGpu, KeepsTheSignOfZeroInMaximaAndGathers) {
  for (const char* dtype : {"bf16", "f16", "f32"}) {
    const std::string max = std::string("v1 (a0: max ") + dtype + " row) { x0: " + dtype +
                            " row = all_reduce a0; x1: " + dtype + " scalar = constant 1; x2: " + dtype +
                            " row = divide x1, x0 } -> (x2: row)";
    const std::string gather = std::string("v1 (a0: gather ") + dtype + " row) { x0: " + dtype +
                               " row = all_gather a0; x1: " + dtype + " scalar = constant 1; x2: " + dtype +
                               " row = divide x1, x0 } -> (x2: row)";
    for (const Shape& shape : {Shape{4, 96, 4}, {4, 12, 4}}) {
      ExpectAsEvaluated(ProgramOf(max.c_str()), shape, 0, Numbers::kSpecialToo);
      ExpectAsEvaluated(ProgramOf(gather.c_str()), shape, 0, Numbers::kSpecialToo);
    }
  }
}

TEST_F(KernelOnGpu, ConvertsEveryTypeToEveryType) {
  for (const char* from : {"pred", "bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"}) {
    std::string text = std::string("v1 (a0: sum f32 row, a1: local ") + from + " row) { x0: f32 row = all_reduce a0; " +
                       "x1: " + from + " row = load a1";
    std::string outputs = " } -> (x0: row";
    int id = 2;
    for (const char* to : {"pred", "bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"}) {
      text += "; x" + std::to_string(id) + ": " + to + " row = convert x1";
      outputs += ", x" + std::to_string(id++) + ": row";
    }
    for (const int64_t width : {4096, 700, 33}) {
      ExpectAsEvaluated(ProgramOf((text + outputs + ")").c_str()), {2, width, 2}, 0, Numbers::kSpecialToo);
    }
  }
}

// Operations that are not always correctly rounded.
bool IsInexact(Op op) {
  return op == Op::kRsqrt || (op >= Op::kCbrt && op <= Op::kErf) || op == Op::kPower || op == Op::kAtan2;
}

// In ulps: CUDA's error bounds for its functions reach 4, and logistic combines three of them.
TEST_F(KernelOnGpu, AppliesEveryElementwiseOperation) {
  for (const OpFact& fact : OpTable()) {
    if (fact.family != OpFamily::kArithmetic && fact.family != OpFamily::kTest) continue;
    for (const char* dtype : {"f32", "bf16"}) {
      const std::string out = fact.family == OpFamily::kTest ? "pred" : dtype;
      std::string text = std::string("v1 (a0: sum bf16 row, a1: local ") + dtype + " row, a2: local " + dtype +
                         " row, a3: local " + dtype + " vec) { x0: bf16 row = all_reduce a0; x1: " + dtype +
                         " row = load a1; x2: " + dtype + " row = load a2; x3: " + dtype +
                         " vec = load a3; x4: " + out + " row = " + fact.name + " x1";
      if (fact.operands > 1) text += ", x2";
      if (fact.operands > 2) text += ", x3";
      if (fact.op == Op::kCompare) text += ", direction=LT";
      const double ulps = !IsInexact(fact.op) ? 0 : dtype == std::string("f32") ? 6 : 1;
      ExpectAsEvaluated(ProgramOf((text + " } -> (x4: row)").c_str()), {2, 2000, 2}, ulps, Numbers::kSpecialToo);
    }
  }
}

// The same program with inexact operations replaced by exact ones, and sums by maxima: the result must match to the
// bit.
RowProgram MadeExact(RowProgram program) {
  for (Statement& s : program.statements) {
    if (s.op == Op::kReduceSum) s.op = Op::kReduceMax;
    if (IsInexact(s.op)) s.op = s.op == Op::kPower || s.op == Op::kAtan2 ? Op::kSubtract : Op::kNegate;
  }
  return program;
}

TEST_F(KernelOnGpu, RunsRandomProgramsAsTheEvaluatorDoes) {
  for (uint32_t seed = 0; seed < 250; ++seed) {
    const Shape shape = {1 + seed % 5, 1 + (seed * 37) % 530, 2 + static_cast<int>(seed % 4)};
    ExpectAsEvaluated(MadeExact(RandomRowProgram(seed)), shape, 0, Numbers::kSpecialToo, seed);
    if (HasFatalFailure()) return;
  }
}

TEST_F(KernelOnGpu, RunsRandomProgramsWithShardsAsTheEvaluatorDoes) {
  for (uint32_t seed = 0; seed < 120; ++seed) {
    const int ranks = 2 + static_cast<int>(seed % 4);
    const Shape shape = {1 + seed % 5, ranks * (1 + (seed * 7) % 90), ranks};
    ExpectAsEvaluated(MadeExact(RandomShardedRowProgram(seed)), shape, 0, Numbers::kSpecialToo, seed);
    if (HasFatalFailure()) return;
  }
}

using TwoShotOnGpu = OnGpu;

TEST_F(TwoShotOnGpu, LeavesOneShotsBitsAtTheShapesOfModels) {
  for (const int64_t rows : {1, 64, 300}) {
    for (const int64_t width : {3584, 4096, 8192}) {
      for (const int ranks : {2, 4, 8}) {
        ExpectTheSameByTwoShots(ProgramOf(kPlain), {rows, width, ranks});
        ExpectTheSameByTwoShots(ProgramOf(kResidualRmsNorm), {rows, width, ranks});
      }
    }
  }
}

TEST_F(TwoShotOnGpu, TakesAnyExtentAndGroup) {
  const Shape shapes[] = {{1, 1, 2},   {4096, 1, 2},  {3, 7, 3},    {5, 15, 5},   {2, 17, 16},   {129, 33, 4},
                          {300, 6, 6}, {17, 1000, 7}, {4096, 8, 2}, {1, 8193, 2}, {2, 40000, 3}, {1000, 4096, 8}};
  for (const Shape& shape : shapes) {
    ExpectTheSameByTwoShots(ProgramOf(kPlain), shape);
    ExpectTheSameByTwoShots(ProgramOf(kResidualRmsNorm), shape);
  }
}

TEST_F(TwoShotOnGpu, GathersShardsBesideSums) {
  for (const Shape& shape : {Shape{1, 4096, 8}, {8, 4096, 4}, {64, 8192, 2}, {5, 12, 4}, {3, 6, 2}, {40, 24, 8}}) {
    ExpectTheSameByTwoShots(ProgramOf(kShardedRmsNorm), shape);
  }
}

TEST_F(TwoShotOnGpu, SumsSeveralValuesOfSeveralTypes) {
  const char text[] =
      "v1 (a0: sum bf16 row, a1: sum f32 row, a2: max f16 row, a3: sum bf16 row) { x0: f32 row = all_reduce a0; "
      "x1: bf16 row = all_reduce a1; x2: f16 row = all_reduce a2; x3: bf16 row = all_reduce a3 } -> "
      "(x0: row, x1: row, x2: row, x3: row)";
  for (const Shape& shape : {Shape{1, 4096, 2}, {8, 2048, 4}, {3, 37, 3}, {16, 512, 8}, {500, 512, 4}}) {
    ExpectTheSameByTwoShots(ProgramOf(text), shape, Numbers::kSpecialToo);
  }
}

TEST_F(TwoShotOnGpu, CombinesEveryTypeByEveryRoleAndKeepsSpecialNumbers) {
  for (const char* dtype : {"bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"}) {
    for (const char* role : {"sum", "max", "min"}) {
      for (const std::string sum : {"f32", dtype}) {
        const std::string text = std::string("v1 (a0: ") + role + " " + dtype + " row) { x0: " + sum +
                                 " row = all_reduce a0; x1: f32 row = convert x0; x2: f8e4m3fn row = convert x1 } -> " +
                                 "(x0: row, x2: row)";
        for (Shape shape : {Shape{3, 37, 3}, {2, 64, 16}, {700, 64, 2}}) {
          shape.algorithm = Algorithm::kTwoShot;
          ExpectAsEvaluated(ProgramOf(text.c_str()), shape, 0, Numbers::kSpecialToo);
        }
      }
    }
  }
}

// A sum can round to -0, the sentinel's bits: it must arrive, with its sign.
TEST_F(TwoShotOnGpu, DeliversSumsThatRoundToMinusZero) {
  const char text[] =
      "v1 (a0: sum f32 row) { x0: bf16 row = all_reduce a0; x1: bf16 scalar = constant 1; "
      "x2: bf16 row = divide x1, x0 } -> (x0: row, x2: row)";
  const Shape shape = {4, 96, 4, Algorithm::kTwoShot};
  const std::vector<float> tiny(static_cast<size_t>(shape.rows * shape.width), -1e-45f);
  Bytes bytes(tiny.size() * sizeof(float));
  std::memcpy(bytes.data(), tiny.data(), bytes.size());
  const BuffersOfRanks inputs(static_cast<size_t>(shape.ranks), {bytes});
  const Result<BuffersOfRanks> outputs = RunOnce(ProgramOf(text), shape, inputs);
  ASSERT_TRUE(outputs) << outputs.error();
  if (!TestGpu::Get().present()) return;
  EXPECT_EQ(*outputs, Evaluate(ProgramOf(text), shape, inputs));
}

// Local inputs that differ between ranks: each rank's outputs depend on its own.
TEST_F(TwoShotOnGpu, KeepsEachRanksOwnLocalInputs) {
  const RowProgram program = ProgramOf(kResidualRmsNorm);
  for (const Shape& shape : {Shape{1, 4096, 2, Algorithm::kTwoShot}, {300, 512, 4, Algorithm::kTwoShot}}) {
    BuffersOfRanks inputs = RandomInputs(program, shape, 11, Numbers::kOrdinary);
    for (size_t rank = 1; rank < inputs.size(); ++rank) {
      inputs[rank][1] = RandomInputs(program, shape, 100 + static_cast<uint32_t>(rank), Numbers::kOrdinary)[0][1];
    }
    const Result<BuffersOfRanks> outputs = RunOnce(program, shape, inputs);
    ASSERT_TRUE(outputs) << outputs.error();
    if (!TestGpu::Get().present()) continue;
    EXPECT_EQ(Difference(program, *outputs, Evaluate(program, shape, inputs), kNormUlps), "") << TextOf(shape);
  }
}

TEST_F(TwoShotOnGpu, RunsRandomProgramsAsOneShotDoes) {
  for (uint32_t seed = 0; seed < 80; ++seed) {
    const Shape shape = {1 + seed % 5, 1 + (seed * 37) % 530, 2 + static_cast<int>(seed % 4)};
    ExpectTheSameByTwoShots(MadeExact(RandomRowProgram(seed)), shape, Numbers::kSpecialToo, seed);
    if (HasFatalFailure()) return;
  }
}

TEST_F(TwoShotOnGpu, RunsRandomProgramsWithShardsAsOneShotDoes) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const int ranks = 2 + static_cast<int>(seed % 4);
    const Shape shape = {1 + seed % 5, ranks * (1 + (seed * 7) % 90), ranks};
    ExpectTheSameByTwoShots(MadeExact(RandomShardedRowProgram(seed)), shape, Numbers::kSpecialToo, seed);
    if (HasFatalFailure()) return;
  }
}

// Every peer's message is stored before a rank starts, so that ranks can run one after the other, as tools that run one
// kernel at a time require.
Result<BuffersOfRanks> RunOneByOne(const RowProgram& program, const Shape& shape, const BuffersOfRanks& inputs) {
  const CudaDriver& driver = TestGpu::Get().driver();
  Result<std::shared_ptr<const GroupKernel>> kernel = TestGpu::Get().Load(program, shape);
  if (!kernel) return Err(kernel.error());
  const LaunchPlan& plan = (*kernel)->plan();
  Result<std::unique_ptr<LocalGroup>> group = TestGpu::Get().MakeGroup(shape.ranks, plan.message_bytes);
  if (!group) return Err(group.error());
  Result<std::unique_ptr<GroupCall>> call = GroupCall::Make(**group, *kernel, inputs);
  if (!call) return Err(call.error());
  for (int to = 0; to < shape.ranks; ++to) {
    for (int from = 0; from < shape.ranks; ++from) {
      const KernelArguments& arguments = (*call)->arguments(to);
      const DevicePointer region = arguments.peers.workspace[static_cast<size_t>(to)] + WorkspaceLayout::SlotsOffset() +
                                   from * arguments.capacity_bytes;
      const Bytes& message = inputs[static_cast<size_t>(from)][0];  // rows of whole chunks: in message layout
      ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemcpyHtoD_v2(region, message.data(), message.size()));
    }
  }
  for (int rank = 0; rank < shape.ranks; ++rank) {
    if (Result<void> launched = (*call)->Launch(rank); !launched) return Err(launched.error());
    if (Result<void> done = (*group)->Synchronise(20); !done) return Err(done.error());
  }
  return (*call)->Outputs();
}

TEST_F(KernelOnGpu, NormsOneByOne) {
  if (!TestGpu::Get().present()) return;
  for (const Shape& shape : {Shape{1, 4096, 2}, {3, 512, 3}, {200, 64, 2}}) {
    const RowProgram program = ProgramOf(kResidualRmsNorm);
    const BuffersOfRanks inputs = RandomInputs(program, shape, 3, Numbers::kOrdinary);
    const Result<BuffersOfRanks> outputs = RunOneByOne(program, shape, inputs);
    ASSERT_TRUE(outputs) << outputs.error();
    EXPECT_EQ(Difference(program, *outputs, Evaluate(program, shape, inputs), kNormUlps), "") << TextOf(shape);
  }
}

TEST_F(KernelOnGpu, NormsWithTwoReductionsAsLayerNormDoes) {
  for (const Shape& shape : {Shape{1, 768, 2}, {8, 768, 4}, {33, 1027, 3}}) {
    const RowProgram program = ProgramOf(kLayerNorm);
    const BuffersOfRanks inputs = RandomInputs(program, shape, 5, Numbers::kOrdinary);
    const Result<BuffersOfRanks> outputs = RunOnce(program, shape, inputs);
    ASSERT_TRUE(outputs) << outputs.error();
    if (!TestGpu::Get().present()) continue;
    const BuffersOfRanks wanted = Evaluate(program, shape, inputs);
    for (int64_t i = 0; i < shape.rows * shape.width; ++i) {
      // Cancellation makes ulps of a result meaningless: a bound on the absolute error instead.
      const float came = ElementOf(DType::kF32, (*outputs)[0][0], i);
      EXPECT_NEAR(came, ElementOf(DType::kF32, wanted[0][0], i), 2e-5) << TextOf(shape) << " element " << i;
    }
  }
}

}  // namespace
}  // namespace jax_oneshot::cuda
