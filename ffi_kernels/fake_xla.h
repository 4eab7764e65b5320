// SPDX-License-Identifier: Apache-2.0
// For tests: calls an FFI handler as XLA does, with attributes, buffers and a run id, and returns its status.
//
// For handlers that create a state in Instantiate and return a future from Execute. Several threads may execute at the
// same time, as XLA's devices do.
#ifndef FFI_KERNELS_FAKE_XLA_H_
#define FFI_KERNELS_FAKE_XLA_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace jax_oneshot {

struct FakeBuffer {
  xla::ffi::DataType dtype;
  std::vector<int64_t> dimensions;
  void* data;
};

using FakeAttribute = std::variant<int64_t, std::string, std::vector<int64_t>>;
using FakeAttributes = std::map<std::string, FakeAttribute>;

class FakeXla {
 public:
  // Assigns the type an id, as registering it with XLA does.
  FakeXla(XLA_FFI_TypeId* state_type, const XLA_FFI_TypeInfo* state_info);
  ~FakeXla();  // deletes the state
  FakeXla(const FakeXla&) = delete;
  FakeXla& operator=(const FakeXla&) = delete;

  // Both return the handler's error, or an empty string. Execute waits until the future is complete.
  std::string Instantiate(XLA_FFI_Handler* handler, const FakeAttributes& attributes);
  std::string Execute(XLA_FFI_Handler* handler, int64_t run_id, const std::vector<FakeBuffer>& arguments,
                      const std::vector<FakeBuffer>& results) const;

 private:
  const XLA_FFI_TypeInfo* const state_info_;
  void* state_ = nullptr;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_FAKE_XLA_H_
