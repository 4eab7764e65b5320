// SPDX-License-Identifier: Apache-2.0
// Tests that kernels of many row programs compile for every supported architecture, without a GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "ffi_kernels/cuda/kernel/generate_kernel.h"
#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "ffi_kernels/cuda/kernel/test_programs.h"
#include "row_program/random_row_program.h"
#include "row_program/text.h"

namespace jax_oneshot::cuda {
namespace {

using ::testing::HasSubstr;

struct Case {
  int64_t rows, width;
  int ranks;
  Algorithm algorithm = Algorithm::kOneShot;
};

class Compile : public ::testing::TestWithParam<DeviceFacts> {
 protected:
  void SetUp() override {
    if (!LoadNvrtc()) GTEST_SKIP() << LoadNvrtc().error();
  }

  // The compiler's log, or an error.
  static Result<std::string> LogOf(const RowProgram& program, const Case& c) {
    const Result<LaunchPlan> plan = PlanLaunch(program, c.rows, c.width, c.ranks, GetParam(), c.algorithm);
    if (!plan) return Err(plan.error());
    const std::string arch = "sm_" + std::to_string(GetParam().compute_capability);
    const Result<Compilation> compiled = LoadNvrtc()->Compile(GenerateKernel(program, *plan), arch, CompilerOptions());
    if (!compiled) return Err(compiled.error());
    return compiled->log;
  }

  static void ExpectCompiles(const RowProgram& program, const Case& c) {
    const Result<std::string> log = LogOf(program, c);
    EXPECT_TRUE(log) << PrintRowProgram(program) << "\nrows " << c.rows << " width " << c.width << " ranks " << c.ranks
                     << "\n"
                     << (log ? "" : log.error());
  }
};

TEST_P(Compile, KeepsEverythingInRegistersAtTheShapesOfModels) {
  for (const char* text : {kPlain, kResidualRmsNorm, kShardedRmsNorm}) {
    for (const int64_t rows : {1, 8, 16, 32, 64}) {
      for (const int64_t width : {3584, 4096, 8192}) {
        for (const int ranks : {2, 4, 8}) {
          const Result<std::string> log = LogOf(ProgramOf(text), {rows, width, ranks});
          ASSERT_TRUE(log) << log.error();
          EXPECT_THAT(*log, HasSubstr("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"))
              << text << " rows " << rows << " width " << width << " ranks " << ranks;
        }
      }
    }
  }
}

// Each kernel takes up to a second to compile, so rows and widths vary together.
TEST_P(Compile, KeepsEverythingInRegistersByTwoShots) {
  struct Extent {
    int64_t rows, width;
  };
  for (const char* text : {kPlain, kResidualRmsNorm, kShardedRmsNorm}) {
    for (const auto& [rows, width] : {Extent{1, 4096}, {16, 3584}, {64, 8192}, {128, 4096}, {512, 8192}}) {
      for (const int ranks : {2, 8}) {
        const Result<std::string> log = LogOf(ProgramOf(text), {rows, width, ranks, Algorithm::kTwoShot});
        ASSERT_TRUE(log) << log.error();
        EXPECT_THAT(*log, HasSubstr("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"))
            << text << " rows " << rows << " width " << width << " ranks " << ranks;
      }
    }
  }
}

TEST_P(Compile, TakesAnyExtentAndGroup) {
  for (const char* text : {kPlain, kResidualRmsNorm, kLayerNorm}) {
    for (Case c : {Case{1, 1, 2}, {4096, 1, 16}, {3, 7, 3}, {4096, 8192, 5}, {1, 40000, 2}, {2, 20000, 16}}) {
      for (const Algorithm algorithm : {Algorithm::kOneShot, Algorithm::kTwoShot}) {
        c.algorithm = algorithm;
        ExpectCompiles(ProgramOf(text), c);
      }
    }
  }
}

TEST_P(Compile, TakesShardsThatSplitChunksAndShardsThatDoNot) {
  for (const int64_t width : {4096, 24, 12, 4}) ExpectCompiles(ProgramOf(kShardedRmsNorm), {5, width, 4});
}

TEST_P(Compile, TakesRandomPrograms) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const Algorithm algorithm = seed % 2 == 0 ? Algorithm::kOneShot : Algorithm::kTwoShot;
    ExpectCompiles(RandomRowProgram(seed), {3, 21 + seed, 3, algorithm});
  }
}

TEST_P(Compile, TakesRandomProgramsWithShards) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const Algorithm algorithm = seed % 2 == 0 ? Algorithm::kOneShot : Algorithm::kTwoShot;
    ExpectCompiles(RandomShardedRowProgram(seed), {3, 4 * (seed + 1), 4, algorithm});
  }
}

INSTANTIATE_TEST_SUITE_P(On, Compile, ::testing::Values(FactsOfA100(), FactsOfH100(), FactsOfB200()),
                         [](const auto& info) { return "sm_" + std::to_string(info.param.compute_capability); });

}  // namespace
}  // namespace jax_oneshot::cuda
