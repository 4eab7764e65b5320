// SPDX-License-Identifier: Apache-2.0
// Every way in which a wait ends, and the race between leaving and completing.
#include "ffi_kernels/comm/in_place_wait.h"

#include <gtest/gtest.h>

#include <thread>

namespace jax_oneshot {
namespace {

constexpr auto kLong = std::chrono::seconds(60);
constexpr auto kShort = std::chrono::milliseconds(2);

TEST(InPlaceWait, TellsTheRankThatWaitsAndMakesItsDataVisible) {
  InPlaceWait wait;
  int data = 0;
  const uint32_t ticket = wait.Begin(/*stays=*/true);
  std::thread other([&] {
    data = 7;
    EXPECT_TRUE(wait.End(InPlaceWait::kDone));
  });
  EXPECT_EQ(wait.Wait(ticket, kLong), InPlaceWait::kDone);
  EXPECT_EQ(data, 7);
  other.join();
}

TEST(InPlaceWait, ReturnsAtOnceWhereTheCallIsDoneAlready) {
  InPlaceWait wait;
  const uint32_t ticket = wait.Begin(/*stays=*/true);
  EXPECT_TRUE(wait.End(InPlaceWait::kDone));
  EXPECT_EQ(wait.Wait(ticket, kLong), InPlaceWait::kDone);
}

TEST(InPlaceWait, LeavesARankThatDoesNotStayToTheCaller) {
  InPlaceWait wait;
  wait.Begin(/*stays=*/false);
  EXPECT_FALSE(wait.End(InPlaceWait::kDone));
}

TEST(InPlaceWait, LeavesARankThatGaveUpToTheCaller) {
  InPlaceWait wait;
  EXPECT_EQ(wait.Wait(wait.Begin(/*stays=*/true), kShort), InPlaceWait::kLeft);
  EXPECT_FALSE(wait.End(InPlaceWait::kDone));
}

TEST(InPlaceWait, TellsOfAFailureThoughTheNextCallHasBegun) {
  InPlaceWait wait;
  const uint32_t ticket = wait.Begin(/*stays=*/true);
  EXPECT_TRUE(wait.End(InPlaceWait::kFailed));
  wait.Begin(/*stays=*/true);
  EXPECT_EQ(wait.Wait(ticket, kLong), InPlaceWait::kFailed);
}

TEST(InPlaceWait, AgreesWithTheCallerOnWhoGoesOnHoweverCloseTheRace) {
  InPlaceWait wait;
  for (int i = 0; i < 2000; ++i) {
    const uint32_t ticket = wait.Begin(/*stays=*/true);
    bool told = false;
    std::thread other([&] { told = wait.End(InPlaceWait::kDone); });
    const InPlaceWait::Outcome outcome = wait.Wait(ticket, std::chrono::microseconds(i % 40));
    other.join();
    ASSERT_EQ(told, outcome == InPlaceWait::kDone);
  }
}

}  // namespace
}  // namespace jax_oneshot
