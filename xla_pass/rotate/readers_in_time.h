// SPDX-License-Identifier: Apache-2.0
// Whether a state element may share its buffer with the value that the end of the iteration computes for the next one.
//
// XLA gives an element of a loop's state one buffer for all iterations. This is only correct if every reader of the old
// value runs before the new one is written. XLA's copy insertion ensures that, but on CPU it runs before the pass. A
// reader is in time if an all-reduce of the body depends on it and the new value depends on that all-reduce:
//
//   %n = get-tuple-element(%state); %d = dot(%n, ..); %r = all-reduce(f(%d)); %x1 = add(.., %r)     in time
//   %n = get-tuple-element(%state); %u = dynamic-update-slice(%outputs, %n, ..); ROOT tuple(.., %u)  not
#ifndef XLA_PASS_ROTATE_READERS_IN_TIME_H_
#define XLA_PASS_ROTATE_READERS_IN_TIME_H_

#include "xla_pass/graph/graph.h"
#include "xla_pass/rotate/loop.h"
#include "xla_pass/rotate/moved_part.h"

namespace jax_oneshot {

// `value` is a value of the part, recomputed from the elements at which the part begins.
bool ReadersAreInTime(const Graph& graph, const Loop& loop, const MovedPart& part, Node value);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_READERS_IN_TIME_H_
