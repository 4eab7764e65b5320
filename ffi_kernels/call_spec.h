// SPDX-License-Identifier: Apache-2.0
// CallSpec: the attributes of one custom-call, parsed and validated. Both the CPU and the CUDA handler are built from
// it.
#ifndef FFI_KERNELS_CALL_SPEC_H_
#define FFI_KERNELS_CALL_SPEC_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/algorithm.h"
#include "ffi_kernels/comm/groups.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

// Names as in call_attributes.h.
struct CallAttributes {
  std::string_view program, group_mode, algorithm = "one_shot";
  int64_t rows = 0, width = 0, group_size = 0, channel_id = 0, call = 0, timeout_ms = 0;
  std::vector<int64_t> groups;
};

struct CallSpec {
  RowProgram program;  // validated
  int64_t rows, width;
  Groups groups;
  std::string name;  // "one-shot all-reduce 3 (channel 7)", for messages
  std::chrono::milliseconds timeout;
  Algorithm algorithm = Algorithm::kOneShot;
};

Result<CallSpec> MakeCallSpec(const CallAttributes& attributes);

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CALL_SPEC_H_
