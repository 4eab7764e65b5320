// SPDX-License-Identifier: Apache-2.0
// The obstacles found for a module's calls, with function tables in place of a GPU.
#include "ffi_kernels/cuda/handler/obstacles.h"

#include <gtest/gtest.h>

#include "ffi_kernels/cuda/handler/fake_gpu.h"

namespace jax_oneshot::cuda {
namespace {

PlannedCall Plain() { return {"v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)", 8, 4096, 2}; }

class ObstaclesTest : public testing::Test {
 protected:
  ObstaclesTest() : state(ResetFakeGpu()), runtime(MakeFakeRuntime()) {}

  std::string Find(const PlannedCall& call) { return FindObstacle({call}, runtime.get()); }

  FakeGpuState& state;
  std::unique_ptr<Runtime> runtime;
};

TEST_F(ObstaclesTest, ThereAreNoneWhereEverythingCompilesAndGpusReachEachOther) {
  EXPECT_EQ(Find(Plain()), "");
  EXPECT_EQ(state.compilations, 1);
}

TEST_F(ObstaclesTest, ThereAreNoneWithoutAGpuWhateverElseIsMissing) {
  state.gpus = 0;
  state.nvrtc_missing = "no NVRTC";
  EXPECT_EQ(Find(Plain()), "");
}

TEST_F(ObstaclesTest, AMissingNvrtcIsOne) {
  state.nvrtc_missing = "cannot load NVRTC: tried /lib";
  EXPECT_EQ(Find(Plain()), "the kernel cannot be made: cannot load NVRTC: tried /lib");
}

TEST_F(ObstaclesTest, GpusThatDoNotReachEachOtherAreOne) {
  state.can_access_peer = 0;
  EXPECT_EQ(Find(Plain()),
            "GPU 0 cannot write to the memory of GPU 1, which the kernels do; `nvidia-smi topo -p2p w` shows why");
}

TEST_F(ObstaclesTest, ALoneGpuNeedsNoPeerAccess) {
  state.can_access_peer = 0;
  state.gpus = 1;
  EXPECT_EQ(Find(Plain()), "");
}

TEST_F(ObstaclesTest, AKernelThatDoesNotCompileIsOne) {
  state.compiles = false;
  EXPECT_EQ(Find(Plain()).find("the kernel cannot be made: "), 0u) << Find(Plain());
}

TEST_F(ObstaclesTest, ACallThatNoKernelIsMadeForIsOne) {
  PlannedCall call = Plain();
  call.group_size = 17;
  EXPECT_EQ(Find(call).find("the kernel cannot be made: "), 0u) << Find(call);
  EXPECT_EQ(state.compilations, 0);
}

}  // namespace
}  // namespace jax_oneshot::cuda
