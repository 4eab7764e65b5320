// SPDX-License-Identifier: Apache-2.0
// Ranks map each other's workspaces across devices, processes and hosts, or all get the same error, which says which
// ranks failed and what to do.
#include "ffi_kernels/cuda/comm/peer_memory.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "ffi_kernels/cuda/comm/fake_ranks.h"

namespace jax_oneshot::cuda {
namespace {

constexpr int64_t kBytes = 4096;

// A group of ranks that a test can change before it runs.
struct Group {
  explicit Group(int size) : all_gather(size) {
    for (int rank = 0; rank < size; ++rank) {
      devices.push_back(std::make_unique<FakeDevice>(rank));
      communicators.push_back(std::make_unique<FakeCommunicator>(&all_gather, rank));
      here.push_back({"host a", "process " + std::to_string(rank)});
    }
  }

  void Run() {
    results.resize(devices.size(), Err("did not run"));
    initialised.resize(devices.size());
    RunRanks(all_gather.size(), [this](int rank) {
      const auto r = static_cast<size_t>(rank);
      const WorkspaceRequest request = {kBytes, [this, r](DevicePointer address) -> Result<void> {
                                          initialised[r].push_back(address);
                                          return {};
                                        }};
      results[r] = SharePeerMemory(communicators[r].get(), devices[r].get(), here[r], request);
    });
  }

  // The error, which must be the same on all ranks.
  std::string Error() const {
    for (const Result<PeerMemory>& result : results) {
      if (result) return "no error";
      if (result.error() != results[0].error()) return "errors differ: " + result.error() + " / " + results[0].error();
    }
    return results[0].error();
  }

  FakeAllGather all_gather;
  std::vector<std::unique_ptr<FakeDevice>> devices;
  std::vector<std::unique_ptr<FakeCommunicator>> communicators;
  std::vector<Whereabouts> here;
  std::vector<Result<PeerMemory>> results;
  std::vector<std::vector<DevicePointer>> initialised;  // by rank: the addresses that were initialised
};

TEST(PeerMemory, IsTheAddressItselfWithinOneProcess) {
  Group group(3);
  for (Whereabouts& here : group.here) here.process = "process";
  group.Run();
  for (size_t rank = 0; rank < 3; ++rank) {
    ASSERT_TRUE(group.results[rank].has_value()) << group.results[rank].error();
    EXPECT_EQ(group.results[rank]->rank, static_cast<int>(rank));
    EXPECT_EQ(group.results[rank]->size, 3);
    EXPECT_EQ(group.results[rank]->workspaces, group.results[0]->workspaces);
    EXPECT_EQ(group.initialised[rank], std::vector<DevicePointer>{group.results[rank]->workspaces[rank]});
    EXPECT_EQ(group.devices[rank]->calls["EnablePeer"], 2);
    EXPECT_EQ(group.devices[rank]->calls["Import"], 0);
  }
}

TEST(PeerMemory, NeedsNoPeerAccessBetweenRanksOfOneDevice) {
  Group group(2);
  for (Whereabouts& here : group.here) here.process = "process";
  group.devices[1] = std::make_unique<FakeDevice>(0);
  group.Run();
  ASSERT_TRUE(group.results[0].has_value()) << group.results[0].error();
  EXPECT_EQ(group.devices[0]->calls["EnablePeer"], 0);
}

TEST(PeerMemory, IsImportedFromOtherProcessesOfTheHost) {
  Group group(2);
  group.Run();
  for (size_t rank = 0; rank < 2; ++rank) {
    ASSERT_TRUE(group.results[rank].has_value()) << group.results[rank].error();
    const size_t peer = 1 - rank;
    EXPECT_EQ(group.results[rank]->workspaces[peer], FakeImportOf(group.results[peer]->workspaces[peer]));
    EXPECT_EQ(group.devices[rank]->calls["EnablePeer"], 0);
  }
}

TEST(PeerMemory, NamesThisProcessByMoreThanItsIdWhichRepeatsBetweenContainers) {
  EXPECT_NE(OwnWhereabouts().process, "");
  EXPECT_NE(OwnWhereabouts().host, "");
  EXPECT_GE(OwnWhereabouts().process.size(), 20u);
}

TEST(PeerMemory, SaysOnEveryRankWhoIsOnAnotherHostAndHowToGoOnWithoutThePass) {
  Group group(3);
  group.here[2].host = "host b";
  group.Run();
  const std::string error = group.Error();
  EXPECT_NE(error.find("\n  rank 0 cannot reach rank 2: it is on another host"), std::string::npos) << error;
  EXPECT_NE(error.find("\n  rank 2 cannot reach rank 0: it is on another host; rank 1: it is on another host"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("Set JAX_ONESHOT=0"), std::string::npos) << error;
  EXPECT_NE(error.find("no symmetric windows (2.29 and newer have)"), std::string::npos) << error;
}

TEST(PeerMemory, SaysWhatTheDriverHasAgainstPeerAccess) {
  Group group(2);
  for (Whereabouts& here : group.here) here.process = "process";
  group.devices[1]->failures["EnablePeer"] = "the driver knows no direct path from device 1";
  group.Run();
  EXPECT_NE(group.Error().find("\n  rank 1 cannot reach rank 0: no peer access to device 0: the driver knows no direct "
                               "path from device 1\n"),
            std::string::npos)
      << group.Error();
}

TEST(PeerMemory, SaysThatMemoryCannotBeImportedOrExported) {
  Group importing(2);
  importing.devices[0]->failures["Import"] = "CUDA_ERROR_INVALID_CONTEXT";
  importing.Run();
  EXPECT_NE(importing.Error().find("rank 0 cannot reach rank 1: CUDA_ERROR_INVALID_CONTEXT"), std::string::npos);
  Group exporting(2);
  exporting.devices[0]->failures["Export"] = "no";
  exporting.Run();
  EXPECT_NE(exporting.Error().find("rank 1 cannot reach rank 0: its memory cannot be exported to other processes"),
            std::string::npos);
}

TEST(PeerMemory, FreesTheOthersWorkspacesWhereOneCannotBeMade) {
  Group group(2);
  group.devices[1]->failures["Allocate"] = "out of memory";
  group.Run();
  EXPECT_EQ(group.Error(),
            "the ranks could not set up what they share:\n  rank 1: cannot have a workspace of 4096 bytes: out of "
            "memory");
  EXPECT_TRUE(group.devices[0]->live.empty());
}

TEST(PeerMemory, RefusesAGroupOfUnlikeGpus) {
  Group group(3);
  group.devices[2]->identity.kind = "sm_100";
  group.Run();
  EXPECT_EQ(
      group.Error(),
      "the ranks could not set up what they share:\n  rank 2: its GPU is another than rank 0's: sm_100 instead of "
      "sm_90");
}

TEST(PeerMemory, CountsTheRanksThatShareAGpu) {
  Group apart(3);
  apart.Run();
  EXPECT_EQ(apart.results[0]->ranks_on_device, 1);
  Group together(3);
  together.devices[2]->identity.bus_id = "bus 0";
  together.Run();
  for (const auto& result : together.results) EXPECT_EQ(result->ranks_on_device, 2);
}

TEST(PeerMemory, GoesThroughTheWindowWhereRanksAreOnSeveralHosts) {
  Group group(2);
  group.here[1].host = "host b";
  for (auto& communicator : group.communicators) communicator->windows = true;
  group.Run();
  for (size_t rank = 0; rank < 2; ++rank) {
    ASSERT_TRUE(group.results[rank].has_value()) << group.results[rank].error();
    EXPECT_EQ(group.results[rank]->workspaces, (std::vector<DevicePointer>{1000, 1001}));
    EXPECT_EQ(group.results[rank]->multicast, 2000u);
    EXPECT_EQ(group.initialised[rank].back(), 1000 + rank);
  }
}

TEST(PeerMemory, DoesNotTryTheWindowUnlessEveryRankHasOne) {
  Group group(2);
  group.here[1].host = "host b";
  group.communicators[0]->windows = true;
  group.Run();
  EXPECT_NE(group.Error().find("no symmetric windows"), std::string::npos) << group.Error();
}

TEST(PeerMemory, SaysWhomTheWindowDoesNotReachEither) {
  Group group(2);
  group.here[1].host = "host b";
  for (auto& communicator : group.communicators) communicator->windows = true;
  group.communicators[0]->out_of_window = {1};
  group.communicators[1]->window_failure = "it is full";
  group.Run();
  const std::string error = group.Error();
  EXPECT_NE(error.find("nor through NCCL's symmetric window:\n  rank 0 cannot reach rank 1\n  rank 1 cannot reach its "
                       "own window: it is full\nSet JAX_ONESHOT=0"),
            std::string::npos)
      << error;
}

}  // namespace
}  // namespace jax_oneshot::cuda
