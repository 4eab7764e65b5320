// SPDX-License-Identifier: Apache-2.0
// KeepFreedMemory: freed memory is reused without page faults, unless the user tuned the allocator.
#include "ffi_kernels/cpu/keep_freed_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace jax_oneshot {
namespace {

int64_t PageFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Allocates, touches and frees eight buffers as an executable with eight devices does.
void OneStep() {
  constexpr size_t kBytes = size_t{3} << 20;
  std::vector<void*> buffers;
  for (int i = 0; i < 8; ++i) {
    buffers.push_back(std::malloc(kBytes));
    std::memset(buffers.back(), i, kBytes);
  }
  for (void* buffer : buffers) std::free(buffer);
}

TEST(KeepFreedMemory, LeavesAnAllocatorAloneThatTheUserTuned) {
  setenv("MALLOC_TRIM_THRESHOLD_", "1000000", 1);
  EXPECT_FALSE(KeepFreedMemory());
  unsetenv("MALLOC_TRIM_THRESHOLD_");
}

TEST(KeepFreedMemory, LetsTheNextStepFindItsPagesStillThere) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "a sanitizer brings an allocator of its own, which mallopt does not reach";
#endif
  ASSERT_TRUE(KeepFreedMemory());
  OneStep();
  const int64_t before = PageFaults();
  for (int step = 0; step < 10; ++step) OneStep();
  EXPECT_LT(PageFaults() - before, 768) << "one step touches 6144 pages";
}

}  // namespace
}  // namespace jax_oneshot
