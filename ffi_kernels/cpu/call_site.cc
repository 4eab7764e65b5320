// In:  the ranks of a call, one by one. Out: their results. See call_site.h.
#include "ffi_kernels/cpu/call_site.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace jax_oneshot {
namespace {

using Clock = std::chrono::steady_clock;

// A call with this many blocks is worth waking threads for; with fewer, those that are awake help. Measured 2026-11-24
// on 4 cores of an AMD EPYC, 8 ranks, bf16 norm: a block takes 15 us, a wake-up 5 to 20 us.
constexpr int64_t kBlocksWorthWaking = 4;

}  // namespace

// One call of one group, all ranks present: blocks are taken by whichever thread comes; the one that finishes the last
// block lets the ranks go. A thread that comes too late finds no block and leaves.
struct CallSite::Work {
  // A run of blocks. Each thread begins with a share of its own, the same each time it comes: what it wrote there last
  // time may still be in its core's cache. Then it helps the others. Its counter has a cache line to itself.
  struct alignas(64) Share {
    int64_t end = 0;
    std::atomic<int64_t> next{0};
  };

  struct Helper : Guest {
    explicit Helper(Work* work) : work(work) {}
    void Resume() override { Run(work); }
    void Fail(const std::string&) override {}
    Work* const work;
  };

  std::shared_ptr<Party> party;  // set while in flight
  Meeting* meeting = nullptr;
  std::vector<RankBuffers> ranks;
  InPlace::Copies copies;
  std::atomic<int64_t> left{0};  // blocks not yet done
  std::vector<Share> shares;     // the first `share_count`
  int share_count = 1;           // as many as threads are asked for
  std::atomic<int> threads{0};   // that have not left yet
  Helper helper{this};

  void Split(int shares, int64_t blocks);
  int64_t RunShare(Share* share);  // as much of it as nobody else took; how many blocks
};

// What a call in flight needs. Kept by it, for the executable may die as soon as its last rank is let go.
struct CallSite::Party {
  explicit Party(CallSiteOptions options)
      : engine(std::move(options.program), options.rows, options.width, BestLoops()), name(std::move(options.name)) {}

  const Engine engine;
  const std::string name;
  std::shared_ptr<Rendezvous> rendezvous;
  const std::shared_ptr<Resumer> resumer = Resumer::Shared();
  const std::shared_ptr<Resumer::Cost> cost = std::make_shared<Resumer::Cost>();

  std::mutex mutex;
  std::vector<std::unique_ptr<Work>> works;
  std::vector<Work*> idle;
};

void WaitingRank::Leave() {
  const std::shared_ptr<Rendezvous> rendezvous = std::move(rendezvous_);
  rendezvous->Release(meeting_);
}

CallSite::CallSite(CallSiteOptions options, std::function<std::unique_ptr<WaitingRank>()> make_rank) {
  Rendezvous::Options meeting{options.name, options.timeout, std::move(make_rank)};
  auto rendezvous = std::make_shared<Rendezvous>(options.groups, std::move(meeting));
  party_ = std::make_shared<Party>(std::move(options));
  party_->rendezvous = std::move(rendezvous);
}

const Engine& CallSite::engine() const { return party_->engine; }
const Groups& CallSite::groups() const { return party_->rendezvous->groups(); }
const std::string& CallSite::name() const { return party_->name; }

Result<void> CallSite::Arrive(int64_t run_id, const Seat& seat, const std::function<void(WaitingRank*)>& fill) {
  const Result<Meeting*> meeting =
      party_->rendezvous->Arrive(run_id, seat, [&fill](Guest* guest) { fill(static_cast<WaitingRank*>(guest)); });
  if (!meeting) return Err(meeting.error());
  if (*meeting == nullptr) return {};
  Work* work = TakeWork(party_, *meeting);
  const int64_t blocks = engine().block_count();
  const int threads = static_cast<int>(std::min<int64_t>(Resumer::Cores(), blocks));
  work->threads = threads;
  work->Split(threads, blocks);
  if (threads > 1) party_->resumer->Help(&work->helper, threads - 1, blocks >= kBlocksWorthWaking);
  Run(work);
  return {};
}

CallSite::Work* CallSite::TakeWork(const std::shared_ptr<Party>& party, Meeting* meeting) {
  Work* work;
  {
    std::lock_guard<std::mutex> lock(party->mutex);
    if (party->idle.empty()) {
      party->works.push_back(std::make_unique<Work>());
      party->idle.push_back(party->works.back().get());
    }
    work = party->idle.back();
    party->idle.pop_back();
  }
  work->party = party;
  work->meeting = meeting;
  work->left = party->engine.block_count();
  work->ranks.clear();
  for (const std::unique_ptr<Guest>& guest : meeting->guests) {
    const auto& rank = static_cast<const WaitingRank&>(*guest);
    work->ranks.push_back({rank.inputs.data(), rank.outputs.data()});
  }
  party->engine.Protect(&work->ranks, &work->copies);
  return work;
}

void CallSite::Work::Split(int count, int64_t blocks) {
  if (shares.empty()) shares = std::vector<Share>(static_cast<size_t>(Resumer::Cores()));
  share_count = count;
  for (int i = 0; i < count; ++i) {
    shares[i].next.store(blocks * i / count, std::memory_order_relaxed);
    shares[i].end = blocks * (i + 1) / count;
  }
}

int64_t CallSite::Work::RunShare(Share* share) {
  const int64_t take = share_count > 1 ? 1 : share->end;  // a thread alone does everything in one go, which costs less
  int64_t done = 0;
  for (int64_t block; (block = share->next.fetch_add(take, std::memory_order_relaxed)) < share->end; done += take) {
    party->engine.RunBlocks(block, block + take, ranks.data(), static_cast<int>(ranks.size()));
  }
  return done;
}

void CallSite::Run(Work* work) {
  const Clock::time_point start = Clock::now();
  const int shares = work->share_count;
  int64_t done = 0;
  for (int i = 0; i < shares; ++i) done += work->RunShare(&work->shares[(Resumer::ThreadNumber() + i) % shares]);
  if (done > 0 && work->left.fetch_sub(done, std::memory_order_acq_rel) == done) Finish(*work);
  if (work->threads.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::shared_ptr<Party> party = std::move(work->party);
    std::lock_guard<std::mutex> lock(party->mutex);
    party->idle.push_back(work);
  }
  Resumer::ExcludeFromCost(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
}

void CallSite::Finish(const Work& work) {
  Meeting* meeting = work.meeting;
  const int count = static_cast<int>(meeting->guests.size());
  meeting->users.store(count + 1);  // one more for the walk over its guests
  for (const std::unique_ptr<Guest>& guest : meeting->guests) {
    auto& rank = static_cast<WaitingRank&>(*guest);
    rank.rendezvous_ = work.party->rendezvous;
    rank.meeting_ = meeting;
  }
  const std::shared_ptr<Rendezvous> rendezvous = work.party->rendezvous;
  work.party->resumer->Post(meeting->guests.data(), count, work.party->cost);
  rendezvous->Release(meeting);
}

}  // namespace jax_oneshot
