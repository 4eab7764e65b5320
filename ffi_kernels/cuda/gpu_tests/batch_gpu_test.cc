// SPDX-License-Identifier: Apache-2.0
// A row has the same bits in every batch, however the launch plan divides rows among threads and blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ffi_kernels/cuda/gpu_tests/gpu_run.h"
#include "ffi_kernels/cuda/kernel/test_programs.h"

namespace jax_oneshot::cuda {
namespace {

// The row scalars are returned in f32, where another order of additions shows; a norm in bf16 would round it away.
constexpr char kSums[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = load a1; "
    "x2: bf16 row = add x0, x1; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 rowscalar = reduce_sum x3 } -> (x5: rowscalar, x6: rowscalar, x2: row)";

// Rows 0, 1, ... of `all`, as a batch of their own.
BuffersOfRanks FirstRows(const BuffersOfRanks& all, int64_t rows, int64_t most) {
  BuffersOfRanks first = all;
  for (auto& of_rank : first) {
    for (Bytes& bytes : of_rank) bytes.resize(bytes.size() / static_cast<size_t>(most) * static_cast<size_t>(rows));
  }
  return first;
}

TEST(BatchOnGpu, GivesARowTheSameBitsInEveryBatchByEitherAlgorithm) {
  constexpr int64_t kMost = 300;
  const RowProgram program = ProgramOf(kSums);
  for (const int64_t width : {100, 3584, 8192, 20000}) {
    const Shape whole = {kMost, width, 2};
    const BuffersOfRanks inputs =
        TestGpu::Get().present() ? RandomInputs(program, whole, 7, Numbers::kOrdinary) : BuffersOfRanks();
    const Result<BuffersOfRanks> wanted = RunOnce(program, whole, inputs);
    ASSERT_TRUE(wanted) << wanted.error();
    for (const Algorithm algorithm : {Algorithm::kOneShot, Algorithm::kTwoShot}) {
      for (const int64_t rows : {1, 8, 64, 128, 150}) {
        const Shape shape = {rows, width, 2, algorithm};
        const Result<BuffersOfRanks> outputs = RunOnce(program, shape, FirstRows(inputs, rows, kMost));
        ASSERT_TRUE(outputs) << outputs.error();
        if (!TestGpu::Get().present()) continue;
        EXPECT_TRUE(*outputs == FirstRows(*wanted, rows, kMost)) << rows << " rows of " << width << " columns";
      }
    }
  }
  if (!TestGpu::Get().present()) GTEST_SKIP() << "only compiled: " << TestGpu::Get().why_absent();
}

}  // namespace
}  // namespace jax_oneshot::cuda
