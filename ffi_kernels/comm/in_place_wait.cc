// SPDX-License-Identifier: Apache-2.0
// See in_place_wait.h.
#include "ffi_kernels/comm/in_place_wait.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>

namespace jax_oneshot {
namespace {

using Clock = std::chrono::steady_clock;

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "a futex is the 32-bit word itself");

// Returns when woken, when the word is not `expected`, after `most`, or spuriously.
void FutexWait(std::atomic<uint32_t>* word, uint32_t expected, std::chrono::nanoseconds most) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(most);
  const timespec timeout{static_cast<time_t>(seconds.count()), static_cast<long>((most - seconds).count())};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &timeout, nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

uint32_t InPlaceWait::Begin(bool stays) {
  const uint32_t number = (word_.load(std::memory_order_relaxed) & ~kCodeMask) + kCodeMask + 1;
  const uint32_t ticket = number | (stays ? kWaits : uint32_t{kLeft});
  word_.store(ticket, std::memory_order_relaxed);
  return ticket;
}

bool InPlaceWait::End(Outcome outcome) {
  uint32_t word = word_.load(std::memory_order_relaxed);
  if ((word & kCodeMask) != kWaits) return false;
  const uint32_t ended = (word & ~kCodeMask) | outcome;
  // Fails only if the rank has just left. Release: pairs with the acquire in Wait.
  if (!word_.compare_exchange_strong(word, ended, std::memory_order_release, std::memory_order_relaxed)) return false;
  FutexWake(&word_);
  return true;
}

InPlaceWait::Outcome InPlaceWait::Wait(uint32_t ticket, std::chrono::nanoseconds most) {
  const Clock::time_point end = Clock::now() + most;
  uint32_t word;
  while ((word = word_.load(std::memory_order_acquire)) == ticket) {
    const std::chrono::nanoseconds left = end - Clock::now();
    if (left.count() > 0) {
      FutexWait(&word_, ticket, left);
    } else if (word_.compare_exchange_strong(word, ticket & ~kCodeMask, std::memory_order_acquire)) {
      return kLeft;
    }
  }
  return word == ((ticket & ~kCodeMask) | kDone) ? kDone : kFailed;
}

}  // namespace jax_oneshot
