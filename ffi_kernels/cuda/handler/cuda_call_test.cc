// SPDX-License-Identifier: Apache-2.0
// A call from its attributes to its launches, with function tables in place of a GPU.
#include "ffi_kernels/cuda/handler/cuda_call.h"

#include <gtest/gtest.h>

#include "ffi_kernels/cuda/handler/fake_gpu.h"

namespace jax_oneshot::cuda {
namespace {

constexpr char kPlain[] = "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)";

CallSpec Spec(int64_t rows = 8, int64_t group_size = 2, int64_t timeout_ms = 5000) {
  CallAttributes a;
  a.program = kPlain;
  a.group_mode = "cross_partition";
  a.rows = rows;
  a.width = 4096;
  a.group_size = group_size;
  a.channel_id = 7;
  a.call = 3;
  a.timeout_ms = timeout_ms;
  return *MakeCallSpec(a);
}

class CudaCallTest : public testing::Test {
 protected:
  CudaCallTest() : state(ResetFakeGpu()), runtime(MakeFakeRuntime()) {}

  Result<void> Launch(const CudaCall& call, int ordinal = 0) {
    return call.Launch(ordinal, stream, {DevicePointer{4096}}, {DevicePointer{8192}});
  }

  FakeGpuState& state;
  std::unique_ptr<Runtime> runtime;
  int comms[2] = {};
  const Stream stream = reinterpret_cast<Stream>(7);
};

TEST_F(CudaCallTest, LaunchesTheSameKernelEachTimeOnceItIsBound) {
  CudaCall call(Spec(), runtime.get());
  const Result<void> bound = call.Bind(0, &comms[0]);
  ASSERT_TRUE(bound.has_value()) << bound.error();
  for (int i = 0; i < 2; ++i) {
    const Result<void> launched = Launch(call);
    ASSERT_TRUE(launched.has_value()) << launched.error();
  }
  ASSERT_EQ(state.launches.size(), 2u);
  for (const LaunchConfig& launch : state.launches) {
    EXPECT_EQ(launch.stream, stream);
    EXPECT_EQ(launch.grid[0], state.launches[0].grid[0]);
  }
}

TEST_F(CudaCallTest, DoesNotLaunchBeforeItIsBound) {
  const CudaCall call(Spec(), runtime.get());
  EXPECT_FALSE(call.IsBound(0));
  EXPECT_EQ(Launch(call).error(), "device 0 was not initialised before it executes");
}

TEST_F(CudaCallTest, IsBoundToEachDeviceByItself) {
  CudaCall call(Spec(), runtime.get());
  ASSERT_TRUE(call.Bind(1, &comms[1]).has_value());
  EXPECT_FALSE(call.IsBound(0));
  EXPECT_TRUE(call.IsBound(1));
  EXPECT_FALSE(call.IsBound(-1));
  EXPECT_EQ(call.Bind(64, &comms[0]).error(), "XLA gave device ordinal 64, expected 0 to 63");
}

TEST_F(CudaCallTest, SharesWorkspaceAndKernelWithItsLikes) {
  CudaCall first(Spec(), runtime.get()), second(Spec(), runtime.get());
  ASSERT_TRUE(first.Bind(0, &comms[0]).has_value());
  const int gathers = state.gathers, modules = state.modules;
  ASSERT_TRUE(second.Bind(0, &comms[0]).has_value());
  EXPECT_EQ(state.gathers, gathers);
  EXPECT_EQ(state.modules, modules);
}

TEST_F(CudaCallTest, GetsALargerWorkspaceForALargerMessage) {
  CudaCall small(Spec(8), runtime.get()), large(Spec(64), runtime.get());
  ASSERT_TRUE(small.Bind(0, &comms[0]).has_value());
  const int gathers = state.gathers;
  ASSERT_TRUE(large.Bind(0, &comms[0]).has_value());
  EXPECT_GT(state.gathers, gathers);
}

TEST_F(CudaCallTest, IsCompiledAheadWhereThereIsAGpu) {
  CudaCall call(Spec(), runtime.get());
  call.CompileAhead();
  EXPECT_EQ(state.compilations, 1);
  EXPECT_EQ(state.error_record, nullptr);  // nothing was created on the GPU
  state.gpus = 0;
  CudaCall elsewhere(Spec(16), runtime.get());
  elsewhere.CompileAhead();
  EXPECT_EQ(state.compilations, 1);
}

TEST_F(CudaCallTest, RefusesACommunicatorOfAnotherSize) {
  state.ranks = 3;
  CudaCall call(Spec(8, 2), runtime.get());
  EXPECT_EQ(call.Bind(0, &comms[0]).error(), "XLA's communicator has 3 ranks, the call's groups have 2");
}

TEST_F(CudaCallTest, SaysThatACommunicatorIsTooLarge) {
  state.ranks = 17;
  CudaCall call(Spec(), runtime.get());
  EXPECT_EQ(call.Bind(0, &comms[0]).error(), "the group has 17 ranks, expected at most 16");
}

TEST_F(CudaCallTest, DoesNotWaitForABusyGpuForEver) {
  state.query = kErrorNotReady;
  CudaCall call(Spec(8, 2, 1), runtime.get());
  const std::string error = call.Bind(0, &comms[0]).error();
  EXPECT_NE(error.find("waited 1 ms in ncclAllGather"), std::string::npos) << error;
}

TEST_F(CudaCallTest, FailsEveryLaunchOnceAKernelGaveUp) {
  CudaCall call(Spec(), runtime.get());
  ASSERT_TRUE(call.Bind(0, &comms[0]).has_value());
  *state.error_record = 0b10;  // call 0, rank 1
  const std::string error = Launch(call).error();
  EXPECT_EQ(error.find("one-shot all-reduce 3 (channel 7): rank 0 of 2 waited 5000 ms for rank 1, then gave up"), 0u)
      << error;
  EXPECT_EQ(Launch(call).error(), error);
  EXPECT_EQ(CudaCall(Spec(), runtime.get()).Bind(0, &comms[0]).error(), error);
  EXPECT_TRUE(state.launches.empty());
}

}  // namespace
}  // namespace jax_oneshot::cuda
