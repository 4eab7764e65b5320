// In:  the ranks of a call, one by one. Out: their results. See call_site.h.
#include "ffi_kernels/cpu/call_site.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace jax_oneshot {
namespace {

using Clock = std::chrono::steady_clock;

// A call shares its work among threads when it has at least this many blocks for each. Measured on two cores, 8 ranks,
// bf16 norm: at 4 blocks in all (8 x 8192) one thread alone is as fast, at 16 (64 x 4096) two take two thirds of the
// time.
constexpr int64_t kBlocksPerThread = 4;

}  // namespace

// One call of one group, all ranks present: blocks are taken by whichever thread comes; the one that finishes the last
// block lets the ranks go. A thread that comes too late finds no block and leaves.
struct CallSite::Work {
  std::shared_ptr<Party> party;  // set while in flight
  Meeting* meeting = nullptr;
  std::vector<RankBuffers> ranks;
  std::atomic<int64_t> next{0}, left{0};
  int64_t take = 1;             // blocks at a time
  std::atomic<int> threads{0};  // that have not left yet
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

Result<void> CallSite::Arrive(int64_t run_id, const Seat& seat, const std::function<void(WaitingRank*)>& fill,
                              Helpers* helpers) {
  const Result<Meeting*> meeting =
      party_->rendezvous->Arrive(run_id, seat, [&fill](Guest* guest) { fill(static_cast<WaitingRank*>(guest)); });
  if (!meeting) return Err(meeting.error());
  if (*meeting == nullptr) return {};
  Work* work = TakeWork(party_, *meeting);
  const int64_t shares = engine().block_count() / kBlocksPerThread;
  const int threads =
      helpers == nullptr || shares < 2 ? 1 : static_cast<int>(std::min<int64_t>(helpers->count(), shares));
  work->threads = std::max(1, threads);
  work->take = threads > 1 ? 1 : engine().block_count();
  for (int t = 1; t < threads; ++t) helpers->Schedule([work] { Run(work); });
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
  work->next = 0;
  work->left = party->engine.block_count();
  work->ranks.clear();
  for (const std::unique_ptr<Guest>& guest : meeting->guests) {
    const auto& rank = static_cast<const WaitingRank&>(*guest);
    work->ranks.push_back({rank.inputs.data(), rank.outputs.data()});
  }
  return work;
}

void CallSite::Run(Work* work) {
  const Clock::time_point start = Clock::now();
  const Engine& engine = work->party->engine;
  const int64_t count = engine.block_count();
  int64_t done = 0;
  for (int64_t block; (block = work->next.fetch_add(work->take, std::memory_order_relaxed)) < count;) {
    engine.RunBlocks(block, block + work->take, work->ranks.data(), static_cast<int>(work->ranks.size()));
    done += work->take;
  }
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
