// SPDX-License-Identifier: Apache-2.0
// Tests the launch plans rule by rule, and every refusal.
#include "ffi_kernels/cuda/kernel/launch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "ffi_kernels/cuda/kernel/test_programs.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {
namespace {

using ::testing::ElementsAre;

LaunchPlan PlanOf(const char* text, int64_t rows, int64_t width, int ranks, const DeviceFacts& device = FactsOfH100(),
                  Algorithm algorithm = Algorithm::kOneShot) {
  const Result<LaunchPlan> plan = PlanLaunch(ProgramOf(text), rows, width, ranks, device, algorithm);
  EXPECT_TRUE(plan) << plan.error();
  return plan.value_or(LaunchPlan());
}

std::string RefusalOf(const char* text, int64_t rows, int64_t width, int ranks,
                      const DeviceFacts& device = FactsOfH100()) {
  const Result<LaunchPlan> plan = PlanLaunch(ProgramOf(text), rows, width, ranks, device);
  return plan ? "planned" : plan.error();
}

TEST(LaunchPlan, SpreadsARowThatIsReducedOverAClusterWhileMultiprocessorsAreIdle) {
  const LaunchPlan plan = PlanOf(kResidualRmsNorm, 8, 4096, 8);
  EXPECT_TRUE(plan.cluster);
  EXPECT_EQ(plan.blocks_per_row, 4);
  EXPECT_EQ(plan.block() * plan.blocks_per_row * plan.vector, 4096);
  EXPECT_EQ(plan.grid(), 32);
  EXPECT_EQ(plan.row_steps, 1);
}

TEST(LaunchPlan, GivesBlocksOfAClusterFourWarpsWhereTheyComeOutWhole) {
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 8, 4096, 8).block(), 128);
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 8, 8192, 8).block(), 128);
  EXPECT_EQ(PlanOf(kPlain, 8, 4096, 8).block(), 64) << "no cluster";
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 8, 3584, 8).block(), 64) << "seven blocks cannot be halved";
  EXPECT_FALSE(PlanOf(kResidualRmsNorm, 8, 1024, 8).cluster) << "one block of four warps needs none";
}

TEST(LaunchPlan, NeedsNoClusterWhereNothingIsReducedOverARow) {
  const LaunchPlan plan = PlanOf(kPlain, 8, 4096, 8);
  EXPECT_FALSE(plan.cluster);
  EXPECT_GT(plan.blocks_per_row, 1);
}

TEST(LaunchPlan, KeepsARowInOneBlockWhereDevicesHaveNoClusters) {
  const LaunchPlan plan = PlanOf(kResidualRmsNorm, 1, 4096, 8, FactsOfA100());
  EXPECT_EQ(plan.blocks_per_row, 1);
  EXPECT_FALSE(plan.cluster);
}

TEST(LaunchPlan, GivesARowOneBlockWhenThereAreRowsForAllMultiprocessors) {
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 128, 4096, 8).blocks_per_row, 1);
}

TEST(LaunchPlan, HalvesTheRowsOfATwoShotCallWhereEachMultiprocessorHasOne) {
  const auto blocks = [](int64_t rows, int64_t width, Algorithm algorithm = Algorithm::kTwoShot) {
    return PlanOf(kResidualRmsNorm, rows, width, 4, FactsOfH100(), algorithm).blocks_per_row;
  };
  EXPECT_EQ(blocks(128, 3584), 2);
  EXPECT_EQ(blocks(128, 4096), 2);
  EXPECT_EQ(blocks(128, 4096, Algorithm::kOneShot), 1);
  EXPECT_EQ(blocks(128, 8192), 1) << "two chunks per thread";
  EXPECT_EQ(blocks(133, 4096), 1) << "two rows per multiprocessor";
  EXPECT_EQ(blocks(128, 512), 1) << "a block of two warps";
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 128, 4096, 4, FactsOfH100(), Algorithm::kTwoShot).row_steps, 1);
}

TEST(LaunchPlan, PutsSeveralNarrowRowsIntoOneBlock) {
  EXPECT_GT(PlanOf(kResidualRmsNorm, 4096, 64, 2).rows_per_block, 1);
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 8, 64, 2).rows_per_block, 1);
}

TEST(LaunchPlan, HoldsAtMostSixteenColumnsPerThreadUpToTheWidestCluster) {
  for (const int64_t width : {1, 3584, 8192, 16384, 65536}) {
    const LaunchPlan plan = PlanOf(kResidualRmsNorm, 64, width, 8);
    EXPECT_LE(plan.vector * plan.chunks, 16) << width;
  }
}

TEST(LaunchPlan, CoversEveryRowAndColumnOnceAndFitsTheDevice) {
  for (const char* text : {kPlain, kResidualRmsNorm, kLayerNorm}) {
    for (const DeviceFacts& device : {FactsOfA100(), FactsOfH100(), FactsOfB200()}) {
      for (const int64_t rows : {1, 2, 3, 17, 64, 100, 133, 1000, 4096}) {
        for (const int64_t width : {1, 7, 256, 3584, 4096, 5120, 8192, 20000}) {
          const Algorithm algorithm = rows % 4 == 0 ? Algorithm::kTwoShot : Algorithm::kOneShot;
          const LaunchPlan plan = PlanOf(text, rows, width, 8, device, algorithm);
          EXPECT_GE(int64_t{plan.row_groups} * plan.rows_per_block * plan.row_steps, rows);
          EXPECT_LT(int64_t{plan.row_groups} * plan.rows_per_block * (plan.row_steps - 1), rows);
          EXPECT_GE(int64_t{plan.blocks_per_row} * plan.threads_per_row * plan.chunks * plan.vector, width);
          EXPECT_LE(plan.block(), 1024);
          EXPECT_EQ(plan.threads_per_row % 32, 0) << "row reductions depend on the width alone (device/reduce.cuh)";
          EXPECT_LE(plan.grid(), kEpochEntries);
          EXPECT_LE(plan.grid(), device.multiprocessors * plan.blocks_per_multiprocessor);
          EXPECT_LE(plan.block() * plan.blocks_per_multiprocessor, device.threads_per_multiprocessor);
        }
      }
    }
  }
}

TEST(LaunchPlan, LeavesEachOfSeveralRanksOnOneDeviceItsShare) {
  DeviceFacts shared = FactsOfH100();
  shared.ranks_on_device = 8;
  for (const int64_t rows : {1, 8, 64, 1000}) {
    const LaunchPlan plan = PlanOf(kResidualRmsNorm, rows, 8192, 8, shared);
    EXPECT_LE(8 * plan.grid(), shared.multiprocessors * plan.blocks_per_multiprocessor);
  }
}

TEST(LaunchPlan, PadsRowsOfAMessageToWholeChunksAndPlacesInputsOneAfterAnother) {
  const LaunchPlan plan = PlanOf(
      "v1 (a0: sum bf16 row, a1: local bf16 row, a2: max f16 row) { x0: bf16 row = all_reduce a0; "
      "x1: bf16 row = load a1; x2: f16 row = all_reduce a2 } -> (x0: row, x1: row, x2: row)",
      3, 9, 2);
  EXPECT_EQ(plan.vector, 8);
  EXPECT_THAT(plan.message_offsets, ElementsAre(0, -1, 3 * 32));
  EXPECT_EQ(plan.message_bytes, 2 * 3 * 32);
}

TEST(LaunchPlan, SendsOneRowOfAGatheredVectorAndWordsWhereChunksAreSplit) {
  const RowProgram program = ProgramOf(kShardedRmsNorm);
  EXPECT_EQ(PlanOf(kShardedRmsNorm, 3, 4096, 4).RowBytes(program.inputs[2]), 2 * 4096 / 4);
  const LaunchPlan split = PlanOf(kShardedRmsNorm, 3, 48, 4);
  EXPECT_EQ(split.RowBytes(program.inputs[2]), 4 * 48 / 4);
  EXPECT_EQ(split.message_bytes, 3 * 96 + 48);
}

LaunchPlan TwoShotPlanOf(const char* text, int64_t rows, int64_t width, int ranks) {
  const auto plan = PlanLaunch(ProgramOf(text), rows, width, ranks, FactsOfH100(), Algorithm::kTwoShot);
  EXPECT_TRUE(plan) << plan.error();
  return plan.value_or(LaunchPlan());
}

TEST(LaunchPlan, SendsEachOtherRankItsShareOfThePartsAndOfTheSumsByTwoShots) {
  const LaunchPlan one = PlanOf(kResidualRmsNorm, 64, 4096, 4);
  const LaunchPlan two = TwoShotPlanOf(kResidualRmsNorm, 64, 4096, 4);
  EXPECT_EQ(one.message_bytes, 64 * 4096 * 2);
  EXPECT_THAT(two.message_offsets, ElementsAre(0, -1, -1));
  EXPECT_THAT(two.sum_offsets, ElementsAre(one.message_bytes / 4, -1, -1));
  EXPECT_EQ(two.message_bytes, one.message_bytes / 2);
  // The same layout, so that a row's sums and reductions have the same bits.
  EXPECT_EQ(two.grid(), one.grid());
  EXPECT_EQ(two.block(), one.block());
  EXPECT_EQ(two.chunks, one.chunks);
}

TEST(LaunchPlan, RoundsTheSharesOfTwoShotsUpToWholePieces) {
  // 3 rows of 2 pieces over 4 ranks: 2 pieces each, of 32 lanes with 8 columns.
  const LaunchPlan plan = TwoShotPlanOf(kPlain, 3, 257, 4);
  EXPECT_THAT(plan.sum_offsets, ElementsAre(2 * 32 * 8 * 2));
  EXPECT_EQ(plan.message_bytes, 2 * 2 * 32 * 8 * 2);
  EXPECT_EQ(TwoShotPlanOf(kPlain, 1, 1, 16).message_bytes, 2 * 32 * 8 * 2) << "one piece, whoever owns it";
}

TEST(LaunchPlan, SizesTheSecondHopByTheTypeOfTheSum) {
  const LaunchPlan wide =
      TwoShotPlanOf("v1 (a0: sum bf16 row) { x0: f32 row = all_reduce a0 } -> (x0: row)", 8, 4096, 4);
  EXPECT_EQ(wide.sum_offsets[0], 8 * 4096 * 2 / 4);
  EXPECT_EQ(wide.message_bytes, 8 * 4096 * (2 + 4) / 4);
}

TEST(LaunchPlan, GathersInOneHopByTwoShotsToo) {
  const LaunchPlan plan = TwoShotPlanOf(kShardedRmsNorm, 4, 4096, 4);
  EXPECT_THAT(plan.message_offsets, ElementsAre(0, -1, 4 * 4096 * 2 / 4 * 2));
  EXPECT_EQ(plan.message_bytes, 4 * 4096 * 2 / 4 * 2 + 4096 / 4 * 2);
}

TEST(LaunchPlan, AccessesBuffersByWhatTheirRowsAreAlignedTo) {
  const LaunchPlan aligned = PlanOf(kResidualRmsNorm, 2, 4096, 2);
  EXPECT_EQ(aligned.AccessBytes(DType::kBF16, Kind::kRow, false), 16);
  EXPECT_EQ(aligned.AccessBytes(DType::kF8E4M3FN, Kind::kRow, false), 8);
  EXPECT_EQ(aligned.AccessBytes(DType::kF32, Kind::kRowScalar, false), 4);
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 2, 6, 2).AccessBytes(DType::kBF16, Kind::kVec, false), 4);
  EXPECT_EQ(PlanOf(kResidualRmsNorm, 2, 7, 2).AccessBytes(DType::kBF16, Kind::kRow, false), 2);
  EXPECT_EQ(PlanOf(kShardedRmsNorm, 2, 48, 4).AccessBytes(DType::kBF16, Kind::kVec, true), 2);
}

TEST(LaunchPlan, RefusesGroupsItHasNoRoomFor) {
  EXPECT_EQ(RefusalOf(kPlain, 1, 8, 1), "one-shot kernel: the group has 1 ranks, expected 2 to 16");
  EXPECT_EQ(RefusalOf(kPlain, 1, 8, 17), "one-shot kernel: the group has 17 ranks, expected 2 to 16");
  EXPECT_EQ(RefusalOf(kPlain, 1, 8, 16), "planned");
}

TEST(LaunchPlan, RefusesAnEmptyExtent) {
  EXPECT_EQ(RefusalOf(kPlain, 0, 8, 2),
            "one-shot kernel: the extent is 0 rows of 8 columns, expected at least one of each and at most 1073741824");
}

TEST(LaunchPlan, RefusesDevicesThatAreTooOld) {
  DeviceFacts old = FactsOfA100();
  old.compute_capability = 75;
  EXPECT_EQ(RefusalOf(kPlain, 1, 8, 2, old),
            "one-shot kernel: the device is sm_75, expected sm_80 or newer; set JAX_ONESHOT=0 to run with XLA's own "
            "all-reduce");
}

TEST(LaunchPlan, RefusesShardsThatDoNotDivideTheWidth) {
  EXPECT_EQ(RefusalOf(kShardedRmsNorm, 1, 10, 4),
            "one-shot kernel: the program has shards, but the width 10 is no multiple of the group's 4 ranks");
}

TEST(LaunchPlan, RefusesRowsThatNoClusterHolds) {
  EXPECT_EQ(RefusalOf(kResidualRmsNorm, 1, 131073, 2, FactsOfA100()),
            "one-shot kernel: a row has 131073 columns, expected at most 131072 on sm_80; lower JAX_ONESHOT_MAX_BYTES "
            "so that this call is left to XLA");
  EXPECT_EQ(RefusalOf(kResidualRmsNorm, 1, 131073, 2), "planned");
}

TEST(LaunchPlan, RefusesRowsWhosePartialResultsDoNotFitIntoSharedMemory) {
  EXPECT_EQ(RefusalOf(kLayerNorm, 1, 384001, 2),
            "one-shot kernel: a row has 384001 columns, expected at most 384000 on sm_90; lower JAX_ONESHOT_MAX_BYTES "
            "so that this call is left to XLA");
  EXPECT_EQ(RefusalOf(kLayerNorm, 1, 384000, 2), "planned");
}

TEST(LaunchPlan, RefusesMessagesBeyondItsOffsets) {
  EXPECT_EQ(RefusalOf(kPlain, 1 << 20, 1 << 10, 2),
            "one-shot kernel: a message would be 2147483648 bytes, expected at most 1073741824");
}

TEST(DeviceFacts, AreReadFromTheDriver) {
  CudaDriver driver;
  driver.cuDeviceGetAttribute = [](int* value, int attribute, Device device) {
    *value = attribute == kComputeCapabilityMajor ? 9 : attribute == kComputeCapabilityMinor ? 0 : attribute + device;
    return kSuccess;
  };
  const Result<DeviceFacts> facts = ReadDeviceFacts(driver, 100);
  ASSERT_TRUE(facts) << facts.error();
  EXPECT_EQ(facts->compute_capability, 90);
  EXPECT_EQ(facts->multiprocessors, 100 + kMultiprocessorCount);
  EXPECT_EQ(facts->threads_per_multiprocessor, 100 + kMaxThreadsPerMultiprocessor);
  EXPECT_EQ(facts->registers_per_multiprocessor, 100 + kMaxRegistersPerMultiprocessor);
  EXPECT_EQ(facts->ranks_on_device, 1);
}

}  // namespace
}  // namespace jax_oneshot::cuda
