// Whether a value may share its memory with the value that the end of the round computes for the next one.
//
// XLA gives an element of a loop's state one buffer for all rounds. That is right only where each reader of the old
// value certainly runs before the new one is written; XLA's copy insertion sees to it, but on CPU it has run before the
// pass does. Here a reader is in time if an all-reduce of the body waits for it, and the new value for that all-reduce:
//
//   %n = get-tuple-element(%state); %d = dot(%n, ..); %r = all-reduce(f(%d)); %x1 = add(.., %r)     in time
//   %n = get-tuple-element(%state); %u = dynamic-update-slice(%outputs, %n, ..); ROOT tuple(.., %u)  not
#ifndef XLA_PASS_ROTATE_READERS_IN_TIME_H_
#define XLA_PASS_ROTATE_READERS_IN_TIME_H_

#include "xla_pass/graph/graph.h"
#include "xla_pass/rotate/loop.h"
#include "xla_pass/rotate/moved_part.h"

namespace jax_oneshot {

// Of a value of the part, which is computed anew from the elements the part begins at.
bool ReadersAreInTime(const Graph& graph, const Loop& loop, const MovedPart& part, Node value);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_READERS_IN_TIME_H_
