// SPDX-License-Identifier: Apache-2.0
// The methods, on GPUs that only record calls: each is recorded and run as on real ones, and no driver call is made
// with another GPU's context current.
#include "ffi_kernels/cuda/bench/methods.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "ffi_kernels/cuda/bench/placement.h"
#include "ffi_kernels/cuda/driver/fake_driver.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"

namespace jax_oneshot::cuda::bench {
namespace {

// A compiler whose cubins are four bytes.
Nvrtc FakeNvrtc() {
  Nvrtc nvrtc;
  nvrtc.nvrtcVersion = [](int* major, int* minor) { return *major = *minor = 0; };
  nvrtc.nvrtcCreateProgram = [](NvrtcProgram*, const char*, const char*, int, const char* const*, const char* const*) {
    return 0;
  };
  nvrtc.nvrtcDestroyProgram = [](NvrtcProgram*) { return 0; };
  nvrtc.nvrtcCompileProgram = [](NvrtcProgram, int, const char* const*) { return 0; };
  nvrtc.nvrtcGetProgramLogSize = [](NvrtcProgram, size_t* size) { return static_cast<int>(*size = 0); };
  nvrtc.nvrtcGetCUBINSize = [](NvrtcProgram, size_t* size) {
    *size = 4;
    return 0;
  };
  nvrtc.nvrtcGetCUBIN = [](NvrtcProgram, char* cubin) {
    std::memset(cubin, 0, 4);
    return 0;
  };
  return nvrtc;
}

NcclLibrary FakeNccl() {
  NcclLibrary library;
  library.comm_init_all = [](void**, int, const int*) { return 0; };
  library.group_start = [] { return 0; };
  library.group_end = [] { return 0; };
  library.all_reduce = [](const void*, void*, size_t, int, int, void*, void* stream) {
    fake_gpus.launches.push_back({fake_gpus.current, static_cast<Stream>(stream), nullptr, "nccl", 1, false, {}});
    return 0;
  };
  return library;
}

struct Bench {
  explicit Bench(Placement placement, const Shape& shape)
      : gpus(*OpenGpus(FakeDriver(4), placement)),
        problem(*Problem::Make(*gpus, shape)),
        ranks(*OneShotRanks::Make(gpus, cache, shape)) {}

  std::vector<Method> Make(const MaybeNccl& nccl) const {
    return MakeMethods({gpus.get(), &kernels, &competitors, nccl}, ranks, problem);
  }
  // The kernels of one call, by rank; "!" after those that start early.
  std::vector<std::string> Launched(const Method& method) const {
    fake_gpus.launches = {};
    EXPECT_TRUE((*method.launch)(0));
    std::vector<std::string> by_rank(static_cast<size_t>(problem.shape().ranks));
    for (const FakeLaunch& launch : fake_gpus.launches) {
      for (int rank = 0; rank < problem.shape().ranks; ++rank) {
        if (launch.stream != gpus->stream(rank)) continue;
        std::string& text = by_rank[static_cast<size_t>(rank)];
        text += (text.empty() ? "" : ", ") + launch.kernel + (launch.early ? "!" : "");
      }
    }
    return by_rank;
  }

  std::shared_ptr<const RankGpus> gpus;
  RankKernels kernels = *RankKernels::Load(*gpus, "");
  Clock clock = *Clock::Make(*gpus, kernels);
  std::vector<CompetitorLibrary> competitors;
  KernelCache cache = KernelCache(FakeNvrtc(), "");
  Problem problem;
  std::shared_ptr<const OneShotRanks> ranks;
};

class MethodsOn : public testing::TestWithParam<Placement> {};

TEST_P(MethodsOn, EachRanksGpuAreRecordedAndRun) {
  {
    const Bench bench(GetParam(), {4, 2, 256});
    for (const Method& method : bench.Make(Err("no NCCL"))) {
      if (method.origin == Origin::kNccl) continue;
      ASSERT_TRUE(method.launch) << method.name << ": " << method.launch.error();
      const Result<Chain> chain = Chain::Record(bench.clock, 4, 3, *method.launch);
      ASSERT_TRUE(chain) << method.name << ": " << chain.error();
      EXPECT_TRUE(bench.problem.ForgetResults());
      EXPECT_TRUE(chain->Run());
      EXPECT_TRUE(bench.problem.Results(3, method.leaves));
    }
    EXPECT_EQ(fake_gpus.host_flags, kHostAllocPortable | kHostAllocDeviceMap);
  }
  EXPECT_EQ(fake_gpus.violations, std::vector<std::string>());
  EXPECT_EQ(fake_gpus.memories_alive, 0);
  EXPECT_EQ(fake_gpus.graphs_alive, 0);
  EXPECT_EQ(fake_gpus.streams_alive, 0);
}

INSTANTIATE_TEST_SUITE_P(Placements, MethodsOn, testing::Values(Placement::kOneGpu, Placement::kGpuEach),
                         [](const auto& info) { return info.param == Placement::kOneGpu ? "OneGpu" : "GpuEach"; });

std::map<std::string, Method> ByName(std::vector<Method> methods) {
  std::map<std::string, Method> by_name;
  for (Method& method : methods) by_name.emplace(method.name, std::move(method));
  return by_name;
}

TEST(Methods, OnlyThoseNamedPdlStartTheBenchmarksKernelsEarly) {
  const Bench bench(Placement::kGpuEach, {2, 2, 256});
  const auto methods = ByName(bench.Make(Err("no NCCL")));
  const auto both = [](const std::string& kernels) { return std::vector<std::string>(2, kernels); };
  EXPECT_EQ(bench.Launched(methods.at("two_kernels")), both("oneshot_all_reduce_bf16_2x256_tp2!, OneshotBenchAddNorm"));
  EXPECT_EQ(bench.Launched(methods.at("two_kernels_pdl")),
            both("oneshot_all_reduce_bf16_2x256_tp2!, OneshotBenchAddNorm!"));
  EXPECT_EQ(bench.Launched(methods.at("push_poll")), both("OneshotBenchPushPoll"));
  EXPECT_EQ(bench.Launched(methods.at("push_poll_pdl")), both("OneshotBenchPushPoll!"));
  EXPECT_EQ(bench.Launched(methods.at("empty")), both("OneshotBenchEmpty"));
  EXPECT_EQ(bench.Launched(methods.at("empty_pdl")), both("OneshotBenchEmpty!"));
}

TEST(Methods, WithAGpuEachNcclTakesTheOneShotsPlace) {
  const Bench bench(Placement::kGpuEach, {2, 2, 256});
  const MaybeNccl nccl = NcclRanks::Make(FakeNccl(), *bench.gpus, 2);
  ASSERT_TRUE(WarmUp(**nccl, *bench.gpus, bench.problem));
  const auto methods = ByName(bench.Make(nccl));
  const auto both = [](const std::string& kernels) { return std::vector<std::string>(2, kernels); };
  EXPECT_EQ(bench.Launched(methods.at("nccl")), both("nccl"));
  EXPECT_EQ(bench.Launched(methods.at("nccl_two_kernels")), both("nccl, OneshotBenchAddNorm"));
  EXPECT_EQ(bench.Launched(methods.at("nccl_three_kernels")), both("nccl, OneshotBenchAdd, OneshotBenchNorm"));
  EXPECT_EQ(fake_gpus.violations, std::vector<std::string>());
}

TEST(Methods, WithoutNcclItsMethodsSayWhy) {
  const Bench bench(Placement::kGpuEach, {2, 2, 256});
  const auto methods = ByName(bench.Make(Err("libnccl is not here")));
  for (const char* name : {"nccl", "nccl_two_kernels", "nccl_three_kernels"}) {
    EXPECT_EQ(methods.at(name).launch.error(), "libnccl is not here");
  }
  const Bench one(Placement::kOneGpu, {2, 2, 256});
  EXPECT_EQ(ByName(one.Make(Err(""))).count("nccl"), 0U);
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
