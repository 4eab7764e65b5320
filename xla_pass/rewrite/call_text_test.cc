// SPDX-License-Identifier: Apache-2.0
// CallBackendConfig: attributes in the syntax of XLA's MLIR parser.
#include "xla_pass/rewrite/call_text.h"

#include <gtest/gtest.h>

namespace jax_oneshot {
namespace {

TEST(CallBackendConfig, SpellsEveryAttributeOfTheContract) {
  Region region;
  region.extent = {8, 64};
  region.program_text = "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)";
  Site site;
  site.groups = {hlo::GroupMode::kFlattenedId, {{0, 2}, {1, 3}}};
  site.group_size = 2;
  EXPECT_EQ(CallBackendConfig(region, site, {5, 7, 60000, Algorithm::kTwoShot}),
            "{algorithm = \"two_shot\", call = 5 : i64, channel_id = 7 : i64, group_mode = \"flattened_id\", "
            "group_size = 2 : i64, "
            "groups = array<i64: 0, 2, 1, 3>, "
            "program = \"v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)\", "
            "rows = 8 : i64, timeout_ms = 60000 : i64, width = 64 : i64}");
}

}  // namespace
}  // namespace jax_oneshot
