// SPDX-License-Identifier: Apache-2.0
// How many GPUs the benchmark opens, and what it says if they are too few.
#include "ffi_kernels/cuda/bench/placement.h"

#include <gtest/gtest.h>

#include "ffi_kernels/cuda/driver/fake_driver.h"

namespace jax_oneshot::cuda::bench {
namespace {

std::string Refusal(int gpus, Placement placement) {
  const Result<std::unique_ptr<RankGpus>> opened = OpenGpus(FakeDriver(gpus), placement);
  return opened ? "opened" : opened.error();
}

TEST(Placement, OnOneGpuEightRanksShareIt) {
  const auto gpus = *OpenGpus(FakeDriver(2), Placement::kOneGpu);
  EXPECT_EQ(gpus->count(), 1U);
  EXPECT_EQ(gpus->most_ranks(), 8);
}

TEST(Placement, OnAGpuEachThereAreAsManyRanksAsGpus) {
  const auto gpus = *OpenGpus(FakeDriver(3), Placement::kGpuEach);
  EXPECT_EQ(gpus->count(), 3U);
  EXPECT_EQ(gpus->most_ranks(), 3);
}

TEST(Placement, OfMoreThanEightGpusEightAreTaken) {
  EXPECT_EQ((*OpenGpus(FakeDriver(16), Placement::kGpuEach))->count(), 8U);
}

TEST(Placement, OneGpuIsTooFewForAGpuEach) {
  EXPECT_EQ(Refusal(1, Placement::kGpuEach),
            "a GPU for each rank takes 2 GPUs or more, and the driver offers 1; name more of them in "
            "CUDA_VISIBLE_DEVICES, or measure with --gpus one");
}

TEST(Placement, NoGpuIsAnErrorThatSaysWhereToLook) {
  EXPECT_EQ(Refusal(0, Placement::kOneGpu),
            "the kernel benchmark needs an NVIDIA GPU, and the driver offers none; is CUDA_VISIBLE_DEVICES set?");
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
