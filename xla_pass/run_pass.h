// Runs the whole pass; this is the only entry point that Python calls. Input: a serialized HloModuleProto and options.
// Output: new bytes, or none, and one verdict per all-reduce.
#ifndef XLA_PASS_RUN_PASS_H_
#define XLA_PASS_RUN_PASS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "xla_pass/combiner/combined_collectives.h"
#include "xla_pass/sites/message_limits.h"

namespace jax_oneshot {

enum class Platform : uint8_t { kCpu, kCuda };

struct PassOptions {
  Platform platform = Platform::kCpu;
  MessageLimits max_bytes = {};               // largest message per rank that is rewritten
  MessageLimits two_shot_from = NoMessage();  // two-shot is used for messages from this size on
  int64_t timeout_ms = 0;                     // how long a rank waits for its peers; written into each call
  bool single_process = true;                 // CPU: all devices of the module are in this process
  std::string keep_all_reason;                // if not empty: rewrite nothing, with this reason
  int64_t max_rewrites = -1;                  // only make the first max_rewrites rewrites; -1: all
  CombineLimits combine;                      // limits of XLA:GPU's combiner; by default it combines nothing
  int64_t max_steps = 0;                      // for the whole pass (step_budget.h); 0: derived from the module's size
  int64_t calls_per_graph = 0;                // GPU: see regions/graph_segments.h; 0: one graph; -1: by its rule
};

// The outcome for one all-reduce of the module. docs/report.md explains the fields.
struct Verdict {
  std::string name, computation, shape;
  std::string verdict;  // "fused", "plain", "kept"
  std::string reason;
  std::string row_program;  // canonical text; empty when kept
  bool in_loop = false;
  int64_t group_size = 0;
  int64_t bytes = 0;
  int64_t absorbed_instructions = 0, absorbed_all_reduces = 0, absorbed_all_gathers = 0;
  int64_t outputs = 0;
  int64_t rewrite = 0;  // index of the rewrite within the module, from 1; 0 when kept
  bool ends_graph = false;
  std::string kernel;  // GPU: the name of its kernel in a profile; empty when kept
};

// A one-shot call in the rewritten module.
struct MadeCall {
  std::string row_program;
  int64_t rows = 0, width = 0, group_size = 0;
  Algorithm algorithm = Algorithm::kOneShot;
};

// Collectives per iteration of a loop: one entry for its body, and for each branch inside it.
struct LoopCount {
  std::string computation;
  int64_t collectives_before = 0, collectives_after = 0;
};

// A loop whose iterations begin with instructions that could move to the end of the previous iteration.
struct RotationVerdict {
  std::string loop, computation;  // the while and its body
  std::string reason;             // why it was not rotated; empty if it was
  std::string all_reduce;         // the one whose call took in the moved part
  std::vector<std::string> moved, carried;
  int64_t rewrite = 0;  // of that call; 0: not rotated
};

struct PassReport {
  std::string module;
  int64_t num_partitions = 0, num_replicas = 0;
  int64_t instructions = 0;
  std::vector<Verdict> all_reduces;
  std::vector<MadeCall> calls;
  int64_t calls_per_graph = 0;      // in the entry; 0: one graph
  std::string why_calls_per_graph;  // empty: the entry has no calls, or the platform is not GPU
  // Before: in the original module. After: those that remain after XLA's combiner.
  int64_t collectives_before = 0, collectives_after = 0;
  std::vector<LoopCount> loops;  // loops with collectives
  std::vector<RotationVerdict> rotations;
  int64_t rewrites = 0;  // number of rewrites made
  int64_t steps = 0;     // number of steps taken
};

struct PassResult {
  std::optional<std::string> module;  // none: keep the original
  PassReport report;
};

// An error in one region keeps its all-reduces, with the error as their reason. Fails, changing nothing, if the bytes
// are no HloModuleProto or the written module does not parse.
Result<PassResult> RunPass(std::string_view module_bytes, const PassOptions& options);

}  // namespace jax_oneshot

#endif  // XLA_PASS_RUN_PASS_H_
