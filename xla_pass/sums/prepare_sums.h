// Rewrites a module's all-reduces before anything is decided about them: those of one rank go, nested ones become one,
// and some go behind what is linear in them. Each stage has a file of its own, with an example.
#ifndef XLA_PASS_SUMS_PREPARE_SUMS_H_
#define XLA_PASS_SUMS_PREPARE_SUMS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

// An all-reduce of the module as it came that is not in the prepared one.
struct GoneSum {
  std::string name, computation, shape;
  std::string into;  // the name of the all-reduce that does its work; empty: none has to
  std::string why;   // one of verdict/reasons.h
  int64_t bytes = 0, group_size = 0;
  bool in_loop = false;
};

struct PreparedModule {
  std::string bytes;  // empty: the module is prepared as it is
  std::vector<GoneSum> gone;
};

// Fails only on an internal surprise: what a stage wrote does not read back.
//
// `may_sink`: the compiler still fuses and lowers what it is given (GPU). XLA:CPU hands modules over after both.
Result<PreparedModule> PrepareSums(const hlo::Module& module, bool may_sink);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_PREPARE_SUMS_H_
