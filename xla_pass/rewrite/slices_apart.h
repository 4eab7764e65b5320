// SPDX-License-Identifier: Apache-2.0
// Whether XLA:GPU would fuse an operand or a result of a call with a slice into a "dynamic-slice fusion".
//
//   %s = dynamic-slice(%stack, %i, ..); %g = reshape(%s); call(.., %g)      ReadsSlice(%g)
//   %r = reshape(%y), %y a result; %u = dynamic-update-slice(%all, %r, ..)  IsWrittenIntoSlice(%y)
//
// In such a fusion the call would read the slice in place. But XLA also resolves the call's buffers in its Prepare and
// Initialize stages, and does so against the buffers of the surrounding program: it takes whatever buffers have the
// same indices, and aborts the process if one of them is too small (from the sources of XLA's DynamicSliceFusionV2Thunk
// and BufferAllocations, 2026-11; jaxlib 0.11.2 and 0.12.0.1 build the fusion). An opt-barrier in between, which XLA
// removes after looking for such fusions, costs a copy of the slice, a few kilobytes.
#ifndef XLA_PASS_REWRITE_SLICES_APART_H_
#define XLA_PASS_REWRITE_SLICES_APART_H_

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

// Both look through instructions that move no data, or that XLA may turn into such.
bool ReadsSlice(const Graph& graph, Node operand);
bool IsWrittenIntoSlice(const Graph& graph, Node result);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_SLICES_APART_H_
