// Interface between the kernels and the layer that knows the ranks: Communicator (who takes part, exchange of small
// host messages) and PeerMemory (every rank's workspace as mapped here).
//
// On GPUs that XLA runs, a Communicator is NCCL's (nccl_communicator.h); tests have one of threads.
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
  int ranks_on_device = 1;                // the most ranks of the group that share one GPU: their kernels must all fit
};

// A communicator's symmetric window: memory that it made itself, reachable from every rank that shares an NVLink
// domain.
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

  // Every rank's `mine`, in rank order; all of one length. Collective: returns once all ranks called it, or with an
  // error at the deadline. Says nothing of work that a rank has queued on a GPU.
  virtual Result<std::vector<std::string>> AllGather(std::string_view mine) = 0;

  // Whether MakeWindow can be tried; it is collective, too.
  virtual bool has_windows() const = 0;
  virtual Result<Window> MakeWindow(int64_t bytes) = 0;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_COMMUNICATOR_H_
