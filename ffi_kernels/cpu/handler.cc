// SPDX-License-Identifier: Apache-2.0
// Implementation of handler.h.
//
// Instantiate makes a CallSite from the attributes, once per call of an executable. Execute checks one rank's buffers,
// puts them into its slot and returns a future; the last rank to arrive starts the work.
#include "ffi_kernels/cpu/handler.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ffi_kernels/boundary.h"
#include "ffi_kernels/call_spec_ffi.h"
#include "ffi_kernels/cpu/call_site.h"
#include "ffi_kernels/cpu/keep_freed_memory.h"
#include "row_program/validate.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

class FfiRank : public WaitingRank {
 public:
  void Resume() override {
    ffi::Promise promise = Take();
    Leave();
    promise.SetAvailable();
  }

  void Refuse(const std::string& message) override { Take().SetError(ffi::Error(ffi::ErrorCode::kAborted, message)); }

  std::optional<ffi::Promise> promise;

 private:
  ffi::Promise Take() {
    ffi::Promise taken = *std::move(promise);
    promise.reset();
    return taken;
  }
};

struct CpuCallState {
  explicit CpuCallState(CallSpec spec)
      : boundary(spec.program, spec.rows, spec.width, spec.groups.group_size(), TrailingIds::kReplicaAndPartition),
        site({std::move(spec.program), spec.rows, spec.width, std::move(spec.groups), std::move(spec.name),
              spec.timeout},
             [] { return std::make_unique<FfiRank>(); }) {}

  static ffi::TypeId id;
  Boundary boundary;
  CallSite site;
};

ffi::TypeId CpuCallState::id = {};

ffi::ErrorOr<std::unique_ptr<CpuCallState>> Instantiate(ffi::Dictionary attributes) {
  // Done here so that only processes that run one-shot calls on CPU are affected.
  [[maybe_unused]] static const bool kept = KeepFreedMemory();
  Result<CallSpec> spec = ReadCallSpec(attributes);
  if (!spec) return ffi::Error::InvalidArgument(spec.error());
  return std::make_unique<CpuCallState>(*std::move(spec));
}

ffi::Future Failed(ffi::ErrorCode code, const std::string& message) {
  ffi::Promise promise;
  ffi::Future future(promise);
  promise.SetError(ffi::Error(code, message));
  return future;
}

// Addresses of one rank's buffers, until they are moved into its slot. Each buffer is decoded once, because that is a
// large part of the cost of an arrival; does not allocate.
struct Arrival {
  const void* operands[kMaxInputs + 2];
  void* results[kMaxOutputs];
  size_t operand_count, result_count;
  ffi::Promise promise;

  // False unless every buffer is what `boundary` expects.
  bool Read(const Boundary& boundary, const ffi::RemainingArgs& args, const ffi::RemainingRets& rets) {
    operand_count = boundary.operand_count();
    result_count = boundary.result_count();
    if (args.size() != operand_count || rets.size() != result_count) return false;
    for (size_t i = 0; i < operand_count; ++i) {
      auto buffer = args.get<ffi::AnyBuffer>(i);
      if (!buffer.has_value() || !boundary.OperandFits(i, *buffer)) return false;
      operands[i] = buffer->untyped_data();
    }
    for (size_t i = 0; i < result_count; ++i) {
      auto buffer = rets.get<ffi::AnyBuffer>(i);
      if (!buffer.has_value() || !boundary.ResultFits(i, **buffer)) return false;
      results[i] = (*buffer)->untyped_data();
    }
    return true;
  }

  uint32_t replica_id() const { return *static_cast<const uint32_t*>(operands[operand_count - 2]); }
  uint32_t partition_id() const { return *static_cast<const uint32_t*>(operands[operand_count - 1]); }

  void FindSlot(WaitingRank* rank) {
    rank->inputs.assign(operands, operands + operand_count - 2);
    rank->outputs.assign(results, results + result_count);
    static_cast<FfiRank*>(rank)->promise = std::move(promise);
  }
};

ffi::Future Execute(CpuCallState* state, ffi::RunId run, ffi::RemainingArgs args, ffi::RemainingRets rets) {
  CallSite& site = state->site;
  Arrival arrival;
  if (!arrival.Read(state->boundary, args, rets)) {
    return Failed(ffi::ErrorCode::kInvalidArgument, site.name() + ": the buffers do not fit the row program:" +
                                                        state->boundary.Problems(AllOf(args), AllOf(rets)));
  }
  const Result<RankSlot> slot = site.groups().Find(arrival.replica_id(), arrival.partition_id());
  if (!slot) return Failed(ffi::ErrorCode::kInvalidArgument, site.name() + ": " + slot.error());
  ffi::Future future(arrival.promise);
  // Once Arrive has succeeded the state may be destroyed; touch nothing but this rank's future.
  const Result<void> arrived =
      site.Arrive(run.run_id, *slot, [&arrival](WaitingRank* rank) { arrival.FindSlot(rank); });
  if (!arrived) return Failed(ffi::ErrorCode::kAborted, arrived.error());
  return future;
}

}  // namespace

XLA_FFI_Handler* CpuInstantiateHandler() {
  XLA_FFI_DEFINE_HANDLER(handler, Instantiate, ffi::Ffi::BindInstantiate().Attrs());
  return handler;
}

XLA_FFI_Handler* CpuExecuteHandler() {
  XLA_FFI_DEFINE_HANDLER(
      handler, Execute,
      ffi::Ffi::BindExecute().Ctx<ffi::State<CpuCallState>>().Ctx<ffi::RunId>().RemainingArgs().RemainingRets());
  return handler;
}

XLA_FFI_TypeId* CpuStateTypeId() { return &CpuCallState::id; }

const XLA_FFI_TypeInfo* CpuStateTypeInfo() {
  static constexpr XLA_FFI_TypeInfo kInfo = ffi::MakeTypeInfo<CpuCallState>();
  return &kInfo;
}

}  // namespace jax_oneshot
