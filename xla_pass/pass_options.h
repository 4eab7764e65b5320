// SPDX-License-Identifier: Apache-2.0
// What the caller decides about one run of the pass.
#ifndef XLA_PASS_PASS_OPTIONS_H_
#define XLA_PASS_PASS_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "xla_pass/combiner/combined_collectives.h"
#include "xla_pass/sites/message_limits.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

enum class Platform : uint8_t { kCpu, kCuda };

struct PassOptions {
  Platform platform = Platform::kCpu;
  MessageLimits max_bytes = {};               // largest message per rank that is rewritten
  MessageLimits two_shot_from = NoMessage();  // two-shot is used for messages from this size on
  int64_t timeout_ms = 0;                     // how long a rank waits for its peers; written into each call
  bool single_process = true;                 // CPU: all devices of the module are in this process
  std::optional<Reason> keep_all;             // rewrite nothing, for this reason
  int64_t max_rewrites = -1;                  // only make the first max_rewrites rewrites; -1: all
  CombineLimits combine;                      // limits of XLA:GPU's combiner; by default it combines nothing
  int64_t max_steps = 0;                      // for the whole pass (step_budget.h); 0: derived from the module's size
  int64_t calls_per_graph = 0;                // GPU: see regions/graph_segments.h; 0: one graph; -1: by its rule
};

// What the compiler combines after the pass: only XLA:GPU does.
inline CombineLimits CombinedAfterPass(const PassOptions& options) {
  return options.platform == Platform::kCuda ? options.combine : CombineLimits{};
}

}  // namespace jax_oneshot

#endif  // XLA_PASS_PASS_OPTIONS_H_
