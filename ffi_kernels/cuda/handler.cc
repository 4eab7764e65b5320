// In:  XLA's calls of the custom-call target on GPU. Out: the handlers. See handler.h.
//
// Where the communicator will come from: a Prepare handler asks XLA for the one of this call's groups
// (xla/ffi/api/collectives_api.h, in the headers since jaxlib 0.11.2), and Execute gets it as an ncclComm_t. Rank and
// peers are the communicator's, so on GPU no id travels as an operand.
#include "ffi_kernels/cuda/handler.h"

#include <memory>
#include <utility>

#include "ffi_kernels/call_spec_ffi.h"
#include "xla/ffi/api/collectives_api.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

struct CudaCallState {
  static ffi::TypeId id;
  CallSpec spec;
};

ffi::TypeId CudaCallState::id = {};

ffi::ErrorOr<std::unique_ptr<CudaCallState>> Instantiate(ffi::Dictionary attributes) {
  Result<CallSpec> spec = ReadCallSpec(attributes);
  if (!spec) return ffi::Error::InvalidArgument(spec.error());
  return std::unique_ptr<CudaCallState>(new CudaCallState{*std::move(spec)});
}

ffi::Error Execute(CudaCallState* state, ffi::RemainingArgs, ffi::RemainingRets) {
  return ffi::Error(ffi::ErrorCode::kUnimplemented,
                    state->spec.name +
                        ": the CUDA kernels of jax-oneshot are not built yet; set JAX_ONESHOT=0 to run this program "
                        "with XLA's own all-reduce");
}

}  // namespace

XLA_FFI_Handler* CudaInstantiateHandler() {
  XLA_FFI_DEFINE_HANDLER(handler, Instantiate, ffi::Ffi::BindInstantiate().Attrs());
  return handler;
}

XLA_FFI_Handler* CudaExecuteHandler() {
  XLA_FFI_DEFINE_HANDLER(handler, Execute,
                         ffi::Ffi::BindExecute().Ctx<ffi::State<CudaCallState>>().RemainingArgs().RemainingRets());
  return handler;
}

XLA_FFI_TypeId* CudaStateTypeId() { return &CudaCallState::id; }

const XLA_FFI_TypeInfo* CudaStateTypeInfo() {
  static constexpr XLA_FFI_TypeInfo kInfo = ffi::MakeTypeInfo<CudaCallState>();
  return &kInfo;
}

}  // namespace jax_oneshot
