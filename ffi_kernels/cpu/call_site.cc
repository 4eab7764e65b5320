// SPDX-License-Identifier: Apache-2.0
// Implementation of call_site.h.
#include "ffi_kernels/cpu/call_site.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace jax_oneshot {
namespace {

// With at least this many blocks it pays to wake threads; with fewer, only threads that are awake help. Measured
// 2026-11-24 on 4 cores of an AMD EPYC, 8 ranks, bf16 norm: a block takes 15 us, a wake-up 5 to 20 us.
constexpr int64_t kBlocksWorthWaking = 4;

// How long a rank waits on its own thread. Longer than its peers take to arrive unless they lack threads: if XLA runs
// more calls at once than it has threads, ranks in place may wait for ranks that have no thread to run on.
constexpr auto kInPlace = std::chrono::milliseconds(20);
constexpr int kMaxCallsElsewhere = 1 << 16;

}  // namespace

// One call of one group, all ranks present. Any thread may take blocks; the one that finishes the last block resumes
// the ranks. A thread that comes too late finds no block and returns.
struct CallSite::Work {
  // A range of blocks. Each thread starts with its own share, the same one in every call, because the data it wrote
  // there last time may still be in its core's cache. Then it helps the others. Each counter has its own cache line.
  struct alignas(64) Share {
    int64_t end = 0;
    std::atomic<int64_t> next{0};
  };

  struct Helper : Participant {
    explicit Helper(Work* work) : work(work) {}
    void Resume() override { Run(work); }
    void Fail(const std::string&) override {}
    Work* const work;
  };

  std::shared_ptr<State> state;  // set while in flight
  RendezvousRound* round = nullptr;
  std::vector<RankBuffers> ranks;
  InPlace::Copies copies;
  std::atomic<int64_t> left{0};  // blocks not yet done
  std::vector<Share> shares;     // the first `share_count`
  int share_count = 1;           // the number of threads requested
  std::atomic<int> threads{0};   // that have not returned yet
  Helper helper{this};
  std::vector<Participant*> to_resume;

  void Split(int shares, int64_t blocks);
  int64_t RunShare(Share* share);  // runs the blocks that no other thread took; returns their number
};

// Whether ranks wait in place at a call site. They do if one of XLA's own collectives follows: it blocks a thread per
// rank anyway, so giving up one thread only to block another costs more than it saves. Measured 2026-11-27, 8 ranks on
// 2 cores of a shared machine, 16 layers with an all-reduce and an all-gather each, median over processes of the best
// run: XLA alone 10.7 ms, ranks resumed on other threads 18.0 ms, in place 8.6 ms.
//
// Each vain wait costs kInPlace, so each time it happens ranks stop waiting in place for twice as many calls as before.
class WaitsInPlace {
 public:
  bool IsWorth(const ContinuationExecutor::Cost& cost) {
    if (!cost.MayBlock()) return false;
    if (calls_elsewhere_.load(std::memory_order_relaxed) <= 0) return true;
    calls_elsewhere_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  void WasInVain() {
    if (calls_elsewhere_.load(std::memory_order_relaxed) > 0) return;  // another rank of the same call was first
    const int next = std::min(kMaxCallsElsewhere, 2 * penalty_.load(std::memory_order_relaxed));
    penalty_.store(next, std::memory_order_relaxed);
    calls_elsewhere_.store(next, std::memory_order_relaxed);
  }
  void WasGood() {
    const int penalty = penalty_.load(std::memory_order_relaxed);
    if (penalty > kMinPenalty) penalty_.store(penalty - 1, std::memory_order_relaxed);
  }

 private:
  static constexpr int kMinPenalty = 8;
  // Hints that order nothing, and losing an update is harmless: relaxed is enough.
  std::atomic<int> calls_elsewhere_{0}, penalty_{kMinPenalty};
};

// The state that a call in flight needs. The call keeps it alive: the executable may be destroyed as soon as its last
// rank is resumed.
struct CallSite::State {
  explicit State(CallSiteOptions options)
      : engine(std::move(options.program), options.rows, options.width, BestLoops()), name(std::move(options.name)) {}

  const Engine engine;
  const std::string name;
  std::shared_ptr<Rendezvous> rendezvous;
  const std::shared_ptr<ContinuationExecutor> continuation_executor = ContinuationExecutor::Shared();
  const std::shared_ptr<ContinuationExecutor::Cost> cost = std::make_shared<ContinuationExecutor::Cost>();
  WaitsInPlace in_place;

  std::mutex mutex;
  std::vector<std::unique_ptr<Work>> works;
  std::vector<Work*> idle;
};

void WaitingRank::Fail(const std::string& message) {
  Refuse(message);
  wait_.End(InPlaceWait::kFailed);  // the round keeps this object until all its participants have failed
}

void WaitingRank::Leave() {
  const std::shared_ptr<Rendezvous> rendezvous = std::move(rendezvous_);
  rendezvous->Release(round_);
}

CallSite::CallSite(CallSiteOptions options, std::function<std::unique_ptr<WaitingRank>()> make_rank) {
  Rendezvous::Options round{options.name, options.timeout, std::move(make_rank)};
  auto rendezvous = std::make_shared<Rendezvous>(options.groups, std::move(round));
  state_ = std::make_shared<State>(std::move(options));
  state_->rendezvous = std::move(rendezvous);
}

const Engine& CallSite::engine() const { return state_->engine; }
const Groups& CallSite::groups() const { return state_->rendezvous->groups(); }
const std::string& CallSite::name() const { return state_->name; }
const std::shared_ptr<ContinuationExecutor::Cost>& CallSite::cost() const { return state_->cost; }

Result<void> CallSite::Arrive(int64_t run_id, const RankSlot& slot, const std::function<void(WaitingRank*)>& fill) {
  ContinuationExecutor::Cost::StopClock(run_id);
  // A rank that does not wait here may be resumed before this returns, and its executable may be destroyed.
  const std::shared_ptr<State> state = state_;
  const bool stays = state->in_place.IsWorth(*state->cost);
  struct {
    const std::function<void(WaitingRank*)>& fill;
    const bool stays;
    WaitingRank* rank;
    uint32_t ticket;
  } arrival{fill, stays, nullptr, 0};
  const Result<RendezvousRound*> round = state->rendezvous->Arrive(run_id, slot, [&arrival](Participant* participant) {
    arrival.rank = static_cast<WaitingRank*>(participant);
    arrival.ticket = arrival.rank->wait_.Begin(arrival.stays);
    arrival.fill(arrival.rank);
  });
  if (!round) return Err(round.error());
  if (*round != nullptr) Start(TakeWork(state, *round));
  if (!stays) return {};
  switch (arrival.rank->wait_.Wait(arrival.ticket, kInPlace)) {
    case InPlaceWait::kDone:
      state->in_place.WasGood();
      arrival.rank->Resume();
      ContinuationExecutor::Cost::StartClock(state->cost, run_id);
      break;
    case InPlaceWait::kLeft:
      state->in_place.WasInVain();
      break;
    case InPlaceWait::kFailed:
      break;
  }
  return {};
}

void CallSite::Start(Work* work) {
  const std::shared_ptr<State> state = work->state;  // Run may end the call and reset work->state
  const int64_t blocks = state->engine.block_count();
  const int threads = static_cast<int>(std::min<int64_t>(ContinuationExecutor::Cores(), blocks));
  work->threads = threads;
  work->Split(threads, blocks);
  if (threads > 1) state->continuation_executor->Help(&work->helper, threads - 1, blocks >= kBlocksWorthWaking);
  Run(work);
}

CallSite::Work* CallSite::TakeWork(const std::shared_ptr<State>& state, RendezvousRound* round) {
  Work* work;
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    if (state->idle.empty()) {
      state->works.push_back(std::make_unique<Work>());
      state->idle.push_back(state->works.back().get());
    }
    work = state->idle.back();
    state->idle.pop_back();
  }
  work->state = state;
  work->round = round;
  work->left = state->engine.block_count();
  work->ranks.clear();
  for (const std::unique_ptr<Participant>& participant : round->participants) {
    const auto& rank = static_cast<const WaitingRank&>(*participant);
    work->ranks.push_back({rank.inputs.data(), rank.outputs.data()});
  }
  state->engine.Protect(&work->ranks, &work->copies);
  return work;
}

void CallSite::Work::Split(int count, int64_t blocks) {
  if (shares.empty()) shares = std::vector<Share>(static_cast<size_t>(ContinuationExecutor::Cores()));
  share_count = count;
  for (int i = 0; i < count; ++i) {
    shares[i].next.store(blocks * i / count, std::memory_order_relaxed);
    shares[i].end = blocks * (i + 1) / count;
  }
}

int64_t CallSite::Work::RunShare(Share* share) {
  const int64_t take = share_count > 1 ? 1 : share->end;  // a single thread runs everything in one, cheaper, call
  int64_t done = 0;
  for (int64_t block; (block = share->next.fetch_add(take, std::memory_order_relaxed)) < share->end; done += take) {
    state->engine.RunBlocks(block, block + take, ranks.data(), static_cast<int>(ranks.size()));
  }
  return done;
}

void CallSite::Run(Work* work) {
  const int shares = work->share_count;
  int64_t done = 0;
  for (int i = 0; i < shares; ++i)
    done += work->RunShare(&work->shares[(ContinuationExecutor::ThreadNumber() + i) % shares]);
  if (done > 0 && work->left.fetch_sub(done, std::memory_order_acq_rel) == done) Finish(work);
  if (work->threads.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::shared_ptr<State> state = std::move(work->state);
    std::lock_guard<std::mutex> lock(state->mutex);
    state->idle.push_back(work);
  }
}

void CallSite::Finish(Work* work) {
  RendezvousRound* round = work->round;
  const std::shared_ptr<Rendezvous> rendezvous = work->state->rendezvous;
  const int64_t run_id = round->run_id;
  round->users.store(static_cast<int>(round->participants.size()) + 1);  // one more for the loops below
  for (const std::unique_ptr<Participant>& participant : round->participants) {
    auto& rank = static_cast<WaitingRank&>(*participant);
    rank.rendezvous_ = rendezvous;
    rank.round_ = round;
  }
  work->to_resume.clear();
  for (const std::unique_ptr<Participant>& participant : round->participants) {
    if (!static_cast<WaitingRank&>(*participant).wait_.End(InPlaceWait::kDone))
      work->to_resume.push_back(participant.get());
  }
  if (!work->to_resume.empty()) {
    work->state->continuation_executor->Post(work->to_resume.data(), static_cast<int>(work->to_resume.size()),
                                             work->state->cost, run_id);
  }
  rendezvous->Release(round);
}

}  // namespace jax_oneshot
