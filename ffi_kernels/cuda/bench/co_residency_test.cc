// SPDX-License-Identifier: Apache-2.0
// Co-residency: which launches are read from a graph, and when ranks do not fit on one device together.
#include "ffi_kernels/cuda/bench/co_residency.h"

#include <gtest/gtest.h>

namespace jax_oneshot::cuda::bench {
namespace {

TEST(CoResidency, RanksThatJustFillTheDeviceFit) { EXPECT_TRUE(CheckCoResidency({{132, 264}, {132, 264}})); }

TEST(CoResidency, OneBlockMoreIsRefusedWithTheShareNeeded) {
  const Result<void> checked = CheckCoResidency({{132, 264}, {133, 264}});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error(),
            "the blocks of 2 ranks need 101 % of this one device, so ranks would wait for blocks that cannot start");
}

TEST(CoResidency, ARankThatHasTheDeviceToItselfFitsAlone) {
  EXPECT_TRUE(CheckCoResidency({{264, 264}}));
  const Result<void> checked = CheckCoResidency({{265, 264}});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().substr(0, 35), "the blocks of one rank need 101 % o");
}

TEST(CoResidency, AKernelThatNeverFitsIsRefused) { EXPECT_FALSE(CheckCoResidency({{1, 0}})); }

// A graph of three nodes: a kernel with a cluster among its attributes, a copy, and a kernel of the CUDA runtime whose
// cluster was given at compile time.
Function FunctionOf(intptr_t number) { return reinterpret_cast<Function>(number); }
constexpr intptr_t kFirst = 1, kCopy = 2, kRuntimes = 3, kRuntimesFunction = 30;

CudaDriver FakeDriver() {
  CudaDriver driver;
  driver.cuGraphGetNodes = [](Graph, GraphNode* nodes, size_t* count) {
    for (intptr_t i = 0; nodes != nullptr && i < 3; ++i) nodes[i] = reinterpret_cast<GraphNode>(i + 1);
    *count = 3;
    return kSuccess;
  };
  driver.cuGraphNodeGetType = [](GraphNode node, int* type) {
    *type = reinterpret_cast<intptr_t>(node) == kCopy ? 1 : kGraphNodeKernel;
    return kSuccess;
  };
  driver.cuGraphKernelNodeGetParams_v2 = [](GraphNode node, KernelNodeParameters* out) {
    *out = {};
    if (reinterpret_cast<intptr_t>(node) == kFirst) {
      out->function = FunctionOf(kFirst);
    } else {
      out->kernel = reinterpret_cast<Kernel>(kRuntimes);
    }
    out->grid[0] = 16;
    out->grid[1] = 4;
    out->grid[2] = 1;
    out->block[0] = 128;
    out->block[1] = out->block[2] = 1;
    return kSuccess;
  };
  driver.cuKernelGetFunction = [](Function* function, Kernel) {
    *function = FunctionOf(kRuntimesFunction);
    return kSuccess;
  };
  driver.cuGraphKernelNodeGetAttribute = [](GraphNode node, int, void* value) {
    if (reinterpret_cast<intptr_t>(node) == kFirst) static_cast<unsigned*>(value)[0] = 8;
    return kSuccess;
  };
  driver.cuFuncGetAttribute = [](int* value, int attribute, Function function) {
    const bool second = function == FunctionOf(kRuntimesFunction) && attribute == kFunctionRequiredClusterWidth + 1;
    *value = second ? 4 : 0;
    return kSuccess;
  };
  driver.cuOccupancyMaxActiveBlocksPerMultiprocessor = [](int* blocks, Function, int threads, size_t) {
    *blocks = 2048 / threads;
    return kSuccess;
  };
  driver.cuOccupancyMaxActiveClusters = [](int* clusters, Function, const LaunchConfig* config) {
    *clusters = config->attribute_count == 1 && config->attributes[0].value.cluster[1] == 4 ? 33 : -1;
    return kSuccess;
  };
  return driver;
}

TEST(CoResidency, ReadsKernelsOnlyAndTheirClusters) {
  const Result<std::vector<KernelLaunch>> launches = LaunchesOf(FakeDriver(), nullptr);
  ASSERT_TRUE(launches) << launches.error();
  ASSERT_EQ(launches->size(), 2U);
  EXPECT_EQ((*launches)[0].function, FunctionOf(kFirst));
  EXPECT_EQ((*launches)[0].cluster[0], 8U);
  EXPECT_EQ(Blocks((*launches)[0]), 64);
  EXPECT_EQ((*launches)[1].function, FunctionOf(kRuntimesFunction));
  EXPECT_EQ((*launches)[1].cluster[0], 1U);
  EXPECT_EQ((*launches)[1].cluster[1], 4U);
}

TEST(CoResidency, CountsBlocksPerMultiprocessorWithoutAClusterAndClustersWithOne) {
  KernelLaunch launch;
  launch.block[0] = 512;
  EXPECT_EQ(BlocksThatFit(FakeDriver(), launch, 132), 4 * 132);
  launch.cluster[1] = 4;
  EXPECT_EQ(BlocksThatFit(FakeDriver(), launch, 132), 33 * 4);
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
