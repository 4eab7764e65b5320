// SPDX-License-Identifier: Apache-2.0
// Decides which calls end a CUDA graph (in XLA: a command buffer), from the number of calls in the entry and the number
// of its results that get new memory on each execution.
//
//   16 calls, no result donated: 4 calls per graph
//     %n.3 = (..) custom-call(..), custom_call_target="jax_oneshot.all_reduce"
//   -> %n.3 = (..) custom-call(..), custom_call_target="jax_oneshot.all_reduce.graph_end"    also %n.7, %n.11, %n.15
//
// XLA records a run of compatible commands into one command buffer; in a decoding step whose calls are all compatible,
// this is the whole step. If no buffer has moved since the last execution, launching it is the only work, and one graph
// is best. If results get new memory on each execution, XLA first updates the commands, and the GPU starts on the graph
// only when the host has updated all of them. A call with the second target cannot be recorded, so XLA ends a command
// buffer before it, and the GPU executes one piece while the host prepares the next.
//
// Measured on 4 H200s, XLA 0.11.2, Llama 3.1 8B, TP=4, 65 calls, 27 November 2026, ms per step, waiting for every step:
//   everything donated       one graph 4.09, every 8th call 4.18, every 4th 4.35, every 2nd 4.44; without the pass 5.17
//   36 allocations moving    one graph 8.30, every 8th call 7.77, every 4th 7.06, every 2nd 7.25; without it 6.9 to 7.3
#ifndef XLA_PASS_REGIONS_GRAPH_SEGMENTS_H_
#define XLA_PASS_REGIONS_GRAPH_SEGMENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "xla_pass/regions/region.h"

namespace jax_oneshot {

inline constexpr int64_t kGraphCallsByRule = -1;
inline constexpr int64_t kDefaultGraphCalls = 4;  // if the rule cuts
inline constexpr int64_t kFewestGraphs = 4;       // with fewer pieces there is little to hide: one graph
inline constexpr int64_t kMostMovingResults = 4;  // tokens, logits, a position: few commands access those

struct StepFacts {
  int64_t results = 0;          // of the entry; tuple elements count separately
  int64_t donated_results = 0;  // hlo_view/donation.h
};

struct GraphCut {
  int64_t calls_per_graph = 0;  // 0: one graph
  std::string why;              // a sentence for the report
};

// `requested`: calls per graph, 0 for one graph, or kGraphCallsByRule.
GraphCut DecideGraphCut(int64_t requested, const StepFacts& step, int64_t calls);

// Sets Region::ends_graph in the entry's regions. Only the entry is cut: a loop whose body can be recorded is one
// command that the GPU repeats on its own, and a call in it that cannot be recorded would return every iteration to the
// host.
void MarkGraphEnds(const GraphCut& cut, std::vector<Region>* regions);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_GRAPH_SEGMENTS_H_
