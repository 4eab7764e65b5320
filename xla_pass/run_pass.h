// The whole pass, which is all that Python calls: a serialized HloModuleProto and options in, new bytes (or nothing)
// and one verdict per all-reduce out.
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
  MessageLimits max_bytes = {};               // largest message per rank to rewrite
  MessageLimits two_shot_from = NoMessage();  // messages of so many bytes go by two shots
  int64_t timeout_ms = 0;                     // baked into each call: how long a rank waits for its peers
  bool single_process = true;                 // CPU: all devices of the module live in this process
  std::string keep_all_reason;                // not empty: rewrite nothing, this is every all-reduce's reason
  int64_t max_rewrites = -1;                  // make only this many, the first ones; -1: all
  CombineLimits combine;                      // what XLA:GPU combines after the pass; nothing by default
  int64_t max_steps = 0;                      // of the whole pass (step_budget.h); 0: what the module's size allows
  int64_t calls_per_graph = 0;                // GPU: regions/graph_segments.h; 0: one graph; -1: by its rule
};

// One all-reduce of the module and what became of it. Field meanings: the report schema in docs/report.md.
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
  int64_t rewrite = 0;  // number of the rewrite within the module, from 1; 0 when kept
  bool ends_graph = false;
  std::string kernel;  // GPU: the name of its kernel in a profile; empty when kept
};

// One one-shot call that stands in the rewritten module.
struct MadeCall {
  std::string row_program;
  int64_t rows = 0, width = 0, group_size = 0;
  Algorithm algorithm = Algorithm::kOneShot;
};

// What one round of a loop does: of its body, and of each branch that stands in it.
struct LoopCount {
  std::string computation;
  int64_t collectives_before = 0, collectives_after = 0;
};

// A loop whose rounds begin with something that could move to the end of the round before.
struct RotationVerdict {
  std::string loop, computation;  // the while and its body
  std::string reason;             // why it was not rotated; empty: it was
  std::string all_reduce;         // whose call took in what moved
  std::vector<std::string> moved, carried;
  int64_t rewrite = 0;  // of that call; 0: not rotated
};

struct PassReport {
  std::string module;
  int64_t num_partitions = 0, num_replicas = 0;
  int64_t instructions = 0;
  std::vector<Verdict> all_reduces;
  std::vector<MadeCall> calls;
  int64_t calls_per_graph = 0;      // of the entry's calls; 0: all of them
  std::string why_calls_per_graph;  // empty: the entry makes no calls, or the module is not for GPUs
  // Before: as they stand in the module. After: those that are left once XLA has combined.
  int64_t collectives_before = 0, collectives_after = 0;
  std::vector<LoopCount> loops;  // that hold collectives
  std::vector<RotationVerdict> rotations;
  int64_t rewrites = 0;  // how many were made
  int64_t steps = 0;     // how many the pass took
};

struct PassResult {
  std::optional<std::string> module;  // nothing: leave the module as it is
  PassReport report;
};

// An error in one region keeps its all-reduces and is their reason. Fails (and changes nothing) on bytes that are no
// HloModuleProto, and where what was written does not read back.
Result<PassResult> RunPass(std::string_view module_bytes, const PassOptions& options);

}  // namespace jax_oneshot

#endif  // XLA_PASS_RUN_PASS_H_
