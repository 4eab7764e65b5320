// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/graph_segments.h"

#include <algorithm>

namespace jax_oneshot {

GraphCut DecideGraphCut(int64_t requested, const StepFacts& step, int64_t calls) {
  GraphCut cut;
  if (requested == kGraphCallsByRule) {
    const int64_t moving = std::max<int64_t>(0, step.results - step.donated_results);
    cut.calls_per_graph = moving > kMostMovingResults ? kDefaultGraphCalls : 0;
    cut.why = std::to_string(moving) + " of " + std::to_string(step.results) + " results get new memory in every run";
  } else {
    cut.calls_per_graph = requested;
    cut.why = "JAX_ONESHOT_GRAPH_CALLS";
  }
  if (cut.calls_per_graph > 0 && calls / cut.calls_per_graph < kFewestGraphs) {
    cut.calls_per_graph = 0;
    cut.why = "too few calls to cut: " + std::to_string(calls);
  }
  return cut;
}

void MarkGraphEnds(const GraphCut& cut, std::vector<Region>* regions) {
  if (cut.calls_per_graph <= 0) return;
  const auto calls = static_cast<int64_t>(regions->size());
  for (int64_t i = cut.calls_per_graph; i <= calls; i += cut.calls_per_graph) (*regions)[i - 1].ends_graph = true;
}

}  // namespace jax_oneshot
