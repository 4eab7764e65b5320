// SPDX-License-Identifier: Apache-2.0
// Chains on GPUs that only record calls: what is launched where and in which order, and how times are computed.
#include "ffi_kernels/cuda/bench/chain.h"

#include <gtest/gtest.h>

#include "ffi_kernels/cuda/bench/placement.h"
#include "ffi_kernels/cuda/driver/fake_driver.h"

namespace jax_oneshot::cuda::bench {
namespace {

constexpr int kRanks = 2;

testing::AssertionResult Says(const std::string& error, const std::string& part) {
  if (error.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << error << " does not say " << part;
}

// Two GPUs of 9 multiprocessors, each with room for one block of a kernel.
CudaDriver SmallGpus() {
  const CudaDriver driver = FakeDriver(2);
  fake_gpus.multiprocessors = 9;
  fake_gpus.resident_blocks = 1;
  fake_gpus.recorded_arguments = {{"OneshotBenchGate", {0, 3}}, {"OneshotBenchStamp", {0}}};  // the addresses
  return driver;
}

struct Bench {
  explicit Bench(Placement placement) : gpus(*OpenGpus(SmallGpus(), placement)) {}

  Result<Chain> Record(int links, const LaunchOnRank& launch) const {
    return Chain::Record(clock, kRanks, links, OnEveryRank(*gpus, kRanks, launch));
  }
  LaunchOnRank Empty() const {
    return [this](int rank, int, Stream stream) { return kernels.of(rank).LaunchEmpty(stream, Start::kInOrder); };
  }
  // A kernel that is not one of the benchmark's own, so it may wait for other ranks.
  LaunchOnRank Waiting(unsigned blocks) const {
    return [this, blocks](int rank, int, Stream stream) -> Result<void> {
      const Function function = *gpus->of(rank).FindFunction(*gpus->of(rank).LoadModule(""), "waits");
      const LaunchConfig config = {{blocks, 1, 1}, {1, 1, 1}, 0, stream, nullptr, 0};
      ONESHOT_CUDA_RETURN_IF_ERROR(gpus->driver(), cuLaunchKernelEx(&config, function, nullptr, nullptr));
      return {};
    };
  }

  std::unique_ptr<RankGpus> gpus;
  RankKernels kernels = *RankKernels::Load(*gpus, "");
  Clock clock = *Clock::Make(*gpus, kernels);
};

// Stores times where gates and stamps would, by rank.
void SetTimes(const Bench& bench, const std::vector<std::pair<uint64_t, uint64_t>>& times) {
  for (const FakeLaunch& launch : fake_gpus.launches) {
    for (size_t rank = 0; rank < times.size(); ++rank) {
      if (launch.stream != bench.gpus->stream(static_cast<int>(rank))) continue;
      const bool gate = launch.kernel == "OneshotBenchGate";
      if (!gate && launch.kernel != "OneshotBenchStamp") continue;
      *reinterpret_cast<uint64_t*>(launch.arguments.back()) = gate ? times[rank].first : times[rank].second;
    }
  }
}

class Chains : public testing::TestWithParam<Placement> {
 protected:
  void TearDown() override { EXPECT_EQ(fake_gpus.violations, std::vector<std::string>()); }
};

TEST_P(Chains, EveryRankHasAGateThenItsLinksThenAStamp) {
  const Bench bench(GetParam());
  const Result<Chain> chain = bench.Record(2, bench.Empty());
  ASSERT_TRUE(chain) << chain.error();
  for (int rank = 0; rank < kRanks; ++rank) {
    const std::vector<std::string> expected = {"OneshotBenchGate", "OneshotBenchEmpty", "OneshotBenchEmpty",
                                               "OneshotBenchStamp"};
    EXPECT_EQ(fake_gpus.KernelsOn(bench.gpus->stream(rank)), expected);
  }
}

TEST_P(Chains, TheirTimeIsTheSlowestRanksDividedByTheLinks) {
  const Bench bench(GetParam());
  const Result<Chain> chain = bench.Record(4, bench.Empty());
  ASSERT_TRUE(chain) << chain.error();
  SetTimes(bench, {{1000, 1400}, {1'000'100, 1'000'900}});  // clocks of different ranks are not compared
  EXPECT_EQ(chain->Run(), 200.0);
  EXPECT_EQ(fake_gpus.graphs_launched, 2);
}

TEST_P(Chains, AllRanksArriveAtOneGateAndKeepTimeOnTheirOwnGpu) {
  const Bench bench(GetParam());
  const Result<Chain> chain = bench.Record(1, bench.Empty());
  ASSERT_TRUE(chain) << chain.error();
  std::set<uint64_t> arrivals;
  std::set<uint64_t> stamps;
  for (const FakeLaunch& launch : fake_gpus.launches) {
    if (launch.kernel == "OneshotBenchGate") arrivals.insert(launch.arguments.front());
    if (!launch.arguments.empty()) stamps.insert(launch.arguments.back());
    EXPECT_EQ(launch.gpu, GetParam() == Placement::kOneGpu || launch.stream == bench.gpus->stream(0) ? 0 : 1);
  }
  EXPECT_EQ(arrivals.size(), 1U);
  EXPECT_EQ(fake_gpus.owners.at(*arrivals.begin()), 0);
  EXPECT_EQ(stamps.size(), 2U * kRanks);
}

TEST_P(Chains, LetGoOfTheirGraphs) {
  const Bench bench(GetParam());
  { ASSERT_TRUE(bench.Record(1, bench.Empty())); }
  EXPECT_EQ(fake_gpus.graphs_alive, 0);
}

TEST_P(Chains, ALaunchThatFailsIsTheErrorAndEndsAllCaptures) {
  const Bench bench(GetParam());
  const Result<Chain> chain = bench.Record(
      1, [](int rank, int, Stream) -> Result<void> { return Err("rank " + std::to_string(rank) + " failed"); });
  ASSERT_FALSE(chain);
  EXPECT_EQ(chain.error(), "rank 0 failed");
  EXPECT_EQ(fake_gpus.graphs_alive, 0);
  EXPECT_TRUE(bench.Record(1, bench.Empty()));
}

TEST_P(Chains, ARankThatCameTooLateIsAnError) {
  const Bench bench(GetParam());
  const Result<Chain> chain = bench.Record(1, bench.Empty());
  ASSERT_TRUE(chain) << chain.error();
  SetTimes(bench, {{0, kKernelDeadlineNs}, {0, 1}});
  const Result<double> ran = chain->Run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error(), "a rank did not start within 5 s of the others");
}

INSTANTIATE_TEST_SUITE_P(Placements, Chains, testing::Values(Placement::kOneGpu, Placement::kGpuEach),
                         [](const auto& info) { return info.param == Placement::kOneGpu ? "OneGpu" : "GpuEach"; });

TEST(CoResidentChains, RanksThatJustFitOnOneGpuAreRecordedAndOneBlockMoreIsRefused) {
  const Bench bench(Placement::kOneGpu);
  EXPECT_TRUE(bench.Record(1, bench.Waiting(4)));
  const Result<Chain> chain = bench.Record(1, bench.Waiting(5));
  ASSERT_FALSE(chain);
  EXPECT_TRUE(Says(chain.error(), "the blocks of 2 ranks need 112 % of this one device"));
}

TEST(CoResidentChains, RanksOnGpusOfTheirOwnHaveEachAllOfIt) {
  const Bench bench(Placement::kGpuEach);
  EXPECT_TRUE(bench.Record(1, bench.Waiting(9)));
  const Result<Chain> chain = bench.Record(1, bench.Waiting(10));
  ASSERT_FALSE(chain);
  EXPECT_TRUE(Says(chain.error(), "the blocks of one rank need 112 % of this one device"));
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
