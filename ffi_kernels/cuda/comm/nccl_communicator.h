// Communicator (communicator.h) on top of an ncclComm_t that XLA owns, and the device it belongs to.
//
// XLA uses the same ncclComm_t. That is safe because our collective calls are made only while a call is initialised:
// XLA initialises the calls of a program in one order, the same on all ranks, and starts nothing of that program
// before.
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
  // `api` and `device` must outlive it. `timeout` is for each collective call.
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
  // Waits until a call that began with `result` has had its effect on the host.
  Result<void> Finish(const char* call, NcclResult result);
  Result<void> WaitForStream(const char* call);
  std::string LateText(const char* call) const;

  const NcclApi& api_;
  NcclComm comm_;
  PeerDevice& device_;
  std::chrono::milliseconds timeout_;
  int rank_ = 0, size_ = 0;
  DevicePointer buffer_ = 0;  // what AllGather sends and receives, on the device
  int64_t buffer_bytes_ = 0;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_NCCL_COMMUNICATOR_H_
