// SPDX-License-Identifier: Apache-2.0
// Ranks on threads, many calls, many runs: every rank gets its result or an error.
#include "ffi_kernels/cpu/call_site.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "ffi_kernels/cpu/rank_data.h"
#include "row_program/text.h"

namespace jax_oneshot {
namespace {

using Outcome = std::promise<std::string>;  // "" or the error

class TestRank : public WaitingRank {
 public:
  void Resume() override {
    Outcome taken = std::move(*outcome);
    if (std::this_thread::get_id() == thread) ++resumed_in_place;
    Leave();
    taken.set_value("");
  }
  void Refuse(const std::string& message) override { std::move(*outcome).set_value(message); }
  std::optional<Outcome> outcome;
  std::thread::id thread;  // on which it arrived
  static std::atomic<int> resumed_in_place;
};

std::atomic<int> TestRank::resumed_in_place{0};

constexpr char kNorm[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = load a1;"
    "x2: bf16 row = add x0, x1; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3;"
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 rowscalar = rsqrt x5; x7: f32 row = multiply x3, x6 }"
    " -> (x7: row, x3: row)";

constexpr int kRanks = 8;

std::unique_ptr<CallSite> MakeSite(int64_t rows, int64_t width, int timeout_ms = 60000) {
  CallSiteOptions options{*ParseRowProgram(kNorm),
                          rows,
                          width,
                          *Groups::Create("cross_partition", {}, kRanks),
                          "one-shot all-reduce 0",
                          std::chrono::milliseconds(timeout_ms)};
  return std::make_unique<CallSite>(std::move(options), [] { return std::make_unique<TestRank>(); });
}

// One rank's arrival.
std::future<std::string> Begin(CallSite* site, int64_t run, int rank, const RankData& data) {
  const RankBuffers& buffers = data.buffers()[rank];
  Outcome outcome;
  std::future<std::string> result = outcome.get_future();
  const Result<void> arrived =
      site->Arrive(run, *site->groups().Find(0, static_cast<uint32_t>(rank)), [&](WaitingRank* waiting) {
        waiting->inputs.assign(buffers.inputs, buffers.inputs + 2);
        waiting->outputs.assign(buffers.outputs, buffers.outputs + 2);
        static_cast<TestRank*>(waiting)->outcome = std::move(outcome);
        static_cast<TestRank*>(waiting)->thread = std::this_thread::get_id();
      });
  if (arrived) return result;
  Outcome refused;
  refused.set_value(arrived.error());
  return refused.get_future();
}

// One rank's call; waits for its outcome.
std::string Call(CallSite* site, int64_t run, int rank, const RankData& data) {
  return Begin(site, run, rank, data).get();
}

// Each rank on its own thread, `repeats` calls one after the other, arriving in varying order.
void RunRanks(CallSite* site, int64_t run, int repeats, const RankData& data) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([=, &data] {
      std::mt19937 random(static_cast<uint32_t>(rank + 100 * run));
      for (int i = 0; i < repeats; ++i) {
        if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 200));
        ASSERT_EQ(Call(site, run, rank, data), "");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void ExpectRight(const RankData& data, int64_t elements) {
  const auto expected = data.Expected(0);
  for (int64_t i = 0; i < elements; ++i) {
    const float want = ElementOf(DType::kF32, expected[0], i);
    ASSERT_NEAR(ElementOf(DType::kF32, data.output(0, 0), i), want, std::abs(want) * 1e-5 + 1e-9) << i;
  }
  EXPECT_EQ(data.output(0, 1), expected[1]);
  for (int rank = 1; rank < kRanks; ++rank) {
    EXPECT_EQ(data.output(rank, 0), data.output(0, 0));
    EXPECT_EQ(data.output(rank, 1), data.output(0, 1));
  }
}

TEST(CallSite, MeetsAgainAndAgainWithinOneRun) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(2, 600);
  const RankData data(program, {2, 600, kRanks});
  RunRanks(site.get(), 1, 200, data);
  ExpectRight(data, 2 * 600);
}

TEST(CallSite, SharesALargeCallAmongThreads) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(200, 1024);
  ASSERT_GE(site->engine().block_count(), 12);
  const RankData data(program, {200, 1024, kRanks});
  RunRanks(site.get(), 1, 10, data);
  ExpectRight(data, 200 * 1024);
}

TEST(CallSite, ServesManyRunsAtOnce) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(3, 513);
  std::vector<std::unique_ptr<RankData>> data;
  std::vector<std::thread> runs;
  for (int run = 0; run < 4; ++run) {
    data.push_back(std::make_unique<RankData>(
        program, RankDataOptions{3, 513, kRanks, static_cast<uint32_t>(run), /*same_locals=*/true}));
  }
  for (int run = 0; run < 4; ++run) runs.emplace_back([&, run] { RunRanks(site.get(), run, 50, *data[run]); });
  for (std::thread& run : runs) run.join();
  for (const auto& d : data) ExpectRight(*d, 3 * 513);
}

TEST(CallSite, GivesTheSameBitsInEveryOrderOfArrival) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(40, 1000);
  const RankData data(program, {40, 1000, kRanks});
  RunRanks(site.get(), 1, 1, data);
  const std::vector<uint8_t> first = data.output(0, 0);
  for (int run = 2; run < 12; ++run) {
    RunRanks(site.get(), run, 1, data);
    ASSERT_EQ(data.output(3, 0), first);
  }
}

// Blocks each caller's thread until all ranks have arrived, reusable, like XLA's own collectives.
class BlockingCollective {
 public:
  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int64_t round = come_++ / kRanks;
    all_here_.notify_all();
    all_here_.wait(lock, [&] { return come_ >= (round + 1) * kRanks; });
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  int64_t come_ = 0;
};

void RunRanksThatBlock(CallSite* site, int repeats, const RankData& data) {
  BlockingCollective collective;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([=, &data, &collective] {
      for (int i = 0; i < repeats; ++i) {
        // The code after a call is timed on the thread that runs it, as in production.
        ASSERT_EQ(Call(site, 1, rank, data), "");
        ContinuationExecutor::Cost::StartClock(site->cost(), 1);
        collective.Run();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CallSite, RanksThatBlockAfterwardsWaitOnTheirOwnThreads) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(2, 600);
  const RankData data(program, {2, 600, kRanks});
  RunRanksThatBlock(site.get(), 20, data);
  TestRank::resumed_in_place = 0;
  RunRanksThatBlock(site.get(), 50, data);
  EXPECT_GT(TestRank::resumed_in_place, 0);  // all of them, unless the machine delays a thread for long
  ExpectRight(data, 2 * 600);
}

TEST(CallSite, RanksOfAFirstCallAreResumedElsewhere) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(2, 600);
  const RankData data(program, {2, 600, kRanks});
  TestRank::resumed_in_place = 0;
  RunRanks(site.get(), 1, 1, data);
  EXPECT_EQ(TestRank::resumed_in_place, 0);
}

TEST(CallSite, RanksThatShareOneThreadMeetThoughTheyUsedToWaitInPlace) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(2, 600);
  const RankData data(program, {2, 600, kRanks});
  RunRanksThatBlock(site.get(), 20, data);
  for (int64_t run = 2; run < 20; ++run) {
    std::vector<std::future<std::string>> results;
    for (int rank = 0; rank < kRanks; ++rank) results.push_back(Begin(site.get(), run, rank, data));
    for (std::future<std::string>& result : results) ASSERT_EQ(result.get(), "");
  }
  ExpectRight(data, 2 * 600);
}

TEST(CallSite, TellsWaitingRanksWhoIsMissing) {
  const RowProgram program = *ParseRowProgram(kNorm);
  const auto site = MakeSite(1, 64, /*timeout_ms=*/100);
  const RankData data(program, {1, 64, kRanks});
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks - 1; ++rank) {
    threads.emplace_back([&, rank] {
      EXPECT_NE(Call(site.get(), 1, rank, data).find("rank 7 of group {0,1,2,3,4,5,6,7} never arrived"),
                std::string::npos);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_NE(Call(site.get(), 1, 7, data).find("never arrived"), std::string::npos) << "the late rank itself";
  RunRanks(site.get(), 2, 3, data);
  ExpectRight(data, 64);
}

TEST(CallSite, MayDieAsSoonAsItsRanksAreLetGoUnderASanitizer) {
  const RowProgram program = *ParseRowProgram(kNorm);
  for (int i = 0; i < 30; ++i) {
    const RankData data(program, {40, 1000, kRanks});
    RunRanks(MakeSite(40, 1000).get(), 1, 1, data);
  }
}

}  // namespace
}  // namespace jax_oneshot
