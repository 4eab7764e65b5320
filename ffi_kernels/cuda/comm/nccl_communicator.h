// SPDX-License-Identifier: Apache-2.0
// Communicator (communicator.h) on top of an ncclComm_t that XLA owns, and the device that it belongs to.
//
// XLA uses the same ncclComm_t. That is safe because we make collective calls only while a call is initialised: XLA
// initialises the calls of a program in the same order on all ranks, before it starts anything of that program.
#ifndef FFI_KERNELS_CUDA_COMM_NCCL_COMMUNICATOR_H_
#define FFI_KERNELS_CUDA_COMM_NCCL_COMMUNICATOR_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/comm/communicator.h"
#include "ffi_kernels/cuda/comm/nccl.h"
#include "ffi_kernels/cuda/comm/peer_device.h"

namespace jax_oneshot::cuda {

class NcclCommunicator : public Communicator {
 public:
  // `api` and `device` must outlive it. `timeout` applies to each collective call.
  static Result<std::unique_ptr<NcclCommunicator>> Create(const NcclApi& api, NcclComm comm, PeerDevice* device,
                                                          std::chrono::milliseconds timeout);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Result<std::vector<std::string>> AllGather(std::string_view mine) override;
  bool has_windows() const override { return api_.has_windows(); }
  Result<Window> MakeWindow(int64_t bytes) override;

 private:
  NcclCommunicator(const NcclApi& api, NcclComm comm, PeerDevice* device, std::chrono::milliseconds timeout)
      : api_(api), comm_(comm), device_(*device), timeout_(timeout) {}

  Result<void> ReserveBuffer(int64_t bytes);
  // Waits until a call that returned `result` has taken effect on the host.
  Result<void> Finish(const char* call, NcclResult result);
  Result<void> WaitForStream(const char* call);
  std::string LateText(const char* call) const;

  const NcclApi& api_;
  NcclComm comm_;
  PeerDevice& device_;
  std::chrono::milliseconds timeout_;
  int rank_ = 0, size_ = 0;
  DevicePointer buffer_ = 0;  // the send and receive buffer of AllGather, on the device
  int64_t buffer_bytes_ = 0;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_NCCL_COMMUNICATOR_H_
