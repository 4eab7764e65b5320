// SPDX-License-Identifier: Apache-2.0
// Bounds the work of the pass on one module. Steps are counted instead of time, so that decisions do not depend on the
// machine; a step is one instruction or edge visited.
//
//   StepBudget steps(StepsFor(module.InstructionCount()));
//   if (!steps.Spend()) return Err(..);    from here on every query gets its safe answer and nothing more is rewritten
#ifndef XLA_PASS_GRAPH_STEP_BUDGET_H_
#define XLA_PASS_GRAPH_STEP_BUDGET_H_

#include <cstdint>

namespace jax_oneshot {

class StepBudget {
 public:
  explicit StepBudget(int64_t steps) : all_(steps), left_(steps) {}

  // False once more steps have been requested than there are.
  bool Spend(int64_t steps = 1) {
    left_ = steps <= left_ ? left_ - steps : -1;
    return left_ >= 0;
  }
  bool IsSpent() const { return left_ < 0; }
  int64_t all() const { return all_; }
  int64_t left() const { return left_; }

 private:
  int64_t all_;
  int64_t left_;
};

// Modules from the compilers take at most 4 steps per instruction (those in tests/data, 2026-11-27). A million steps
// take a few hundredths of a second.
constexpr int64_t StepsFor(int64_t instructions) { return 1'000'000 + 1'000 * instructions; }

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_STEP_BUDGET_H_
