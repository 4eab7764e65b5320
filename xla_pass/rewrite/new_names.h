// SPDX-License-Identifier: Apache-2.0
// Names for new instructions that are unique in the module: XLA rejects duplicates.
//
//   %jax_oneshot.0, %jax_oneshot_operand.1, %partition-id.1  ->  the next is %jax_oneshot.2
//
// Such names exist in a module that has been through the pass before, e.g. a dump.
#ifndef XLA_PASS_REWRITE_NEW_NAMES_H_
#define XLA_PASS_REWRITE_NEW_NAMES_H_

#include <cstdint>
#include <string_view>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

// Prefix of all new names, which end in "." and a number.
inline constexpr std::string_view kNewName = "jax_oneshot";

// The smallest number above those of all names that begin with kNewName.
int64_t FirstFreeNumber(const hlo::Module& module);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_NEW_NAMES_H_
