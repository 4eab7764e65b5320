// SPDX-License-Identifier: Apache-2.0
// Lets a rank wait on its own thread for a while, instead of giving up the thread and being resumed on another.
//
//   rank's thread                                  whoever completes the call
//   ticket = wait.Begin(/*stays=*/true);
//   ... arrives ...                                if (!wait.End(kDone)) continuation_executor->Post(rank);
//   wait.Wait(ticket, 10 ms) == kDone
//
// One object per rank slot, reused by later calls. Linux only: sleeps on a futex.
#ifndef FFI_KERNELS_COMM_IN_PLACE_WAIT_H_
#define FFI_KERNELS_COMM_IN_PLACE_WAIT_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace jax_oneshot {

class InPlaceWait {
 public:
  enum Outcome : uint32_t { kLeft = 0, kDone = 2, kFailed = 3 };

  // Call before other ranks can see this one. `stays`: its thread will call Wait, with the ticket returned.
  uint32_t Begin(bool stays);

  // Call once for each Begin. True: the rank is waiting in place, has been given the outcome (kDone or kFailed), and
  // continues by itself. False: it is not waiting, or no longer, and the caller must resume it.
  bool End(Outcome outcome);

  // kDone: End(kDone) returned true. kFailed: End(kFailed) returned true, and the object may already serve another
  // call. kLeft: End was not called within `most`, and will return false.
  Outcome Wait(uint32_t ticket, std::chrono::nanoseconds most);

 private:
  static constexpr uint32_t kWaits = 1, kCodeMask = 3;

  // The low two bits are the state, the rest is the number of the call. Begin's store is published by the lock under
  // which ranks arrive. End releases what the caller wrote for the rank, and Wait acquires it.
  std::atomic<uint32_t> word_{kLeft};
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_COMM_IN_PLACE_WAIT_H_
