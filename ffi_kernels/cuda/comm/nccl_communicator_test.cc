// SPDX-License-Identifier: Apache-2.0
// How a communicator handles NCCL's results, with a function table in place of the library.
#include "ffi_kernels/cuda/comm/nccl_communicator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "ffi_kernels/cuda/comm/fake_ranks.h"

namespace jax_oneshot::cuda {
namespace {

using std::chrono::milliseconds;

// A communicator as the table below sees it: one rank of three, whose peers send this rank's message with an increment.
struct FakeComm {
  int in_progress = 0;        // how often it is polled before a call is done
  NcclResult state = 0;       // its result then
  NcclResult all_gather = 0;  // what ncclAllGather returns
  bool has_window = true;
  char memory[64] = {};
};

FakeComm& Of(NcclComm comm) { return *static_cast<FakeComm*>(comm); }

NcclApi FakeApi() {
  NcclApi api;
  api.path = "/lib/libnccl.so.2";
  api.version = 23007;
  api.error_string = [](NcclResult result) { return result == 5 ? "invalid usage" : "internal error"; };
  api.comm_user_rank = [](NcclComm, int* rank) { return *rank = 1, kNcclSuccess; };
  api.comm_count = [](NcclComm, int* size) { return *size = 3, kNcclSuccess; };
  api.comm_async_error = [](NcclComm comm, NcclResult* state) {
    *state = Of(comm).in_progress-- > 0 ? kNcclInProgress : Of(comm).state;
    return kNcclSuccess;
  };
  api.all_gather = [](const void* send, void* receive, size_t count, int type, NcclComm comm, void*) {
    EXPECT_EQ(type, kNcclUint8);
    for (size_t rank = 0; rank < 3; ++rank) {
      char* to = static_cast<char*>(receive) + rank * count;
      for (size_t i = 0; i < count; ++i) to[i] = static_cast<char>(static_cast<const char*>(send)[i] + rank);
    }
    return Of(comm).all_gather;
  };
  return api;
}

NcclApi FakeApiWithWindows() {
  NcclApi api = FakeApi();
  static FakeComm memory;
  api.mem_alloc = [](void** pointer, size_t) { return *pointer = memory.memory, kNcclSuccess; };
  api.comm_window_register = [](NcclComm comm, void* pointer, size_t, NcclWindow* window, int flags) {
    EXPECT_EQ(flags, kNcclWindowSymmetric);
    *window = Of(comm).has_window ? pointer : nullptr;
    return kNcclSuccess;
  };
  api.peer_device_pointer = [](NcclWindow, size_t, int peer, void** pointer) {
    *pointer = peer == 2 ? nullptr : memory.memory + 8 + peer;
    return kNcclSuccess;
  };
  return api;
}

struct Rank {
  explicit Rank(NcclApi table, milliseconds timeout = milliseconds(60000)) : api(std::move(table)), timeout(timeout) {}

  std::unique_ptr<NcclCommunicator> Make() { return *NcclCommunicator::Create(api, &comm, &device, timeout); }

  NcclApi api;
  milliseconds timeout;
  FakeComm comm;
  FakeDevice device{0};
};

TEST(NcclCommunicator, KnowsItsRankAndSize) {
  Rank rank(FakeApi());
  const auto communicator = rank.Make();
  EXPECT_EQ(communicator->rank(), 1);
  EXPECT_EQ(communicator->size(), 3);
  EXPECT_FALSE(communicator->has_windows());
}

TEST(NcclCommunicator, GathersBytesInRankOrder) {
  Rank rank(FakeApi());
  const auto communicator = rank.Make();
  const auto all = communicator->AllGather("abc");
  ASSERT_TRUE(all.has_value()) << all.error();
  EXPECT_EQ(*all, (std::vector<std::string>{"abc", "bcd", "cde"}));
}

TEST(NcclCommunicator, KeepsOneBufferForAllExchanges) {
  Rank rank(FakeApi());
  const auto communicator = rank.Make();
  EXPECT_TRUE(communicator->AllGather("a longer text").has_value());
  EXPECT_TRUE(communicator->AllGather("short").has_value());
  EXPECT_EQ(rank.device.calls["Allocate"], 1);
}

TEST(NcclCommunicator, WaitsForACommunicatorThatDoesNotBlock) {
  Rank rank(FakeApi());
  const auto communicator = rank.Make();
  rank.comm.all_gather = kNcclInProgress;
  rank.comm.in_progress = 3;
  EXPECT_TRUE(communicator->AllGather("a").has_value());
}

TEST(NcclCommunicator, SaysWhichCallFailedInWhichLibrary) {
  Rank rank(FakeApi());
  const auto communicator = rank.Make();
  rank.comm.all_gather = 5;
  EXPECT_EQ(communicator->AllGather("a").error(),
            "ncclAllGather failed: invalid usage; NCCL 2.30.7 (/lib/libnccl.so.2). NCCL_DEBUG=WARN makes it say more");
}

TEST(NcclCommunicator, EndsItsWaitWithTheErrorThatNcclNoticesLater) {
  Rank rank(FakeApi());
  const auto communicator = rank.Make();
  rank.comm.state = 3;
  EXPECT_EQ(communicator->AllGather("a").error(), "ncclAllGather failed: internal error");
}

TEST(NcclCommunicator, EndsItsWaitAtTheDeadline) {
  Rank rank(FakeApi(), milliseconds(1));
  const auto communicator = rank.Make();
  rank.comm.all_gather = kNcclInProgress;
  rank.comm.in_progress = 1 << 30;
  const std::string error = communicator->AllGather("a").error();
  EXPECT_EQ(error.find("rank 1 of 3 waited 1 ms in ncclAllGather for all ranks to set up the one-shot calls"), 0u)
      << error;
  EXPECT_NE(error.find("JAX_ONESHOT_TIMEOUT_S"), std::string::npos);
}

TEST(NcclCommunicator, PassesOnWhatTheDeviceRefuses) {
  Rank rank(FakeApi());
  const auto communicator = rank.Make();
  rank.device.failures["Allocate"] = "out of memory";
  EXPECT_EQ(communicator->AllGather("a").error(), "out of memory");
}

TEST(NcclCommunicator, MakesAWindowAndFindsWhoIsInIt) {
  Rank rank(FakeApiWithWindows());
  const auto communicator = rank.Make();
  ASSERT_TRUE(communicator->has_windows());
  const auto window = communicator->MakeWindow(16);
  ASSERT_TRUE(window.has_value()) << window.error();
  EXPECT_EQ(window->workspaces, (std::vector<DevicePointer>{window->own + 8, window->own, 0}));
  EXPECT_EQ(window->multicast, 0u);
}

TEST(NcclCommunicator, SaysThatAMachineHasNoSymmetricMemory) {
  Rank rank(FakeApiWithWindows());
  const auto communicator = rank.Make();
  rank.comm.has_window = false;
  EXPECT_NE(communicator->MakeWindow(16).error().find("no symmetric memory"), std::string::npos);
}

}  // namespace
}  // namespace jax_oneshot::cuda
