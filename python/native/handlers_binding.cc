// In:  the FFI handlers of both backends. Out: dicts of PyCapsules, as jax.ffi's registration functions take them.
#include <nanobind/nanobind.h>

#include "ffi_kernels/cpu/handler.h"
#include "ffi_kernels/cuda/handler.h"
#include "python/native/bindings.h"

namespace jax_oneshot {
namespace {

namespace nb = nanobind;

nb::dict Handlers(XLA_FFI_Handler* instantiate, XLA_FFI_Handler* execute) {
  nb::dict out;
  out["instantiate"] = nb::capsule(reinterpret_cast<void*>(instantiate));
  out["execute"] = nb::capsule(reinterpret_cast<void*>(execute));
  return out;
}

nb::dict StateType(XLA_FFI_TypeId* id, const XLA_FFI_TypeInfo* info) {
  nb::dict out;
  out["type_id"] = nb::capsule(id);
  out["type_info"] = nb::capsule(info);
  return out;
}

}  // namespace

void BindHandlers(nb::module_& module) {
  module.def(
      "cpu_handlers", [] { return Handlers(CpuInstantiateHandler(), CpuExecuteHandler()); },
      "FFI handlers by stage, for platform \"cpu\".");
  module.def(
      "cpu_state_type", [] { return StateType(CpuStateTypeId(), CpuStateTypeInfo()); },
      "The type of the CPU handlers' state.");
  module.def(
      "cuda_handlers", [] { return Handlers(CudaInstantiateHandler(), CudaExecuteHandler()); },
      "FFI handlers by stage, for platform \"CUDA\".");
  module.def(
      "cuda_state_type", [] { return StateType(CudaStateTypeId(), CudaStateTypeInfo()); },
      "The type of the CUDA handlers' state.");
}

}  // namespace jax_oneshot
