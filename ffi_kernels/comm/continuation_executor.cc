// SPDX-License-Identifier: Apache-2.0
// Implementation of continuation_executor.h.
#include "ffi_kernels/comm/continuation_executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace jax_oneshot {
namespace {

using Clock = std::chrono::steady_clock;

// How long a participant must run to justify, in this order: using another thread that is awake; waking threads; a
// thread of its own, since it may be blocked in a collective. Measured 2026-11-24 on 4 cores of an AMD EPYC (a virtual
// machine): a rank that changes cores loses 1 to 2 us, a wake-up takes 5 to 20 us, one of XLA's own collectives over 8
// ranks 50 us and more.
constexpr int64_t kWorthSharingNs = 4'000;
constexpr int64_t kWorthWakingNs = 8'000;
constexpr int64_t kMayBlockNs = 100'000;
// Caps a sample: a rank that was preempted for one time slice must not look like one that always blocks.
constexpr int64_t kLongestNs = 3 * kMayBlockNs;
constexpr auto kLookOut = std::chrono::microseconds(100);   // longer than most gaps between exchanges
constexpr auto kPatience = std::chrono::microseconds(200);  // help if the queue has not moved for this long
constexpr auto kIdle = std::chrono::seconds(5);             // a thread ends after being idle for this long

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// For a lock held for only a few instructions by running threads.
void LockSoon(std::unique_lock<std::mutex>* lock) {
  for (int i = 0; i < 200; ++i) {
    if (lock->try_lock()) return;
    Pause();
  }
  lock->lock();
}

int64_t NsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

}  // namespace

class ContinuationExecutor::Core : public std::enable_shared_from_this<ContinuationExecutor::Core> {
 public:
  void Post(Participant* const* participants, int count, const std::shared_ptr<Cost>& cost, int64_t run_id);
  void Help(Participant* helper, int times, bool wake);
  void Stop();

 private:
  struct Item {
    Participant* participant = nullptr;
    std::shared_ptr<Cost> cost;  // null: a helper
    int64_t run_id = 0;
  };

  // Number of threads that should work on `count` participants.
  static int ThreadsWorth(int count, int64_t mean_ns);

  int Waiting() const { return static_cast<int>(line_.size() - head_); }
  bool Empty() const { return head_ == line_.size(); }
  bool Done() const { return stop_ && Empty() && running_ == 0; }
  Item Pop();
  void SendFor(int threads, std::unique_lock<std::mutex>* lock);  // counts those already on their way to the queue
  void WakeOrStart(int threads);
  void EnsureGuard();
  void WakeAll();
  bool Start();
  void Run();
  void RunOne(std::unique_lock<std::mutex>* lock);
  bool Guard(std::unique_lock<std::mutex>* lock);
  bool LookOut(std::unique_lock<std::mutex>* lock);
  bool WaitForWork(std::unique_lock<std::mutex>* lock);

  std::mutex mutex_;
  std::condition_variable work_, guard_;
  std::vector<Item> line_;  // the queue, from head_ on
  size_t head_ = 0;
  int64_t taken_ = 0;  // items popped so far
  // Each thread is in one of three states, or about to look at the queue: idle (asleep or just woken), polling, or
  // running a participant.
  int started_ = 0;  // threads started so far
  int threads_ = 0, idle_ = 0, woken_ = 0, looking_out_ = 0, running_ = 0;
  bool share_ = false;  // whether the queued participants justify another thread
  // Number of queued participants if share_, else 0. Written under the mutex and read without it by polling threads,
  // which then take the mutex: it orders nothing, so relaxed is enough.
  std::atomic<int> to_share_{0};
  bool has_guard_ = false, guard_asleep_ = false;
  bool stop_ = false;
};

namespace {

// The call site whose cost this thread measures, and since when; for StartClock and StopClock.
struct CostClock {
  std::shared_ptr<ContinuationExecutor::Cost> cost;  // null: stopped
  int64_t run_id = 0;
  Clock::time_point start;
};

// Per thread: the executor it works for, and its clock.
thread_local ContinuationExecutor::Core* this_thread_core = nullptr;
thread_local CostClock this_thread_clock;
thread_local int this_thread_number = 0;

}  // namespace

void ContinuationExecutor::Cost::Add(int64_t ns) {
  // A lost update is harmless.
  const int64_t mean = mean_ns();
  mean_ns_.store(mean + (std::min(ns, kLongestNs) - mean) / 16, std::memory_order_relaxed);
}

bool ContinuationExecutor::Cost::MayBlock() const { return mean_ns() >= kMayBlockNs; }

void ContinuationExecutor::Cost::StartClock(std::shared_ptr<Cost> cost, int64_t run_id) {
  this_thread_clock = {std::move(cost), run_id, Clock::now()};
}

void ContinuationExecutor::Cost::StopClock(int64_t run_id) {
  CostClock& clock = this_thread_clock;
  if (clock.cost == nullptr) return;
  if (clock.run_id == run_id) clock.cost->Add(NsSince(clock.start));
  clock.cost.reset();
}

int ContinuationExecutor::Cores() {
  static const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return cores;
}

std::shared_ptr<ContinuationExecutor> ContinuationExecutor::Shared() {
  static std::mutex mutex;
  static std::weak_ptr<ContinuationExecutor> shared;
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<ContinuationExecutor> continuation_executor = shared.lock();
  if (continuation_executor == nullptr) shared = continuation_executor = std::make_shared<ContinuationExecutor>();
  return continuation_executor;
}

ContinuationExecutor::ContinuationExecutor() : core_(std::make_shared<Core>()) {}
ContinuationExecutor::~ContinuationExecutor() { core_->Stop(); }

void ContinuationExecutor::Post(Participant* const* participants, int count, const std::shared_ptr<Cost>& cost,
                                int64_t run_id) {
  // Resuming the last participant may end its run and destroy this object.
  const std::shared_ptr<Core> core = core_;
  core->Post(participants, count, cost, run_id);
}

void ContinuationExecutor::Help(Participant* helper, int times, bool wake) { core_->Help(helper, times, wake); }

int ContinuationExecutor::ThreadNumber() { return this_thread_number; }

int ContinuationExecutor::Core::ThreadsWorth(int count, int64_t mean_ns) {
  if (mean_ns < kWorthWakingNs) return 1;
  return mean_ns < kMayBlockNs ? std::min(count, ContinuationExecutor::Cores()) : count;
}

void ContinuationExecutor::Core::Post(Participant* const* participants, int count, const std::shared_ptr<Cost>& cost,
                                      int64_t run_id) {
  std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
  LockSoon(&lock);
  for (int i = 0; i < count; ++i) line_.push_back({participants[i], cost, run_id});
  const bool comes_back = this_thread_core == this;  // this thread returns to the queue by itself
  share_ = cost->mean_ns() >= kWorthSharingNs || (!comes_back && looking_out_ > 0);
  SendFor(ThreadsWorth(count, cost->mean_ns()) - (comes_back ? 1 : 0), &lock);
}

void ContinuationExecutor::Core::Help(Participant* helper, int times, bool wake) {
  std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
  LockSoon(&lock);
  for (int i = 0; i < times; ++i) line_.push_back({helper, nullptr, 0});
  share_ = true;
  SendFor(wake ? times : 0, &lock);
}

void ContinuationExecutor::Core::SendFor(int threads, std::unique_lock<std::mutex>* lock) {
  to_share_.store(share_ ? Waiting() : 0, std::memory_order_relaxed);
  WakeOrStart(threads - woken_ - (share_ ? looking_out_ : 0));
  EnsureGuard();
  if (threads_ > 0) return;
  while (!Empty()) RunOne(lock);  // no thread could be started: run them here
}

void ContinuationExecutor::Core::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stop_ = true;
  WakeAll();
}

void ContinuationExecutor::Core::WakeAll() {
  work_.notify_all();
  guard_.notify_all();
}

ContinuationExecutor::Core::Item ContinuationExecutor::Core::Pop() {
  Item item = std::move(line_[head_++]);
  if (Empty()) {
    line_.clear();
    head_ = 0;
  }
  ++taken_;
  to_share_.store(share_ ? Waiting() : 0, std::memory_order_relaxed);
  return item;
}

void ContinuationExecutor::Core::WakeOrStart(int threads) {
  for (; threads > 0; --threads) {
    if (idle_ > woken_) {
      ++woken_;
      work_.notify_one();
    } else if (!Start()) {
      return;
    }
  }
}

void ContinuationExecutor::Core::EnsureGuard() {
  if (Empty()) return;
  if (!has_guard_) {
    // A thread that is neither running nor idle reaches EnsureGuard before it runs anything; if there is none, send
    // one.
    const int looking_elsewhere = share_ ? 0 : looking_out_;
    if (threads_ - running_ - looking_elsewhere - (idle_ - woken_) == 0) WakeOrStart(1);
  } else if (guard_asleep_) {
    guard_asleep_ = false;
    guard_.notify_one();
  }
}

bool ContinuationExecutor::Core::Start() {
  try {
    std::thread([core = shared_from_this()] { core->Run(); }).detach();
  } catch (const std::system_error&) {
    return false;  // the existing threads drain the queue
  }
  ++threads_;
  return true;
}

void ContinuationExecutor::Core::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  this_thread_core = this;
  this_thread_number = started_++;
  for (;;) {
    if (!Empty()) {
      RunOne(&lock);
    } else if (LookOut(&lock)) {
      continue;
    } else if (Done() || !(has_guard_ ? WaitForWork(&lock) : Guard(&lock))) {
      break;
    }
  }
  --threads_;
}

void ContinuationExecutor::Core::RunOne(std::unique_lock<std::mutex>* lock) {
  Item item = Pop();
  ++running_;
  EnsureGuard();
  lock->unlock();
  ContinuationExecutor::Cost::StartClock(std::move(item.cost), item.run_id);
  item.participant->Resume();
  ContinuationExecutor::Cost::StopClock(item.run_id);  // no-op if it reached another call site, which stopped it
  LockSoon(lock);
  --running_;
  if (Done()) WakeAll();
}

// Returns whether there were participants to share, as seen before the lock was retaken.
bool ContinuationExecutor::Core::LookOut(std::unique_lock<std::mutex>* lock) {
  if (stop_ || looking_out_ + running_ >= ContinuationExecutor::Cores()) return false;
  ++looking_out_;
  lock->unlock();
  const Clock::time_point end = Clock::now() + kLookOut;
  bool found = false;
  do {
    for (int i = 0; i < 20 && !found; ++i) {
      found = to_share_.load(std::memory_order_relaxed) > 0;
      if (!found) Pause();
    }
    if (!found) std::this_thread::yield();
  } while (!found && Clock::now() < end);
  LockSoon(lock);
  --looking_out_;
  return found;
}

bool ContinuationExecutor::Core::WaitForWork(std::unique_lock<std::mutex>* lock) {
  ++idle_;
  const bool woken = work_.wait_for(*lock, kIdle, [this] { return woken_ > 0 || Done(); });
  --idle_;
  if (woken_ > 0) --woken_;
  return woken;
}

// One thread is the guard: while there is work it polls the queue at intervals, and joins in when the queue has
// stalled. It sleeps when there is no work. Returns false when the thread may end.
bool ContinuationExecutor::Core::Guard(std::unique_lock<std::mutex>* lock) {
  has_guard_ = true;
  bool go_on = true;
  while (go_on && !Done()) {
    if (Empty() && running_ == 0 && woken_ == 0) {
      guard_asleep_ = true;
      go_on = guard_.wait_for(*lock, kIdle, [this] { return !guard_asleep_ || Done(); });
      guard_asleep_ = false;
    }
    const int64_t seen = taken_;
    guard_.wait_for(*lock, kPatience);
    if (!Empty() && seen == taken_) break;
  }
  has_guard_ = false;
  return go_on;
}

}  // namespace jax_oneshot
