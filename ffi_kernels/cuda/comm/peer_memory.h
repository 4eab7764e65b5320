// SPDX-License-Identifier: Apache-2.0
// Allocates a workspace on every rank and maps all of them into this process. On failure every rank gets the same
// error, which says which ranks cannot reach each other and how to turn the pass off.
//
// Every rank describes its workspace to all others, then maps theirs:
//
//   same process                       the address itself, and peer access between the two devices
//   another process of this host       CUDA IPC
//   another host, or IPC is refused    the communicator's symmetric window, if it has one (NCCL 2.29 or newer; the
//                                      devices must share an NVLink domain); not yet run on such machines
//
// After each of the two steps all ranks exchange the outcome, so that no rank continues alone. Mappings are kept until
// the process ends: a peer may still write there.
#ifndef FFI_KERNELS_CUDA_COMM_PEER_MEMORY_H_
#define FFI_KERNELS_CUDA_COMM_PEER_MEMORY_H_

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "ffi_kernels/cuda/comm/communicator.h"
#include "ffi_kernels/cuda/comm/peer_device.h"

namespace jax_oneshot::cuda {

// Identifies the host and the process: compared between ranks, never interpreted.
struct Whereabouts {
  std::string host;     // equal on one running kernel, across containers
  std::string process;  // drawn once per process; process ids repeat between containers
};

const Whereabouts& OwnWhereabouts();

struct WorkspaceRequest {
  int64_t bytes = 0;
  // Initialises a new workspace; has completed on the device when it returns.
  std::function<Result<void>(DevicePointer)> initialise;
};

Result<PeerMemory> SharePeerMemory(Communicator* communicator, PeerDevice* device, const Whereabouts& here,
                                   const WorkspaceRequest& request);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_PEER_MEMORY_H_
