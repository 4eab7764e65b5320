// Whether XLA:GPU would fuse an operand or a result of a call with a slice into a "dynamic-slice fusion".
//
//   %s = dynamic-slice(%stack, %i, ..); %g = reshape(%s); call(.., %g)      ReadsSlice(%g)
//   %r = reshape(%y), %y a result; %u = dynamic-update-slice(%all, %r, ..)  IsWrittenIntoSlice(%y)
//
// There the call would read the slice where it lies. But XLA also resolves the call's buffers for its Prepare and
// Initialize stages, and does that against the buffers of the program around the fusion: it takes any that have the
// same numbers, and ends the process should one of them be too small (read in the sources of XLA's
// DynamicSliceFusionV2Thunk and BufferAllocations, 2026-11; jaxlib 0.11.2 and 0.12.0.1 build the fusion). An
// opt-barrier in between, which XLA removes after it has looked for such fusions, costs a copy of the slice: some
// kilobytes.
#ifndef XLA_PASS_REWRITE_SLICES_APART_H_
#define XLA_PASS_REWRITE_SLICES_APART_H_

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

// Through what moves nothing or may come to move nothing.
bool ReadsSlice(const Graph& graph, Node operand);
bool IsWrittenIntoSlice(const Graph& graph, Node result);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_SLICES_APART_H_
