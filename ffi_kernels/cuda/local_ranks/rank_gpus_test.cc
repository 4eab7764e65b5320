// SPDX-License-Identifier: Apache-2.0
// The ranks' GPUs: which rank is where, which GPU can access which memory, and the errors if access is impossible.
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

#include <gtest/gtest.h>

#include "ffi_kernels/cuda/driver/fake_driver.h"

namespace jax_oneshot::cuda {
namespace {

std::unique_ptr<RankGpus> Opened(int gpus, int most_ranks) {
  Result<std::unique_ptr<RankGpus>> opened = RankGpus::Open(FakeDriver(gpus), gpus, most_ranks);
  EXPECT_TRUE(opened) << opened.error();
  return *std::move(opened);
}

std::string Refusal(const CudaDriver& driver, int gpus) {
  const Result<std::unique_ptr<RankGpus>> opened = RankGpus::Open(driver, gpus, gpus);
  return opened ? "opened" : opened.error();
}

TEST(RankGpus, OnOneGpuAllRanksShareItWithAStreamEach) {
  const auto gpus = Opened(1, 8);
  EXPECT_EQ(gpus->ranks_per_gpu(4), 4);
  EXPECT_EQ(&gpus->of(0), &gpus->of(7));
  EXPECT_NE(gpus->stream(0), gpus->stream(7));
  EXPECT_TRUE(fake_gpus.peers.empty());
}

TEST(RankGpus, EachRankHasTheGpuOfItsNumberAndAccessToAllOthers) {
  const auto gpus = Opened(3, 3);
  EXPECT_EQ(gpus->ranks_per_gpu(3), 1);
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(gpus->of(rank).ordinal(), rank);
    EXPECT_EQ(fake_gpus.owners.at(reinterpret_cast<uint64_t>(gpus->stream(rank))), rank);
  }
  const std::set<std::pair<int, int>> all = {{0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}};
  EXPECT_EQ(fake_gpus.peers, all);
}

TEST(RankGpus, MoreRanksThanGpusAreDealtOut) {
  const auto gpus = Opened(2, 5);
  EXPECT_EQ(gpus->ranks_per_gpu(5), 3);
  std::set<Stream> streams;
  for (int rank = 0; rank < 5; ++rank) {
    EXPECT_EQ(gpus->of(rank).ordinal(), rank % 2);
    EXPECT_EQ(fake_gpus.owners.at(reinterpret_cast<uint64_t>(gpus->stream(rank))), rank % 2);
    streams.insert(gpus->stream(rank));
  }
  EXPECT_EQ(streams.size(), 5U);
}

TEST(RankGpus, AccessThatIsEnabledAlreadyIsFine) {
  const CudaDriver driver = FakeDriver(2);
  fake_gpus.peer_status = 704;
  EXPECT_EQ(Refusal(driver, 2), "opened");
  fake_gpus.peer_status = 711;
  EXPECT_NE(Refusal(driver, 2).find("cuCtxEnablePeerAccess failed"), std::string::npos);
}

TEST(RankGpus, GpusWithoutAccessAreNamed) {
  const CudaDriver driver = FakeDriver(3);
  fake_gpus.no_access = {{2, 1}};
  EXPECT_EQ(Refusal(driver, 3).substr(0, 85),
            "GPU 2 (NVIDIA Fake) has no access to the memory of GPU 1 (NVIDIA Fake), and each rank");
}

TEST(RankGpus, GpusOfDifferentModelsAreNamed) {
  const CudaDriver driver = FakeDriver(2);
  fake_gpus.models = {"NVIDIA H100", "NVIDIA H200"};
  EXPECT_EQ(Refusal(driver, 2),
            "GPU 0 is NVIDIA H100 (sm_90, 132 multiprocessors), GPU 1 is NVIDIA H200 (sm_90, 132 multiprocessors); one "
            "kernel serves all ranks, choose GPUs of one model with CUDA_VISIBLE_DEVICES");
}

TEST(RankGpus, MoreGpusThanThereAreIsAnErrorThatSaysWhereToLook) {
  EXPECT_EQ(Refusal(FakeDriver(2), 3),
            "ranks on 3 GPUs were asked for, and the driver offers 2; is CUDA_VISIBLE_DEVICES set?");
  EXPECT_EQ(Refusal(FakeDriver(2), 0),
            "ranks on 0 GPUs were asked for, and the driver offers 2; is CUDA_VISIBLE_DEVICES set?");
}

TEST(RankGpus, ABusyGpuIsGivenUpAfterTheDeadline) {
  const auto gpus = Opened(2, 2);
  fake_gpus.stream_status = kErrorNotReady;
  const Result<void> waited = gpus->Wait(0.001);
  ASSERT_FALSE(waited);
  EXPECT_NE(waited.error().find("GPU 0 was still busy after 0 s: a kernel waits for a rank that does not come"),
            std::string::npos);
}

TEST(RankGpus, MemoryAndStreamsAreGivenBackInTheirOwnContext) {
  {
    const auto gpus = Opened(2, 2);
    Result<Memory> first = gpus->of(0).Allocate(64);
    Result<Memory> second = gpus->of(1).Allocate(64);
    *first = *std::move(second);
    EXPECT_EQ(fake_gpus.memories_alive, 2);
  }
  EXPECT_EQ(fake_gpus.memories_alive, 0);
  EXPECT_EQ(fake_gpus.streams_alive, 0);
  EXPECT_EQ(fake_gpus.violations, std::vector<std::string>());
}

}  // namespace
}  // namespace jax_oneshot::cuda
