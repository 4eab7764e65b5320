// SPDX-License-Identifier: Apache-2.0
// Tests how often KernelCache compiles, with a counting compiler, and how it treats damaged cache files.
#include "ffi_kernels/cuda/kernel/kernel_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "ffi_kernels/cuda/kernel/test_programs.h"

namespace jax_oneshot::cuda {
namespace {

namespace fs = std::filesystem;

int compilations = 0;
int minor_version = 1;

// Its cubin is the word "cubin".
Nvrtc CountingNvrtc() {
  Nvrtc nvrtc;
  nvrtc.nvrtcVersion = [](int* major, int* minor) {
    *major = 13;
    *minor = minor_version;
    return 0;
  };
  nvrtc.nvrtcGetErrorString = [](int) { return "none"; };
  nvrtc.nvrtcCreateProgram = [](NvrtcProgram*, const char*, const char*, int, const char* const*, const char* const*) {
    return 0;
  };
  nvrtc.nvrtcDestroyProgram = [](NvrtcProgram*) { return 0; };
  nvrtc.nvrtcCompileProgram = [](NvrtcProgram, int, const char* const*) {
    ++compilations;
    return 0;
  };
  nvrtc.nvrtcGetProgramLogSize = [](NvrtcProgram, size_t* size) {
    *size = 1;
    return 0;
  };
  nvrtc.nvrtcGetProgramLog = [](NvrtcProgram, char* log) {
    *log = '\0';
    return 0;
  };
  nvrtc.nvrtcGetCUBINSize = [](NvrtcProgram, size_t* size) {
    *size = 5;
    return 0;
  };
  nvrtc.nvrtcGetCUBIN = [](NvrtcProgram, char* cubin) {
    std::memcpy(cubin, "cubin", 5);
    return 0;
  };
  return nvrtc;
}

class KernelCacheTest : public ::testing::Test {
 protected:
  KernelCacheTest()
      : folder_(::testing::TempDir() + "oneshot-kernels-" + std::to_string(getpid()) + "-" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    compilations = 0;
    minor_version = 1;
  }
  ~KernelCacheTest() override { fs::remove_all(folder_); }

  // The number of compilations that a new process needs for the kernel of `text`.
  int CompilationsFor(const char* text, int64_t rows, const DeviceFacts& device) const {
    KernelCache cache(CountingNvrtc(), folder_);
    const int before = compilations;
    for (int twice = 0; twice < 2; ++twice) {
      const auto kernel = cache.Get(ProgramOf(text), rows, 4096, 8, device);
      EXPECT_TRUE(kernel) << kernel.error();
      EXPECT_EQ(kernel ? (*kernel)->cubin : "", "cubin");
    }
    return compilations - before;
  }

  const std::string folder_;
};

TEST_F(KernelCacheTest, CompilesAKernelOnceAndReadsItFromDiskInTheNextProcess) {
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfH100()), 1);
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfH100()), 0);
}

TEST_F(KernelCacheTest, TellsProgramsExtentsArchitecturesAndCompilersApart) {
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfH100()), 1);
  EXPECT_EQ(CompilationsFor(kResidualRmsNorm, 8, FactsOfH100()), 1);
  EXPECT_EQ(CompilationsFor(kPlain, 16, FactsOfH100()), 1);
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfB200()), 1);
  minor_version = 2;
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfH100()), 1);
}

TEST_F(KernelCacheTest, CompilesAgainWhatWasDamagedOnDiskAndMendsIt) {
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfH100()), 1);
  for (const auto& entry : fs::directory_iterator(folder_)) std::ofstream(entry.path()) << "damaged";
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfH100()), 1);
  EXPECT_EQ(CompilationsFor(kPlain, 8, FactsOfH100()), 0);
}

TEST_F(KernelCacheTest, WorksWithoutADisk) {
  KernelCache cache(CountingNvrtc(), "");
  ASSERT_TRUE(cache.Get(ProgramOf(kPlain), 8, 4096, 8, FactsOfH100()));
  ASSERT_TRUE(cache.Get(ProgramOf(kPlain), 8, 4096, 8, FactsOfH100()));
  EXPECT_EQ(compilations, 1);
}

TEST_F(KernelCacheTest, PassesOnWhatThePlanRefuses) {
  KernelCache cache(CountingNvrtc(), folder_);
  const auto kernel = cache.Get(ProgramOf(kPlain), 8, 4096, 17, FactsOfH100());
  ASSERT_FALSE(kernel);
  EXPECT_THAT(kernel.error(), ::testing::HasSubstr("the group has 17 ranks, expected 2 to 16"));
  EXPECT_EQ(compilations, 0);
}

}  // namespace
}  // namespace jax_oneshot::cuda
