// SPDX-License-Identifier: Apache-2.0
// One workspace per communicator, which grows and never shrinks; communicators do not wait for each other.
#include "ffi_kernels/cuda/comm/workspaces.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace jax_oneshot::cuda {
namespace {

const int kComms[2] = {};

// Makes workspaces and records their capacities.
struct Maker {
  std::vector<int64_t> made;
  Workspaces::Make Make() {
    return [this](int64_t capacity) -> Result<PeerMemory> {
      made.push_back(capacity);
      return PeerMemory{0, 2, {made.size(), 0}, 0};
    };
  }
};

TEST(Workspaces, AreSharedByTheCallsOfACommunicator) {
  Workspaces workspaces;
  Maker maker;
  const auto first = workspaces.Get(&kComms[0], 100, maker.Make());
  const auto second = workspaces.Get(&kComms[0], 65536, maker.Make());
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(maker.made, (std::vector<int64_t>{65536}));
}

TEST(Workspaces, GrowToTheNextPowerOfTwoWhileTheSmallerOneStays) {
  Workspaces workspaces;
  Maker maker;
  const auto small = workspaces.Get(&kComms[0], 100, maker.Make());
  const auto large = workspaces.Get(&kComms[0], 65537, maker.Make());
  const auto again = workspaces.Get(&kComms[0], 100, maker.Make());
  EXPECT_EQ((*large)->capacity, 131072);
  EXPECT_EQ(*again, *large);
  EXPECT_EQ((*small)->capacity, 65536);
  EXPECT_NE((*small)->memory.workspaces, (*large)->memory.workspaces);
}

TEST(Workspaces, OfTwoCommunicatorsAreTwo) {
  Workspaces workspaces;
  Maker maker;
  EXPECT_NE(*workspaces.Get(&kComms[0], 1, maker.Make()), *workspaces.Get(&kComms[1], 1, maker.Make()));
}

TEST(Workspaces, AreNotTriedAgainAfterAFailure) {
  Workspaces workspaces;
  int tries = 0;
  const auto fail = [&](int64_t) -> Result<PeerMemory> { return Err("try " + std::to_string(++tries)); };
  EXPECT_EQ(workspaces.Get(&kComms[0], 1, fail).error(), "try 1");
  EXPECT_EQ(workspaces.Get(&kComms[0], 1, fail).error(), "try 1");
  EXPECT_EQ(tries, 1);
}

TEST(Workspaces, OfRanksInOneProcessAreMadeTogether) {
  Workspaces workspaces;
  std::mutex mutex;
  std::condition_variable met;
  int arrived = 0;
  const auto meet = [&](int64_t) -> Result<PeerMemory> {  // returns once both ranks have arrived
    std::unique_lock<std::mutex> lock(mutex);
    ++arrived;
    met.notify_all();
    met.wait(lock, [&] { return arrived == 2; });
    return PeerMemory{};
  };
  std::thread other([&] { EXPECT_TRUE(workspaces.Get(&kComms[1], 1, meet).has_value()); });
  EXPECT_TRUE(workspaces.Get(&kComms[0], 1, meet).has_value());
  other.join();
}

}  // namespace
}  // namespace jax_oneshot::cuda
