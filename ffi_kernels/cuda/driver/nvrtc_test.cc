// SPDX-License-Identifier: Apache-2.0
// Tests cubins and error messages, with fake NVRTC functions and, where installed, with NVRTC itself.
#include "ffi_kernels/cuda/driver/nvrtc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace jax_oneshot::cuda {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kLog[] = "oneshot_kernel.cu(1): error: expected a declaration";

// Compiles nothing: fails as the test asks, or returns the source as the cubin.
Nvrtc NvrtcOfThisTest() {
  Nvrtc nvrtc;
  nvrtc.path = "/lib/libnvrtc.so.13";
  nvrtc.nvrtcVersion = [](int* major, int* minor) {
    *major = 13;
    *minor = 1;
    return 0;
  };
  nvrtc.nvrtcGetErrorString = [](int) { return "NVRTC_ERROR_COMPILATION"; };
  nvrtc.nvrtcCreateProgram = [](NvrtcProgram* program, const char* source, const char*, int, const char* const*,
                                const char* const*) {
    *program = reinterpret_cast<NvrtcProgram>(const_cast<char*>(source));
    return 0;
  };
  nvrtc.nvrtcDestroyProgram = [](NvrtcProgram* program) {
    *program = nullptr;
    return 0;
  };
  nvrtc.nvrtcCompileProgram = [](NvrtcProgram program, int, const char* const*) {
    return std::strcmp(reinterpret_cast<const char*>(program), "wrong") == 0 ? 6 : 0;
  };
  nvrtc.nvrtcGetProgramLogSize = [](NvrtcProgram, size_t* size) {
    *size = sizeof kLog;
    return 0;
  };
  nvrtc.nvrtcGetProgramLog = [](NvrtcProgram, char* log) {
    std::memcpy(log, kLog, sizeof kLog);
    return 0;
  };
  nvrtc.nvrtcGetCUBINSize = [](NvrtcProgram program, size_t* size) {
    *size = std::strlen(reinterpret_cast<const char*>(program));
    return 0;
  };
  nvrtc.nvrtcGetCUBIN = [](NvrtcProgram program, char* cubin) {
    std::memcpy(cubin, program, std::strlen(reinterpret_cast<const char*>(program)));
    return 0;
  };
  return nvrtc;
}

TEST(Nvrtc, FailureNamesTheArchitectureTheVersionTheLibraryAndHoldsTheLog) {
  const Result<Compilation> compiled = NvrtcOfThisTest().Compile("wrong", "sm_90", {});
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error(),
            std::string("nvrtcCompileProgram failed for sm_90: NVRTC_ERROR_COMPILATION; NVRTC 13.1 from "
                        "/lib/libnvrtc.so.13\n") +
                kLog);
}

TEST(Nvrtc, GivesTheCubinAndTheLogWithoutItsTerminatingZero) {
  const Result<Compilation> compiled = NvrtcOfThisTest().Compile("right", "sm_90", {"-v"});
  ASSERT_TRUE(compiled) << compiled.error();
  EXPECT_EQ(compiled->cubin, "right");
  EXPECT_EQ(compiled->log, kLog);
}

TEST(Nvrtc, CompilesAKernelWhereItIsInstalled) {
  const Result<Nvrtc>& nvrtc = LoadNvrtc();
  if (!nvrtc) GTEST_SKIP() << nvrtc.error();
  const Result<Compilation> compiled = nvrtc->Compile("__global__ void Nothing() {}", "sm_90", {});
  ASSERT_TRUE(compiled) << compiled.error();
  EXPECT_THAT(compiled->cubin, StartsWith("\x7f"
                                          "ELF"));
  const Result<Compilation> refused = nvrtc->Compile("not CUDA", "sm_90", {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("nvrtcCompileProgram failed for sm_90"));
}

}  // namespace
}  // namespace jax_oneshot::cuda
