// SPDX-License-Identifier: Apache-2.0
// Competitor libraries: what is read from a valid one, and the errors for invalid ones.
#include "ffi_kernels/cuda/bench/competitor_library.h"

#include <gtest/gtest.h>

namespace jax_oneshot::cuda::bench {
namespace {

testing::AssertionResult Says(const std::string& error, const std::string& part) {
  if (error.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << error << " does not say " << part;
}

std::string Path(const std::string& file) { return "ffi_kernels/cuda/bench/" + file; }

TEST(CompetitorLibrary, NamesAndOpensAndLaunchesItsKernels) {
  const Result<CompetitorLibrary> library = CompetitorLibrary::Load(Path("libgood_competitor.so"));
  ASSERT_TRUE(library) << library.error();
  EXPECT_EQ(library->names(), std::vector<std::string>{"somebody's kernel 1.0"});
  const Result<OpenedCompetitor> opened = library->Open(0, {2, 8, 4096, 1e-5f});
  ASSERT_TRUE(opened) << opened.error();
  EXPECT_TRUE(opened->Launch(0, nullptr, {}));
}

TEST(CompetitorLibrary, SaysWhyAKernelDoesNotTakeAShape) {
  const Result<CompetitorLibrary> library = CompetitorLibrary::Load(Path("libgood_competitor.so"));
  ASSERT_TRUE(library) << library.error();
  const Result<OpenedCompetitor> opened = library->Open(0, {4, 8, 4096, 1e-5f});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), "takes 2 ranks, not 4");
}

TEST(CompetitorLibrary, NamesTheRankAndTheErrorOfAFailedLaunch) {
  const Result<CompetitorLibrary> library = CompetitorLibrary::Load(Path("libgood_competitor.so"));
  ASSERT_TRUE(library) << library.error();
  const Result<OpenedCompetitor> opened = library->Open(0, {2, 8, 4096, 1e-5f});
  ASSERT_TRUE(opened) << opened.error();
  const Result<void> launched = opened->Launch(1, nullptr, {});
  ASSERT_FALSE(launched);
  EXPECT_EQ(launched.error(), "its launch on rank 1 failed with CUDA runtime error 719");
}

TEST(CompetitorLibrary, NamesTheFunctionThatAFileLacks) {
  const Result<CompetitorLibrary> library = CompetitorLibrary::Load(Path("libcompetitor_without_launch.so"));
  ASSERT_FALSE(library);
  EXPECT_TRUE(Says(library.error(),
                   "libcompetitor_without_launch.so lacks the function "
                   "jax_oneshot_competitor_launch; a competitor library exports the five of "
                   "competitor.h"));
}

TEST(CompetitorLibrary, NamesAFileThatIsNotThere) {
  const Result<CompetitorLibrary> library = CompetitorLibrary::Load(Path("libnone.so"));
  ASSERT_FALSE(library);
  EXPECT_TRUE(Says(library.error(), "the competitor library does not load: "));
  EXPECT_TRUE(Says(library.error(), "libnone.so"));
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
