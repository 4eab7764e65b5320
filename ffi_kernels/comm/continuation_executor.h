// Runs the Resume of each participant whose round is complete, on a few threads.
//
// Resume runs the rest of a rank's program (until it waits again) on the thread that calls it. Three things follow.
// - It may block: XLA's own collectives on CPU hold their thread until every rank has come. Ranks resumed one after the
//   other on one thread would then wait for ranks still in line behind them, forever. So the line never depends on one
//   thread: when it does not move for a moment, another thread takes from it.
// - It is usually short: the next one-shot call is microseconds away, and waking a thread takes as long. So a thread
//   that runs out of participants looks out for more for a moment, giving way to others, before it sleeps; there are
//   never more such threads than cores.
// - It may be shorter still. Then moving a rank to another core costs more than the work, and one thread going down the
//   line is best.
// A call site therefore remembers how long what follows it takes (Cost). Ranks that seem to block do not come here at
// all, unless their thread is wanted elsewhere (in_place_wait.h). For others, as many threads are sent for as that is
// worth; the rest is the safety net. Threads end when idle for a while. Destroying a continuation_executor waits for
// nothing.
#ifndef FFI_KERNELS_COMM_CONTINUATION_EXECUTOR_H_
#define FFI_KERNELS_COMM_CONTINUATION_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "ffi_kernels/comm/rendezvous.h"

namespace jax_oneshot {

class ContinuationExecutor {
 public:
  // How long ranks run after one call site before they wait again: a sliding mean, in nanoseconds.
  class Cost {
   public:
    void Add(int64_t ns);
    int64_t mean_ns() const { return mean_ns_.load(std::memory_order_relaxed); }
    bool MayBlock() const;  // so long that the rank probably blocks in one of XLA's own collectives

    // The calling thread begins what follows `cost`'s call site, in this run; it waits again, or has come to the end.
    // A clock that another run started, on a thread that XLA uses again, is dropped.
    static void StartClock(std::shared_ptr<Cost> cost, int64_t run_id);
    static void StopClock(int64_t run_id);

   private:
    std::atomic<int64_t> mean_ns_{0};
  };

  // The one that all who ask share while any of them holds it: with a line of its own for each call site, there would
  // be threads for each, hundreds in a deep model, and most of them asleep when they are wanted.
  static std::shared_ptr<ContinuationExecutor> Shared();

  // Of this machine; as many threads look out at most.
  static int Cores();

  ContinuationExecutor();
  ~ContinuationExecutor();

  // Takes `count` participants of one run in line. `cost` is the call site's; it is kept alive until they have run.
  void Post(Participant* const* participants, int count, const std::shared_ptr<Cost>& cost, int64_t run_id);

  // Has up to `times` threads call `helper`'s Resume, soon or when there is nothing left for it to do: those that are
  // awake, and others where `wake` says that the work is worth waking them.
  void Help(Participant* helper, int times, bool wake);

  // A small number that stays the calling thread's: 0, 1, ... for a continuation_executor's threads in the order of
  // their start, 0 for all others. For sharing work so that a thread meets the same data again.
  static int ThreadNumber();

  class Core;

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_COMM_CONTINUATION_EXECUTOR_H_
