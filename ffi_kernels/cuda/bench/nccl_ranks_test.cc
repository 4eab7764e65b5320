// SPDX-License-Identifier: Apache-2.0
// NCCL's ranks, with a library that records calls: which GPUs they are on, and that all ranks' calls form one group.
#include "ffi_kernels/cuda/bench/nccl_ranks.h"

#include <gtest/gtest.h>

#include "ffi_kernels/cuda/bench/placement.h"
#include "ffi_kernels/cuda/driver/fake_driver.h"

namespace jax_oneshot::cuda::bench {
namespace {

std::vector<std::string> notes;
int all_reduce_result = 0;

NcclLibrary FakeNccl() {
  notes = {};
  all_reduce_result = 0;
  NcclLibrary library;
  library.version = "2.30.7";
  library.error_string = [](int) { return "unhandled cuda error"; };
  library.comm_init_all = [](void** comms, int count, const int* devices) {
    for (int i = 0; i < count; ++i) {
      notes.push_back("rank " + std::to_string(i) + " on " + std::to_string(devices[i]));
      comms[i] = reinterpret_cast<void*>(intptr_t{i} + 1);
    }
    return 0;
  };
  library.group_start = [] {
    notes.push_back("start");
    return 0;
  };
  library.group_end = [] {
    notes.push_back("end");
    return 0;
  };
  library.all_reduce = [](const void*, void*, size_t count, int type, int op, void* comm, void* stream) {
    EXPECT_EQ(type, 9);  // bf16
    EXPECT_EQ(op, 0);    // sum
    EXPECT_EQ(fake_gpus.owners.at(reinterpret_cast<uint64_t>(stream)), fake_gpus.current);
    notes.push_back("reduce " + std::to_string(count) + " by " + std::to_string(reinterpret_cast<intptr_t>(comm) - 1) +
                    " on " + std::to_string(fake_gpus.current));
    return all_reduce_result;
  };
  return library;
}

using Notes = std::vector<std::string>;

TEST(NcclRanks, AllReduceOnEveryRanksOwnGpuInOneGroup) {
  const auto gpus = *OpenGpus(FakeDriver(2), Placement::kGpuEach);
  const auto ranks = *NcclRanks::Make(FakeNccl(), *gpus, 2);
  EXPECT_EQ(notes, (Notes{"rank 0 on 0", "rank 1 on 1"}));
  notes = {};
  EXPECT_TRUE(ranks->AllReduce({{1, 2}, {3, 4}}, 64));
  EXPECT_EQ(notes, (Notes{"start", "reduce 64 by 0 on 0", "reduce 64 by 1 on 1", "end"}));
}

TEST(NcclRanks, EndTheirGroupAfterAnError) {
  const auto gpus = *OpenGpus(FakeDriver(2), Placement::kGpuEach);
  const auto ranks = *NcclRanks::Make(FakeNccl(), *gpus, 2);
  all_reduce_result = 1;
  const Result<void> reduced = ranks->AllReduce({{1, 2}, {3, 4}}, 64);
  ASSERT_FALSE(reduced);
  EXPECT_EQ(reduced.error(),
            "ncclAllReduce failed: unhandled cuda error; NCCL 2.30.7; NCCL_DEBUG=WARN makes it say more");
  EXPECT_EQ(notes.back(), "end");
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
