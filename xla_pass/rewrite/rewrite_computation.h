// SPDX-License-Identifier: Apache-2.0
// Builds the new instruction list of a computation from the regions decided for it.
//
//   %ar = all-reduce(%d); %y = add(%x, %ar); ...; %n = multiply(..); %q = dot(%n, ..)
//   ->
//   %jax_oneshot.0 = (.., ..) custom-call(%d, %x, %g), custom_call_target="jax_oneshot.all_reduce"
//   %n = get-tuple-element(%jax_oneshot.0), index=0;  %y = get-tuple-element(%jax_oneshot.0), index=1
//   %q = dot(%n, ..)                                   (byte for byte unchanged)
//
// On GPU, %g = dynamic-slice(..) becomes %b = opt-barrier(%g), and the call reads %b.
//
// Results of the call keep the id and name of the instruction they replace, so no user has to change.
#ifndef XLA_PASS_REWRITE_REWRITE_COMPUTATION_H_
#define XLA_PASS_REWRITE_REWRITE_COMPUTATION_H_

#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/regions/region.h"
#include "xla_pass/rewrite/splice.h"
#include "xla_pass/sites/message_limits.h"

namespace jax_oneshot {

struct RewriteContext {
  int64_t next_instruction_id = 0;  // used if ids are unique in the module; advanced by every new instruction
  int64_t next_call = 0;            // index of the next call within the module
  int64_t next_name = 0;            // number in the next new instruction's name: new_names.h
  int64_t timeout_ms = 0;
  MessageLimits two_shot_from = NoMessage();
  bool pass_logical_ids = false;  // CPU: replica-id and partition-id are appended to the call's operands
  // GPU: keep slices before a call and updates after it as separate instructions (slices_apart.h says why).
  bool keep_slices_apart = false;
  // GPU: results may alias operands (in_place_results.h). XLA:CPU has inserted copies before the pass.
  bool update_in_place = false;
};

// How the sums of the region's call are exchanged.
Algorithm AlgorithmOf(const Region& region, const SiteTable& sites, const MessageLimits& two_shot_from);

struct RewrittenComputation {
  ComputationEdit edit;
  std::deque<std::string> storage;  // bytes of new instructions, which the edit points to
  std::vector<Node> removed;        // instructions that are no longer there
  std::vector<Node> replaced;       // all-gathers that became copies of equal ones
  // By region: the name of its custom-call in the rewritten computation.
  std::vector<std::string> call_names;
};

// The region that made a rewrite fail; -1: unknown.
struct RewriteProblem {
  int region = -1;
};

// Fails if the regions cannot be ordered (an internal error); `context` must not be used after that.
Result<RewrittenComputation> RewriteComputation(const Graph& graph, int computation, const SiteTable& sites,
                                                const std::vector<Region>& regions, RewriteContext* context,
                                                RewriteProblem* problem);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_REWRITE_COMPUTATION_H_
