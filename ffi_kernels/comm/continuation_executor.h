// SPDX-License-Identifier: Apache-2.0
// Resumes the participants of completed rounds on a small thread pool.
//
// Resume runs the rest of a rank's program, until it waits again, on the calling thread. That has three consequences:
// - It may block: XLA's own CPU collectives hold their thread until every rank has arrived. If ranks were resumed one
//   after the other on one thread, they would wait forever for ranks still queued behind them. So the queue never
//   depends on one thread: when it stalls, another thread takes from it.
// - It is usually short: the next one-shot call is microseconds away, about as long as it takes to wake a thread. So a
//   thread that runs out of participants polls for more for a moment, yielding to other threads, before it sleeps; at
//   most as many threads poll as there are cores.
// - It may be shorter still. Then moving a rank to another core costs more than the work itself, and it is best that
//   one thread drains the queue.
// Each call site therefore records how long its ranks run afterwards (Cost). Ranks that seem to block are not posted
// here at all, unless their thread is needed elsewhere (in_place_wait.h). For the others, Post asks for as many threads
// as the cost justifies; the guard thread is the safety net. Idle threads end after a while. Destroying a
// ContinuationExecutor does not wait for them.
#ifndef FFI_KERNELS_COMM_CONTINUATION_EXECUTOR_H_
#define FFI_KERNELS_COMM_CONTINUATION_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "ffi_kernels/comm/rendezvous.h"

namespace jax_oneshot {

class ContinuationExecutor {
 public:
  // How long a rank runs after a call site before it waits again: a moving average, in nanoseconds.
  class Cost {
   public:
    void Add(int64_t ns);
    int64_t mean_ns() const { return mean_ns_.load(std::memory_order_relaxed); }
    bool MayBlock() const;  // long enough that the rank probably blocks in one of XLA's own collectives

    // StartClock: the calling thread begins to run a rank after `cost`'s call site, in this run. StopClock: the rank
    // waits again or has finished. A clock that another run started, on a thread that XLA reused, is dropped.
    static void StartClock(std::shared_ptr<Cost> cost, int64_t run_id);
    static void StopClock(int64_t run_id);

   private:
    std::atomic<int64_t> mean_ns_{0};
  };

  // The instance shared by all callers, alive while any of them holds it. With one queue per call site there would be
  // threads for each, hundreds in a deep model, most of them asleep when needed.
  static std::shared_ptr<ContinuationExecutor> Shared();

  // Of this machine; at most as many threads poll.
  static int Cores();

  ContinuationExecutor();
  ~ContinuationExecutor();

  // Enqueues `count` participants of one run. `cost` is the call site's; it is kept alive until they have run.
  void Post(Participant* const* participants, int count, const std::shared_ptr<Cost>& cost, int64_t run_id);

  // Has up to `times` threads call `helper`'s Resume, possibly after no work is left for it: threads that are awake,
  // and sleeping ones if `wake` says that the work justifies waking them.
  void Help(Participant* helper, int times, bool wake);

  // A small number, fixed for the calling thread: 0, 1, ... for an executor's threads in the order of their start, 0
  // for all others. Used to divide work so that a thread processes the same data again.
  static int ThreadNumber();

  class Core;

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_COMM_CONTINUATION_EXECUTOR_H_
