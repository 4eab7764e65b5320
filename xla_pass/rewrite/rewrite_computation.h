// The new instruction list of a computation, given the regions decided for it.
//
//   %ar = all-reduce(%d); %y = add(%x, %ar); ...; %n = multiply(..); %q = dot(%n, ..)
//   ->
//   %jax_oneshot.0 = (.., ..) custom-call(%d, %x, %g), custom_call_target="jax_oneshot.all_reduce"
//   %n = get-tuple-element(%jax_oneshot.0), index=0;  %y = get-tuple-element(%jax_oneshot.0), index=1
//   %q = dot(%n, ..)                                   (byte for byte as it was)
//
// On GPU, %g = dynamic-slice(..) becomes %b = opt-barrier(%g), and the call reads %b.
//
// What the call returns keeps the id and the name of the instruction it stands for, so no reader has to change.
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
  int64_t next_instruction_id = 0;  // where ids are unique in the module: advanced by every new instruction
  int64_t next_call = 0;            // number of the next call within the module
  int64_t next_name = 0;            // number of the next new instruction's name: new_names.h
  int64_t timeout_ms = 0;
  MessageLimits two_shot_from = NoMessage();
  bool pass_logical_ids = false;  // CPU: replica-id and partition-id follow the call's operands
  // GPU: slices before a call and updates after it stay instructions of their own (slices_apart.h says why).
  bool keep_slices_apart = false;
  // GPU: results may lie where an operand lies (in_place_results.h). XLA:CPU has decided about copies by then.
  bool update_in_place = false;
};

// How the sums of the call that stands for `region` travel.
Algorithm AlgorithmOf(const Region& region, const SiteTable& sites, const MessageLimits& two_shot_from);

struct RewrittenComputation {
  ComputationEdit edit;
  std::deque<std::string> storage;  // new instructions that the edit points at
  std::vector<Node> removed;        // instructions that are gone
  std::vector<Node> replaced;       // all-gathers that became copies of equal ones
};

// Which region a computation could not be written with; -1: not known.
struct RewriteProblem {
  int region = -1;
};

// Fails when the regions cannot be put in an order (an internal surprise); `context` then is of no use any more.
Result<RewrittenComputation> RewriteComputation(const Graph& graph, int computation, const SiteTable& sites,
                                                const std::vector<Region>& regions, RewriteContext* context,
                                                RewriteProblem* problem);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_REWRITE_COMPUTATION_H_
