// SPDX-License-Identifier: Apache-2.0
// Names and ids that are unused in a module.
#ifndef XLA_PASS_REWRITE_NEW_IDS_H_
#define XLA_PASS_REWRITE_NEW_IDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

class NewIds {
 public:
  explicit NewIds(const hlo::Module& module);

  // For a new instruction in an existing computation; advances with every call.
  int64_t InstructionIn(const hlo::Computation& computation);
  // For a copy of `original` in a new computation with id `computation_id`.
  int64_t InstructionIn(int64_t computation_id, int64_t original);
  int64_t Computation() { return next_computation_++; }
  int64_t Channel() { return next_channel_++; }
  // "jax_oneshot_first.7"
  std::string Name(std::string_view what);

 private:
  const hlo::Module& module_;
  int64_t next_instruction_ = 0;  // used if ids are unique in the module
  int64_t next_computation_ = 0;
  int64_t next_channel_ = 0;
  int64_t next_name_ = 0;
  std::unordered_map<int, int64_t> next_local_;  // by computation; used if ids are unique within a computation
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_NEW_IDS_H_
