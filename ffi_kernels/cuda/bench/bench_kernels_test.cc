// SPDX-License-Identifier: Apache-2.0
// Tests that the benchmark's kernels compile for every supported architecture without spills.
#include "ffi_kernels/cuda/bench/bench_kernels.h"

#include <gtest/gtest.h>

namespace jax_oneshot::cuda::bench {
namespace {

class BenchKernelsOn : public testing::TestWithParam<const char*> {};

TEST_P(BenchKernelsOn, CompileWithoutSpills) {
  if (!LoadNvrtc()) GTEST_SKIP() << LoadNvrtc().error();
  const Result<Compilation> compiled = CompileBenchKernels(*LoadNvrtc(), GetParam());
  ASSERT_TRUE(compiled) << compiled.error();
  EXPECT_FALSE(compiled->cubin.empty());
  size_t kernels = 0;
  const std::string clean = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads";
  for (size_t at = compiled->log.find(clean); at != std::string::npos; at = compiled->log.find(clean, at + 1)) {
    ++kernels;
  }
  EXPECT_EQ(kernels, 9U) << compiled->log;
}

INSTANTIATE_TEST_SUITE_P(Architectures, BenchKernelsOn, testing::Values("sm_80", "sm_90", "sm_100"));

TEST(BenchKernels, TakeWidthsInStepsOfAWarp) {
  EXPECT_TRUE(CheckWidth(3584));
  EXPECT_TRUE(CheckWidth(8192));
  EXPECT_EQ(CheckWidth(8192 + 256).error(), "the benchmark's kernels take widths up to 8192 in steps of 256; got 8448");
  EXPECT_FALSE(CheckWidth(3585));
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
