// SPDX-License-Identifier: Apache-2.0
// The message after a kernel gave up, when it is logged, and who receives it.
#include "ffi_kernels/cuda/handler/failure_watch.h"

#include <gtest/gtest.h>

#include <future>

namespace jax_oneshot::cuda {
namespace {

using std::chrono::milliseconds;

// As the kernel writes it: the call number in the upper half, one bit per missing rank in the lower.
uint64_t Word(uint32_t call, uint32_t missing) { return uint64_t{call} << 32 | missing; }

// As a device writes it: concurrently with the watch's reads.
void Write(volatile uint64_t* word, uint64_t bits) { __atomic_store_n(word, bits, __ATOMIC_RELAXED); }

TEST(FailureWatch, LogsTheCallAndTheMissingRankAsSoonAsAKernelGaveUp) {
  std::promise<std::string> logged;
  volatile uint64_t word = 0;
  FailureWatch watch([&](const std::string& message) { logged.set_value(message); });
  watch.AddCall({"one-shot all-reduce 0", 0, 4, milliseconds(1)});
  const uint32_t call = watch.AddCall({"one-shot all-reduce 1 (channel 7)", 2, 4, milliseconds(1500)});
  watch.WatchDevice(0, &word);
  Write(&word, Word(call, 0b1010));
  const std::string message = logged.get_future().get();
  EXPECT_EQ(message.find("one-shot all-reduce 1 (channel 7): rank 2 of 4 waited 1500 ms for ranks 1, 3, then gave up"),
            0u)
      << message;
  EXPECT_NE(message.find("JAX_ONESHOT_TIMEOUT_S"), std::string::npos);
}

TEST(FailureWatch, GivesTheSameTextToEveryLaterCallOfThatDevice) {
  int logged = 0;
  volatile uint64_t words[2] = {0, 0};
  {
    FailureWatch watch([&](const std::string&) { ++logged; });
    watch.AddCall({"call", 0, 2, milliseconds(10)});
    watch.WatchDevice(0, &words[0]);
    watch.WatchDevice(1, &words[1]);
    EXPECT_EQ(watch.FailureOn(1), std::nullopt);
    Write(&words[1], Word(0, 0b10));
    EXPECT_EQ(watch.FailureOn(0), std::nullopt);
    ASSERT_TRUE(watch.FailureOn(1).has_value());
    EXPECT_EQ(watch.FailureOn(1), watch.FailureOn(1));
    EXPECT_NE(watch.FailureOn(1)->find("waited 10 ms for rank 1,"), std::string::npos);
  }
  EXPECT_LE(logged, 1);
}

TEST(FailureWatch, KnowsNothingOfADeviceThatItDoesNotWatch) {
  const FailureWatch watch([](const std::string&) {});
  EXPECT_EQ(watch.FailureOn(0), std::nullopt);
}

TEST(FailureWatch, CopesWithANumberThatNoCallHas) {
  volatile uint64_t word = Word(9, 1);
  FailureWatch watch([](const std::string&) {});
  watch.WatchDevice(0, &word);
  EXPECT_EQ(watch.FailureOn(0), "a one-shot all-reduce gave up waiting for rank 0");
}

}  // namespace
}  // namespace jax_oneshot::cuda
