// Lets a rank wait on its own thread for a while, instead of leaving the thread and being resumed by another.
//
//   rank's thread                                  whoever completes the call
//   ticket = wait.Begin(/*stays=*/true);
//   ... arrives ...                                if (!wait.End(kDone)) continuation_executor->Post(rank);
//   wait.Wait(ticket, 10 ms) == kDone
//
// One object per rank slot, used again by later calls. Linux: sleeps on a futex.
#ifndef FFI_KERNELS_COMM_IN_PLACE_WAIT_H_
#define FFI_KERNELS_COMM_IN_PLACE_WAIT_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace jax_oneshot {

class InPlaceWait {
 public:
  enum Outcome : uint32_t { kLeft = 0, kDone = 2, kFailed = 3 };

  // Before the rank is seen by others; `stays`: its thread will call Wait. Returns the ticket to call it with.
  uint32_t Begin(bool stays);

  // Once for each Begin. True: the rank waits in place, now knows the outcome (kDone or kFailed), and goes on by
  // itself; false: it does not wait, or not any more, and is the caller's to resume.
  bool End(Outcome outcome);

  // kDone: End(kDone) returned true. kFailed: End(kFailed) did, and the object may serve another call already. kLeft:
  // End was not called within `most`, and will return false.
  Outcome Wait(uint32_t ticket, std::chrono::nanoseconds most);

 private:
  static constexpr uint32_t kWaits = 1, kCodeMask = 3;

  // Two bits of code, above them the number of the call. Begin's store is published by the lock under which ranks
  // arrive. End releases what the caller wrote for the rank, and Wait acquires it.
  std::atomic<uint32_t> word_{kLeft};
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_COMM_IN_PLACE_WAIT_H_
