// SPDX-License-Identifier: Apache-2.0
// Builds a serialized module from HLO text, in the subset of the syntax that the tests use. For tests only.
//
//   add {
//     a = f32[] parameter(0)
//     b = f32[] parameter(1)
//     sum = f32[] add(a, b)
//   }
//   main {
//     x = bf16[8,64]{1,0} parameter(0)
//     ar = bf16[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add
//     two = f32[] constant(2)
//   }
//
// The last computation is the entry; the root is the instruction marked ROOT, else the last one. Computations and
// instructions have separate ids, counted from 1 in the order of the text. Names are local to a computation.
#ifndef XLA_PASS_HLO_VIEW_HLO_TEXT_BUILDER_H_
#define XLA_PASS_HLO_VIEW_HLO_TEXT_BUILDER_H_

#include <string>
#include <string_view>

namespace jax_oneshot::hlo {

// Throws std::invalid_argument, with the position, on text that it cannot parse.
std::string ModuleFromText(std::string_view text);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_HLO_TEXT_BUILDER_H_
