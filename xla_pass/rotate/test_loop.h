// SPDX-License-Identifier: Apache-2.0
// HLO text of a loop over layers, with replacements. For tests only.
#ifndef XLA_PASS_ROTATE_TEST_LOOP_H_
#define XLA_PASS_ROTATE_TEST_LOOP_H_

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {

// Each iteration normalizes %x with row %i of a stack and adds a sum over ranks.
inline constexpr char kHandLoop[] = R"(
  body { state = (s32[], f32[8,64], f32[3,64]) parameter(0)
         i = s32[] get-tuple-element(state), index=0
         x = f32[8,64] get-tuple-element(state), index=1
         gammas = f32[3,64] get-tuple-element(state), index=2
         one = s32[] constant(1)
         zero = f32[] constant(0)
         origin = s32[] constant(0)
         i1 = s32[] add(i, one)
         q = f32[8,64] multiply(x, x)
         s = f32[8] reduce(q, zero), dimensions={1}, to_apply=add
         sb = f32[8,64] broadcast(s), dimensions={0}
         m = f32[8,64] multiply(x, sb)
         row = f32[1,64] dynamic-slice(gammas, i, origin), dynamic_slice_sizes={1,64}
         g = f32[64] reshape(row)
         gb = f32[8,64] broadcast(g), dimensions={1}
         n = f32[8,64] multiply(m, gb)
         d = f32[8,64] dot(n, n)
         ar = f32[8,64] all-reduce(d), replica_groups={{0,1}}, to_apply=add, channel_id=7
         y = f32[8,64] add(x, ar)
         ROOT next = (s32[], f32[8,64], f32[3,64]) tuple(i1, y, gammas) }
  condition { state = (s32[], f32[8,64], f32[3,64]) parameter(0)
              i = s32[] get-tuple-element(state), index=0
              end = s32[] constant(3)
              less = pred[] compare(i, end), direction=LT }
  main { x0 = f32[8,64] parameter(0)
         g0 = f32[3,64] parameter(1)
         start = s32[] constant(0)
         first = (s32[], f32[8,64], f32[3,64]) tuple(start, x0, g0)
         loop = (s32[], f32[8,64], f32[3,64]) while(first), body=body, condition=condition
         ROOT out = f32[8,64] get-tuple-element(loop), index=1 })";

// Replaces each first text, which must exist, by the second.
inline std::string HandLoop(const std::vector<std::pair<std::string, std::string>>& changes = {}) {
  std::string text = kReducers + std::string(kHandLoop);
  for (const auto& [from, to] : changes) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_TEST_LOOP_H_
