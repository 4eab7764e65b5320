// SPDX-License-Identifier: Apache-2.0
// What the pass reports of one module: a verdict for each all-reduce, the calls it made, the loops it rotated, counts.
#ifndef XLA_PASS_PASS_REPORT_H_
#define XLA_PASS_PASS_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ffi_kernels/algorithm.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

enum class VerdictKind : uint8_t {
  kKept,   // left to XLA
  kPlain,  // a call that does no more than the all-reduce
  kFused,  // a call with what follows the all-reduce
};

// An instruction, with its shape as HLO text.
struct NamedValue {
  std::string name, shape;
};

// A one-shot call and the instructions that it replaces, all of the computation of its all-reduces.
struct CallReport {
  std::string name;                             // of the custom-call
  std::vector<NamedValue> reads;                // by input of the row program
  std::vector<NamedValue> returns;              // instructions of the rewritten module that are its results
  std::vector<int> outputs;                     // parallel to `returns`: which output of the row program
  std::vector<std::string> all_reduces;         // that the call performs
  std::vector<std::string> replaces;            // in module order; includes those of `returns`
  std::vector<std::string> fused_computations;  // the bodies of the fusions in `replaces`
};

// The outcome for one all-reduce of the module. docs/report.md explains the fields.
struct Verdict {
  std::string name, computation, shape;
  VerdictKind kind = VerdictKind::kKept;
  Reason reason;
  std::string row_program;  // canonical text; empty when kept
  bool in_loop = false;
  int64_t group_size = 0;
  int64_t bytes = 0;
  int64_t absorbed_instructions = 0, absorbed_all_reduces = 0, absorbed_all_gathers = 0;
  int64_t outputs = 0;
  int64_t rewrite = 0;  // index of the rewrite within the module, from 1; 0 when kept
  bool ends_graph = false;
  std::string kernel;              // GPU: the name of its kernel in a profile; empty when kept
  std::optional<CallReport> call;  // none when kept
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
  std::optional<Reason> reason;   // why it was not rotated
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

}  // namespace jax_oneshot

#endif  // XLA_PASS_PASS_REPORT_H_
