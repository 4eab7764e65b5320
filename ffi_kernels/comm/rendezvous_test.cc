// SPDX-License-Identifier: Apache-2.0
// Who receives the round, who receives an error, and when.
#include "ffi_kernels/comm/rendezvous.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <thread>

namespace jax_oneshot {
namespace {

using std::chrono::milliseconds;

// Records the outcome of each participant, by the number it was given.
struct Ledger {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int, std::string> failed;

  std::string WaitForFailure(int number) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return failed.count(number) > 0; });
    return failed[number];
  }
};

struct TestParticipant : Participant {
  explicit TestParticipant(Ledger* ledger) : ledger(ledger) {}
  void Resume() override {}
  void Fail(const std::string& message) override {
    std::lock_guard<std::mutex> lock(ledger->mutex);
    ledger->failed[number] = message;
    ledger->changed.notify_all();
  }
  Ledger* ledger;
  int number = 0;
};

class RendezvousTest : public ::testing::Test {
 protected:
  std::shared_ptr<Rendezvous> Make(int ranks, milliseconds timeout) {
    Rendezvous::Options options{"one-shot all-reduce 3 (channel 7)", timeout,
                                [this] { return std::make_unique<TestParticipant>(&ledger_); }};
    return std::make_shared<Rendezvous>(*Groups::Create("cross_partition", {}, ranks), std::move(options));
  }

  Result<RendezvousRound*> Arrive(Rendezvous* rendezvous, int64_t run, uint32_t rank, int number,
                                  uint32_t replica = 0) {
    return rendezvous->Arrive(run, *rendezvous->groups().Find(replica, rank), [&](Participant* participant) {
      static_cast<TestParticipant*>(participant)->number = number;
    });
  }

  Ledger ledger_;
};

TEST_F(RendezvousTest, GivesTheRoundToTheLastInTheOrderOfTheGroup) {
  const auto rendezvous = Make(3, milliseconds(60000));
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 2, 102), nullptr);
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 0, 100), nullptr);
  RendezvousRound* round = *Arrive(rendezvous.get(), 1, 1, 101);
  ASSERT_NE(round, nullptr);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(static_cast<TestParticipant*>(round->participants[i].get())->number, 100 + i);
}

TEST_F(RendezvousTest, KeepsRunsAndInstancesApart) {
  const auto rendezvous = Make(2, milliseconds(60000));
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 0, 1), nullptr);
  EXPECT_EQ(*Arrive(rendezvous.get(), 2, 0, 2), nullptr);
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 1, 3, /*replica=*/1), nullptr);
  EXPECT_NE(*Arrive(rendezvous.get(), 1, 1, 4), nullptr);
  EXPECT_NE(*Arrive(rendezvous.get(), 2, 1, 5), nullptr);
}

TEST_F(RendezvousTest, MeetsAgainUnderTheSameName) {
  const auto rendezvous = Make(2, milliseconds(60000));
  for (int generation = 0; generation < 100; ++generation) {
    EXPECT_EQ(*Arrive(rendezvous.get(), 1, generation % 2, 0), nullptr);
    RendezvousRound* round = *Arrive(rendezvous.get(), 1, 1 - generation % 2, 0);
    ASSERT_NE(round, nullptr);
    round->users = 1;
    if (generation % 3 == 0) rendezvous->Release(round);  // otherwise still referenced: another object is used
  }
}

TEST_F(RendezvousTest, TellsEveryoneWhoCameThatARankIsMissing) {
  const auto rendezvous = Make(4, milliseconds(50));
  for (const int rank : {0, 1, 2}) EXPECT_EQ(*Arrive(rendezvous.get(), 1, rank, rank), nullptr);
  for (const int rank : {0, 1, 2}) {
    EXPECT_EQ(
        ledger_.WaitForFailure(rank),
        "one-shot all-reduce 3 (channel 7): rank 3 of group {0,1,2,3} never arrived within 0.1 s; the other ranks "
        "gave up waiting. Look for a device that failed or that runs another program; if it is only slow, set "
        "JAX_ONESHOT_TIMEOUT_S higher, or JAX_ONESHOT=0 to use XLA's own all-reduce");
  }
}

TEST_F(RendezvousTest, GivesALateRankTheSameErrorAtOnce) {
  const auto rendezvous = Make(4, milliseconds(30));
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 1, 0), nullptr);
  const std::string message = ledger_.WaitForFailure(0);
  EXPECT_NE(message.find("ranks 0, 2, 3 of group {0,1,2,3} never arrived"), std::string::npos) << message;
  EXPECT_EQ(Arrive(rendezvous.get(), 1, 3, 1).error(), message);
  EXPECT_TRUE(Arrive(rendezvous.get(), 2, 3, 2).has_value()) << "another run starts afresh";
}

TEST_F(RendezvousTest, LeavesARoundAloneThatCompletedInTime) {
  const auto rendezvous = Make(2, milliseconds(30));
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 0, 0), nullptr);
  EXPECT_NE(*Arrive(rendezvous.get(), 1, 1, 1), nullptr);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_TRUE(ledger_.failed.empty());
}

TEST_F(RendezvousTest, WatchesAgainAfterItsThreadHasEnded) {
  const auto rendezvous = Make(2, milliseconds(20));
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 0, 0), nullptr);
  ledger_.WaitForFailure(0);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(*Arrive(rendezvous.get(), 2, 0, 1), nullptr);
  EXPECT_NE(ledger_.WaitForFailure(1), "");
}

TEST_F(RendezvousTest, FailsEveryoneWhenARankComesTwice) {
  const auto rendezvous = Make(3, milliseconds(60000));
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 0, 0), nullptr);
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 2, 2), nullptr);
  const std::string expected =
      "one-shot all-reduce 3 (channel 7): rank 2 of group {0,1,2} arrived twice at one round; expected each rank "
      "once "
      "(two devices of this run have the same logical id)";
  EXPECT_EQ(Arrive(rendezvous.get(), 1, 2, 3).error(), expected);
  EXPECT_EQ(ledger_.failed[0], expected);
  EXPECT_EQ(Arrive(rendezvous.get(), 1, 1, 4).error(), expected);
}

TEST_F(RendezvousTest, CancelsARendezvousForPresentAndLaterParticipants) {
  const auto rendezvous = Make(2, milliseconds(60000));
  EXPECT_EQ(*Arrive(rendezvous.get(), 1, 0, 0), nullptr);
  rendezvous->Cancel(1, *rendezvous->groups().Find(0, 1), "rank 1 came with wrong buffers");
  EXPECT_EQ(ledger_.failed[0], "rank 1 came with wrong buffers");
  EXPECT_EQ(Arrive(rendezvous.get(), 1, 1, 1).error(), "rank 1 came with wrong buffers");
}

TEST_F(RendezvousTest, EndsWhileSomeoneWaitsWithoutWaitingForThem) {
  const auto start = std::chrono::steady_clock::now();
  { EXPECT_EQ(*Arrive(Make(2, milliseconds(60000)).get(), 1, 0, 0), nullptr); }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace jax_oneshot
