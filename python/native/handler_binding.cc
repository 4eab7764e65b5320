// SPDX-License-Identifier: Apache-2.0
// Binds the FFI handlers and their state types, as PyCapsules in the dicts that jax.ffi's register functions expect,
// and the check of whether calls can run on this machine's GPUs.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ffi_kernels/cpu/handler.h"
#include "ffi_kernels/cuda/handler/handler.h"
#include "ffi_kernels/cuda/handler/obstacles.h"
#include "python/native/bindings.h"

namespace jax_oneshot {
namespace {

namespace nb = nanobind;

nb::capsule Handler(XLA_FFI_Handler* handler) {
  return nb::capsule(reinterpret_cast<void*>(handler), "xla._CUSTOM_CALL_TARGET");
}

nb::dict Handlers(XLA_FFI_Handler* instantiate, XLA_FFI_Handler* execute) {
  nb::dict out;
  out["instantiate"] = Handler(instantiate);
  out["execute"] = Handler(execute);
  return out;
}

nb::dict StateType(XLA_FFI_TypeId* type_id, const XLA_FFI_TypeInfo* type_info) {
  nb::dict out;
  out["type_id"] = nb::capsule(static_cast<void*>(type_id));
  out["type_info"] = nb::capsule(static_cast<const void*>(type_info));
  return out;
}

std::string CudaObstacle(const std::vector<std::tuple<std::string, int64_t, int64_t, int64_t, std::string>>& calls) {
  std::vector<cuda::PlannedCall> planned;
  for (const auto& [program, rows, width, ranks, name] : calls) {
    const std::optional<Algorithm> algorithm = ParseAlgorithm(name);
    if (!algorithm) throw ToValueError("cuda_obstacle: algorithm is '" + name + "'; expected 'one_shot' or 'two_shot'");
    planned.push_back({program, rows, width, ranks, *algorithm});
  }
  nb::gil_scoped_release unlocked;
  return cuda::FindObstacle(planned, &cuda::Runtime::OfProcess());
}

}  // namespace

void BindHandlers(nb::module_& module) {
  module.def(
      "cpu_handlers", [] { return Handlers(CpuInstantiateHandler(), CpuExecuteHandler()); },
      "Handlers by stage, for jax.ffi.register_ffi_target(..., platform=\"cpu\").");
  module.def(
      "cpu_state_type", [] { return StateType(CpuStateTypeId(), CpuStateTypeInfo()); },
      "The type of the CPU handlers' state, for jax.ffi.register_ffi_type.");
  module.def(
      "cuda_handlers",
      [](bool ends_graph) {
        nb::dict handlers =
            Handlers(CudaInstantiateHandler(), ends_graph ? CudaGraphEndExecuteHandler() : CudaExecuteHandler());
        handlers["prepare"] = Handler(CudaPrepareHandler());
        handlers["initialize"] = Handler(CudaInitializeHandler());
        return handlers;
      },
      nb::kw_only(), nb::arg("ends_graph") = false,
      "Handlers by stage, for jax.ffi.register_ffi_target(..., platform=\"CUDA\").");
  module.def("cuda_obstacle", &CudaObstacle, nb::arg("calls"),
             "Why these calls, (row program, rows, width, ranks, algorithm), could not run on this machine's GPUs; "
             "empty: they can.");
  module.def(
      "cuda_state_type", [] { return StateType(CudaStateTypeId(), CudaStateTypeInfo()); },
      "The type of the CUDA handlers' state, for jax.ffi.register_ffi_type.");
}

}  // namespace jax_oneshot
