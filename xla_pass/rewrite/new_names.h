// Names for new instructions that no instruction of the module has: XLA refuses duplicates.
//
//   %jax_oneshot.0, %jax_oneshot_operand.1, %partition-id.1  ->  the next is %jax_oneshot.2
//
// Such names stand in a module that went through the pass before: in a dump, for one.
#ifndef XLA_PASS_REWRITE_NEW_NAMES_H_
#define XLA_PASS_REWRITE_NEW_NAMES_H_

#include <cstdint>
#include <string_view>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

// Every new name begins so, and ends in "." and a number.
inline constexpr std::string_view kNewName = "jax_oneshot";

// The least number that is larger than those of all names that begin with kNewName.
int64_t FirstFreeNumber(const hlo::Module& module);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_NEW_NAMES_H_
