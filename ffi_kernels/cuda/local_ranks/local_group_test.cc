// SPDX-License-Identifier: Apache-2.0
// Where a group's workspaces are, what a rank's call is told of them, and what is returned at the end.
#include "ffi_kernels/cuda/local_ranks/local_group.h"

#include <gtest/gtest.h>

#include "ffi_kernels/cuda/driver/fake_driver.h"

namespace jax_oneshot::cuda {
namespace {

Result<std::unique_ptr<LocalGroup>> MakeGroup(const CudaDriver& driver, int gpus, int ranks) {
  Result<std::unique_ptr<RankGpus>> opened = RankGpus::Open(driver, gpus, ranks);
  if (!opened) return Err(opened.error());
  return LocalGroup::Make(*std::move(opened), ranks, 4096);
}

TEST(LocalGroup, TellsEachRankWhereAllWorkspacesAre) {
  const auto group = *MakeGroup(FakeDriver(2), 2, 4);
  group->set_timeout(std::chrono::milliseconds(3));
  for (int rank = 0; rank < 4; ++rank) {
    const KernelArguments arguments = group->Arguments(rank);
    EXPECT_EQ(arguments.peers.rank, rank);
    EXPECT_EQ(arguments.peers.size, 4);
    EXPECT_EQ(arguments.capacity_bytes, 4096);
    EXPECT_EQ(arguments.timeout_ns, 3'000'000U);
    EXPECT_NE(arguments.error_record, 0U);
    for (size_t peer = 0; peer < 4; ++peer) {
      EXPECT_EQ(fake_gpus.owners.at(arguments.peers.workspace[peer]), static_cast<int>(peer) % 2);
    }
  }
}

TEST(LocalGroup, ReturnsWhatItTookAndClosesTheGpus) {
  { const auto group = *MakeGroup(FakeDriver(2), 2, 3); }
  EXPECT_EQ(fake_gpus.memories_alive, 0);
  EXPECT_EQ(fake_gpus.streams_alive, 0);
  EXPECT_EQ(fake_gpus.violations, std::vector<std::string>());
}

TEST(LocalGroup, NamesTheRanksThatAKernelWaitedFor) {
  const auto group = *MakeGroup(FakeDriver(1), 1, 4);
  EXPECT_TRUE(group->Synchronise(1));
  EXPECT_FALSE(group->Missing());
  // The fake driver maps host memory at its own address.
  *reinterpret_cast<uint64_t*>(group->Arguments(0).error_record) = uint64_t{7} << 32 | 0b0110;
  ASSERT_TRUE(group->Missing());
  EXPECT_EQ(group->Missing()->ranks, (std::vector<int>{1, 2}));
  EXPECT_EQ(group->Synchronise(1).error(), "call 7: gave up waiting for rank 1, 2");
}

TEST(LocalGroup, KernelsThatDoNotEndAreAnErrorAtTheDeadline) {
  const auto group = *MakeGroup(FakeDriver(1), 1, 2);
  fake_gpus.stream_status = kErrorNotReady;
  const Result<void> waited = group->Synchronise(0.001);
  ASSERT_FALSE(waited);
  EXPECT_NE(waited.error().find("GPU 0 was still busy"), std::string::npos);
}

}  // namespace
}  // namespace jax_oneshot::cuda
