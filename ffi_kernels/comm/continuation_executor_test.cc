// SPDX-License-Identifier: Apache-2.0
// Every participant is resumed, whatever the others do.
#include "ffi_kernels/comm/continuation_executor.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace jax_oneshot {
namespace {

struct TestParticipant : Participant {
  explicit TestParticipant(std::function<void()> resume) : resume(std::move(resume)) {}
  void Resume() override { resume(); }
  void Fail(const std::string&) override {}
  std::function<void()> resume;
};

// Opens when `count` threads have arrived; like XLA's own CPU collectives, it blocks each caller until then.
class Barrier {
 public:
  explicit Barrier(int count) : left_(count) {}
  void Come() {
    std::unique_lock<std::mutex> lock(mutex_);
    --left_;
    open_.notify_all();
    open_.wait(lock, [this] { return left_ <= 0; });
  }
  bool WaitOpen() {
    std::unique_lock<std::mutex> lock(mutex_);
    return open_.wait_for(lock, std::chrono::seconds(20), [this] { return left_ <= 0; });
  }
  void Count() {
    std::lock_guard<std::mutex> lock(mutex_);
    --left_;
    open_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable open_;
  int left_;
};

std::vector<std::unique_ptr<Participant>> Participants(int count, const std::function<void()>& resume) {
  std::vector<std::unique_ptr<Participant>> participants;
  for (int i = 0; i < count; ++i) participants.push_back(std::make_unique<TestParticipant>(resume));
  return participants;
}

std::vector<Participant*> Pointers(const std::vector<std::unique_ptr<Participant>>& participants) {
  std::vector<Participant*> pointers;
  for (const std::unique_ptr<Participant>& participant : participants) pointers.push_back(participant.get());
  return pointers;
}

TEST(ContinuationExecutor, ResumesEveryParticipantOnAnotherThread) {
  ContinuationExecutor continuation_executor;
  Barrier done(8);
  const auto me = std::this_thread::get_id();
  const auto participants = Participants(8, [&] {
    EXPECT_NE(std::this_thread::get_id(), me);
    done.Count();
  });
  continuation_executor.Post(Pointers(participants).data(), 8, std::make_shared<ContinuationExecutor::Cost>(),
                             /*run_id=*/1);
  EXPECT_TRUE(done.WaitOpen());
}

TEST(ContinuationExecutor, ResumesParticipantsThatBlockUntilAllAreResumed) {
  ContinuationExecutor continuation_executor;
  const auto cost = std::make_shared<ContinuationExecutor::Cost>();
  for (int round = 0; round < 20; ++round) {
    Barrier barrier(8), done(8);
    const auto participants = Participants(8, [&] {
      barrier.Come();
      done.Count();
    });
    continuation_executor.Post(Pointers(participants).data(), 8, cost, /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
  EXPECT_GT(cost->mean_ns(), 0);
}

TEST(ContinuationExecutor, ResumesManyShortParticipantsOnFewThreads) {
  ContinuationExecutor continuation_executor;
  const auto cost = std::make_shared<ContinuationExecutor::Cost>();
  std::mutex mutex;
  std::set<std::thread::id> threads;
  for (int round = 0; round < 50; ++round) {
    Barrier done(8);
    const auto participants = Participants(8, [&] {
      {
        std::lock_guard<std::mutex> lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
      done.Count();
    });
    continuation_executor.Post(Pointers(participants).data(), 8, cost, /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
  EXPECT_LT(threads.size(), 50u) << "400 participants; a busy machine delays threads, so the guard may step in";
}

TEST(ContinuationExecutor, SpreadsLongParticipantsOverThreadsThatAreAwake) {
  ContinuationExecutor continuation_executor;
  const auto cost = std::make_shared<ContinuationExecutor::Cost>();
  for (int i = 0; i < 100; ++i) cost->Add(50'000);
  // Each participant waits for the other: with fewer than two threads neither would ever return.
  for (int round = 0; round < 200; ++round) {
    Barrier pair(2), done(2);
    const auto participants = Participants(2, [&] {
      pair.Come();
      done.Count();
    });
    continuation_executor.Post(Pointers(participants).data(), 2, cost, /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
}

TEST(ContinuationExecutor, ResumesAShortParticipantWhileThreadsPollForLongOnes) {
  ContinuationExecutor continuation_executor;
  const auto long_cost = std::make_shared<ContinuationExecutor::Cost>();
  for (int i = 0; i < 100; ++i) long_cost->Add(50'000);
  for (int round = 0; round < 200; ++round) {
    Barrier done(9);
    const auto participants = Participants(9, [&] { done.Count(); });
    continuation_executor.Post(Pointers(participants).data(), 8, long_cost, /*run_id=*/1);
    continuation_executor.Post(Pointers(participants).data() + 8, 1, std::make_shared<ContinuationExecutor::Cost>(),
                               /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
}

TEST(ContinuationExecutor, BringsAsManyHelpersAsAskedEachOnAThreadOfItsOwn) {
  ContinuationExecutor continuation_executor;
  for (int round = 0; round < 50; ++round) {
    Barrier together(3), done(3);  // each waits for the others, so one thread cannot run them all
    TestParticipant helper([&] {
      together.Come();
      done.Count();
    });
    continuation_executor.Help(&helper, 3, /*wake=*/true);
    ASSERT_TRUE(done.WaitOpen());
  }
}

TEST(ContinuationExecutor, BringsHelpersInTheEndThoughNobodyIsAwakeOrWorthWaking) {
  ContinuationExecutor continuation_executor;
  Barrier done(2);
  TestParticipant helper([&] { done.Count(); });
  continuation_executor.Help(&helper, 2, /*wake=*/false);
  EXPECT_TRUE(done.WaitOpen());
}

TEST(ContinuationExecutor, IsOneForAllWhoShareItAndGoneWithTheLast) {
  std::shared_ptr<ContinuationExecutor> first = ContinuationExecutor::Shared();
  std::shared_ptr<ContinuationExecutor> second = ContinuationExecutor::Shared();
  EXPECT_EQ(first, second);
  EXPECT_NE(std::make_shared<ContinuationExecutor>(), first);
  const std::weak_ptr<ContinuationExecutor> watched = first;
  first.reset();
  EXPECT_FALSE(watched.expired());
  second.reset();
  EXPECT_TRUE(watched.expired());
}

TEST(ContinuationExecutor, MeasuresWhatFollowsOnTheThreadThatRunsIt) {
  const auto cost = std::make_shared<ContinuationExecutor::Cost>();
  for (int i = 0; i < 40; ++i) {
    ContinuationExecutor::Cost::StartClock(cost, /*run_id=*/1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ContinuationExecutor::Cost::StopClock(/*run_id=*/1);
  }
  EXPECT_TRUE(cost->MayBlock());
}

TEST(ContinuationExecutor, DropsAClockThatAnotherRunStarted) {
  const auto cost = std::make_shared<ContinuationExecutor::Cost>();
  ContinuationExecutor::Cost::StartClock(cost, /*run_id=*/1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ContinuationExecutor::Cost::StopClock(/*run_id=*/2);
  ContinuationExecutor::Cost::StopClock(/*run_id=*/1);
  EXPECT_EQ(cost->mean_ns(), 0);
}

TEST(ContinuationExecutor, TakesNoSingleDelayForARankThatBlocks) {
  ContinuationExecutor::Cost cost;
  cost.Add(int64_t{10} * 1000 * 1000 * 1000);
  EXPECT_FALSE(cost.MayBlock());
}

TEST(ContinuationExecutor, MayBeDestroyedByTheParticipantItResumes) {
  auto continuation_executor = std::make_unique<ContinuationExecutor>();
  Barrier posted(1), done(2);
  const auto participants = Participants(2, [&, first = std::make_shared<std::atomic<bool>>(true)] {
    posted.Come();
    if (first->exchange(false)) continuation_executor.reset();
    done.Count();
  });
  continuation_executor->Post(Pointers(participants).data(), 2, std::make_shared<ContinuationExecutor::Cost>(),
                              /*run_id=*/1);
  posted.Count();
  EXPECT_TRUE(done.WaitOpen());
}

TEST(ContinuationExecutor, ServesManyPostersAtOnce) {
  ContinuationExecutor continuation_executor;
  const auto cost = std::make_shared<ContinuationExecutor::Cost>();
  constexpr int kPosters = 4, kRounds = 200;
  Barrier done(kPosters * kRounds * 2);
  const auto participants = Participants(kPosters * kRounds * 2, [&] { done.Count(); });
  std::vector<std::thread> posters;
  for (int p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      for (int r = 0; r < kRounds; ++r)
        continuation_executor.Post(Pointers(participants).data() + (p * kRounds + r) * 2, 2, cost, /*run_id=*/1);
    });
  }
  for (std::thread& poster : posters) poster.join();
  EXPECT_TRUE(done.WaitOpen());
}

}  // namespace
}  // namespace jax_oneshot
