// That everyone is resumed, whatever the others do.
#include "ffi_kernels/comm/resumer.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace jax_oneshot {
namespace {

struct TestGuest : Guest {
  explicit TestGuest(std::function<void()> resume) : resume(std::move(resume)) {}
  void Resume() override { resume(); }
  void Fail(const std::string&) override {}
  std::function<void()> resume;
};

// Opens when `count` have come; like XLA's own collectives on CPU, it holds each caller's thread until then.
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

std::vector<std::unique_ptr<Guest>> Guests(int count, const std::function<void()>& resume) {
  std::vector<std::unique_ptr<Guest>> guests;
  for (int i = 0; i < count; ++i) guests.push_back(std::make_unique<TestGuest>(resume));
  return guests;
}

std::vector<Guest*> Pointers(const std::vector<std::unique_ptr<Guest>>& guests) {
  std::vector<Guest*> pointers;
  for (const std::unique_ptr<Guest>& guest : guests) pointers.push_back(guest.get());
  return pointers;
}

TEST(Resumer, ResumesEveryGuestOnAnotherThread) {
  Resumer resumer;
  Barrier done(8);
  const auto me = std::this_thread::get_id();
  const auto guests = Guests(8, [&] {
    EXPECT_NE(std::this_thread::get_id(), me);
    done.Count();
  });
  resumer.Post(Pointers(guests).data(), 8, std::make_shared<Resumer::Cost>(), /*run_id=*/1);
  EXPECT_TRUE(done.WaitOpen());
}

TEST(Resumer, ResumesGuestsWhoBlockUntilAllAreResumed) {
  Resumer resumer;
  const auto cost = std::make_shared<Resumer::Cost>();
  for (int round = 0; round < 20; ++round) {
    Barrier barrier(8), done(8);
    const auto guests = Guests(8, [&] {
      barrier.Come();
      done.Count();
    });
    resumer.Post(Pointers(guests).data(), 8, cost, /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
  EXPECT_GT(cost->mean_ns(), 0);
}

TEST(Resumer, GoesDownTheLineOfShortGuestsOnFewThreads) {
  Resumer resumer;
  const auto cost = std::make_shared<Resumer::Cost>();
  std::mutex mutex;
  std::set<std::thread::id> threads;
  for (int round = 0; round < 50; ++round) {
    Barrier done(8);
    const auto guests = Guests(8, [&] {
      {
        std::lock_guard<std::mutex> lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
      done.Count();
    });
    resumer.Post(Pointers(guests).data(), 8, cost, /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
  EXPECT_LT(threads.size(), 50u) << "400 guests; a busy machine delays threads, so the guard may step in";
}

TEST(Resumer, SpreadsGuestsWorthItOverThreadsThatAreAwake) {
  Resumer resumer;
  const auto cost = std::make_shared<Resumer::Cost>();
  for (int i = 0; i < 100; ++i) cost->Add(50'000);
  // Each guest waits for the other: only two threads can bring them through, however long this goes on.
  for (int round = 0; round < 200; ++round) {
    Barrier pair(2), done(2);
    const auto guests = Guests(2, [&] {
      pair.Come();
      done.Count();
    });
    resumer.Post(Pointers(guests).data(), 2, cost, /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
}

TEST(Resumer, ResumesAShortGuestWhileOthersLookOutForLongOnes) {
  Resumer resumer;
  const auto long_cost = std::make_shared<Resumer::Cost>();
  for (int i = 0; i < 100; ++i) long_cost->Add(50'000);
  for (int round = 0; round < 200; ++round) {
    Barrier done(9);
    const auto guests = Guests(9, [&] { done.Count(); });
    resumer.Post(Pointers(guests).data(), 8, long_cost, /*run_id=*/1);
    resumer.Post(Pointers(guests).data() + 8, 1, std::make_shared<Resumer::Cost>(), /*run_id=*/1);
    ASSERT_TRUE(done.WaitOpen());
  }
}

TEST(Resumer, BringsAsManyHelpersAsAskedEachOnAThreadOfItsOwn) {
  Resumer resumer;
  for (int round = 0; round < 50; ++round) {
    Barrier together(3), done(3);  // each waits for the others: one thread could not be all of them
    TestGuest helper([&] {
      together.Come();
      done.Count();
    });
    resumer.Help(&helper, 3, /*wake=*/true);
    ASSERT_TRUE(done.WaitOpen());
  }
}

TEST(Resumer, BringsHelpersInTheEndThoughNobodyIsAwakeOrWorthWaking) {
  Resumer resumer;
  Barrier done(2);
  TestGuest helper([&] { done.Count(); });
  resumer.Help(&helper, 2, /*wake=*/false);
  EXPECT_TRUE(done.WaitOpen());
}

TEST(Resumer, IsOneForAllWhoShareItAndGoneWithTheLast) {
  std::shared_ptr<Resumer> first = Resumer::Shared();
  std::shared_ptr<Resumer> second = Resumer::Shared();
  EXPECT_EQ(first, second);
  EXPECT_NE(std::make_shared<Resumer>(), first);
  const std::weak_ptr<Resumer> watched = first;
  first.reset();
  EXPECT_FALSE(watched.expired());
  second.reset();
  EXPECT_TRUE(watched.expired());
}

TEST(Resumer, MeasuresWhatFollowsOnTheThreadThatRunsIt) {
  const auto cost = std::make_shared<Resumer::Cost>();
  for (int i = 0; i < 40; ++i) {
    Resumer::Cost::StartClock(cost, /*run_id=*/1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Resumer::Cost::StopClock(/*run_id=*/1);
  }
  EXPECT_TRUE(cost->MayBlock());
}

TEST(Resumer, DropsAClockThatAnotherRunStarted) {
  const auto cost = std::make_shared<Resumer::Cost>();
  Resumer::Cost::StartClock(cost, /*run_id=*/1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  Resumer::Cost::StopClock(/*run_id=*/2);
  Resumer::Cost::StopClock(/*run_id=*/1);
  EXPECT_EQ(cost->mean_ns(), 0);
}

TEST(Resumer, TakesNoSingleDelayForARankThatBlocks) {
  Resumer::Cost cost;
  cost.Add(int64_t{10} * 1000 * 1000 * 1000);
  EXPECT_FALSE(cost.MayBlock());
}

TEST(Resumer, MayBeDestroyedByTheGuestItResumes) {
  auto resumer = std::make_unique<Resumer>();
  Barrier posted(1), done(2);
  const auto guests = Guests(2, [&, first = std::make_shared<std::atomic<bool>>(true)] {
    posted.Come();
    if (first->exchange(false)) resumer.reset();
    done.Count();
  });
  resumer->Post(Pointers(guests).data(), 2, std::make_shared<Resumer::Cost>(), /*run_id=*/1);
  posted.Count();
  EXPECT_TRUE(done.WaitOpen());
}

TEST(Resumer, ServesManyPostersAtOnce) {
  Resumer resumer;
  const auto cost = std::make_shared<Resumer::Cost>();
  constexpr int kPosters = 4, kRounds = 200;
  Barrier done(kPosters * kRounds * 2);
  const auto guests = Guests(kPosters * kRounds * 2, [&] { done.Count(); });
  std::vector<std::thread> posters;
  for (int p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      for (int r = 0; r < kRounds; ++r)
        resumer.Post(Pointers(guests).data() + (p * kRounds + r) * 2, 2, cost, /*run_id=*/1);
    });
  }
  for (std::thread& poster : posters) poster.join();
  EXPECT_TRUE(done.WaitOpen());
}

}  // namespace
}  // namespace jax_oneshot
