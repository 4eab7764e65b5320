// SPDX-License-Identifier: Apache-2.0
// Implementation of handler.h.
#include "ffi_kernels/cuda/handler/handler.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ffi_kernels/boundary.h"
#include "ffi_kernels/call_spec_ffi.h"
#include "ffi_kernels/cuda/handler/collectives.h"
#include "ffi_kernels/cuda/handler/cuda_call.h"
#include "ffi_kernels/cuda/handler/runtime.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;
using cuda::DevicePointer;

struct CudaCallState {
  explicit CudaCallState(CallSpec spec)
      : boundary(spec.program, spec.rows, spec.width, spec.groups.group_size(), TrailingIds::kNone),
        clique(spec.groups),
        call(std::move(spec), &cuda::Runtime::OfProcess()) {}

  static ffi::TypeId id;
  const Boundary boundary;
  const cuda::CliqueRequest clique;
  cuda::CudaCall call;
};

ffi::TypeId CudaCallState::id = {};

ffi::Error Failed(const CudaCallState& state, ffi::ErrorCode code, const std::string& message) {
  const std::string& name = state.call.spec().name;
  return ffi::Error(code, message.rfind(name, 0) == 0 ? message : name + ": " + message);
}

ffi::ErrorOr<std::unique_ptr<CudaCallState>> Instantiate(ffi::Dictionary attributes) {
  Result<CallSpec> spec = ReadCallSpec(attributes);
  if (!spec) return ffi::Error::InvalidArgument(spec.error());
  auto state = std::make_unique<CudaCallState>(*std::move(spec));
  state->call.CompileAhead();
  return state;
}

ffi::Error Prepare(CudaCallState* state, const cuda::Collectives& collectives) {
  const Result<void> requested = collectives.Request(state->clique);
  if (!requested) return Failed(*state, ffi::ErrorCode::kFailedPrecondition, requested.error());
  return ffi::Error::Success();
}

ffi::Error Initialize(CudaCallState* state, int32_t ordinal, const cuda::Collectives& collectives) {
  if (state->call.IsBound(ordinal)) return ffi::Error::Success();
  const Result<void*> comm = collectives.Get(state->clique);
  if (!comm) return Failed(*state, ffi::ErrorCode::kFailedPrecondition, comm.error());
  const Result<void> bound = state->call.Bind(ordinal, *comm);
  if (!bound) return Failed(*state, ffi::ErrorCode::kFailedPrecondition, bound.error());
  return ffi::Error::Success();
}

std::vector<DevicePointer> Addresses(const std::vector<ffi::AnyBuffer>& buffers) {
  std::vector<DevicePointer> addresses;
  for (const ffi::AnyBuffer& buffer : buffers) {
    addresses.push_back(reinterpret_cast<DevicePointer>(buffer.untyped_data()));
  }
  return addresses;
}

ffi::Error Execute(CudaCallState* state, cuda::Stream stream, int32_t ordinal, ffi::RemainingArgs args,
                   ffi::RemainingRets rets) {
  const std::vector<ffi::AnyBuffer> operands = AllOf(args), results = AllOf(rets);
  const std::string problems = state->boundary.Problems(operands, results);
  if (!problems.empty()) {
    return Failed(*state, ffi::ErrorCode::kInvalidArgument, "the buffers do not fit the row program:" + problems);
  }
  const Result<void> launched = state->call.Launch(ordinal, stream, Addresses(operands), Addresses(results));
  if (!launched) return Failed(*state, ffi::ErrorCode::kInternal, launched.error());
  return ffi::Error::Success();
}

auto ExecuteBinding() {
  return ffi::Ffi::BindExecute()
      .Ctx<ffi::State<CudaCallState>>()
      .Ctx<ffi::PlatformStream<cuda::Stream>>()
      .Ctx<ffi::DeviceOrdinal>()
      .RemainingArgs()
      .RemainingRets();
}

}  // namespace

XLA_FFI_Handler* CudaInstantiateHandler() {
  XLA_FFI_DEFINE_HANDLER(handler, Instantiate, ffi::Ffi::BindInstantiate().Attrs());
  return handler;
}

XLA_FFI_Handler* CudaPrepareHandler() {
  XLA_FFI_DEFINE_HANDLER(
      handler, Prepare,
      ffi::Ffi::BindPrepare().Ctx<ffi::State<CudaCallState>>().Ctx<ffi::Extension<cuda::CollectivesTag>>());
  return handler;
}

XLA_FFI_Handler* CudaInitializeHandler() {
  XLA_FFI_DEFINE_HANDLER(handler, Initialize,
                         ffi::Ffi::BindInitialize()
                             .Ctx<ffi::State<CudaCallState>>()
                             .Ctx<ffi::DeviceOrdinal>()
                             .Ctx<ffi::Extension<cuda::CollectivesTag>>());
  return handler;
}

XLA_FFI_Handler* CudaExecuteHandler() {
  // The launch depends only on the buffers' addresses, so XLA may record it into a command buffer.
  XLA_FFI_DEFINE_HANDLER(handler, Execute, ExecuteBinding(), {ffi::Traits::kCmdBufferCompatible});
  return handler;
}

XLA_FFI_Handler* CudaGraphEndExecuteHandler() {
  XLA_FFI_DEFINE_HANDLER(handler, Execute, ExecuteBinding());
  return handler;
}

XLA_FFI_TypeId* CudaStateTypeId() { return &CudaCallState::id; }

const XLA_FFI_TypeInfo* CudaStateTypeInfo() {
  static constexpr XLA_FFI_TypeInfo kInfo = ffi::MakeTypeInfo<CudaCallState>();
  return &kInfo;
}

}  // namespace jax_oneshot
