// SPDX-License-Identifier: Apache-2.0
// Interface between the kernels and the layer that knows the ranks: Communicator (who the ranks are, exchange of small
// host messages) and PeerMemory (every rank's workspace as mapped here).
//
// In production a Communicator wraps the ncclComm_t that XLA owns (nccl_communicator.h); tests have one based on
// threads.
#ifndef FFI_KERNELS_CUDA_COMM_COMMUNICATOR_H_
#define FFI_KERNELS_CUDA_COMM_COMMUNICATOR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

struct PeerMemory {
  int rank = 0, size = 0;
  std::vector<DevicePointer> workspaces;  // by rank; [rank] is our own
  DevicePointer multicast = 0;            // 0: none
  int ranks_on_device = 1;                // most ranks of the group on one GPU: their kernels must fit together
};

// A communicator's symmetric window: memory that the communicator allocates, reachable from every rank in the same
// NVLink domain.
struct Window {
  DevicePointer own = 0;
  std::vector<DevicePointer> workspaces;  // by rank; 0: not reachable
  DevicePointer multicast = 0;
};

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Every rank's `mine`, in rank order; all must have the same length. Collective: returns once all ranks have called
  // it, or with an error at the deadline. Does not synchronise with GPU work.
  virtual Result<std::vector<std::string>> AllGather(std::string_view mine) = 0;

  // Whether MakeWindow, which is collective too, can be tried.
  virtual bool has_windows() const = 0;
  virtual Result<Window> MakeWindow(int64_t bytes) = 0;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_COMMUNICATOR_H_
